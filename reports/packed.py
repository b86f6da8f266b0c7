"""A question's events -> what the log page carries: columns that filters need, and parts that an opened row needs.

Every value is there once, as the store has it, so that the page can write the same JSON and CSV as `auditbook export`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from pipeline import rowtext

PART = 1000  # events that are unpacked at once when one of them is opened
INDEXED = (
    "event_uid source occurred_at actor_type actor_id actor_name actor_email event_type_raw action action_detail "
    "category classes entity_type entity_id entity_name entity_ids parent_entity_type parent_entity_id "
    "related_entities outcome source_ip correlation_id reason message error_message"
).split()
# Not columns of an event: who it was, and what was found.
ADDED = {
    "display_name": (
        "CASE WHEN e.actor_anonymous THEN 'Anonymous' ELSE coalesce(a.display_name, e.actor_name, e.actor_email, "
        "e.actor_id, e.api_key_id_masked, upper(e.actor_type[1]) || replace(e.actor_type[2:], '_', ' ')) END"
    ),
    "impersonator": "coalesce(e.impersonator_name, e.impersonator_email, e.impersonator_id)",
    "finding": "coalesce(to_json(f.ids)::VARCHAR, '[]')",
}
_NEWEST = "occurred_at DESC, file DESC, line DESC, event_uid"
_FOUND = """SELECT fe.event_uid, list(fe.finding_id ORDER BY fe.finding_id) AS ids FROM finding_events fe
    JOIN findings USING (finding_id) WHERE state <> 'withdrawn' GROUP BY ALL"""
_FINDINGS = """SELECT DISTINCT f.finding_id, title, severity, subject, state FROM findings f
    JOIN finding_events USING (finding_id) JOIN chosen USING (event_uid) WHERE state <> 'withdrawn'
    ORDER BY list_position(['critical', 'high', 'medium', 'low', 'info'], severity), title, subject, f.finding_id"""


@dataclass(frozen=True)
class Packed:
    """What stands in the page: its index, its parts, and how many events they are of how many."""

    index: str
    parts: tuple[str, ...]
    shown: int
    total: int
    first_us: int | None
    last_us: int | None


def pack(rows: Any, most: int, facts: dict[str, Any]) -> Packed:
    """The newest events of a question, at most so many."""
    con, total = rows.con, rows.count()
    query, *_ = rows.unsorted()
    newest = f"SELECT event_uid, occurred_at, file, line FROM ({query}) ORDER BY {_NEWEST} LIMIT {most}"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE chosen AS SELECT *, row_number() OVER (ORDER BY {_NEWEST}) - 1 AS n "
        f"FROM ({newest})",
        rows.values or None,
    )
    try:
        columns = _columns(con)
        index = {
            "facts": {**facts, "part": PART, "findings": _findings(con)},
            "order": [(name, nested) for name, _, nested in columns],
            **_index(con, columns),
        }
        parts = tuple(_parts(con, [one for one in columns if one[0] not in INDEXED]))
        [(shown, first, last)] = con.execute(
            "SELECT count(*), epoch_us(min(occurred_at)), epoch_us(max(occurred_at)) FROM chosen"
        ).fetchall()
    finally:
        con.execute("DROP TABLE IF EXISTS temp.chosen")
    return Packed(_packed(index), parts, shown, total, first, last)


def _columns(con: Any) -> list[tuple[str, str, bool]]:
    """Each column of an event: its name, the SQL of what is carried of it, and whether that is JSON text."""
    relation = con.sql("SELECT * FROM events LIMIT 0")
    found = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        value = f"e.{rowtext.column(name)}"
        if name in rowtext.NOT_FOR_PEOPLE:
            continue
        if kind.id.startswith("timestamp"):
            found.append((name, f"json_extract_string({rowtext.json_of(value, kind, name)}, '$')", False))
        elif kind.id in ("varchar", "boolean", "integer", "bigint"):
            found.append((name, value, name in rowtext.JSON_TEXT))
        else:
            told = rowtext.json_of(value, kind, name)
            found.append((name, f"nullif({told}, 'null')", True))
    return found


def _index(con: Any, columns: Sequence[tuple[str, str, bool]]) -> dict[str, Any]:
    wanted = [(name, sql, nested) for name, sql, nested in columns if name in INDEXED]
    wanted += [(name, sql, name == "finding") for name, sql in ADDED.items()]
    listed = ", ".join(f"{sql} AS {rowtext.column(name)}" for name, sql, _ in wanted)
    table = con.sql(
        f"SELECT {listed} FROM events e JOIN chosen c USING (event_uid) "
        "LEFT JOIN (SELECT actor_key, display_name FROM actors) a USING (actor_key) "
        f"LEFT JOIN ({_FOUND}) f ON f.event_uid = e.event_uid ORDER BY c.n"
    ).to_arrow_table()
    return {
        "size": table.num_rows,
        "columns": {name: (*_coded(table.column(name)), nested) for name, _, nested in wanted},
    }


def _coded(column: pa.ChunkedArray) -> tuple[list[Any], list[int] | None]:
    """The different values in the order in which they come, and which of them each entry has."""
    coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    values, codes = coded.dictionary.to_pylist(), coded.indices.to_pylist()
    return values, (None if len(values) == len(codes) else codes)


def _findings(con: Any) -> list[dict[str, str]]:
    names = ("id", "title", "severity", "subject", "state")
    return [dict(zip(names, row, strict=True)) for row in con.execute(_FINDINGS).fetchall()]


def _parts(con: Any, columns: Sequence[tuple[str, str, bool]]) -> Iterator[str]:
    """The other columns, a thousand events at a time; a column that says nothing in a part is left out of it."""
    listed = ", ".join(f"{sql} AS {rowtext.column(name)}" for name, sql, _ in columns)
    [(size,)] = con.execute("SELECT count(*) FROM chosen").fetchall()
    table = con.sql(
        f"SELECT {listed} FROM events e JOIN chosen c USING (event_uid) ORDER BY c.n"
    ).to_arrow_table()
    for begin in range(0, size, PART):
        part = table.slice(begin, PART)
        yield _packed({
            name: part.column(name).to_pylist()
            for name, _, _ in columns
            if part.column(name).null_count < part.num_rows
        })  # fmt: skip


def _packed(said: object) -> str:
    """As JSON, compressed by a library that comes with us (the machine's would give other bytes), as text."""
    return base64.b64encode(pa.Codec("gzip", 6).compress(msgspec.json.encode(said), asbytes=True)).decode()
