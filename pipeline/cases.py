"""Runs the cases beside a detector (`<id>.cases.toml`) on the exact file, over the same views that a store has.

A case is events, configuration and parameters, and the exact findings they must give. One that expects none must also
show that the detector could see, and name the one value whose change makes it a finding.
"""

from __future__ import annotations

import copy
import importlib.resources
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline import catalog, config, detector, places, views
from pipeline.columns import ACTOR_KEY_SQL, EVENT_COLUMNS
from pipeline.detector import Detector, Finding
from pipeline.errors import AuditbookError

COMPARED = ("key", "subject", "window", "observed", "expected", "events")
CASE_KEYS = {"name", "use", "parameters", "config", "events", "expect", "becomes_match", "not_evaluable"}
EVENT_KEYS = set(EVENT_COLUMNS) | {"at", "label", "repeat", "every", "ids"}
STEPS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Table = Mapping[str, Any]


@dataclass(frozen=True)
class CaseResult:
    """Whether one case came out as its file says; `message` is what differed."""

    detector: str
    case: str
    ok: bool
    message: str


def run_cases(path: Path | None = None) -> list[CaseResult]:
    """Run the cases of one detector file, of a folder of them, or of those that are shipped."""
    return [
        result
        for rule in _rules(path)
        for result in _run_file(detector.read(rule), rule.with_suffix(".cases.toml"))
    ]


def _rules(path: Path | None) -> list[Path]:
    place = path or Path(str(importlib.resources.files("pipeline") / "detectors"))
    found = [place] if place.suffix == ".sql" else sorted(place.glob("*.sql"))
    if not found:
        raise AuditbookError("holds no detectors (*.sql).", path=place)
    for rule in found:
        if not rule.exists() or not rule.with_suffix(".cases.toml").exists():
            missing = rule.with_suffix(".cases.toml").name if rule.exists() else rule.name
            raise AuditbookError(f"{missing} is not there.", path=rule, hint="A detector has its cases beside it.")
    if orphans := sorted({one.name for one in place.glob("*.cases.toml")} - {f"{one.stem}.cases.toml" for one in found}):
        raise AuditbookError(f"{orphans[0]} has no detector beside it.", path=place)
    return found


def _run_file(rule: Detector, path: Path) -> list[CaseResult]:
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise AuditbookError(f"is not TOML: {error}.", path=path) from error
    cases = told.get("cases", [])
    for case in cases:
        _check(case, path)
    for wanted, word in ((True, "match"), (False, "near miss")):
        if not any(bool(case["expect"]) is wanted for case in cases):
            raise AuditbookError(f"has no {word}.", path=path, hint="Each detector needs a match and a near miss.")
    shared = {"defaults": told.get("defaults", {}), "groups": told.get("groups", {})}
    return [_run(rule, {**copy.deepcopy(shared), **case}) for case in cases]


def _check(case: Table, path: Path) -> None:
    where = f'case "{case.get("name", "?")}":'
    if unknown := sorted(set(case) - CASE_KEYS):
        raise AuditbookError(f"{where} {unknown[0]} is not known.", path=path, hint=f"Known are: {', '.join(sorted(CASE_KEYS))}.")
    if "name" not in case or "expect" not in case:
        raise AuditbookError(f"{where} has no name or no expect.", path=path)
    if not case["expect"] and len(case.get("becomes_match", {})) != 1:
        hint = 'For example becomes_match = { "parameters.threshold" = 24 }.'
        raise AuditbookError(f"{where} expects nothing, so it must name the one value that makes it a match.", path=path, hint=hint)
    for expected in case["expect"]:
        if missing := [name for name in COMPARED if name not in expected]:
            raise AuditbookError(f"{where} expects a finding without {missing[0]}.", path=path)


def _run(rule: Detector, case: dict[str, Any]) -> CaseResult:
    found, evaluated = _evaluate(rule, case)
    problems = [*_differences(case, found)]
    if not case["expect"]:
        problems += [*_blindness(case, evaluated), *_after_change(rule, case)]
    return CaseResult(rule.id, case["name"], not problems, "; ".join(problems))


def _evaluate(rule: Detector, case: Table) -> tuple[list[Finding], list[detector.Coverage]]:
    parameters = case.get("parameters", {})
    with duckdb.connect() as connection:
        _build(connection, case)
        return detector.evaluate(connection, rule, parameters), detector.coverage(connection, rule, parameters)


def _differences(case: Table, found: list[Finding]) -> Iterator[str]:
    if len(found) != len(case["expect"]):
        keys = ", ".join(f'"{one.key}" ({one.observed})' for one in found) or "none"
        yield f"expected {len(case['expect'])} findings, found {keys}"
        return
    labels = _labels(case)
    for expected, one in zip(case["expect"], found, strict=True):
        actual: dict[str, Any] = {name: getattr(one, name) for name in ("key", "subject", "observed", "expected", "reason")}
        actual["window"] = [one.window_start, one.window_end]
        actual["events"] = len(one.events) if isinstance(expected["events"], int) else list(one.events)
        for name, value in expected.items():
            wanted = value
            if name == "window":
                wanted = [_time(text) for text in value]
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
    changed = copy.deepcopy(dict(case))
    (place, value), *_ = case["becomes_match"].items()
    *parents, last = place.split(".")
    inner: Any = changed
    for key in parents:
        inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
    if inner.get(last) == value:
        yield f"becomes_match does not change {place}"
    inner[last] = value
    if not _evaluate(rule, changed)[0]:
        yield f"stays without a finding when {place} becomes {value}"


def _build(connection: duckdb.DuckDBPyConnection, case: Table) -> None:
    """The tables of a store, in memory, from a case's events and configuration."""
    connection.execute("SET TimeZone = 'UTC'")
    declared = ", ".join(f'"{name}" {kind}' for name, kind in EVENT_COLUMNS.items())
    connection.execute(f"CREATE TABLE kept ({declared})")
    schema = connection.sql("SELECT * FROM kept").to_arrow_table().schema
    connection.register("made", pa.Table.from_pylist(list(_events(case)), schema=schema))
    connection.execute("INSERT INTO kept SELECT * FROM made")
    columns = ", ".join(f'"{name}"::JSON AS "{name}"' if name in views.JSON_COLUMNS else f'"{name}"' for name in EVENT_COLUMNS)
    connection.execute(f"CREATE VIEW events AS SELECT {columns}, {ACTOR_KEY_SQL} AS actor_key FROM kept")
    for name in ("event_changes", "event_entities", "event_messages", "correlation_groups", "job_runs"):
        connection.execute(f"CREATE VIEW {name} AS {views.DERIVED[name]}")
    settings = config.from_dict(case.get("config", {}))
    catalog._people(connection, settings)
    catalog._calendar(connection, settings)


def _written(case: Table) -> list[dict[str, Any]]:
    """The events as the case has them: those of its groups, then its own, each with the defaults."""
    groups = [event for name in case.get("use", []) for event in case["groups"][name]]
    return [{**case["defaults"], **event} for event in [*groups, *case.get("events", [])]]


def _events(case: Table) -> Iterator[dict[str, Any]]:
    for number, told in enumerate(_written(case), start=1):
        if unknown := sorted(set(told) - EVENT_KEYS):
            raise AuditbookError(f'case "{case["name"]}": {unknown[0]} is not a column of events.')
        start, step = _time(told["at"]), _step(told.get("every", "1m"))
        for n, uid in enumerate(_uids(number, told)):
            yield _event(told, uid, start + n * step, number)


def _event(told: Table, uid: str, moment: datetime, line: int) -> dict[str, Any]:
    event: dict[str, Any] = {name: [] if kind.endswith("[]") else None for name, kind in EVENT_COLUMNS.items()}
    event |= {"actor_type": "user", "actor_anonymous": False, "is_bulk": False, "outcome": "unknown", "file": "case"}
    event |= {name: None if value == "" else value for name, value in told.items() if name in EVENT_COLUMNS}
    if "ids" in told:
        event["entity_ids"] = [f"id-{n}" for n in range(1, told["ids"] + 1)]
    event["changes"] = [_change(one) for one in told.get("changes", [])]
    for name in views.JSON_COLUMNS:
        event[name] = json.dumps(told[name]) if name in told else None
    address = places.parse(told["source_ip"]) if told.get("source_ip") else None
    event["ip_key"] = places.sort_key(address) if address else None
    return {**event, "event_uid": uid, "occurred_at": moment, "line": line}


def _change(told: Table) -> dict[str, Any]:
    """A change whose old and new are plain values here and JSON text in the event; a side left out was absent."""
    sides = {side: json.dumps(told[side]) if side in told else None for side in ("old", "new")}
    present = {f"{side}_present": side in told for side in ("old", "new")}
    return {"field": told["field"], **sides, **present, "redacted": told.get("redacted", False)}


def _labels(case: Table) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, told in enumerate(_written(case), start=1):
        found.setdefault(told.get("label", f"event-{number}"), []).extend(_uids(number, told))
    return found


def _uids(number: int, told: Table) -> list[str]:
    label = told.get("label", f"event-{number}")
    if "repeat" not in told:
        return [label]
    return [f"{label}-{n:04}" for n in range(1, told["repeat"] + 1)]


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise AuditbookError(f'"{text}" has no zone.', hint="Write 2026-03-02T23:10:00Z or 2026-03-02T18:10:00-05:00.")
    return moment.astimezone(timezone.utc)


def _step(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found:
        raise AuditbookError(f'every = "{text}" is not a step.', hint="Write 30s, 15m, 2h or 1d.")
    return timedelta(seconds=int(found.group(1)) * STEPS[found.group(2)])


def _plain(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)
