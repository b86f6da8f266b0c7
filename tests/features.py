"""Prints what of tests/features.toml is open: `make features`."""

from __future__ import annotations

import tomllib
from pathlib import Path


def main() -> None:
    products = tomllib.loads((Path(__file__).parent / "features.toml").read_text("utf-8"))
    lines = {f"{product}.{number}": line for product, one in products.items() for number, line in one.items()}
    waiting = {name: line for name, line in lines.items() if "open" in line}
    for name, line in waiting.items():
        print(f"{name:<7} {line['says']}\n        {line['open']}")
    print(f"{len(waiting)} of {len(lines)} lines are open")


if __name__ == "__main__":
    main()
