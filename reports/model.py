"""Store -> one frozen Report. Every number of the document is computed here or in the parts; templates only place."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from pipeline import audience
from pipeline.config import Looks
from pipeline.errors import AuditbookError, UsageError
from pipeline.filters import moment as when
from pipeline.hours import zone
from reports import (
    comparison,
    completeness,
    controls,
    earlier,
    evidence,
    findings,
    happened,
    method,
    privacy,
    record,
    scope,
    sight,
    slots,
)  # fmt: skip
from reports.period import EPOCH, Instant, Moment, Period
from reports.rows import Log, Reader, rows
from reports.text import listed

UNNAMED = "Organization not named in the configuration"
PRINTED = 1_000  # lines behind the findings; all of them are attached
LIBRARIES = ("auditbook", "duckdb", "jinja2", "weasyprint", "tzdata")


@dataclass(frozen=True)
class Cover:
    organization: str
    assumed: str
    report_id: str
    status: str
    status_why: str
    period: Period
    as_of: Instant
    head: str
    commits: int
    versions: tuple[tuple[str, str], ...]
    prepared_by: str
    reviewed_by: str
    previous: earlier.Earlier | None
    since_signed: bool
    looks: Looks


@dataclass(frozen=True)
class Report:
    """One review, complete: what HTML and PDF are both made of."""

    cover: Cover
    completeness: completeness.Completeness
    sources: tuple[scope.Source, ...]
    times: scope.Times
    rules: tuple[method.Rule, ...]
    findings: findings.Findings
    activity: happened.Activity
    controls: tuple[controls.Framework, ...]
    record: record.Record
    privacy: privacy.Privacy
    entries: int
    actors: int
    behind: tuple[dict[str, Any], ...]
    compared: comparison.Comparison

    @property
    def lines_behind(self) -> int:
        """How many lines are behind the findings, a line for each finding that it is behind."""
        told = (*self.findings.full, *self.findings.brief)
        return sum(one.entries_total for one in told if one.state != "withdrawn")

    @cached_property
    def printed(self) -> tuple[dict[str, Any], ...]:
        """The lines that are printed behind the review, in the order of its findings; none when it tells them all."""
        if not any(one.entries_more for one in self.findings.full):
            return ()
        told = {
            one.id: (n, one.name)
            for n, one in enumerate((*self.findings.full, *self.findings.brief))
            if one.listed
        }
        known = sorted(
            (row for row in self.behind if row["finding_id"] in told),
            key=lambda row: told[row["finding_id"]][0],
        )
        return tuple({**row, "name": told[row["finding_id"]][1]} for row in known[:PRINTED])

    @property
    def clean(self) -> tuple[method.Rule, ...]:
        """Rules that looked at everything they could and found nothing."""
        return tuple(
            rule for rule in self.rules if rule.count("evaluated") and not rule.findings and not rule.idle
        )

    @property
    def blind(self) -> tuple[method.Rule, ...]:
        """Rules that could not look at some source or at any, with the reason."""
        return tuple(
            rule for rule in self.rules if rule.idle or rule.count("not_evaluable") or rule.count("failed")
        )

    @property
    def raised(self) -> tuple[method.Rule, ...]:
        """Rules that a reader must know in full: they found something, or failed."""
        return tuple(rule for rule in self.rules if rule.findings or rule.status == "failed")

    @property
    def quiet(self) -> tuple[method.Rule, ...]:
        """All others."""
        return tuple(rule for rule in self.rules if rule not in self.raised)

    @property
    def rules_not_evaluable(self) -> int:
        return sum(rule.status == "not evaluable" for rule in self.rules)

    @property
    def rules_failed(self) -> int:
        return sum(rule.status == "failed" for rule in self.rules)

    @property
    def rules_idle(self) -> int:
        return sum(bool(rule.idle) for rule in self.rules)

    @property
    def rules_evaluated(self) -> int:
        return len(self.rules) - self.rules_failed - self.rules_not_evaluable - self.rules_idle


@dataclass(frozen=True)
class Request:
    """What the caller asks for; the clock comes from outside, so that a report can be made again."""

    as_of: datetime
    since: Moment = None
    until: Moment = None
    prepared_by: str | None = None
    reviewed_by: str | None = None


def build(
    log: Log,
    request: Request,
    *,
    detectors: Mapping[str, Any] | None = None,
    mappings: Mapping[str, Any] | None = None,
) -> Report:
    """The report on one stretch of the log; without others, with the rules that it ran and our mappings."""
    where = zone(log.config.organization.timezone)
    as_of = Instant(request.as_of.astimezone(UTC).replace(microsecond=0), where)
    signed = earlier.signed(log.con, where)
    period = _period(log.con, request, where, signed)
    reader = Reader(log.con, period, signed.commit_no if signed else None)
    day = as_of.at.astimezone(where).date()
    # Dispositions and suppressions hold until a day; which day it is comes from the report, not from the machine.
    log.con.execute(f"SET VARIABLE as_of = DATE '{day.isoformat()}'")
    try:
        with slots.counted(reader):
            return Report(
                cover=_cover(log, reader, request, as_of, signed),
                **_parts(log, reader, day, signed, _detectors(log, detectors), _mappings(mappings)),
            )
    finally:
        log.con.execute("RESET VARIABLE as_of")


def period(log: Log, request: Request) -> Period:
    """The stretch of time of a request: what was asked for, else since the last signed review, else everything."""
    where = zone(log.config.organization.timezone)
    return _period(log.con, request, where, earlier.signed(log.con, where))


def _parts(
    log: Log,
    reader: Reader,
    day: date,
    signed: earlier.Signed | None,
    detectors: Mapping[str, Any],
    mappings: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything but the cover, in the order in which one part needs another."""
    unseen = sight.unseen(reader)
    complete = completeness.completeness(
        reader, unseen, sight.late(reader, signed.report_id if signed else None)
    )
    rules = method.rules(reader, detectors)
    found = findings.findings(reader, rules)
    silent = {row.source: row.silent for row in complete.silence if row.steady}
    totals = reader.one(
        "SELECT (SELECT coalesce(sum(n), 0)::BIGINT FROM period_slots) AS entries, count(DISTINCT person) AS actors "
        "FROM period_actors JOIN actors USING (actor_key)"
    )
    names = {one.id: one.name for one in (*found.full, *found.brief) if one.state != "withdrawn"}
    files = {(file.name, file.sha256, file.commit_no) for file in complete.files}
    return {
        "completeness": complete,
        "sources": scope.sources(reader, log.config, mappings),
        "times": scope.times(reader, log.config),
        "rules": rules,
        "findings": found,
        "activity": happened.activity(reader, silent, names),
        "controls": controls.controls(rules, found, unseen, totals["entries"]),
        "record": record.record(reader, files, day),
        "privacy": privacy.privacy(reader, log.shown.audience),
        "entries": totals["entries"],
        "actors": totals["actors"],
        "behind": evidence.behind(reader),
        "compared": comparison.comparison(reader),
    }


def _period(con: Any, request: Request, where: ZoneInfo, signed: earlier.Signed | None) -> Period:
    """What was asked for; else from the last signed review, or where the store begins, to where it ends.

    When nothing happened since the signed review, the period is the quiet time up to the report's clock.
    """
    stored = audience.verbatim(audience.Shown(audience.of(con)), "events")
    (span,) = rows(
        con, f"SELECT epoch_us(min(occurred_at)) AS a, epoch_us(max(occurred_at)) AS b FROM {stored}"
    )
    since = None if request.since is None else when(con, where.key, request.since, as_of=request.as_of)
    until = (
        None if request.until is None else when(con, where.key, request.until, end=True, as_of=request.as_of)
    )
    if (since is None or until is None) and span["a"] is None:
        raise AuditbookError("The store holds no event to report on.", hint="Load one: auditbook load EXPORT")
    first = EPOCH + timedelta(microseconds=span["a"] or 0)
    following = since is None and signed is not None and signed.until > first
    since = signed.until if following and signed else since or first
    end = until or EPOCH + timedelta(seconds=span["b"] // 1_000_000 + 1)
    if following and until is None and end <= since:
        end = max(request.as_of.astimezone(UTC).replace(microsecond=0), since + timedelta(seconds=1))
    until = end
    if since >= until:
        raise UsageError(
            f"The period ends ({until:%Y-%m-%d %H:%M}Z) before it begins ({since:%Y-%m-%d %H:%M}Z)."
        )
    given = request.since is not None or request.until is not None
    return Period(Instant(since, where), Instant(until, where), given)


def _cover(
    log: Log, reader: Reader, request: Request, as_of: Instant, signed: earlier.Signed | None
) -> Cover:
    prepared, reviewed = (request.prepared_by or "").strip(), (request.reviewed_by or "").strip()
    if prepared and prepared.casefold() == reviewed.casefold():
        raise UsageError(
            f'"{prepared}" cannot both prepare and review the report.', hint="A second person reviews it."
        )
    final = bool(prepared and reviewed)
    return Cover(
        organization=log.config.organization.name or UNNAMED,
        assumed=_assumed(log.config.organization),
        report_id=identity(
            [
                "review",
                log.head,
                reader.period.since.iso,
                reader.period.until.iso,
                as_of.iso,
                prepared,
                reviewed,
            ]
        ),
        status="FINAL" if final else "DRAFT",
        status_why="" if final else "Not yet prepared and reviewed by two named people.",
        period=reader.period,
        as_of=as_of,
        head=log.head,
        commits=reader.one("SELECT count(*) AS n FROM commits")["n"],
        versions=versions(),
        prepared_by=prepared,
        reviewed_by=reviewed,
        previous=earlier.last(log.con, reader.period),
        since_signed=bool(signed and request.since is None and signed.until == reader.period.since.at),
        looks=log.config.report,
    )


def _assumed(organization: Any) -> str:
    """What the report takes for granted because nobody configured it; empty when everything is."""
    lacking = [] if organization.timezone_configured else [f"the zone {organization.timezone}"]
    if not organization.hours_configured:
        lacking.append(f"the working hours {organization.business_hours}")
    return listed(lacking)


def identity(said: Sequence[object]) -> str:
    """The same document has the same id; nothing else has."""
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12].upper()
    return f"AB-{digest[:4]}-{digest[4:8]}-{digest[8:]}"


def versions() -> tuple[tuple[str, str], ...]:
    """What documents are made with."""
    return tuple((name, _version(name)) for name in LIBRARIES)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _detectors(log: Log, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if given is not None:
        return given
    from pipeline.ownrules import ran

    return ran(log.chain)


def _mappings(given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if given is not None:
        return given
    from pipeline.mapping import shipped

    return shipped()
