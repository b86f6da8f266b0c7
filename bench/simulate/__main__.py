"""Writes a simulated organization's exports, settings and labels: python -m bench.simulate FOLDER --seed 7."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.simulate.course import Size, simulate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.simulate", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--scale", type=float, default=1.0, help="how much everybody does, against the usual")
    parser.add_argument("--each", type=int, default=8, help="plants of each kind")
    parser.add_argument("--swaps", type=int, default=0, help="pairs of people whose accounts are swapped")
    asked = parser.parse_args()
    size = Size(asked.people, asked.days, asked.scale, asked.each, asked.swaps)
    for product, count in simulate(asked.folder, asked.seed, size).items():
        print(f"{product}: {count:,} records")


if __name__ == "__main__":
    main()
