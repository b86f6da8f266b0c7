"""Reports that were made, and readings: noted beside the store, and taken into the next commit's record.

There the seal covers them.

What a report says of earlier reports it takes from records alone, so that making it again gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NOTES = "reports.jsonl"
READS = "reads.jsonl"
KINDS = {"reports": NOTES, "reads": READS}


def note(store: Path, report: dict[str, Any], kind: str = "reports") -> bool:
    """Remember a report, once, or a reading, each, for the next record; False where the store cannot be written."""
    if kind == "reports" and report in unrecorded(store, [], kind):
        return True
    try:
        descriptor = os.open(store / KINDS[kind], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(report, sort_keys=True, ensure_ascii=False) + "\n")
    return True


def told(store: Path, records: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What the next record says of them, by kind; a kind of which there is nothing to say is left out."""
    found = {kind: unrecorded(store, records, kind) for kind in KINDS}
    return {kind: entries for kind, entries in found.items() if entries}


def unrecorded(store: Path, records: Sequence[dict[str, Any]], kind: str = "reports") -> list[dict[str, Any]]:
    """The noted ones that no record has yet, in the order in which they were made."""
    try:
        lines = (store / KINDS[kind]).read_text("utf-8", errors="replace").split("\n")
    except OSError:
        return []
    known = {json.dumps(report, sort_keys=True) for report in recorded(records, kind)}
    found = (report for line in lines if (report := _report(line, kind)))
    return [report for report in found if json.dumps(report, sort_keys=True) not in known]


def recorded(records: Sequence[dict[str, Any]], kind: str = "reports") -> list[dict[str, Any]]:
    """Every report, or reading, that the records tell of."""
    return [report for record in records for report in record["run"].get(kind, [])]


def _report(line: str, kind: str) -> dict[str, Any] | None:
    """A half-written line, of a process that was killed, is no report; nor is one that lacks what every report has."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    return found if kind != "reports" or _is_whole(found) else None


def _is_whole(report: dict[str, Any]) -> bool:
    files = report.get("files")
    texts = (report.get("kind"), report.get("report_id"), report.get("head"), report.get("folder", ""))
    named = isinstance(files, dict) and all(isinstance(digest, str) for digest in files.values())
    return named and all(isinstance(text, str) for text in texts)
