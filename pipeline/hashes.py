"""SHA-256 of many texts, by the library that Python's own hashes come from, where that can be called. Of normalize.

DuckDB makes the same of the same texts; whoever asks falls back on that.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import compiled
from pipeline.compiled import address_of

LONG, SHORT = 64, 32  # digits of a whole hash, and of one that names a record
_FUNCTIONS = ("SHA256_Init", "SHA256_Update", "SHA256_Final")


class _Texts(ctypes.Structure):
    """Texts as Arrow has them: texts of hashes.c."""

    _fields_ = (("data", ctypes.c_void_p), ("ends", ctypes.c_void_p))


def hashes(
    texts: pa.Array,
    names: pa.Array | None = None,
    around: tuple[str, str, str] = ("", "", ""),
    digits: int = LONG,
) -> pa.Array | None:
    """Of each text the first digits of the hash of `around` and, between them, its name (nothing, if it has none) and
    the text; nothing where that cannot be called."""
    library, functions = compiled.library(), _functions()
    if library is None or functions is None:
        return None
    texts = pc.cast(texts, pa.string())
    if names is None:
        names = pa.nulls(len(texts), pa.string())
    coded = names if isinstance(names, pa.DictionaryArray) else names.dictionary_encode()
    known = pa.concat_arrays([coded.dictionary.cast(pa.string()).fill_null(""), pa.array([""])])
    name = np.asarray(coded.indices.fill_null(len(known) - 1)).astype(np.int32)
    made = np.empty(digits * len(texts), np.uint8)
    kept = pa.array(around)
    done = library.auditbook_hashes(
        *functions, *(ctypes.byref(_given(one)) for one in (kept, known)), address_of(name),
        ctypes.byref(_given(texts)), ctypes.c_int64(len(texts)), ctypes.c_int32(digits),
        address_of(made),
    )  # fmt: skip
    if not done:
        return None
    ends = np.arange(0, len(made) + 1, digits, dtype=np.int32)
    found = pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(made)], 0)
    return pc.if_else(texts.is_valid(), found, None) if texts.null_count else found


def _given(texts: pa.Array) -> _Texts:
    _, ends, data = texts.buffers()
    return _Texts(data.address if data else None, ends.address + 4 * texts.offset)


@cache
def _functions() -> tuple[ctypes.c_void_p, ...] | None:
    """Where the functions are; nothing where Python's hashes are not from such a library, or it does not say."""
    try:
        import _hashlib

        loaded = ctypes.CDLL(_hashlib.__file__)
        return tuple(ctypes.cast(getattr(loaded, name), ctypes.c_void_p) for name in _FUNCTIONS)
    except (ImportError, AttributeError, OSError):
        return None
