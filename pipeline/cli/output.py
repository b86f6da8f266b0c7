"""Rows and records on their way to people and programs: tables, CSV, JSON. Nothing stored can act on a terminal."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.formats import Choice
    from pipeline.query import Rows

Row = Mapping[str, Any]
PIPE, GAP, NARROWEST = 10_000, 3, 5
WIDEST = 100  # what a table on a pipe shows of one text; csv and json have all of it

# Everything that moves a cursor, rings, hides or turns text around: C0, DEL, C1, bidirectional and zero-width marks.
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_ACTING_IN_CSV = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_ACTING_IN_JSON = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def inert(text: str) -> str:
    """Text with every acting character shown instead of obeyed."""
    return _ACTING.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(found[0], f"\\u{ord(found[0]):04x}")


def rows(found: Rows, shape: str, columns: Sequence[str], keys: Sequence[str] = ()) -> None:
    """Rows of the store in the format that was asked for; `columns` are what a table has room for."""
    from pipeline import export

    if shape == "table":
        table(columns, export.rows_as_json(found), keys)
    else:
        stream(found, shape)


def stream(found: Rows, shape: str, choice: Choice | None = None) -> None:
    """Rows as csv, json, jsonl or ocsf, as they are read."""
    from pipeline import export

    export.stream(found, _Inert(_ACTING_IN_CSV if shape == "csv" else _ACTING_IN_JSON), shape, choice)


class _Inert(io.RawIOBase):
    """Standard output for whole lines, with every acting character shown instead of obeyed."""

    def __init__(self, acting: re.Pattern[str]) -> None:
        super().__init__()
        self._acting = acting

    def write(self, data: Any) -> int:
        sys.stdout.write(self._acting.sub(_shown, bytes(data).decode()))
        return len(data)


def structured(records: Sequence[Row], shape: str) -> None:
    """csv, json or jsonl."""
    if shape == "json":
        document(records)
    elif shape == "jsonl":
        lines(records)
    else:
        from pipeline.export import to_csv

        for line in to_csv(records, list(records[0]) if records else []):
            sys.stdout.write(_ACTING_IN_CSV.sub(_shown, line))


def lines(records: Iterable[Row]) -> None:
    """One JSON object a line."""
    import json

    for record in records:
        print(_escaped(json.dumps(record, ensure_ascii=False, default=str)))


def document(value: object) -> None:
    """One JSON document."""
    import json

    print(_escaped(json.dumps(value, ensure_ascii=False, indent=2, default=str)))


def _escaped(text: str) -> str:
    """JSON that says the same without the characters beyond ASCII that a terminal obeys."""
    return _ACTING_IN_JSON.sub(_shown, text)


def table(columns: Sequence[str], records: Iterable[Row], keys: Sequence[str] = ()) -> None:
    """A table that fits the terminal; on a pipe it is as wide as it needs. `keys` are columns never cut short."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    records = list(records)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPE, highlight=False)
    lines = [[_short(cell(record.get(name))) for name in columns] for record in records]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, width in zip(columns, _widths(columns, lines, keys, console.width), strict=True):
        numeric = bool(records) and all(isinstance(record.get(name), int | None) for record in records)
        heading = Text(name.replace("_", " "))
        made.add_column(
            heading, justify="right" if numeric else "left", no_wrap=True, overflow="ellipsis", width=width
        )
    for line in lines:
        made.add_row(*map(Text, line))
    with console.capture() as captured:
        console.print(made)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def _widths(
    columns: Sequence[str], lines: Sequence[Sequence[str]], keys: Sequence[str], room: int
) -> list[int]:
    """What each column needs; where there is no room for all, the widest give first, and keys never."""
    from rich.cells import cell_len

    widths = [
        max(map(cell_len, (name, *(line[place] for line in lines)))) for place, name in enumerate(columns)
    ]
    shrinking = [place for place, name in enumerate(columns) if name not in keys]
    while shrinking and sum(widths) + GAP * (len(widths) - 1) > room:
        widest = max(shrinking, key=lambda place: widths[place])
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    return widths


def cell(value: object) -> str:
    """A value as people read it."""
    import json

    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str):
        return inert(re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$", r"\1 \2", value))
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    return inert(json.dumps(value, ensure_ascii=False, default=str))


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def record(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values below each other; what is empty is left out."""
    kept = [(inert(name), cell(value)) for name, value in pairs if value not in (None, "", [], False)]
    width = max((len(name) for name, _ in kept), default=0)
    for name, text in kept:
        print(f"{name:<{width}}  {text}")


def heading(text: str) -> None:
    """The title of a part."""
    print(f"\n{inert(text)}")


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
