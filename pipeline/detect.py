"""Events + detectors -> findings and coverage: one commit. Second stage; reads only what load wrote.

A finding has a stable identity, so evaluating again repeats nothing: what is new, what changed and what is gone
becomes a row. A detector that fails is recorded as failed, and the caller fails with it; the rest is kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipeline import catalog, detector
from pipeline import store as stores
from pipeline.columns import SEVERITIES
from pipeline.config import Config, to_dict
from pipeline.detector import Coverage, Detector, Finding
from pipeline.errors import AuditbookError, UsageError
from pipeline.findings import COVERAGE_ROWS, FINDING_ROWS, write_rows
from pipeline.lock import locked

Progress = Callable[[str], None]


@dataclass(frozen=True)
class DetectResult:
    """What an evaluation found. `commit` is None when nothing had changed since the last one."""

    new: int
    changed: int
    withdrawn: int
    open_by_severity: dict[str, int]
    detectors_run: int
    not_evaluable: int
    failed: tuple[str, ...]
    commit: stores.Commit | None

    def as_json(self) -> dict[str, Any]:
        return {
            "findings": {
                "new": self.new,
                "changed": self.changed,
                "withdrawn": self.withdrawn,
                "open": sum(self.open_by_severity.values()),
                "by_severity": {name: self.open_by_severity.get(name, 0) for name in SEVERITIES},
            },
            "detectors": {"run": self.detectors_run, "not_evaluable": self.not_evaluable},
        }


def detect(store: Path | str, *, config: Config, progress: Progress = lambda text: None) -> DetectResult:
    """Evaluate the detectors over the store and commit what they found."""
    path = Path(store)
    stores.require(path)
    with locked(path) as interrupted:
        result = evaluate(path, config, progress, interrupted)
        catalog.publish(path, config)
    return result


def evaluate(
    path: Path, config: Config, progress: Progress, interrupted: dict[str, Any], day: date | None = None
) -> DetectResult:
    """The evaluation itself; the caller holds the lock. Raises after committing when a detector failed.

    `day` is the one on which suppressions and decisions hold or have run out; without it, today.
    """
    chosen = _enabled(config)
    chain = stores.commits(path)
    basis = _basis(chain, config, chosen)
    last = next((link for link in reversed(chain) if link.kind == "detect"), None)
    same_basis = last is not None and last.content["basis"] == basis
    with _connected(path, config, day) as connection:
        before, covered_before = _current(connection), _covered(connection)
        if same_basis and not any(row["status"] == "failed" for row in covered_before):
            return _result(Counter(), before, covered_before, (), None)
        findings, coverage, failed = _run_all(connection, chosen, config, progress)
    rows = _differences(before, findings, {one.id for one in chosen} - set(failed))
    covered: list[dict[str, object]] = [
        {name: getattr(one, name) for name in COVERAGE_ROWS} for one in coverage
    ]
    done = None
    if not (same_basis and not rows and covered == covered_before):
        content = {"basis": basis, "config": to_dict(config), "rules": {one.id: one.sha256 for one in chosen}}
        done = _commit(path, content, rows, covered, interrupted, config)
    with _connected(path, config, day) as connection:
        now = _current(connection)
    if failed:
        catalog.publish(path, config)
        raise AuditbookError(
            f"{len(failed)} of {len(chosen)} detectors failed; what was loaded stays loaded. "
            + " ".join(failed.values()),
            hint="Mend or disable them, then run again.",
        )
    return _result(Counter(str(row["change"]) for row in rows), now, covered, tuple(failed), done)


@contextmanager
def _connected(path: Path, config: Config, day: date | None) -> Iterator[duckdb.DuckDBPyConnection]:
    with catalog.connect(path, config) as connection:
        if day is not None:
            connection.execute(f"SET VARIABLE as_of = DATE '{day.isoformat()}'")
        yield connection


def _commit(
    path: Path,
    content: dict[str, Any],
    rows: Sequence[dict[str, object]],
    covered: Sequence[dict[str, object]],
    interrupted: dict[str, Any],
    config: Config,
) -> stores.Commit:
    def write(folder: Path) -> dict[str, int]:
        return {
            "findings.parquet": write_rows(folder / "findings.parquet", FINDING_ROWS, rows),
            "coverage.parquet": write_rows(folder / "coverage.parquet", COVERAGE_ROWS, covered),
        }

    run = {"interrupted": interrupted} if interrupted else {}
    return stores.commit(path, "detect", content, write, run, config.signing)


def _covered(connection: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    """What the newest evaluation said that it could see."""
    names = ", ".join(COVERAGE_ROWS)
    found = connection.execute(
        f"SELECT {names} FROM detector_coverage WHERE newest ORDER BY commit_no"
    ).fetchall()
    return [dict(zip(COVERAGE_ROWS, row, strict=True)) for row in found]


def _enabled(config: Config) -> list[Detector]:
    known = detector.shipped()
    if unknown := sorted(set(config.detectors) - set(known)):
        raise UsageError(
            f"[detectors.{unknown[0]}] is not a detector.", hint=f"Known are: {', '.join(sorted(known))}."
        )
    return [
        one
        for name, one in sorted(known.items())
        if name not in config.detectors or config.detectors[name].enabled
    ]


def _basis(chain: Sequence[stores.Commit], config: Config, chosen: Sequence[Detector]) -> str:
    """What the outcome depends on: the events, the configuration and the rules."""
    loads = [link.head for link in chain if link.kind not in ("detect", "disposition")]
    rules = {one.id: one.sha256 for one in chosen}
    return stores.sha256_text(stores.canonical([loads[-1:], to_dict(config), rules, stores.versions()]))


def _run_all(
    connection: duckdb.DuckDBPyConnection, chosen: Sequence[Detector], config: Config, progress: Progress
) -> tuple[list[Finding], list[Coverage], dict[str, str]]:
    findings: list[Finding] = []
    coverage: list[Coverage] = []
    failed: dict[str, str] = {}
    for one in chosen:
        progress(f"evaluating {one.id}")
        settings = config.detectors.get(one.id)
        overrides = settings.parameters if settings else {}
        severity = settings.severity if settings and settings.severity else one.severity
        try:
            found = detector.evaluate(connection, one, overrides, severity)
            covered = detector.coverage(connection, one, overrides)
        except AuditbookError as error:
            failed[one.id] = str(error)
            coverage.append(detector.failed(one, overrides, str(error)))
            continue
        findings += found
        coverage += covered
    return findings, coverage, failed


def _current(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Every finding as it stands, by id."""
    columns = ", ".join(f'"{name}"' if kind != "TIMESTAMP WITH TIME ZONE" else f'epoch_us("{name}") AS "{name}"'
                        for name, kind in FINDING_ROWS.items() if name != "change")  # fmt: skip
    rows = connection.execute(f"SELECT {columns}, state FROM findings ORDER BY finding_id")
    names = [part[0] for part in rows.description or []]
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows.fetchall()}


def _differences(
    before: dict[str, dict[str, Any]], findings: Sequence[Finding], evaluated: set[str]
) -> list[dict[str, object]]:
    """What is new, what changed, and what is no longer so."""
    rows: list[dict[str, object]] = []
    found = {one.finding_id: one for one in findings}
    for key, one in sorted(found.items()):
        row = {name: getattr(one, name) for name in FINDING_ROWS if name not in ("change", "events")}
        row["events"] = list(one.events)
        old = before.get(key)
        if old is None or old["state"] == "withdrawn":
            rows.append({**row, "change": "new"})
        elif _comparable(old) != _comparable(row):
            rows.append({**row, "change": "changed"})
    for key, old in sorted(before.items()):
        if key not in found and old["state"] != "withdrawn" and old["detector"] in evaluated:
            moments = {name: _moment(old[name]) for name in ("window_start", "window_end")}
            rows.append({name: {**old, **moments, "change": "withdrawn"}[name] for name in FINDING_ROWS})
    return rows


def _comparable(row: dict[str, Any]) -> str:
    told = {name: row[name] for name in FINDING_ROWS if name != "change"}
    for name in ("window_start", "window_end"):
        told[name] = _moment(told[name])
    return json.dumps(told, default=str, sort_keys=True)


def _moment(value: Any) -> Any:
    """A time from a finding, or from the store in microseconds."""
    if isinstance(value, int):
        return datetime.fromtimestamp(value // 1_000_000, UTC).replace(microsecond=value % 1_000_000)
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _result(
    counted: Counter[str],
    now: dict[str, dict[str, Any]],
    covered: Sequence[dict[str, object]],
    failed: tuple[str, ...],
    done: stores.Commit | None,
) -> DetectResult:
    statuses: dict[str, set[str]] = {}
    for row in covered:
        statuses.setdefault(str(row["detector"]), set()).add(str(row["status"]))
    silent = sum("evaluated" not in found and "failed" not in found for found in statuses.values())
    standing = Counter(row["severity"] for row in now.values() if row["state"] in ("new", "open", "changed"))
    return DetectResult(
        counted["new"],
        counted["changed"],
        counted["withdrawn"],
        dict(standing),
        len(statuses),
        silent,
        failed,
        done,
    )
