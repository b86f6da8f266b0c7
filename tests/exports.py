"""Small exports that tests load: lines of one product with an id of their own, and of one without."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.config import Config, from_dict

CONFIG: Config = from_dict({"organization": {"timezone": "UTC"}})


def line(number: int, **changed: Any) -> bytes:
    """A Printago line, an hour after the one before it."""
    at = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(hours=number)
    record = {
        "id": f"evt{number:04d}",
        "storeId": "north",
        "createdAt": f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
        "actorType": "user",
        "actorId": "usr_ana",
        "actorEmail": "ana@example.com",
        "action": "update",
        "detailedAction": "printJob.update",
        "entityType": "PrintJobs",
        "entityId": f"job{number % 7}",
        **changed,
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def without_id(number: int) -> bytes:
    """The same without an id of its own."""
    record = json.loads(line(number))
    del record["id"]
    return json.dumps(record).encode() + b"\n"


def lines(first: int, last: int) -> bytes:
    """Lines `first` to `last`, both included."""
    return b"".join(line(number) for number in range(first, last + 1))


def put(path: Path, content: bytes) -> str:
    """Write an export; gives its path as it is typed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)
