"""history: one thing's life, from its first entry to its state at any time."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import filters, options, output
from pipeline.cli.recipe import grid

if TYPE_CHECKING:
    from pipeline.history import History
    from pipeline.recipe import Answer

ENTRIES = ("time_utc", "lane", "about", "who", "did", "what", "change", "because", "outcome", "event")
KEYS = ("time_utc", "event")
PARTS = {
    "status": ("dwell", ("thing", "status", "entered", "until", "duration", "who")),
    "who worked on it": ("contributors", ("who", "actor_type", "entries", "did", "first", "last")),
    "hand-overs": ("handovers", ("from_who", "to_who", "taken_at", "after", "with_action")),
    "runs of background jobs": ("runs", ("job", "run", "started", "seconds", "entries", "outcome", "error")),
}
LONGEST = 40


@click.command()
@click.argument("entity", metavar="TYPE:ID", shell_complete=filters.suggests("entity"))
@click.option("--at", metavar="TIME", help="The state at that time; nothing after it is looked at.")
@click.option("--as-of", metavar="TIME", help="The same.")
@click.option("--sort", type=click.Choice(["oldest", "newest"]), default="oldest", show_default=True,
              help="Which entries come first.")  # fmt: skip
@click.option("--oldest", "sort", flag_value="oldest", help="Oldest first.")
@click.option("--newest", "sort", flag_value="newest", help="Newest first.")
@click.option("--lane", multiple=True, metavar="LANE",
              help="Only workflow, communication, accounting, automation; or status: what changed one.")  # fmt: skip
@click.option("--source", metavar="ID", help="Of this product, where several know such a thing.")
@click.option("--instance", metavar="NAME", help="Of this tenant.")
@click.option("--since", metavar="TIME", help="Not before.")
@click.option("--until", metavar="TIME", help="Not after; a bare date includes that day.")
@click.option(
    "--unfold", is_flag=True, help="Every entry of a background job's run, not one line for each run."
)
@options.several(options.limit, options.shape, options.store, options.config)
def history(
    entity: str, shape: str, limit: int | None, store: Path, config: Path | None, unfold: bool, **asked: Any
) -> None:
    """One thing's life, what it is linked to included (a quote and its job).

    Its entries in order; how long it stood at each status; who worked on it and who took over from whom; its state at
    the end or --at a time, replayed from the changes, and where those contradict each other; what could not be seen.
    jsonl and csv have the entries; json has everything.

    \b
    Examples:
      auditbook history job:job_2041
      auditbook history sales_doc:Q-10472 --at 2026-10-19T12:00Z
      auditbook history job:J-4101 --source hoops --lane accounting --newest
      auditbook history background_job:SYNC_SQUARE_STOCK --format json
    """
    from pipeline import history as lives

    with options.open_log(store, config) as log:
        found = lives.of(log, entity, {"limit": limit, **asked})
        if shape == "table":
            _table(found, unfold)
        elif shape == "json":
            output.document(document(found))
        else:
            output.stream(found.entries, shape)


def document(found: History) -> dict[str, Any]:
    """Everything that a history says, as JSON values."""
    from pipeline.export import instant, rows_as_json

    parts = {
        name: getattr(found, name)()
        for name in ("state", "conflicts", "dwell", "contributors", "handovers", "runs")
    }
    return {
        "entity": found.entity, "linked": list(found.linked), "as_of": instant(found.as_of),
        "entries": list(rows_as_json(found.entries)),
        **{name: list(rows_as_json(answer.rows)) for name, answer in parts.items()},
        "sight": list(found.sight),
    }  # fmt: skip


def _table(found: History, unfold: bool) -> None:
    from pipeline.export import instant, rows_as_json

    entries = list(rows_as_json(found.entries))
    linked = f", with {', '.join(found.linked)}" if found.linked else ""
    print(
        output.inert(f"{found.entity}{linked}: {output.count(len(entries), 'entry', 'entries')}"), end="\n\n"
    )
    rows = [line(row) for row in (entries if unfold else folded(entries))]
    output.table([name for name in ENTRIES if _says(rows, name, bool(linked))], rows, keys=KEYS)
    for title, (name, columns) in PARTS.items():
        _part(title, getattr(found, name)(), columns)
    moment = output.cell(instant(found.as_of))
    _part(f"state at {moment} UTC", found.state(), ("thing", "field", "value", "since", "who", "changed"))
    conflicts = found.conflicts()
    _part("its changes contradict each other", conflicts,
          ("thing", "field", "replayed", "claimed", "changed_at", "who", "before", "event"))  # fmt: skip
    output.heading("what could not be seen")
    if not any(row["changes"] for row in entries):
        print("no entry says what it changed: there is no state to replay")
    elif not len(conflicts):
        print("no change begins from another value than the one before it left")
    for one in found.sight:
        print(output.inert(one))


def _says(rows: Sequence[Mapping[str, Any]], name: str, linked: bool) -> bool:
    """Whether a column says something that the others do not; `what` gives way first where there is little room."""
    if name == "about":
        return linked
    if name == "what":
        return not (linked and sys.stdout.isatty())
    return any(row[name] and row[name] != "unknown" for row in rows)


def _part(title: str, answer: Answer, columns: Sequence[str]) -> None:
    from pipeline.export import rows_as_json

    rows = list(rows_as_json(answer.rows))
    if rows:
        output.heading(title)
        grid(columns, rows)


def folded(entries: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """One entry for each run of a background job, its last as the log has it, in the place of the first in order."""
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for row in entries:
        if run := _run(row):
            runs.setdefault(run, []).append(row)
    for row in entries:
        of = runs.get(_run(row) or "", [row])
        if of[0] is row:
            last = max(of, key=lambda one: (one["occurred_at"], one["line"]))
            yield {**last, "occurred_at": min(one["occurred_at"] for one in of), "folded": len(of)}


def _run(row: Mapping[str, Any]) -> str | None:
    known = row["metadata"].get("job_run_id") if isinstance(row["metadata"], dict) else None
    return str(known) if known and row["category"] == "background_job" else None


def line(row: Mapping[str, Any]) -> dict[str, Any]:
    """One entry in a line."""
    many = f" (+{len(row['entity_ids'])})" if row["entity_ids"] else ""
    runs = f" (run of {row['folded']} entries)" if row.get("folded", 1) > 1 else ""
    messages = "; ".join(
        f"{one['channel']}: {one['subject'] or '(no subject)'}" for one in row["communications"]
    )
    rule = next((one for one in row["related_entities"] if one["relation"] == "triggered_by"), None)
    return {
        "time_utc": row["occurred_at"], "lane": row["lane"], "about": row["about"], "who": row["who"],
        "did": f"{row['action_detail'] or row['action_raw'] or row['action']}{runs}",
        "what": ":".join(part for part in (row["entity_type"], row["entity_id"]) if part) + many,
        "change": "; ".join([*map(_change, row["changes"]), *([messages] if messages else [])]),
        "because": (rule["name"] or rule["id"]) if rule else row["reason"],
        "outcome": row["outcome"], "event": row["event_uid"][:12],
    }  # fmt: skip


def _change(change: Mapping[str, Any]) -> str:
    if change["redacted"]:
        return f"{change['field']}: [REDACTED]"
    old, new = (_side(change, side) for side in ("old", "new"))
    return f"{change['field']}: {' → '.join(side for side in (old, new) if side is not None)}"


def _side(change: Mapping[str, Any], side: str) -> str | None:
    if change.get(side) is None:
        return None if side == "old" else "none"
    text = output.cell(change[side])
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
