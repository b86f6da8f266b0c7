"""A small store made by hand, for the tests of the review: every fate, a silent day, a log that was switched off."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from pipeline import detect
from pipeline import load as loading
from pipeline.config import Config, from_dict
from tests import exports

AS_OF = datetime(2026, 10, 9, 6, 0, tzinfo=UTC)
SETTINGS: Config = from_dict(
    {
        "organization": {"name": "North & Sons", "timezone": "America/New_York"},
        "suppressions": [
            {"detector": "failed_job", "owner": "Kim", "reason": "known", "until": date(2027, 1, 1)},
        ],
    }
)
HOSTILE = (
    '<script>alert(1)</script>\u202eevil\u0000 "><img src=http://x.example/y onerror=a()> {{ 7*7 }} 漢字'
)


def hostile_line() -> bytes:
    return exports.line(
        30,
        detailedAction=HOSTILE,
        reason=HOSTILE,
        changes={HOSTILE: {"old": None, "new": HOSTILE}},
        entityId=HOSTILE,
    )


def switched(number: int, verb: str, on: bool) -> bytes:
    return exports.line(
        number,
        detailedAction=f"auditLogs.{verb}",
        entityType="Settings",
        entityId="north",
        ipAddress="203.0.113.9",
        reason=HOSTILE,
        changes={"auditLogsEnabled": {"old": not on, "new": on}, HOSTILE: {"old": None, "new": HOSTILE}},
    )


def make(folder: Path) -> Path:
    """Twelve lines of a week: eight events, a duplicate, a reject and two blank lines."""
    content = [
        exports.line(14),  # Thursday 1 October, 10:00 in New York
        exports.line(15),
        exports.line(14),
        b"\n",
        exports.line(38),  # Friday
        b'{"id": "evt9999", "storeId"\n',
        hostile_line(),
        switched(110, "disable", on=False),  # Monday 5 October
        switched(112, "enable", on=True),
        b"   \n",
        exports.line(136),  # Tuesday
        exports.line(184),  # Thursday: Wednesday is silent
    ]
    exports.put(folder / "in" / "printago.jsonl", b"".join(content))
    loading.load([str(folder / "in")], store=folder / "store", config=SETTINGS)
    detect.detect(folder / "store", config=SETTINGS)
    return folder / "store"
