"""Speed and memory as ratios, each pair measured in turns in this one run. `make bench` prints them and keeps them.

Every measured command is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import tempfile
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from bench import keeping, loading, normalizing, verifying
from bench.turns import Row, in_turns, ratio

BENCHES = (loading, normalizing, verifying, keeping)
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    table = ["| what | measured | beside | ratio |", "|---|---|---|---|"]
    print("\n".join(table))
    with tempfile.TemporaryDirectory() as folder:
        for row in chain([_help()], *(bench.rows(Path(folder)) for bench in BENCHES)):
            table.append(f"| {' | '.join(row)} |")
            print(table[-1], flush=True)
            PAGE.write_text(_page(table), "utf-8")  # what was measured stays when the rest is broken off


def _help() -> Row:
    command = str(Path(sys.executable).with_name("auditbook"))
    ours, theirs = in_turns(
        lambda _: [command, "--help"], lambda _: [sys.executable, "-c", "import click"], turns=15
    )
    told = f"{theirs[0]:.3f} s, python -c 'import click'"
    return ratio("auditbook --help", f"{ours[0]:.3f} s", told, ours[0] / theirs[0])


def _page(table: list[str]) -> str:
    day = datetime.now(UTC).date().isoformat()
    cores = os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{platform.machine()}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"
    intro = f"Written by `make bench` on {day} ({machine}). Medians of alternating runs, each a process of its own."
    return "\n".join(["# Benchmarks", "", intro, "", *table, ""])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
