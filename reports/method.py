"""How it was looked at: each rule, what it looked at, and what it could not look at and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.rows import IN_REVIEW, Reader, Row, said
from reports.text import listed, words


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
    number: int = 0
    idle: str = ""
    sql: str = ""

    @property
    def name(self) -> str:
        """What the control matrix calls it."""
        return f"R-{self.number:02d}"

    @property
    def in_scope(self) -> int:
        return sum(looked.in_scope for looked in self.looked)

    def count(self, status: str) -> int:
        return sum(looked.status == status for looked in self.looked)

    @property
    def together(self) -> tuple[tuple[str, str, int, str], ...]:
        """What was looked at, sources of which the same can be said put together: status, sources, events, why."""
        said: dict[tuple[str, str], list[Looked]] = {}
        for one in self.looked:
            baseline = f"baseline {one.baseline_days or 0} of {one.baseline_needed} days"
            reason = _NONE_IN_SCOPE.sub("none of its events is in scope", one.why)
            why = "; ".join(part for part in (baseline if one.baseline_needed else "", reason) if part)
            said.setdefault((one.status, why), []).append(one)
        return tuple(
            (status, listed([one.source for one in ones]), sum(one.in_scope for one in ones), why.rstrip("."))
            for (status, why), ones in said.items()
        )

    @property
    def status(self) -> str:
        """The worst thing that can be said of the rule as a whole."""
        if self.idle or self.count("failed"):
            return self.idle or "failed"
        if not self.count("evaluated"):
            return "not evaluable"
        return "partly evaluated" if self.count("not_evaluable") else "evaluated"

    @property
    def why_not(self) -> str:
        """Why it failed, or could not be evaluated, in one sentence without its full stop."""
        told = [looked for looked in self.looked if looked.status == "failed"] or list(self.looked)
        return told[0].why.rstrip(".") if told else ""


def rules(reader: Reader, detectors: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Every rule of the newest evaluation, and every other one that there is, in alphabetical order."""
    found = reader.rows("SELECT * FROM detector_coverage WHERE newest ORDER BY detector, source")
    evaluation = reader.rows(
        "SELECT content FROM commits WHERE kind = 'detect' ORDER BY commit_no DESC LIMIT 1"
    )
    content = said(evaluation[0]["content"]) if evaluation else {}
    raised = {row["detector"]: row["n"] for row in reader.rows(RAISED)}
    by_rule: dict[str, list[dict[str, Any]]] = {
        name: []
        for name in sorted({*detectors, *content.get("rules", ()), *(row["detector"] for row in found)})
    }
    for row in found:
        by_rule[row["detector"]].append(row)
    return tuple(
        _rule(n, name, rows, detectors.get(name), raised.get(name, 0), "" if rows else _idle(name, content))
        for n, (name, rows) in enumerate(by_rule.items(), 1)
    )


def _idle(name: str, content: Mapping[str, Any]) -> str:
    """Why the newest evaluation says nothing of a rule: switched off, or newer than that evaluation."""
    if name in content.get("rules", ()):
        return ""
    settings = content.get("config", {}).get("detectors", {}).get(name, {})
    return "not run" if settings.get("enabled", True) else "disabled"


RAISED = f"""SELECT detector, count(*) AS n FROM findings
    WHERE state <> 'withdrawn' AND {IN_REVIEW} GROUP BY detector"""


def _rule(number: int, name: str, rows: list[Row], detector: Any, findings: int, idle: str) -> Rule:
    controls = getattr(detector, "controls", None) or {}
    ran = rows[0] if rows else {}
    own = getattr(detector, "sha256", "")
    # What a rule that failed found before stands: told is the text that found it.
    sha256 = str((ran.get("status") == "failed" and own) or ran.get("sql_sha256") or own)
    return Rule(
        number=number,
        id=name,
        title=getattr(detector, "title", words(name).capitalize()),
        severity=getattr(detector, "severity", "info"),
        version=str(ran.get("version") or getattr(detector, "version", "not known")),
        sql_sha256=sha256,
        why=_text(getattr(detector, "why", "")),
        false_positives=_text(getattr(detector, "false_positives", "")),
        next_steps=_steps(getattr(detector, "next_steps", "")),
        controls=tuple((frame, tuple(map(str, ids))) for frame, ids in controls.items() if ids),
        parameters=_parameters(said(ran.get("parameters")) or {}, getattr(detector, "parameters", {})),
        looked=tuple(_looked(row) for row in rows),
        findings=findings,
        idle=idle,
        sql=str(getattr(detector, "sql", "")) if own == sha256 else "",
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


_NONE_IN_SCOPE = re.compile(r"None of its [\d,]+ events? is in scope")
_MARKED = re.compile(r"^(?:[-*•]|\d+[.)])\s+")


def _text(text: Any) -> str:
    """Lines that were broken to fit an editor are one paragraph here."""
    return " ".join((text if isinstance(text, str) else "; ".join(map(str, text))).split())
