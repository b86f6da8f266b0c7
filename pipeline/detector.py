"""Evaluates a detector over the tables of a connection. Used by detect, which commits what it says, and by cases.

A broken rule is an error that names its file; it is never an empty result. How much a rule saw is coverage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from pipeline import dialect
from pipeline.coverage import Coverage, coverage, failed
from pipeline.errors import AuditbookError
from pipeline.rulefile import Detector, Parameter, Value, parse, read, shipped, values

__all__ = [
    "COLUMNS", "Coverage", "Detector", "Finding", "Parameter", "Value",
    "coverage", "evaluate", "failed", "parse", "read", "shipped", "values",
]  # fmt: skip
COLUMNS = (
    "key",
    "subject",
    "window_start",
    "window_end",
    "observed",
    "expected",
    "reason",
    "cleared_by",
    "events",
)
WITHOUT_CLEARED_BY = tuple(name for name in COLUMNS if name != "cleared_by")


@dataclass(frozen=True)
class Finding:
    """Something that a reviewer must look at, and the events behind it."""

    finding_id: str
    detector: str
    severity: str
    title: str
    key: str
    subject: str
    window_start: datetime
    window_end: datetime
    observed: str
    expected: str
    reason: str
    cleared_by: str | None
    events: tuple[str, ...]


def evaluate(
    connection: duckdb.DuckDBPyConnection,
    detector: Detector,
    overrides: Mapping[str, object],
    severity: str | None = None,
) -> list[Finding]:
    """The findings of one detector over the tables of the connection, oldest first."""
    parameters = values(detector, overrides)
    try:
        given = connection.execute(detector.sql, parameters)
        rows, names = given.fetchall(), tuple(column[0] for column in given.description or ())
    except duckdb.Error as error:
        raise AuditbookError(f"{dialect.first_line(error)}.", path=detector.path) from error
    return findings(detector, rows, names, severity)


def findings(
    detector: Detector, rows: Sequence[Sequence[Any]], names: Sequence[str], severity: str | None = None
) -> list[Finding]:
    """The findings that the rows of a detector tell, oldest first; what a finding must say, each of them says."""
    if names not in (COLUMNS, WITHOUT_CLEARED_BY):
        message = f"returns the columns {', '.join(names)}."
        raise AuditbookError(message, path=detector.path, hint=f"Expected {', '.join(COLUMNS)}.")
    told = [dict(zip(names, row, strict=True)) for row in rows]
    found = [_finding(detector, severity or detector.severity, row) for row in told]
    keys = [one.key for one in found]
    if doubled := sorted({key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else ()):
        raise AuditbookError(f'returns two findings with the key "{doubled[0]}".', path=detector.path)
    return sorted(found, key=lambda one: (one.window_start, one.key))


def _finding(detector: Detector, severity: str, row: Mapping[str, Any]) -> Finding:
    for column in row:
        if row[column] is None or row[column] in ("", []):
            identity = f'the finding with the key "{row["key"]}"' if row["key"] else "a finding"
            raise AuditbookError(f"returns {identity} without {column}.", path=detector.path)
    if None in row["events"]:
        message = f'returns the finding with the key "{row["key"]}" with an event that is null.'
        raise AuditbookError(message, path=detector.path)
    for column in ("window_start", "window_end"):
        if not isinstance(row[column], datetime) or row[column].tzinfo is None:
            raise AuditbookError(f"returns a {column} that is not a TIMESTAMPTZ.", path=detector.path)
    digest = hashlib.sha256(f"{detector.id}\n{row['key']}".encode()).hexdigest()
    return Finding(
        finding_id=digest[:16], detector=detector.id, severity=severity, title=detector.title, key=row["key"],
        subject=row["subject"], window_start=row["window_start"].astimezone(UTC),
        window_end=row["window_end"].astimezone(UTC), observed=row["observed"], expected=row["expected"],
        reason=row["reason"], cleared_by=row.get("cleared_by"), events=tuple(sorted(row["events"])),
    )  # fmt: skip
