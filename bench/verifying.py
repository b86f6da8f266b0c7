"""Proof: `auditbook verify` beside `sha256sum` over the same files, in a small, a middling and a large store."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import made
from bench.turns import Row, in_turns, ratio

EVENTS = int(os.environ.get("BENCH_LINES", "1000000"))
SHARES = (0.05, 0.3, 3)  # of them: stores of about 10, 70 and 700 MB


def rows(folder: Path) -> Iterator[Row]:
    """Whole stores: commits, database, manifest, and the indexes of identities and names against what they are of."""
    command = str(Path(sys.executable).with_name("auditbook"))
    for share in SHARES:
        events = int(EVENTS * share)
        store = folder / f"verified-{events}"
        made.make(store, events)
        files = [str(path) for path in store.rglob("*") if path.is_file() and path.name != "lock"]
        ours, theirs = in_turns(
            lambda _, store=store: [command, "verify", "--store", str(store)],  # type: ignore[misc]
            lambda _, files=files: ["sha256sum", *files],  # type: ignore[misc]
        )
        size = sum(Path(path).stat().st_size for path in files) / 1e6
        told = f"{theirs[0]:.2f} s ({theirs[2]:.2f} s of CPU), sha256sum of the same {size:.0f} MB"
        measured = f"{ours[0]:.2f} s ({ours[2]:.2f} s of CPU), {ours[1]:.0f} MB"
        yield ratio(f"verify of {events:,} events", measured, told, ours[0] / theirs[0])
