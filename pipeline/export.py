"""Rows -> files and streams. The canonical text of an event and a finding is made here and in rowtext alone.

A file appears whole, with a manifest beside it that says what is in it, by which question, and from which store.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipeline import outfile, rowtext
from pipeline.errors import UsageError
from pipeline.formats import WRITERS, Choice, Stream

if TYPE_CHECKING:
    from pipeline.rows import Rows

ENDINGS = {".ocsf.jsonl": "ocsf", ".ndjson": "jsonl", **{f".{kind}": kind for kind in WRITERS}}
NEED_A_FILE = frozenset({"parquet", "xlsx", "pdf", "html"})  # no terminal can show them
MANIFEST = ".manifest.json"
PART = 1 << 20


def format_of(path: Path) -> str:
    """The format that a file's ending means."""
    for ending, kind in ENDINGS.items():  # what ends in another comes before it
        if path.name.lower().endswith(ending):
            return kind
    raise UsageError(f'"{path.suffix}" is not a format.', path=path, hint=f"Use one of {', '.join(ENDINGS)}.")


def write(rows: Rows, path: Path, kind: str | None = None, choice: Choice | None = None) -> dict[str, Any]:
    """Write rows to a file, whole or not at all, readable by its owner only; gives the manifest put beside it."""
    chosen = kind or format_of(path)
    told: dict[str, Any] = {}

    def fill(stream: IO[bytes]) -> None:
        counted = outfile.Counted(stream)
        written = WRITERS[chosen](rows, counted, choice or Choice())
        told.update(manifest(rows, path, chosen, choice or Choice(), written, counted))

    def say(stream: IO[bytes]) -> None:
        stream.write(json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n")

    outfile.replace({path: fill, path.with_name(path.name + MANIFEST): say})
    return told


def stream(rows: Rows, into: Stream, kind: str, choice: Choice | None = None) -> int:
    """Write rows to a stream; gives how many."""
    if kind not in NEED_A_FILE:
        return int(WRITERS[kind](rows, into, choice or Choice())["rows"])
    with tempfile.TemporaryFile() as whole:
        told = WRITERS[kind](rows, outfile.Counted(whole), choice or Choice())
        whole.seek(0)
        for part in iter(lambda: whole.read(PART), b""):
            into.write(part)
    return int(told["rows"])


REDACTION = {"full": "none", "internal": "secrets", "external": "secrets, people and free text"}


def manifest(
    rows: Rows, path: Path, kind: str, choice: Choice, written: Mapping[str, Any], counted: outfile.Counted
) -> dict[str, Any]:
    """What is in a file: by which question, how much, with which hash, from which store, made with what."""
    from pipeline import audience
    from pipeline import store as stores

    shown = audience.of(rows.con)
    [(head, commits)] = rows.con.execute("SELECT max_by(head, commit_no), count(*) FROM commits").fetchall()
    names, _ = rows.shape()
    columns = [name for name in names if kind == "parquet" or name not in rowtext.NOT_FOR_PEOPLE]
    by_source = rows.by("source").arrow().to_pylist() if "source" in names else []
    return {
        "file": path.name, "format": kind, **written, "bytes": counted.size, "sha256": counted.sha256,
        "columns": columns, "by_source": {row["source"]: row["n"] for row in by_source},
        "filter": {name: _plain(value) for name, value in audience.typed(rows.con, rows.asked).items()},
        "hidden": rows.notices(),
        "query": rows.sql, "values": _bound(rows, shown),
        "formulas": "made safe" if kind == "csv" and choice.guarded else "as stored",
        "redaction": REDACTION[shown],
        "store": {"head": head or stores.GENESIS, "commits": commits},
        "versions": stores.versions(), "made": stores.now(),
    }  # fmt: skip


def _bound(rows: Rows, shown: str) -> Any:
    """What stood in the question's places: it may be a name, or a secret that was looked for."""
    from pipeline import hidden, redact

    if shown == "external":
        return hidden.WITHHELD
    return _plain(rows.values) if shown == "full" else redact.document(_plain(rows.values))


def _plain(value: Any) -> Any:
    """A value that was bound, as JSON."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def rows_as_json(rows: Rows) -> Iterator[dict[str, Any]]:
    """Each row as JSON values: times as UTC text, JSON texts as what they say."""
    rows = rows.picked()
    lines = rows.con.execute(rowtext.json_lines(*rows.unsorted()), rows.values or None).fetchall()
    return (json.loads(line) for (line,) in lines)


def canonical(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row in the form that every output and every test compares."""
    return {name: _value(name, value) for name, value in row.items() if name not in rowtext.NOT_FOR_PEOPLE}


def instant(moment: datetime) -> str:
    """UTC with milliseconds, with microseconds only where the source has them."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return (text[:-3] if text.endswith("000") else text) + "Z"


def to_csv(rows: Iterable[Mapping[str, Any]], columns: list[str], *, guarded: bool = True) -> Iterator[str]:
    """CSV lines, header first; a cell that a spreadsheet would run as a formula gets an apostrophe before it."""
    for row in [dict(zip(columns, columns, strict=True)), *rows]:
        line = io.StringIO()
        csv.writer(line).writerow([_cell(row[name], guarded) for name in columns])
        yield line.getvalue().removesuffix("\r\n") + "\n"


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value) if value.tzinfo else value.isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if name in rowtext.JSON_TEXT and isinstance(value, str):
        return json.loads(value)
    if isinstance(value, dict):
        return {key: _value(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_change(item) if name == "changes" else _value("", item) for item in value]
    return value


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    """A change with its values as JSON; a side that the source did not give is absent, which is not null."""
    told = {key: value for key, value in change.items() if key not in rowtext.CHANGE_SIDES}
    sides = {
        side: json.loads(change[side]) if change[side] is not None else None
        for side in rowtext.CHANGE_SIDES
        if change[f"{side}_present"]
    }
    return {**told, **sides}


def _cell(value: Any, guarded: bool) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "'" + text if guarded and isinstance(value, str) and rowtext.FORMULA.match(text) else text
