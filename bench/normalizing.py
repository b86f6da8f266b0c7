"""What each source costs from bytes to events, beside Printago: CPU time of one process, taken in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from bench import varied
from bench.turns import TURNS, Row, ratio
from pipeline import leaner, mapping
from pipeline.crew import BLOCK_BYTES
from pipeline.job import Job, Piece
from pipeline.lines import judge
from pipeline.mapping import Mapping
from pipeline.normalize import Settings, compile_mapping, events
from pipeline.work import Worker, connect

LINES = Path(__file__).parent.parent / "tests" / "sources"
BESIDE = "printago"


def rows(_: Path) -> Iterator[Row]:
    """A row for each source that has lines of JSON."""
    leaner.without("pandas")  # as in a worker
    known = mapping.known()
    beside = _blocks(known[BESIDE])
    for source in sorted(path.stem for path in LINES.glob("*.jsonl") if path.stem in known):
        if source == BESIDE:
            continue
        blocks = _blocks(known[source])
        taken = [(_seconds(known[source], blocks), _seconds(known[BESIDE], beside)) for _ in range(TURNS)]
        ours, theirs = (
            len(data[-1]) / 1e6 / statistics.median(seconds)
            for data, seconds in zip((blocks, beside), zip(*taken, strict=True), strict=True)
        )
        block = blocks[-1]
        lines = block.count(b"\n")
        what = f"bytes to events, {source} ({lines:,} lines of {len(block) // lines} bytes)"
        yield ratio(what, f"{ours:.0f} MB per CPU s", f"{theirs:.0f} MB per CPU s, {BESIDE}", theirs / ours)


def _blocks(made: Mapping) -> list[bytes]:
    """Two of one source, in which other things happen to the same people; each line becomes an event."""
    lines = [
        line for line in (LINES / f"{made.source}.jsonl").read_bytes().splitlines() if _is_event(made, line)
    ]
    return [varied.block(lines, BLOCK_BYTES, seed) for seed in (3, 4)]


def _is_event(made: Mapping, line: bytes) -> bool:
    """Fixtures also hold lines that are meant to be refused."""
    verdict = judge(line, made.repeated)
    if verdict.fate != "event":
        return False
    with closing(connect()) as connection:
        found = events(connection, compile_mapping(made, Settings()), pa.array([verdict.record])).events
    return bool(found.column("reject_reason")[0].as_py() is None)


def _seconds(made: Mapping, blocks: Sequence[bytes]) -> float:
    """Of a worker's second block: what it keeps between blocks is there."""
    worker = Worker()
    taken = 0.0
    for number, block in enumerate(blocks):
        job = Job(number, made, Settings(), [Piece(0, "bench", "", 1, 0, 0, len(block))], Path(), Path())
        began = time.process_time()
        worker.prepare(job, memoryview(block))
        taken = time.process_time() - began
    worker.close()
    return taken
