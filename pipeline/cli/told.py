"""What an event says of itself, as names and values: when, who, what, from where, and how it ended. For show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.cli import output
from pipeline.cli.events import actor, entity

if TYPE_CHECKING:
    from pipeline.config import Config

Row = Mapping[str, Any]
Pairs = list[tuple[str, object]]


def when(row: Row, config: Config, now: datetime | None) -> Pairs:
    """When it happened: by UTC, by the organization's clock, and as the source wrote it."""
    from pipeline.hours import zone
    from pipeline.moments import ago, instant

    at = datetime.fromisoformat(row["occurred_at"])
    where = zone(config.organization.timezone)
    local = at.astimezone(where)
    told: Pairs = [("occurred", output.Exact(f"{row['occurred_at'].replace('T', ' ')[:-1]} UTC"))]
    if config.organization.timezone != "UTC":
        told.append(
            ("local time", f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()} ({config.organization.timezone})")
        )
    if now is not None:
        told.append(("relative", f"{ago(at, now)}, as of {instant(now)}"))
    precision = f"to the {row['time_precision']}, zone {row['tz_source'] or 'unknown'}"
    return [*told, ("as exported", f"{row['occurred_at_raw']} ({precision})")]


def who(row: Row) -> Pairs:
    """Who did it, under every name, and as whom."""
    return [
        ("actor", actor(row)), ("name", row["actor_name"]), ("e-mail", row["actor_email"]), ("id", row["actor_id"]),
        ("type", _both(row["actor_type"], row["actor_type_raw"])),
        ("role", row["actor_role"]),
        ("API key", row["api_key_id_masked"]),
        ("impersonator", _joined(row, "impersonator_name", "impersonator_email", "impersonator_id")),
    ]  # fmt: skip


def what(row: Row) -> Pairs:
    """What was done, and to what."""
    parent = entity({"entity_type": row["parent_entity_type"], "entity_id": row["parent_entity_id"]})
    return [
        ("source", _joined(row, "source", "instance")), ("type", row["event_type_raw"]),
        ("action", _both(row["action"], row["action_raw"]) + (" (many at once)" if row["is_bulk"] else "")),
        ("detail", row["action_detail"]), ("entity", entity(row)), ("entity name", row["entity_name"]),
        ("entity as exported", row["entity_type_raw"]),
        ("parent", parent if parent != entity(row) else None),
        ("address", row["entity_url"]), ("category", row["category"]), ("classes", row["classes"]),
        ("reason", row["reason"]), ("message", row["message"]), ("correlation", row["correlation_id"]),
    ]  # fmt: skip


def where(row: Row) -> Pairs:
    """From where, and by which way."""
    return [
        ("address", row["source_ip"]), ("user agent", row["user_agent"]), ("channel", row["channel"]),
        ("direction", row["direction"]), ("trigger", row["trigger"]),
    ]  # fmt: skip


def end(row: Row) -> Pairs:
    """How it ended."""
    again = {True: "yes", False: "no"}.get(row["retryable"])
    return [
        ("outcome", _both(row["outcome"], row["status_raw"])),
        ("error", row["error_message"]),
        ("can be retried", again),
    ]


def source(row: Row) -> Pairs:
    """Which file it comes from, and by which load."""
    loaded = row["loaded"]
    return [
        ("file", row["file"]), ("file sha256", row["file_sha256"]), ("source's own id", row["source_event_id"]),
        ("loaded", f"commit {loaded['commit_no']}, {loaded.get('committed')}, by {loaded.get('loaded_by')}"),
        ("chain head then", loaded.get("head")), ("mapping", row["mapping_version"]),
        ("warnings", row["parse_warnings"]),
        ("repeated in", [f"{one['file']}:{one['line']}:{one['byte_offset']}" for one in row["duplicates"]]),
    ]  # fmt: skip


def _joined(row: Row, *names: str) -> str:
    return ", ".join(row[name] for name in names if row[name])


def _both(ours: str, theirs: str | None) -> str:
    """Our word, and the source's where it is another."""
    return ours if theirs is None or theirs.lower() == ours else f"{ours} ({theirs})"
