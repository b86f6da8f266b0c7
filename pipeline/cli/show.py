"""show: one entry of the log in full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli import filters, options, output, told
from pipeline.cli.events import actor, entity
from pipeline.cli.sides import diff
from pipeline.cli.told import Row

if TYPE_CHECKING:
    from pipeline.config import Config

LONG_LIST = 8  # ids beyond this stand in lines of their own


@click.command()
@click.argument("event", metavar="EVENT", shell_complete=filters.suggests("event"))
@click.option(
    "--format", "shape", type=click.Choice(["text", "json"]), default="text", help="How it is printed."
)
@options.several(options.store, options.config, options.as_of, options.as_json)
def show(event: str, shape: str, store: Path, config: Path | None, as_of: str | None, as_json: bool) -> None:
    """One event in full.

    Who, what, from where, what changed side by side, the other entries of its correlation, mail as it was sent, the
    findings that name it, and the raw line with its place. Nothing is cut short. EVENT is an event's uid, the
    beginning of it, or the source's own id.

    \b
    Examples:
      auditbook show 51c0a7b2
      auditbook show 51c0a7b2 --json
    """
    from pipeline.export import canonical

    with options.open_log(store, config) as log:
        row = canonical(log.event(event))
        settings = log.config
    if as_json or shape == "json":
        output.document(row)
    else:
        _in_full(row, settings, options.read_clock(as_of, settings))


def _in_full(row: Row, config: Config, now: datetime | None) -> None:
    output.record([("event_uid", row["event_uid"]), ("", ""), *told.when(row, config, now)])
    for name, part in (
        ("who", told.who(row)),
        ("what", told.what(row)),
        ("from where", told.where(row)),
        ("how it ended", told.end(row)),
    ):
        _part(name, part)
    ids = row["entity_ids"]
    if ids:
        output.heading(output.count(len(ids), f"{row['entity_type'] or 'entity'} id"))
        _ids(ids)
    diff(row)
    for item in row["related_entities"]:
        _part(
            f"related: {item['relation'] or 'related'}",
            [
                ("entity", entity({"entity_type": item["type"], "entity_id": item["id"]})),
                ("name", item["name"]),
            ],
        )
    for number, message in enumerate(row["communications"], start=1):
        _message(message, f"message {number} of {len(row['communications'])}")
    for name in ("metadata", "unmapped"):
        if row[name]:
            _part(name, row[name].items() if isinstance(row[name], dict) else [("value", row[name])])
    if row["error_stack"]:
        output.heading("stack trace")
        _verbatim(row["error_stack"])
    _correlated(row)
    _findings(row)
    _part("where it comes from", told.source(row))
    _raw(row)


def _part(title: str, pairs: Iterable[tuple[str, object]]) -> None:
    kept = [(name, value) for name, value in pairs if value not in (None, "", [], False)]
    if kept:
        output.heading(title)
        output.record(kept)


def _ids(ids: Sequence[str]) -> None:
    if len(ids) <= LONG_LIST:
        print(output.inert(", ".join(ids)))
        return
    for one in ids:
        print(output.inert(one))


def _message(message: Row, title: str) -> None:
    output.heading(title)
    apart = ("body", "body_sha256", "body_format")
    output.record((name, value) for name, value in message.items() if name not in apart)
    if message["body"] is not None:
        print(f"body ({message['body_format'] or 'text'}, sha256 {message['body_sha256']}):")
        _verbatim(message["body"])


def _verbatim(text: str) -> None:
    """Every line as it is, but for what would act on a terminal."""
    for line in text.split("\n"):
        print(f"  {output.inert(line)}")


def _correlated(row: Row) -> None:
    others = row["correlated"]
    if not others:
        return
    first = min([row, *others], key=lambda one: (one["occurred_at"], one["file"], one["line"]))
    words = output.count(len(others), "other entry", "other entries")
    output.heading(f"{words} with the same correlation id; the first of all is {first['event_uid'][:12]}")
    for one in others:
        bulk = f" (+{len(one['entity_ids'])})" if one["entity_ids"] else ""
        parts = (
            output.cell(one["occurred_at"]),
            actor(one),
            one["action_detail"] or one["action"],
            entity(one) + bulk,
            one["outcome"],
            one["error_message"],
        )
        print("  ".join(output.inert(part) for part in (one["event_uid"][:12], *filter(None, parts))))
        diff(one, f"  changed by {one['event_uid'][:12]}")


def _findings(row: Row) -> None:
    if row["findings"]:
        output.heading(output.count(len(row["findings"]), "finding names it", "findings name it"))
        output.table(
            ("finding_id", "severity", "state", "title", "subject"), row["findings"], keys=("finding_id",)
        )
    if row["conflicts_with"] or row["conflicting"]:
        others = [*filter(None, [row["conflicts_with"]]), *row["conflicting"]]
        output.heading("the same id with other content")
        _ids(others)


def _raw(row: Row) -> None:
    output.heading(f"raw line {row['file']}:{row['line']}:{row['byte_offset']}")
    if row["raw"] is None:
        print("its text is no longer kept")
        return
    print(f"sha256 {row['line_sha256']}")
    _verbatim(row["raw"])
