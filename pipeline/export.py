"""Rows -> json, jsonl, csv, parquet, ocsf. The canonical text of an event and a finding is made here alone."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.query import Rows

JSON_TEXT = frozenset({"metadata", "unmapped", "content", "run", "parameters"})
CHANGE_VALUES = ("old", "new")
NOT_FOR_PEOPLE = frozenset({"ip_key", "raw_bytes"})
FORMULA = re.compile(r"[\t\r]|\s*[=+\-@]")  # spreadsheets pass over white space before a formula


def rows_as_json(rows: Rows) -> Iterator[dict[str, Any]]:
    """Each row as JSON values: times as UTC text, JSON texts as what they say."""
    for row in rows.pl().iter_rows(named=True):
        yield canonical(row)


def canonical(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row in the form that every output and every test compares."""
    return {name: _value(name, value) for name, value in row.items() if name not in NOT_FOR_PEOPLE}


def instant(moment: datetime) -> str:
    """UTC with milliseconds, with microseconds only where the source has them."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return (text[:-3] if text.endswith("000") else text) + "Z"


def to_csv(rows: Iterable[Mapping[str, Any]], columns: list[str], *, guarded: bool = True) -> Iterator[str]:
    """CSV lines, header first; a cell that a spreadsheet would run as a formula gets an apostrophe before it."""
    for row in [dict(zip(columns, columns, strict=True)), *rows]:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([_cell(row[name], guarded) for name in columns])
        yield line.getvalue()


def write(rows: Rows, path: Path) -> Path:
    """Write rows to a file by its ending, whole or not at all, readable by its owner only."""
    makers = {
        ".csv": _write_csv,
        ".ocsf.jsonl": _write_ocsf,  # before what it ends in
        ".jsonl": _write_jsonl,
        ".json": _write_json,
        ".parquet": _write_parquet,
    }
    write_rows = next((make for ending, make in makers.items() if path.name.endswith(ending)), None)
    if write_rows is None:
        raise UsageError(
            f'"{path.suffix}" is not a format.', path=path, hint=f"Use one of {', '.join(makers)}."
        )
    temporary = path.with_name(f".{path.name}.tmp")
    write_rows(rows, temporary)
    temporary.chmod(0o600)
    os.replace(temporary, path)  # noqa: PTH105 - atomic, over an earlier export of the same name
    return path


def _write_csv(rows: Rows, path: Path) -> None:
    columns = [name for name in rows.columns if name not in NOT_FOR_PEOPLE]
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(to_csv(rows_as_json(rows), columns))


def _write_jsonl(rows: Rows, path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows_as_json(rows))


def _write_ocsf(rows: Rows, path: Path) -> None:
    from pipeline import ocsf

    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in ocsf.records(rows))


def _write_json(rows: Rows, path: Path) -> None:
    path.write_text(
        json.dumps(list(rows_as_json(rows)), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )


def _write_parquet(rows: Rows, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(rows.arrow(), path, compression="zstd")


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if name in JSON_TEXT and isinstance(value, str):
        return json.loads(value)
    if isinstance(value, dict):
        return {key: _value(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_change(item) if name == "changes" else _value("", item) for item in value]
    return value


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    """A change with its values as JSON; a side that the source did not give is absent, which is not null."""
    told = {key: value for key, value in change.items() if key not in CHANGE_VALUES}
    sides = {
        side: json.loads(change[side]) if change[side] is not None else None
        for side in CHANGE_VALUES
        if change[f"{side}_present"]
    }
    return {**told, **sides}


def _cell(value: Any, guarded: bool) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "'" + text if guarded and isinstance(value, str) and FORMULA.match(text) else text
