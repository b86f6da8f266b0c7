"""findings: list, cases, show, review."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import filters as filtering
from pipeline.cli import options, output
from pipeline.cli.events import actor
from pipeline.cli.group import Nouns
from pipeline.columns import DECISIONS, SEVERITIES, STATES

if TYPE_CHECKING:
    from datetime import date

    from pipeline.query import Log

COLUMNS = ("finding_id", "severity", "state", "detector", "window_start", "subject", "observed", "case_id")
IN_FULL = (
    "finding_id", "title", "severity", "detector", "state", "subject", "window_start", "window_end", "observed",
    "expected", "reason", "cleared_by", "case_id", "suppressed_by", "suppression_reason", "suppressed_until",
)  # fmt: skip


CASE_COLUMNS = ("case_id", "local_date", "severity", "subject", "findings", "open", "detectors")


@click.group(cls=Nouns)
def findings() -> None:
    """What a reviewer must look at: list, cases, show, review.

    \b
    Examples:
      auditbook findings --severity critical --severity high
      auditbook findings show 3f9a
      auditbook findings review 3f9a --status accepted --by "Dana Ruiz" --reason "Planned clean-up, ticket 4411"
    """


@findings.command("list")
@click.option("--severity", multiple=True, type=click.Choice(SEVERITIES), help="Of this severity.")
@click.option(
    "--detector", multiple=True, metavar="ID", help="Of this detector.",
    shell_complete=filtering.suggests("detector"),
)  # fmt: skip
@click.option("--state", multiple=True, type=click.Choice(STATES), help="In this state; else all.")
@click.option("--case", multiple=True, metavar="ID", help="Of this case: what one person did on one day.")
@filtering.filters
@options.several(options.limit, options.shape, options.store, options.config)
def list_(shape: str, store: Path, config: Path | None, **filters: Any) -> None:
    """Findings in every state, most severe first.

    --since and --until are about a finding's window; the other filters are those of `auditbook events`, about the
    events behind it, of which one is enough. --text also looks into what the finding says.

    \b
    Examples:
      auditbook findings list --state new --format jsonl
      auditbook findings --actor ana@example.com --since 7d
    """
    with options.open_log(store, config) as log:
        _known_detectors(log, filters["detector"])
        found = log.findings(**filtering.given(filters))
        output.rows(found, shape, COLUMNS, keys=("finding_id", "window_start"), spare=("detector", "state"))
        if shape == "table":
            cases = len(set(found.select("case_id").pl()["case_id"]))
            print(f"\n{output.count(found.count(), 'finding')} in {output.count(cases, 'case')}")
            _tell_suppressions(log)
        options.tell_failures(log)


@findings.command("cases")
@options.several(options.limit, options.shape, options.store, options.config)
def cases_(limit: int | None, shape: str, store: Path, config: Path | None) -> None:
    """Findings put together: what one person did on one day, the newest first. `findings --case ID` lists one.

    \b
    Example:
      auditbook findings cases
    """
    with options.open_log(store, config) as log:
        found = log.cases().limit(limit)
        output.rows(found, shape, CASE_COLUMNS, keys=("case_id",))
        if shape == "table":
            print(f"\n{output.count(found.count(), 'case')}")
            _tell_suppressions(log)
        options.tell_failures(log)


def _tell_suppressions(log: Log) -> None:
    from pipeline.findings import notices

    for notice in notices(log.con):
        print(output.inert(notice))


@findings.command()
@click.argument("finding", metavar="ID", shell_complete=filtering.suggests("finding"))
@options.several(options.store, options.config, options.as_json)
def show(finding: str, store: Path, config: Path | None, as_json: bool) -> None:
    """One finding in full, with the exact lines behind it. ID may be the beginning of one.

    \b
    Example:
      auditbook findings show 3f9a
    """
    with options.open_log(store, config) as log:
        row, lines, decisions = _in_full(log, finding)
    if as_json:
        output.document({**row, "lines": lines, "dispositions": decisions})
        return
    output.record((name, row.get(name)) for name in IN_FULL)
    for decision in decisions:
        output.heading("decision")
        output.record(decision.items())
    output.heading(output.count(len(lines), "line") + " of evidence")
    output.table(
        ("line", "time_utc", "actor", "action", "entity", "event"),
        [_evidence(line) for line in lines],
        keys=("line",),
    )


@findings.command()
@click.argument("finding", metavar="ID", shell_complete=filtering.suggests("finding"))
@click.option("--status", required=True, type=click.Choice(DECISIONS), help="What was decided.")
@click.option("--by", required=True, metavar="NAME", help="Who decided.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@click.option("--until", metavar="DATE", help="The decision holds up to and including this day.")
@options.several(options.store, options.config, options.as_of, options.quiet)
def review(
    finding: str, status: str, by: str, reason: str, until: str | None, store: Path, config: Path | None,
    as_of: str | None, quiet: bool,
) -> None:  # fmt: skip
    """Record a decision on a finding: for good, and by name. The operating system's user is recorded as well.

    \b
    Example:
      auditbook findings review 3f9a --status false_positive --by "Dana Ruiz" --reason "Office moved" --until 2027-03-31
    """
    from pipeline import decide

    settings = options.read_config(config)
    done = decide.decide(
        store, finding, status=status, by=by, reason=reason, until=_day(until), signing=settings.signing,
        as_of=options.read_clock(as_of, settings), tell=output.note,
    )  # fmt: skip
    if not quiet:
        print(f"recorded: {output.inert(finding)} is {status}, by {output.inert(by)}\nhead {done.head}")


def _in_full(log: Log, finding: str) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    from pipeline.errors import UsageError
    from pipeline.export import rows_as_json

    found = list(
        rows_as_json(log.sql("SELECT * FROM findings WHERE starts_with(finding_id, ?) LIMIT 2", [finding]))
    )
    if len(found) != 1:
        problem = "is not a finding" if not found else "is the beginning of several findings"
        raise UsageError(f'"{finding}" {problem}.', hint="`auditbook findings` lists them.")
    chosen = [found[0]["finding_id"]]
    lines = log.sql(
        """SELECT e.*, l.byte_offset, l.line_sha256 FROM finding_events f JOIN events e USING (event_uid)
        LEFT JOIN event_lines l USING (event_uid) WHERE f.finding_id = ? ORDER BY e.occurred_at, e.file, e.line""",
        chosen,
    )
    decisions = log.sql(
        """SELECT status, reviewer, os_user, reason, until, decided_at FROM dispositions
        WHERE finding_id = ? ORDER BY commit_no""",
        chosen,
    )
    return found[0], list(rows_as_json(lines)), list(rows_as_json(decisions))


def _evidence(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "line": f"{row['file']}:{row['line']}:{row['byte_offset']}",
        "time_utc": row["occurred_at"],
        "actor": actor(row),
        "action": row["action_detail"] or row["action"],
        "entity": ":".join(part for part in (row["entity_type"], row["entity_id"]) if part),
        "event": row["event_uid"][:12],
    }


def _known_detectors(log: Log, names: tuple[str, ...]) -> None:
    from pipeline import ownrules
    from pipeline.errors import UsageError
    from pipeline.hours import suggestion

    known = ownrules.ran(log.chain) if names else {}
    for name in names:
        if name not in known:
            raise UsageError(f'"{name}" is not a known detector.', hint=suggestion(name, known))


def _day(text: str | None) -> date | None:
    from datetime import date

    from pipeline.errors import UsageError

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f'--until: "{text}" is not a day.', hint="Write it like 2027-03-31.") from error
