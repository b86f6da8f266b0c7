"""Retention of one source in a store of two: only its files are written again. Beside it, retention of both."""

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
COMMAND = str(Path(sys.executable).with_name("auditbook"))
KEPT = 'retention = "6 months"\n'
AS_OF = ("--as-of", "2026-12-01")


def rows(folder: Path) -> Iterator[Row]:
    """The first months of a small source go; a large one stands beside it."""
    store, export = folder / "kept", folder / "kept.jsonl"
    export.write_text("".join(_line(number) for number in range(EVENTS // 20)))
    made.make(store, EVENTS)
    subprocess.run([COMMAND, "load", str(export), "--store", str(store), "-q"], check=True)
    one = _Policy(folder, store, "one", f"[sources.craftstage]\n{KEPT}")
    both = _Policy(folder, store, "both", f"[sources.craftstage]\n{KEPT}[sources.printago]\n{KEPT}")
    ours, theirs = in_turns(one.apply, both.apply)
    parts = len(list(store.glob("commits/*/lines*.parquet")))
    yield ratio(
        f"retention of one source: {one.lines:,} lines go from a store of {EVENTS + EVENTS // 20:,}",
        f"{ours[0]:.2f} s, {ours[1]:.0f} MB; {one.parts} of {parts} parts written again",
        f"{theirs[0]:.2f} s, {theirs[1]:.0f} MB, of both: {both.lines:,} lines, {both.parts} parts",
        ours[0] / theirs[0],
    )  # fmt: skip


class _Policy:
    """What a configuration takes from a store, applied to copies of it."""

    def __init__(self, folder: Path, store: Path, name: str, config: str) -> None:
        self.store, self.copies = store, folder / name
        self.options = ["--config", str(folder / f"{name}.toml"), *AS_OF]
        (folder / f"{name}.toml").write_text(config)
        plan = [COMMAND, "retain", "--store", str(store), *self.options, "--json"]
        told = json.loads(subprocess.run(plan, check=True, capture_output=True).stdout)
        self.lines, self.parts, self.word = told["lines"], len(told["parts"]), told["word"]

    def apply(self, turn: int) -> list[str]:
        copy = f"{self.copies}-{turn}"
        subprocess.run(["cp", "-a", str(self.store), copy], check=True)
        return [COMMAND, "retain", "--apply", "--word", self.word, "--store", copy, *self.options]


def _line(number: int) -> str:
    record = {
        "id": f"evt_{number:08d}", "organizationId": "org_c4f1", "jobId": f"job_{number % 9000}",
        "jobReference": f"WO-{number % 9000}", "eventType": "job_created",
        "createdAt": f"2026-{1 + number % 9:02d}-{1 + number % 28:02d}T08:02:11.040Z",
        "actor": {"type": "user", "id": f"usr_{number % 40}", "name": f"Mina {number % 40}"},
        "data": {"title": "Spring signage", "itemCount": 4}, "ip": "198.51.100.21", "userAgent": "Mozilla/5.0",
    }  # fmt: skip
    return json.dumps(record, separators=(",", ":")) + "\n"
