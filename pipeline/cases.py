"""Runs the cases beside a detector (`<id>.cases.toml`) on the exact file, over the same views that a store has.

A case is events, configuration and parameters, and the exact findings they must give. One that expects none must also
show that the detector could see, and name the one value whose change makes it a finding.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import casefile, casetables, detector, engine
from pipeline.casetables import Table
from pipeline.config_file import own_rules
from pipeline.detector import Detector, Finding
from pipeline.errors import AuditbookError


@dataclass(frozen=True)
class CaseResult:
    """Whether one case came out as its file says; `message` is what differed."""

    detector: str
    case: str
    ok: bool
    message: str
    is_match: bool = True  # whether findings are expected; else it is a near miss


def run_cases(path: Path | None = None) -> list[CaseResult]:
    """Run the cases of one detector file, of a folder of them, or of those that are shipped."""
    return [
        _run(checked, case, rule.with_suffix(".cases.toml"))
        for rule in _rules(path)
        for checked, told in [read(rule)]
        for case in told
    ]


def _rules(path: Path | None) -> list[Path]:
    place = path or Path(str(importlib.resources.files("pipeline") / "detectors"))
    found = [place] if place.suffix == ".sql" else own_rules(place)
    if not found:
        raise AuditbookError("holds no detectors (*.sql).", path=place)
    for rule in found:
        if not rule.exists() or not rule.with_suffix(".cases.toml").exists():
            missing = rule.with_suffix(".cases.toml").name if rule.exists() else rule.name
            raise AuditbookError(
                f"{missing} is not there.", path=rule, hint="A detector has its cases beside it."
            )
    expected = {f"{one.stem}.cases.toml" for one in found}
    beside = {one.name for one in place.glob("*.cases.toml") if not one.name.startswith(".")}
    if orphans := sorted(beside - expected):
        raise AuditbookError(f"{orphans[0]} has no detector beside it.", path=place)
    return found


def read(path: Path) -> tuple[Detector, list[dict[str, Any]]]:
    """A detector file, and its cases as they are run."""
    rule = detector.read(path)
    return rule, casefile.read(path.with_suffix(".cases.toml"))


def _run(rule: Detector, case: dict[str, Any], path: Path) -> CaseResult:
    try:
        found, evaluated = _evaluate(rule, case)
        problems = [*differences(case, found)]
        if not case["expect"]:
            problems += [*_blindness(case, evaluated), *_after_change(rule, case)]
    except AuditbookError as error:
        raise casefile.placed(error, case, path) from error
    return CaseResult(rule.id, case["name"], not problems, "; ".join(problems), bool(case["expect"]))


def _evaluate(rule: Detector, case: Table) -> tuple[list[Finding], list[detector.Coverage]]:
    parameters = case.get("parameters", {})
    with engine.connect() as connection:
        casetables.build(connection, case)
        found = detector.evaluate(connection, rule, parameters)
        return found, detector.coverage(connection, rule, parameters)


def differences(case: Table, found: list[Finding]) -> Iterator[str]:
    """What is not as the case expects."""
    if len(found) != len(case["expect"]):
        keys = ", ".join(f'"{one.key}" ({one.observed})' for one in found) or "none"
        yield f"expected {len(case['expect'])} findings, found {keys}"
        return
    labels = casetables.labels(case)
    plain = ("key", "subject", "observed", "expected", "reason", "cleared_by")
    for expected, one in zip(case["expect"], found, strict=True):
        actual: dict[str, Any] = {name: getattr(one, name) for name in plain}
        actual["window"] = [one.window_start, one.window_end]
        actual["events"] = len(one.events) if isinstance(expected["events"], int) else list(one.events)
        for name, value in expected.items():
            wanted = value
            if name == "window":
                wanted = [casetables.time(text) for text in value]
            if name == "events" and isinstance(value, list):
                wanted = sorted(uid for label in value for uid in labels.get(label, [f"no event {label}"]))
            if actual[name] != wanted:
                yield f"{name} is {_plain(actual[name])}, not {_plain(wanted)}"


def _blindness(case: Table, covered: list[detector.Coverage]) -> Iterator[str]:
    """A near miss is worth something only when the detector could have seen."""
    wanted = case.get("not_evaluable")
    evaluated = [one for one in covered if one.status == "evaluated"]
    reasons = sorted({str(one.why) for one in covered if one.status != "evaluated"})
    if wanted is None and not evaluated:
        yield f"was not evaluated: {' '.join(reasons) or 'no events'}"
    if wanted is not None and (evaluated or reasons != [wanted]):
        yield f'was to be not evaluable because "{wanted}", but: {" ".join(reasons) or "evaluated"}'


def _after_change(rule: Detector, case: Table) -> Iterator[str]:
    (place, value), *_ = case["becomes_match"].items()
    made = casefile.changed(case)
    if made == case:
        yield f"becomes_match does not change {place}"
    if not _evaluate(rule, made)[0]:
        yield f"stays without a finding when {place} becomes {value}"


def _plain(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)
