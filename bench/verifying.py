"""Proof: `auditbook verify` beside `sha256sum` over the same files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.turns import Row, in_turns, ratio

LINES = int(os.environ.get("BENCH_LINES", "1000000"))


def rows(folder: Path) -> Iterator[Row]:
    """A store of one load, verified whole: commits, signatures, database and manifest."""
    store, export = folder / "verified", folder / "verified.jsonl"
    with export.open("w") as file:
        file.writelines(_line(number) for number in range(LINES))
    command = str(Path(sys.executable).with_name("auditbook"))
    subprocess.run([command, "load", str(export), "--store", str(store), "-q"], check=True)
    export.unlink()
    files = [str(path) for path in store.glob("commits/*/*.parquet")]
    ours, theirs = in_turns(
        lambda _: [command, "verify", "--store", str(store)], lambda _: ["sha256sum", *files]
    )
    size = sum(Path(path).stat().st_size for path in files) / 1e6
    told = f"{theirs[0]:.2f} s, sha256sum of the same {size:.0f} MB"
    yield ratio(f"verify of {LINES:,} lines", f"{ours[0]:.2f} s, {ours[1]:.0f} MB", told, ours[0] / theirs[0])


def _line(number: int) -> str:
    digest = f"{number * 2654435761 % 2**64:016x}"
    record = {
        "id": f"evt{number:09d}", "storeId": "north",
        "createdAt": f"2026-{1 + number % 9:02d}-{1 + number % 28:02d}T10:00:00Z",
        "actorType": "user", "actorId": f"usr_{number % 50}", "actorEmail": f"u{number % 50}@example.com",
        "action": "update", "detailedAction": "printJob.update", "entityType": "PrintJobs", "entityId": f"job{digest}",
        "metadata": {"digest": digest * 8},
    }  # fmt: skip
    return json.dumps(record, separators=(",", ":")) + "\n"
