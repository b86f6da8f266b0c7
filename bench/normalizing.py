"""What each source costs from bytes to events, beside Printago: CPU time of one process, taken in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from bench import varied
from bench.turns import TURNS, Row, ratio
from pipeline import leaner, mapping
from pipeline.crew import BLOCK_BYTES
from pipeline.job import Job, Piece
from pipeline.mapping import Mapping
from pipeline.normalize import Settings
from pipeline.work import Worker

LINES = Path(__file__).parent.parent / "tests" / "sources"
BESIDE = "printago"


def rows(_: Path) -> Iterator[Row]:
    """A row for each source that has lines of JSON."""
    leaner.without("pandas")  # as in a worker
    known = mapping.known()
    beside = _block(BESIDE)
    for source in sorted(path.stem for path in LINES.glob("*.jsonl") if path.stem in known):
        if source == BESIDE:
            continue
        block = _block(source)
        taken = [(_seconds(known[source], block), _seconds(known[BESIDE], beside)) for _ in range(TURNS)]
        ours, theirs = (
            len(data) / 1e6 / statistics.median(seconds)
            for data, seconds in zip((block, beside), zip(*taken, strict=True), strict=True)
        )
        lines = block.count(b"\n")
        what = f"bytes to events, {source} ({lines:,} lines of {len(block) // lines} bytes)"
        yield ratio(what, f"{ours:.0f} MB per CPU s", f"{theirs:.0f} MB per CPU s, {BESIDE}", theirs / ours)


def _block(source: str) -> bytes:
    return varied.block((LINES / f"{source}.jsonl").read_bytes().splitlines(), BLOCK_BYTES)


def _seconds(made: Mapping, block: bytes) -> float:
    """Of a worker's second block: what it keeps between blocks is there."""
    worker = Worker()
    for number in (1, 2):
        job = Job(number, made, Settings(), [Piece(0, "bench", "", 1, 0, 0, len(block))], Path(), Path())
        began = time.process_time()
        worker.prepare(job, memoryview(block))
    taken = time.process_time() - began
    worker.close()
    return taken
