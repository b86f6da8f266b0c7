"""show: one entry of the log in full."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import filters, options, output
from pipeline.cli.events import actor, entity

if TYPE_CHECKING:
    from pipeline.config import Config

Row = Mapping[str, Any]
REDACTED = "[REDACTED]"
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
    output.record([("event_uid", row["event_uid"]), ("", ""), *_when(row, config, now)])
    for name, part in (
        ("who", _who(row)),
        ("what", _what(row)),
        ("from where", _where(row)),
        ("how it ended", _end(row)),
    ):
        _part(name, part)
    ids = row["entity_ids"]
    if ids:
        output.heading(output.count(len(ids), f"{row['entity_type'] or 'entity'} id"))
        _ids(ids)
    _diff(row)
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
    _provenance(row)


def _when(row: Row, config: Config, now: datetime | None) -> list[tuple[str, object]]:
    from pipeline.hours import zone
    from pipeline.moments import ago, instant

    at = datetime.fromisoformat(row["occurred_at"])
    where = zone(config.organization.timezone)
    local = at.astimezone(where)
    told: list[tuple[str, object]] = [
        ("occurred", output.Exact(f"{row['occurred_at'].replace('T', ' ')[:-1]} UTC"))
    ]
    if config.organization.timezone != "UTC":
        told.append(
            ("local time", f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()} ({config.organization.timezone})")
        )
    if now is not None:
        told.append(("relative", f"{ago(at, now)}, as of {instant(now)}"))
    precision = f"to the {row['time_precision']}, zone {row['tz_source'] or 'unknown'}"
    return [*told, ("as exported", f"{row['occurred_at_raw']} ({precision})")]


def _who(row: Row) -> list[tuple[str, object]]:
    return [
        ("actor", actor(row)), ("name", row["actor_name"]), ("e-mail", row["actor_email"]), ("id", row["actor_id"]),
        ("type", _both(row["actor_type"], row["actor_type_raw"])),
        ("role", row["actor_role"]),
        ("API key", row["api_key_id_masked"]),
        ("impersonator", _joined(row, "impersonator_name", "impersonator_email", "impersonator_id")),
    ]  # fmt: skip


def _what(row: Row) -> list[tuple[str, object]]:
    return [
        ("source", _joined(row, "source", "instance")), ("type", row["event_type_raw"]),
        ("action", _both(row["action"], row["action_raw"]) + (" (many at once)" if row["is_bulk"] else "")),
        ("detail", row["action_detail"]), ("entity", entity(row)), ("entity name", row["entity_name"]),
        ("entity as exported", row["entity_type_raw"]),
        ("parent", _joined(row, "parent_entity_type", "parent_entity_id")),
        ("address", row["entity_url"]), ("category", row["category"]), ("classes", row["classes"]),
        ("reason", row["reason"]), ("message", row["message"]), ("correlation", row["correlation_id"]),
    ]  # fmt: skip


def _where(row: Row) -> list[tuple[str, object]]:
    return [
        ("address", row["source_ip"]), ("user agent", row["user_agent"]), ("channel", row["channel"]),
        ("direction", row["direction"]), ("trigger", row["trigger"]),
    ]  # fmt: skip


def _end(row: Row) -> list[tuple[str, object]]:
    again = {True: "yes", False: "no"}.get(row["retryable"])
    return [
        ("outcome", _both(row["outcome"], row["status_raw"])),
        ("error", row["error_message"]),
        ("can be retried", again),
    ]


def _joined(row: Row, *names: str) -> str:
    return ", ".join(row[name] for name in names if row[name])


def _both(ours: str, theirs: str | None) -> str:
    """Our word, and the source's where it is another."""
    return ours if theirs is None or theirs.lower() == ours else f"{ours} ({theirs})"


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


def _diff(row: Row, title: str = "what changed") -> None:
    """Old and new side by side; a creation has only new values, a deletion only what was removed."""
    changes = row["changes"]
    if not changes:
        return
    empty = {"create": "old", "delete": "new"}.get(row["action"])
    sides = [side for side in ("old", "new") if side != empty or any(_given(one, side) for one in changes)]
    output.heading(title)
    made = output.folding("field", *({"old": "− old", "new": "+ new"}[side] for side in sides))
    for one in changes:
        made.add_row(output.inert(one["field"]), *(_side(one, side) for side in sides))
    output.show(made)


def _given(change: Row, side: str) -> bool:
    return not change["redacted"] and change.get(side) is not None


def _side(change: Row, side: str) -> Any:
    from rich.text import Text

    if change["redacted"]:
        return Text(REDACTED, "dim")
    if side not in change:
        return Text("(not given)", "dim")
    value = change[side]
    exact = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return Text(output.inert(exact), {"old": "red", "new": "green"}[side])


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
        told = (
            output.cell(one["occurred_at"]),
            actor(one),
            one["action_detail"] or one["action"],
            entity(one) + bulk,
            one["outcome"],
            one["error_message"],
        )
        print("  ".join(output.inert(part) for part in (one["event_uid"][:12], *filter(None, told))))
        _diff(one, f"  changed by {one['event_uid'][:12]}")


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


def _provenance(row: Row) -> None:
    loaded = row["loaded"]
    _part("where it comes from", [
        ("file", row["file"]), ("file sha256", row["file_sha256"]), ("source's own id", row["source_event_id"]),
        ("loaded", f"commit {loaded['commit_no']}, {loaded.get('committed')}, by {loaded.get('loaded_by')}"),
        ("chain head then", loaded.get("head")), ("mapping", row["mapping_version"]),
        ("warnings", row["parse_warnings"]),
        ("repeated in", [f"{one['file']}:{one['line']}:{one['byte_offset']}" for one in row["duplicates"]]),
    ])  # fmt: skip
    output.heading(f"raw line {row['file']}:{row['line']}:{row['byte_offset']}")
    if row["raw"] is None:
        print("its text is no longer kept")
        return
    print(f"sha256 {row['line_sha256']}")
    _verbatim(row["raw"])
