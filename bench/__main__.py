"""Speed and memory as ratios, each pair measured in turns in this one run: `python -m bench [loading|sources|proof]`.

Every measured command is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from itertools import chain
from pathlib import Path

from bench import keeping, loading, normalizing, verifying
from bench.detecting import write
from bench.turns import PAGE, Row, in_turns, machine, ratio

PARTS = {"loading": (loading,), "sources": (normalizing,), "proof": (verifying, keeping)}


def main() -> None:
    """Print them, and keep them in the page; `make bench` asks for every part."""
    for part in sys.argv[1:] or PARTS:
        table = ["| what | measured | beside | ratio |", "|---|---|---|---|"]
        print("\n".join(table))
        with tempfile.TemporaryDirectory() as folder:
            first = [_help()] if part == "loading" else []
            for row in chain(first, *(bench.rows(Path(folder)) for bench in PARTS[part])):
                table.append(f"| {' | '.join(row)} |")
                print(table[-1], flush=True)
                write(PAGE, part, _told(table))  # what was measured stays when the rest is broken off


def _help() -> Row:
    command = str(Path(sys.executable).with_name("auditbook"))
    ours, theirs = in_turns(
        lambda _: [command, "--help"], lambda _: [sys.executable, "-c", "import click"], turns=15
    )
    told = f"{theirs[0]:.3f} s, python -c 'import click'"
    return ratio("auditbook --help", f"{ours[0]:.3f} s", told, ours[0] / theirs[0])


def _told(table: list[str]) -> list[str]:
    return [f"{machine()}. Medians of alternating runs, each a process of its own.", "", *table]


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
