"""retain: what is kept, what goes, and what nothing may take."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options, output

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.retention import Plan

WORD = click.option("--word", metavar="TEXT", help="The word that the plan gives; asked for on a terminal.")
APPLY = click.option("--apply", "really", is_flag=True, help="Do what the plan says.")
BY = click.option("--by", required=True, metavar="NAME", help="Who answers for it.")
REASON = click.option("--reason", required=True, metavar="TEXT", help="Why.")
LATER = (
    "the files that were replaced are removed by the first run after 24 hours; the chain keeps their hashes"
)
HOLDS_NOTHING = (
    "covers no event that is stored: is everything spelled as `auditbook values actor` and `auditbook values "
    "entity_type` list it? It stands for events to come."
)


@click.group(invoke_without_command=True)
@APPLY
@WORD
@options.several(options.store, options.config, options.as_of, options.as_json, options.quiet)
@click.pass_context
def retain(
    ctx: click.Context, really: bool, word: str | None, store: Path, config: Path | None, as_of: str | None,
    as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """What each source's retention means today, in numbers; with --apply it is done.

    [sources.NAME] retention = "2 years" and, if you like, archive = "5 years" say how long a source's events are
    active and then archived; what is past both is due to be purged, unless a hold covers it. Archived is what an event
    is by its age: it stays where it is and in every answer, and the view retention_state tells it apart. --apply asks
    for the word that the plan gives, and purges in one commit that leaves a tombstone. What was purged does not come
    back when it is loaded again.

    \b
    Examples:
      auditbook retain
      auditbook retain --apply
      auditbook retain hold add --actor ana@example.com --case "Ana v. Example" --by "Dana Ruiz" --reason "lawsuit"
    """
    if ctx.invoked_subcommand is not None:
        return
    from pipeline import retention

    settings = options.read_config(config)
    clock = options.read_clock(as_of, settings)
    if not really:
        _show(retention.plan(store, settings, clock), as_json, quiet)
        return
    found = retention.plan(store, settings, clock)
    if found.due.anything and word is None:
        if not as_json:
            _show(found, False, quiet)
        word = asked(found.word)
    found, done = retention.apply(store, settings, word, clock)
    if as_json:
        output.document({**found.as_json(), "head": done.head if done else None})
    elif done is None:
        print("nothing is due; nothing was changed")
    elif not quiet:
        print(f"purged {output.count(found.due.lines, 'line')} in one commit; {LATER}\nhead {done.head}")


def asked(word: str) -> str:
    """What somebody types who has read the plan."""
    print(f'Type "{word}" to go on: ', end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def _show(plan: Plan, as_json: bool, quiet: bool) -> None:
    if as_json:
        output.document(plan.as_json())
        return
    if quiet:
        return
    columns = "source retention archive active archived purge_due held before legal_basis".split()
    output.table(
        columns, [{**vars(one), "retention": one.retention or "for good"} for one in plan.sources], columns
    )
    print(f"\n{going(plan.due)}")
    if any(one.archive for one in plan.sources):
        print(
            "archived events are told apart by their age alone: they stay where they are and in every answer"
        )
    if plan.due.anything:
        print(f'`auditbook retain --apply` purges them; its word is "{plan.word}"')


def going(due: Any) -> str:
    """In words: what a plan would take."""
    count = output.count
    taken = f"; {count(len(due.originals), 'original')} with such lines removed as a whole" * bool(
        due.originals
    )
    stay = f"; {count(len(due.staying), 'original')} with such lines kept, as other lines in it are on hold"
    kept = taken + stay * bool(due.staying)
    if not due.lines:
        return f"nothing is due to be purged{kept}"
    fates: dict[str, int] = {}
    for counts in due.counts.values():
        for fate, number in counts.items():
            fates[fate] = fates.get(fate, 0) + number
    parts = ", ".join(
        count(number, fate if fate != "blank" else "further line") for fate, number in fates.items()
    )
    rewritten = f"; {count(len(due.rows), 'part')} of {due.bytes:,} bytes rewritten" * bool(due.rows)
    return f"{count(due.lines, 'line')} would be purged{f' ({parts})' * bool(parts)}{rewritten}{kept}"


@retain.group()
def hold() -> None:
    """Legal holds: what must stay, whatever a policy or a person's wish says."""


@hold.command("add")
@click.option("--actor", metavar="WHO", help="Everything that this person did: id, name or e-mail.")
@click.option("--entity", metavar="TYPE[:ID]", help="Everything about this thing.")
@click.option("--finding", metavar="ID", help="The events behind a finding.")
@click.option("--source", metavar="ID", help="Only of this source.")
@click.option("--since", metavar="DATE", help="Only from this day or time on.")
@click.option("--until", metavar="DATE", help="Only up to and including this day.")
@click.option("--case", metavar="NAME", help="The case that it is for.")
@options.several(BY, REASON, options.store, options.config, options.quiet)
def add(
    actor: str | None, entity: str | None, finding: str | None, source: str | None, since: str | None,
    until: str | None, case: str | None, by: str, reason: str, store: Path, config: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Put events on hold: nothing purges or erases them until the hold is released.

    What is given must all be so. Lines of a source that did not load say nobody's name: while anything of their source
    is on hold, they stay too.

    \b
    Example:
      auditbook retain hold add --entity job:job_2041 --by "Dana Ruiz" --reason "complaint 88"
    """
    from pipeline import holds

    settings = options.read_config(config)
    held = holds.Held(
        case, source, actor, entity, finding, _moment(since, settings), _moment(until, settings, end=True)
    )
    name, done = holds.add(store, held, by=by, reason=reason, config=settings)
    with options.open_log(store, config) as log:
        [(number,)] = log.con.execute("SELECT count(*) FROM held_events WHERE hold_id = ?", [name]).fetchall()
    if not number:
        print(f"auditbook: {name} {HOLDS_NOTHING}", file=sys.stderr)
    if not quiet:
        print(f"{name} holds {output.count(number, 'event')} of today's, and those to come\nhead {done.head}")


@hold.command("release")
@click.argument("which", metavar="HOLD")
@options.several(BY, REASON, options.store, options.config, options.quiet)
def release(which: str, by: str, reason: str, store: Path, config: Path | None, quiet: bool) -> None:
    """Let go of a hold, by its id or its case. It stays on record.

    \b
    Example:
      auditbook retain hold release hold-7 --by "Dana Ruiz" --reason "settled"
    """
    from pipeline import holds

    name, done = holds.release(store, which, by=by, reason=reason, config=options.read_config(config))
    if not quiet:
        print(f"released {name}\nhead {done.head}")


@hold.command("list")
@options.several(options.store, options.config, options.shape)
def listed(store: Path, config: Path | None, shape: str) -> None:
    """Show the holds, released ones too.

    \b
    Example:
      auditbook retain hold list
    """
    with options.open_log(store, config) as log:
        found = log.sql(
            "SELECT h.*, (SELECT count(*) FROM held_events e WHERE e.hold_id = h.hold_id) AS events FROM holds h "
            'ORDER BY "at", hold_id'
        )
        columns = (
            "hold_id case_name actor entity_type entity_id finding source since until events active by reason"
        )
        output.rows(found, shape, columns.split(), ["hold_id"])


def _moment(text: str | None, settings: Config, end: bool = False) -> datetime | None:
    """A day is the organization's, from its beginning; as an end it is included."""
    from datetime import timedelta

    moment = options.read_clock(text, settings)
    return moment + timedelta(days=1) if moment is not None and end and len(str(text)) == 10 else moment
