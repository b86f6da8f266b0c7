"""Records in the order of time -> lines of an export. Used by each product's module."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sample_data.month import within

Record = dict[str, Any]
Row = tuple[datetime, Record]


def in_order(rows: Iterable[Row]) -> list[Row]:
    """What the month's export holds, oldest first."""
    return sorted((row for row in rows if within(row[0])), key=lambda row: row[0])


def line(record: Record) -> str:
    """One record as the product's exporter writes it: compact, keys in its own order."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def iso(moment: datetime) -> str:
    """UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
