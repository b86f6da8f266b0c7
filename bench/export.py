"""A seeded export in Printago's style, as large as is asked for. For the benchmarks only."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
ACTIONS = (("update", "printerSlot.assign", "PrinterSlots"), ("create", "order.create", "Orders"),
           ("update", "printJob.retry", "PrintJobs"), ("bulk_update", "printJob.cancel", "PrintJobs"),
           (None, "printerCommand.stop", "Printers"), ("delete", "part.delete", "Parts"))  # fmt: skip


def write(path: Path, lines: int, seed: int = 1, first: int = 0) -> None:
    """Write `lines` records of about 600 bytes, from the `first` of the seed on."""
    dice = random.Random(seed)
    people = [(_id(dice), f"person{n}@example.com", f"198.51.100.{n + 1}") for n in range(60)]
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as stream:
        for number in range(first + lines):
            at = begin + timedelta(milliseconds=number * 2_500 + dice.randrange(2_000))
            record = _record(dice, at, dice.choice(people))
            if number >= first:
                stream.write(json.dumps(record, separators=(",", ":")) + "\n")


def loaded(folder: Path, lines: int) -> Path:
    """A store in the folder, of an export of so many lines that was loaded by the command."""
    exported, store = folder / "export.jsonl", folder / "store"
    write(exported, lines)
    command = [
        str(Path(sys.executable).with_name("auditbook")),
        "load",
        str(exported),
        "--store",
        str(store),
        "-q",
    ]
    subprocess.run(command, check=True)
    exported.unlink()
    return store


def _record(dice: random.Random, at: datetime, person: tuple[str, str, str]) -> dict[str, object]:
    action, detail, entity = dice.choice(ACTIONS)
    bulk = bool(action and action.startswith("bulk"))
    return {
        "id": _id(dice), "storeId": "s1t2o3r4e5i6d7x8y9z0a1b2",
        "createdAt": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z",
        "actorType": "user", "actorId": person[0], "actorEmail": person[1], "impersonatedBy": None, "apiKeyId": None,
        "action": action, "detailedAction": detail, "entityType": entity, "entityId": None if bulk else _id(dice),
        "entityIds": [_id(dice) for _ in range(3)] if bulk else None, "ipAddress": person[2],
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
        "correlationId": _id(dice), "reason": None,
        "changes": {"status": {"old": "pending", "new": "printing"}, "slot": {"old": dice.randrange(8), "new": None}},
        "metadata": {"count": 3} if bulk else None,
    }  # fmt: skip


def _id(dice: random.Random) -> str:
    return "".join(dice.choices(ALPHABET, k=24))
