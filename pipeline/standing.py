"""Findings as they stand, and those of an evaluation -> what is new, what changed and what is gone. Part of detect."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from pipeline.detector import Finding
from pipeline.findings import FINDING_ROWS
from pipeline.summary import Span

_TIME = "TIMESTAMP WITH TIME ZONE"
# What a finding says; the rest is worked out from its events.
_TOLD = tuple(
    name
    for name in FINDING_ROWS
    if name not in ("change", "actor_key", "actor_keys", "sources", "local_date")
)


@dataclass(frozen=True)
class Found:
    """What one rule found in the windows that it was evaluated over, each with who and what stands behind it."""

    detector: str
    windows: tuple[Span, ...]
    findings: tuple[tuple[Finding, Mapping[str, object]], ...]

    def judged(self, window_end: datetime) -> bool:
        """Whether a finding whose window ends then would have been found again."""
        return any(start <= window_end < end for start, end in self.windows)


def current(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Every finding as it stands, by id."""
    names = [name for name in FINDING_ROWS if name != "change"]
    columns = ", ".join(
        f'epoch_us(c."{name}")' if FINDING_ROWS[name] == _TIME else f'c."{name}"' for name in names
    )
    rows = connection.execute(
        f"""SELECT {columns}, f.state FROM current_findings c JOIN findings f USING (finding_id)
        ORDER BY c.finding_id"""
    ).fetchall()
    found = [dict(zip([*names, "state"], row, strict=True)) for row in rows]
    for row in found:
        for name in ("window_start", "window_end"):
            row[name] = datetime.fromtimestamp(row[name] // 1_000_000, UTC).replace(
                microsecond=row[name] % 1_000_000
            )
    return {row["finding_id"]: row for row in found}


def differences(before: Mapping[str, dict[str, Any]], found: Sequence[Found]) -> list[dict[str, object]]:
    """What is new, what changed, and what is no longer so."""
    rows: list[dict[str, object]] = []
    now = {one.finding_id: _row(one, behind) for each in found for one, behind in each.findings}
    for key, row in sorted(now.items()):
        old = before.get(key)
        if old is None or old["state"] == "withdrawn":
            rows.append({**row, "change": "new"})
        elif _comparable(old, old) != _comparable(row, old):
            rows.append({**row, "change": "changed"})
    judges = {each.detector: each for each in found}
    for key, old in sorted(before.items()):
        judge = judges.get(old["detector"])
        if key not in now and old["state"] != "withdrawn" and judge and judge.judged(old["window_end"]):
            rows.append({name: {**old, "change": "withdrawn"}[name] for name in FINDING_ROWS})
    return rows


def _row(one: Finding, behind: Mapping[str, object]) -> dict[str, object]:
    told = {name: getattr(one, name) for name in _TOLD if name != "events"}
    return {**told, "events": list(one.events), **behind}


def _comparable(row: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """What a finding says; an earlier version may have said less, which is no change."""
    told = {name: row[name] for name in _TOLD if name != "cleared_by" or old["cleared_by"] is not None}
    return json.dumps(told, default=str, sort_keys=True)
