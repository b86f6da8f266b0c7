"""How it was looked at: each rule, what it looked at, and what it could not look at and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.rows import Reader, said
from reports.text import words


@dataclass(frozen=True)
class Looked:
    """One rule on one source: evaluated, not evaluable (why), or failed."""

    source: str
    status: str
    in_scope: int
    baseline_days: int | None
    baseline_needed: int | None
    why: str


@dataclass(frozen=True)
class Parameter:
    name: str
    value: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Rule:
    """A detector as it was run; what its file says is empty when that file is not installed any more."""

    id: str
    title: str
    severity: str
    version: str
    sql_sha256: str
    why: str
    false_positives: str
    next_steps: tuple[str, ...]
    controls: tuple[tuple[str, tuple[str, ...]], ...]
    parameters: tuple[Parameter, ...]
    looked: tuple[Looked, ...]
    findings: int

    @property
    def in_scope(self) -> int:
        return sum(looked.in_scope for looked in self.looked)

    def count(self, status: str) -> int:
        return sum(looked.status == status for looked in self.looked)

    @property
    def status(self) -> str:
        """The worst thing that can be said of the rule as a whole."""
        if self.count("failed"):
            return "failed"
        if not self.count("evaluated"):
            return "not evaluable"
        return "partly evaluated" if self.count("not_evaluable") else "evaluated"


def rules(reader: Reader, detectors: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Every rule of the newest evaluation, in alphabetical order."""
    found = reader.rows(
        "SELECT * FROM detector_coverage "
        "QUALIFY commit_no = max(commit_no) OVER (PARTITION BY detector) ORDER BY detector, source"
    )
    raised = {row["detector"]: row["n"] for row in reader.rows(RAISED)}
    by_rule: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        by_rule.setdefault(row["detector"], []).append(row)
    return tuple(
        _rule(name, rows, detectors.get(name), raised.get(name, 0)) for name, rows in by_rule.items()
    )


RAISED = """SELECT detector, count(*) AS n FROM findings
    WHERE state <> 'withdrawn' AND window_start < $until AND window_end >= $since GROUP BY detector"""


def _rule(name: str, rows: list[dict[str, Any]], detector: Any, findings: int) -> Rule:
    controls = getattr(detector, "controls", None) or {}
    return Rule(
        id=name,
        title=getattr(detector, "title", words(name).capitalize()),
        severity=getattr(detector, "severity", "info"),
        version=str(rows[0]["version"]),
        sql_sha256=rows[0]["sql_sha256"] or "",
        why=_text(getattr(detector, "why", "")),
        false_positives=_text(getattr(detector, "false_positives", "")),
        next_steps=_steps(getattr(detector, "next_steps", "")),
        controls=tuple((frame, tuple(map(str, ids))) for frame, ids in controls.items() if ids),
        parameters=_parameters(said(rows[0]["parameters"]) or {}, getattr(detector, "parameters", {})),
        looked=tuple(_looked(row) for row in rows),
        findings=findings,
    )


def _looked(row: dict[str, Any]) -> Looked:
    why = "; ".join(text for text in (row["why"], row["error"]) if text)
    if not why and row["missing"]:
        why = f"the source does not say: {row['missing']}"
    return Looked(
        "all sources" if row["source"] in (None, "*") else row["source"],
        row["status"],
        row["in_scope"] or 0,
        row["baseline_days"],
        row["baseline_needed"],
        why,
    )


def _parameters(values: Mapping[str, Any], declared: Mapping[str, Any]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name,
            _said(value),
            "" if isinstance(value, bool) else getattr(declared.get(name), "unit", "") or "",
            getattr(declared.get(name), "meaning", "") or "",
        )
        for name, value in sorted(values.items())
    )


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _steps(text: Any) -> tuple[str, ...]:
    """Next steps come as a list, as lines with list marks, or as one paragraph."""
    if not isinstance(text, str):
        return tuple(_text(step) for step in text)
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if len(lines) > 1 and all(_MARKED.match(line) for line in lines):
        return tuple(_MARKED.sub("", line) for line in lines)
    return (_text(text),) if lines else ()


_MARKED = re.compile(r"^(?:[-*•]|\d+[.)])\s+")


def _text(text: Any) -> str:
    """Lines that were broken to fit an editor are one paragraph here."""
    return " ".join((text if isinstance(text, str) else "; ".join(map(str, text))).split())
