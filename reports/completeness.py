"""Was everything looked at? The sum of the ledger, every file's fates, silent days, and a verdict with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pipeline.errors import AuditbookError
from pipeline.views import PASSED_OVER
from reports.period import Instant, instant
from reports.privacy import missing
from reports.rows import Reader, Row
from reports.sight import Late, Unseen
from reports.text import count, day_month, listed

Verdict = Literal["PASS", "PASS WITH EXCEPTIONS", "FAIL"]
FATES = ("events", "duplicates", "rejects", "blank")
# A source that is active on fewer of its working days than this is too quiet for a silent day to mean anything.
SILENCES = 5  # that are told one by one
STEADY = 0.8
# More rejected lines than this share of a file, and the file cannot be called read.
MOST_REJECTS = 0.01


@dataclass(frozen=True)
class Ledger:
    """The sum that must hold: read = events + duplicates + rejects + blank."""

    read: int
    events: int
    duplicates: int
    rejects: int
    blank: int


@dataclass(frozen=True)
class FileRow:
    name: str
    sha256: str
    source: str
    bytes: int
    ledger: Ledger
    first: Instant | None
    last: Instant | None
    mapping_version: str
    commit_no: int
    open_rejects: int  # those that no later load has repaired
    not_loaded: str
    late: bool


@dataclass(frozen=True)
class Silence:
    """One source's working days: with entries, without any, and those before it first said something."""

    source: str
    working_days: int
    active_days: int
    not_covered: tuple[date, ...]
    silent: tuple[date, ...]
    steady: bool
    gone_since: Instant | None


@dataclass(frozen=True)
class Completeness:
    verdict: Verdict
    reasons: tuple[str, ...]
    ledger: Ledger
    files: tuple[FileRow, ...]
    files_elsewhere: int
    silence: tuple[Silence, ...]
    conflicts: int
    unmapped_events: int
    unseen: Unseen
    late: Late | None


def completeness(reader: Reader, unseen: Unseen, late: Late | None) -> Completeness:
    """What the files of the period hold, checked against the lines themselves."""
    files = tuple(_file(reader, row) for row in _files(reader))
    ledger = _sum(files)
    _check(reader, files)
    silence = _silence(reader)
    counts = reader.one(
        "SELECT coalesce(sum(conflicts), 0)::BIGINT AS conflicts, coalesce(sum(unmapped), 0)::BIGINT AS unmapped "
        "FROM period_slots"
    )
    failures = ([unseen.reason] if unseen.short else []) + _failures(files, ledger)
    exceptions = _not_loaded(reader, files) + _exceptions(
        sum(file.open_rejects for file in files), silence, counts["conflicts"]
    )
    exceptions += [*_fell_silent(reader, silence), *missing(reader)]
    if late and late.events:
        exceptions.insert(0, late.reason)
    verdict: Verdict = "FAIL" if failures else "PASS WITH EXCEPTIONS" if exceptions else "PASS"
    return Completeness(
        verdict=verdict,
        reasons=tuple(failures + exceptions),
        ledger=ledger,
        files=files,
        files_elsewhere=reader.one("SELECT count(*) AS n FROM files")["n"] - len(files),
        silence=silence,
        conflicts=counts["conflicts"],
        unmapped_events=counts["unmapped"],
        unseen=unseen,
        late=late,
    )


def _files(reader: Reader) -> list[Row]:
    """Files whose entries touch the period or came late, and files of which nothing became an entry."""
    return reader.rows(
        "SELECT *, epoch_us(first_event) AS first_us, epoch_us(last_event) AS last_us FROM files "
        "WHERE first_event IS NULL OR (first_event < $until "
        "AND (last_event >= $since OR commit_no > $signed::BIGINT)) "
        "ORDER BY source, file, commit_no, sha256"
    )


def _file(reader: Reader, row: Row) -> FileRow:
    where = reader.period.since.zone
    last = instant(row["last_us"], where)
    return FileRow(
        name=row["file"],
        sha256=row["sha256"],
        source=row["source"] or "not recognised",
        bytes=row["bytes"],
        ledger=Ledger(row["read"], *(row[fate] for fate in FATES)),
        first=instant(row["first_us"], where),
        last=last,
        mapping_version=row["mapping_version"] or "–",
        commit_no=row["commit_no"],
        open_rejects=row["rejects"] - row["resolved"],
        not_loaded=row["skipped"] or "",
        late=last is not None and last.at < reader.period.since.at,
    )


def _sum(files: tuple[FileRow, ...]) -> Ledger:
    ledgers = [file.ledger for file in files]
    return Ledger(*(sum(getattr(ledger, name) for ledger in ledgers) for name in ("read", *FATES)))


def _check(reader: Reader, files: tuple[FileRow, ...]) -> None:
    """A report whose numbers do not add up is not written."""
    counted: dict[tuple[str, str, int], dict[str, int]] = {}
    for row in reader.rows(
        "SELECT file, file_sha256, commit_no, fate, count(*) AS n FROM stored_lines GROUP BY ALL"
    ):
        load = (row["file"], row["file_sha256"], row["commit_no"])
        counted.setdefault(load, {})[row["fate"]] = row["n"]
    for file in files:
        said = file.ledger
        if said.read != said.events + said.duplicates + said.rejects + said.blank:
            raise AuditbookError(
                f"{said.read:,} lines read are not {said.events:,} events + {said.duplicates:,} duplicates + "
                f"{said.rejects:,} rejects + {said.blank:,} blank.",
                path=file.name,
                hint="No report is written. Run: auditbook verify",
            )
        found = counted.get((file.name, file.sha256, file.commit_no), {})
        lines = Ledger(
            sum(found.values()), *(found.get(fate, 0) for fate in ("event", "duplicate", "reject", "blank"))
        )
        gone = found.get("purged", 0)
        differ = [
            getattr(said, name) - getattr(lines, name) for name in FATES
        ]  # what was purged is accounted for, and no longer an event, a duplicate or a reject
        if lines.read != said.read or min(differ) < 0 or sum(differ) != gone:
            raise AuditbookError(
                f"the ledger says {_said(said)}, its lines say {_said(lines)}.",
                path=file.name,
                hint="No report is written. Run: auditbook verify",
            )


def _said(ledger: Ledger) -> str:
    return ", ".join(f"{getattr(ledger, name):,} {name}" for name in ("read", *FATES))


def _silence(reader: Reader) -> tuple[Silence, ...]:
    """Working days are those with business hours in the organization's calendar."""
    began = {row["local_date"]: row["before"] for row in reader.rows(_WORKING)}
    days = [day for day in reader.period.days if day in began]
    active: dict[str, set[date]] = {}
    for row in reader.rows(
        "SELECT DISTINCT source, local_date FROM period_slots WHERE local_date IS NOT NULL ORDER BY ALL"
    ):
        active.setdefault(row["source"], set()).add(row["local_date"])
    where = reader.period.since.zone
    return tuple(
        _silent(
            row["source"],
            # Of a day that the period has only the end of, silence says nothing.
            [day for day in days if not began[day] or day in active.get(row["source"], ())],
            active.get(row["source"], set()),
            instant(row["before_us"], where),
        )
        for row in reader.rows(_KNOWN)
    )


_WORKING = """SELECT local_date, min(slot) < $since AS before FROM calendar
    WHERE schedule = 'organization' AND is_business_hours
      AND slot >= $since - INTERVAL 2 DAY AND slot < $until GROUP BY local_date"""
# A source that was heard of before the period is expected in it from its first day.
_KNOWN = """SELECT source, before_us FROM (SELECT DISTINCT source FROM period_slots) FULL JOIN (
      SELECT source, epoch_us(max(occurred_at)) AS before_us FROM counted_events WHERE occurred_at < $since
      GROUP BY source)
    USING (source) ORDER BY source"""


def _silent(source: str, days: list[date], active: set[date], before: Instant | None) -> Silence:
    first = date.min if before else min(active)
    covered = [day for day in days if day >= first]
    missing = tuple(day for day in covered if day not in active)
    steady = bool(covered) and (len(covered) - len(missing)) / len(covered) >= STEADY
    return Silence(
        source=source,
        working_days=len(covered),
        active_days=len(covered) - len(missing),
        not_covered=tuple(day for day in days if day < first),
        silent=missing,
        steady=steady,
        gone_since=None if active else before,
    )


def _fell_silent(reader: Reader, told: tuple[Silence, ...]) -> list[str]:
    """What a rule found of it, which knows the usual hours and each tenant's log; days that are told are not again."""
    days = {row.source for row in told if row.steady and row.silent}
    found = [row for row in reader.rows(_SILENCES) if row["subject"] not in days]
    reasons = [
        f"{row['subject']} fell silent on {day_month(row['since'].astimezone(reader.period.since.zone))}: "
        f"{row['observed']}."
        for row in found[:SILENCES]
    ]
    more = len(found) - SILENCES
    return [*reasons, *([f"{count(more, 'more log')} fell silent: see the findings."] if more > 0 else [])]


_SILENCES = """SELECT subject, observed, window_start AS since FROM findings
    WHERE detector = 'source_silence' AND state NOT IN ('withdrawn', 'suppressed')
      AND window_end >= $since AND window_start < $until ORDER BY window_start, subject"""


def _failures(files: tuple[FileRow, ...], ledger: Ledger) -> list[str]:
    if all(file.first is None or file.late for file in files):
        return ["No file has an event in this period."]
    reasons = []
    for file in files:
        lines, rejects = file.ledger.read - file.ledger.blank, file.open_rejects
        if lines and rejects == lines:
            reasons.append(f"{file.name}: none of its {count(lines, 'line')} could be read.")
        elif rejects > lines * MOST_REJECTS:
            reasons.append(
                f"{file.name}: {rejects:,} of {count(lines, 'line')} could not be read, more than "
                f"{MOST_REJECTS:.0%} of the file."
            )
    if ledger.read == 0:
        reasons.append("The files hold no lines.")
    return reasons


def _not_loaded(reader: Reader, files: tuple[FileRow, ...]) -> list[str]:
    """Files that were passed over, unless they were loaded by another commit."""
    missing_still = {
        (row["file"], row["commit_no"]) for row in reader.rows(f"SELECT file, commit_no FROM {PASSED_OVER}")
    }
    passed_over = {
        file.name: file.not_loaded for file in files if (file.name, file.commit_no) in missing_still
    }
    return [f"{name} was not loaded: {why}" for name, why in passed_over.items()]


def _exceptions(rejects: int, silence: tuple[Silence, ...], conflicts: int) -> list[str]:
    reasons = []
    if rejects:
        reasons.append(
            f"{count(rejects, 'line')} could not be read; each is kept with its reason and byte offset."
        )
    for row in silence:
        if row.steady and row.silent:
            dates = listed([day_month(day) for day in row.silent[:5]])
            more = f" and {len(row.silent) - 5:,} more" if len(row.silent) > 5 else ""
            reasons.append(
                f"{row.source} is silent on {count(len(row.silent), 'working day')}: {dates}{more}."
            )
        if row.gone_since:
            reasons.append(f"{row.source} has no event in this period; its last is of {row.gone_since.day}.")
        if row.not_covered:
            reasons.append(
                f"{row.source} has no event before its first on {day_month(max(row.not_covered))} or later: "
                f"{count(len(row.not_covered), 'working day')} at the start of the period not covered."
            )
    if conflicts:
        reasons.append(f"{count(conflicts, 'event')} came again under the same id with other content.")
    return reasons
