"""Reports that were made: noted beside the store, and taken into the next commit's record, where the seal covers them.

What a report says of earlier reports it takes from records alone, so that making it again gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NOTES = "reports.jsonl"


def note(store: Path, report: dict[str, Any]) -> bool:
    """Remember a report for the next record; False where the store cannot be written, as on a read-only disk."""
    if report in unrecorded(store, []):
        return True
    try:
        descriptor = os.open(store / NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(report, sort_keys=True, ensure_ascii=False) + "\n")
    return True


def unrecorded(store: Path, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The noted reports that no record has yet, in the order in which they were made."""
    try:
        lines = (store / NOTES).read_text("utf-8", errors="replace").split("\n")
    except OSError:
        return []
    known = recorded(records)
    return [report for line in lines if (report := _report(line)) and report not in known]


def recorded(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every report that the records tell of."""
    return [report for record in records for report in record["run"].get("reports", [])]


def _report(line: str) -> dict[str, Any] | None:
    """A half-written line, of a process that was killed, is no report."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
