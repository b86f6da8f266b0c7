"""Writes the five exports of the sample month: `python -m sample_data.generate [FOLDER]`. Always the same bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from sample_data import bswagic, craftstage, hoops, oncloudwine, printago

PRODUCTS: Mapping[str, Callable[[], list[str]]] = {
    "craftstage": craftstage.lines,
    "oncloudwine": oncloudwine.lines,
    "printago": printago.lines,
    "bswagic": bswagic.lines,
    "hoops": hoops.lines,
}

# What goes wrong with files on their way: a line that comes twice, a blank one, and two damaged ones in all.
TWICE = {"craftstage": 402, "oncloudwine": 655, "printago": 318, "bswagic": 770, "hoops": 541}
BLANK_AFTER = {"craftstage": 633, "oncloudwine": 211, "printago": 840, "bswagic": 156, "hoops": 902}
CUT_OFF = {"oncloudwine": 893}
WITHOUT_TIME = {"bswagic": 405}


def export(product: str) -> str:
    """The text of one product's file."""
    lines = PRODUCTS[product]()
    if place := CUT_OFF.get(product):
        lines[place] = lines[place][:187]
    if place := WITHOUT_TIME.get(product):
        lines[place] = _without_time(lines[place])
    # From the end to the front, so that the places before stay where they are.
    for place, extra in sorted(
        ((TWICE[product], lines[TWICE[product]]), (BLANK_AFTER[product], "")), reverse=True
    ):
        lines.insert(place + 1, extra)
    return "".join(f"{line}\n" for line in lines)


def write(folder: Path) -> None:
    """All five files; newlines are the same on every system."""
    for product in PRODUCTS:
        (folder / f"{product}.jsonl").write_bytes(export(product).encode())


def _without_time(line: str) -> str:
    """What a browser writes in the place of a time that it could not read."""
    before, _, after = line.partition('"Date":"')
    return f'{before}"Date":"Invalid date{after[after.index(chr(34)) :]}'


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
