"""For whom the report is, what it hides from them, and what was purged or is on hold."""

from __future__ import annotations

from dataclasses import dataclass

from reports.period import Instant, instant
from reports.rows import Reader
from reports.text import count

SHOWN = {
    "full": "It is written for full eyes: lines and values are shown as they were exported, secrets included.",
    "internal": "It is written for readers of the organization: values that look like secrets are shown as [REDACTED].",
    "external": "It is written for others: people and addresses have pseudonyms, the same in every report that is made "
    "with the same key, and free text is withheld.",
}


@dataclass(frozen=True)
class Stone:
    """What was removed for good, under which policy."""

    source: str
    kind: str
    commit: int
    done: str
    events: int
    lines: int
    policy: str
    legal_basis: str
    first: Instant | None
    last: Instant | None


@dataclass(frozen=True)
class Privacy:
    shown: str
    stones: tuple[Stone, ...]
    holds: str


def privacy(reader: Reader, audience: str) -> Privacy:
    """As of the commits that the report is made of."""
    rows = reader.rows(
        "SELECT *, strftime(committed, '%Y-%m-%d') AS done, epoch_us(first_event) AS a, epoch_us(last_event) AS b "
        "FROM tombstones ORDER BY commit_no, source"
    )
    held = reader.one("SELECT count(*) AS n FROM holds WHERE active")["n"]
    zone = reader.period.since.zone
    stones = tuple(
        Stone(
            row["source"], "Erased" if row["kind"] == "erasure" else "Purged", row["commit_no"], row["done"],
            row["events"], row["events"] + row["duplicates"] + row["rejects"] + row["others"], row["policy"] or "",
            row["legal_basis"] or "not configured", instant(row["a"], zone), instant(row["b"], zone),
        )
        for row in rows
    )  # fmt: skip
    return Privacy(SHOWN[audience], stones, count(held, "legal hold stands", "legal holds stand"))


def missing(reader: Reader) -> list[str]:
    """What the period lacks because it was removed: what is not there says nothing."""
    row = reader.one(
        "SELECT coalesce(sum(events), 0)::BIGINT AS n, string_agg(DISTINCT commit_no::VARCHAR, ', ' ORDER BY "
        "commit_no::VARCHAR) AS commits FROM tombstones WHERE last_event >= $since AND first_event < $until"
    )
    if not row["n"]:
        return []
    where = f"commit {row['commits']}" if "," not in row["commits"] else f"commits {row['commits']}"
    removed = count(row["n"], "event was", "events were")
    return [
        f"{removed} removed by retention or erasure ({where}), some of this period: what is absent proves nothing."
    ]
