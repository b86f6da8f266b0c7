"""Two things measured in turns, each in a process of its own: medians of seconds, of peak memory, of seconds of CPU."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
TURNS = 3
Row = tuple[str, str, str, str]
Measured = tuple[float, float, float]


def ratio(what: str, ours: str, theirs: str, found: float) -> Row:
    """A line of the table."""
    return what, ours, theirs, f"{found:.2f}"


def machine() -> str:
    """When and on what it was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    day = datetime.now(UTC).date().isoformat()
    return f"{day} ({platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()})"


def in_turns(
    ours: Callable[[int], list[str]], theirs: Callable[[int], list[str]], turns: int = TURNS
) -> tuple[Measured, Measured]:
    """Medians of (seconds, peak MB, seconds of CPU) of the two, run alternately."""
    measured: tuple[list[Measured], list[Measured]] = ([], [])
    for turn in range(turns):
        for kept, command in zip(measured, (ours, theirs), strict=True):
            kept.append(_measure(command(turn)))
    first, second = ([statistics.median(column) for column in zip(*kept, strict=True)] for kept in measured)
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])


def _measure(command: list[str]) -> Measured:
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    taken = time.perf_counter() - began
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return taken, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime
