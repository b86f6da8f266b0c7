"""The identity of a record that has an id of its own: who says it, of which tenant, and the id. Of normalize."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipeline.distinct import whole
from pipeline.hashes import SHORT, hashes

_SQL = """SELECT left(sha256($source || chr(31) || coalesce(instance, '') || chr(31) || 'id' || chr(31) || id), 32)
  AS uid FROM named"""


def of(connection: duckdb.DuckDBPyConnection, source: str, instance: pa.Array, ids: pa.Array) -> pa.Array:
    """Identities; null without an id, when only the load knows who is who."""
    if ids.null_count == len(ids):
        return pa.nulls(len(ids), pa.string())
    found = hashes(ids, instance, (f"{source}\x1f", "\x1fid\x1f", ""), SHORT)
    if found is not None:
        return found
    connection.register("named", pa.table({"instance": instance, "id": ids}))
    made: pa.Table = connection.sql(_SQL, params={"source": source}).to_arrow_table()
    connection.unregister("named")
    return whole(made.column("uid"))
