"""Retention of one source in a store of two: only its files are written again. Beside it, the whole store copied."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import made
from bench.turns import Row, in_turns, ratio

EVENTS = int(os.environ.get("BENCH_LINES", "1000000"))
CONFIG = '[sources.craftstage]\nretention = "6 months"\n'
AS_OF = ("--as-of", "2026-10-01")


def rows(folder: Path) -> Iterator[Row]:
    """The first months of a small source go; a large one stands beside it."""
    command = str(Path(sys.executable).with_name("auditbook"))
    store, config, export = folder / "kept", folder / "kept.toml", folder / "kept.jsonl"
    config.write_text(CONFIG)
    export.write_text("".join(_line(number) for number in range(EVENTS // 20)))
    made.make(store, EVENTS)
    subprocess.run([command, "load", str(export), "--store", str(store), "-q"], check=True)
    plan = [command, "retain", "--store", str(store), "--config", str(config), *AS_OF, "--json"]
    told = json.loads(subprocess.run(plan, check=True, capture_output=True).stdout)

    def copied(turn: int) -> Path:
        place = folder / f"kept-{turn}"
        subprocess.run(["cp", "-a", str(store), str(place)], check=True)
        return place

    ours, theirs = in_turns(
        lambda turn: [
            command, "retain", "--apply", "--word", told["word"], "--store", str(copied(turn)), "--config",
            str(config), *AS_OF,
        ],
        lambda turn: ["cp", "-a", str(store), str(folder / f"beside-{turn}")],
    )  # fmt: skip
    parts = len(list(store.glob("commits/*/lines*.parquet")))
    yield ratio(
        f"retention: {told['lines']:,} lines of one source go from {EVENTS + EVENTS // 20:,}",
        f"{ours[0]:.2f} s, {ours[1]:.0f} MB; {len(told['parts'])} of {parts} parts written again",
        f"{theirs[0]:.2f} s, the store copied", ours[0] / theirs[0],
    )  # fmt: skip


def _line(number: int) -> str:
    record = {
        "id": f"evt_{number:08d}", "organizationId": "org_c4f1", "jobId": f"job_{number % 9000}",
        "jobReference": f"WO-{number % 9000}", "eventType": "job_created",
        "createdAt": f"2026-{1 + number % 9:02d}-{1 + number % 28:02d}T08:02:11.040Z",
        "actor": {"type": "user", "id": f"usr_{number % 40}", "name": f"Mina {number % 40}"},
        "data": {"title": "Spring signage", "itemCount": 4}, "ip": "198.51.100.21", "userAgent": "Mozilla/5.0",
    }  # fmt: skip
    return json.dumps(record, separators=(",", ":")) + "\n"
