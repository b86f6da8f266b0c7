"""The identity of a record that has an id of its own: who says it, of which tenant, and the id. Of normalize.

A hash, made by DuckDB, or faster by the library that Python's own hashes come from, where that can be called.
"""

from __future__ import annotations

import ctypes
from functools import cache

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import compiled
from pipeline.distinct import whole

SEPARATOR = "\x1f"
LENGTH = 32
_SHA256 = ("SHA256_Init", "SHA256_Update", "SHA256_Final")
_SQL = """SELECT left(sha256($source || chr(31) || coalesce(instance, '') || chr(31) || 'id' || chr(31) || id), 32)
  AS uid
  FROM named"""


def of(connection: duckdb.DuckDBPyConnection, source: str, instance: pa.Array, ids: pa.Array) -> pa.Array:
    """Identities; null without an id, when only the load knows who is who."""
    if ids.null_count == len(ids):
        return pa.nulls(len(ids), pa.string())
    ids = _plain(ids)
    found = _compiled(source, instance, ids)
    if found is not None:
        return found
    connection.register("named", pa.table({"instance": instance, "id": ids}))
    made: pa.Table = connection.sql(_SQL, params={"source": source}).to_arrow_table()
    connection.unregister("named")
    return whole(made.column("uid"))


def _compiled(source: str, instance: pa.Array, ids: pa.Array) -> pa.Array | None:
    library, sha256 = compiled.library(), _functions()
    if library is None or sha256 is None:
        return None
    tenants = instance if isinstance(instance, pa.DictionaryArray) else instance.dictionary_encode()
    names = [*(name or "" for name in tenants.dictionary.to_pylist()), ""]
    prefixes = [f"{source}{SEPARATOR}{name}{SEPARATOR}id{SEPARATOR}".encode() for name in names]
    ends = np.cumsum([0, *map(len, prefixes)]).astype(np.int32)
    prefix = np.asarray(tenants.indices.fill_null(len(names) - 1)).astype(np.int32)
    _, offsets, data = ids.buffers()
    made = np.empty(LENGTH * len(ids), np.uint8)
    done = library.auditbook_uids(
        *sha256, b"".join(prefixes), _place(ends), _place(prefix), ctypes.c_void_p(data.address if data else None),
        ctypes.c_void_p(offsets.address + 4 * ids.offset), ctypes.c_int64(len(ids)), _place(made),
    )  # fmt: skip
    if not done:
        return None
    places = np.arange(0, len(made) + 1, LENGTH, dtype=np.int32)
    texts = pa.Array.from_buffers(pa.string(), len(ids), [None, pa.py_buffer(places), pa.py_buffer(made)], 0)
    return pc.if_else(ids.is_valid(), texts, None) if ids.null_count else texts


@cache
def _functions() -> tuple[ctypes.c_void_p, ...] | None:
    """Where the functions are; nothing where Python's hashes are not from such a library, or it does not say."""
    try:
        import _hashlib

        loaded = ctypes.CDLL(_hashlib.__file__)
        return tuple(ctypes.cast(getattr(loaded, name), ctypes.c_void_p) for name in _SHA256)
    except (ImportError, AttributeError, OSError):
        return None


def _plain(texts: pa.Array) -> pa.Array:
    return pc.cast(texts, pa.string()) if isinstance(texts, pa.DictionaryArray) else texts


def _place(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
