"""Rows and records on their way to people and programs: tables, CSV, JSON. Nothing stored can act on a terminal."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from pipeline.formats import Choice
    from pipeline.rows import Rows

Row = Mapping[str, Any]
PIPE, GAP, NARROWEST, READABLE = 10_000, 3, 8, 18
WIDEST = 100  # what a table on a pipe shows of one text; csv and json have all of it

# Everything that moves a cursor, rings, hides or turns text around: C0, DEL, C1, bidirectional and zero-width marks.
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_ACTING_IN_CSV = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_ACTING_IN_JSON = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Exact(str):
    """Text that stands as it is: no shorter time."""

    __slots__ = ()


def inert(text: str) -> str:
    """Text with every acting character shown instead of obeyed."""
    return _ACTING.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(found[0], f"\\u{ord(found[0]):04x}")


def note(message: str) -> None:
    """What must be known beside what was asked for: on stderr, so that stdout stays what programs read."""
    from pipeline import redact

    print(f"auditbook: {inert(redact.text(message))}", file=sys.stderr)


def rows(
    found: Rows, shape: str, columns: Sequence[str], keys: Sequence[str] = (), spare: Sequence[str] = ()
) -> None:
    """Rows of the store in the format that was asked for; `columns` are what a table has room for."""
    from pipeline import export

    if shape == "table":
        table(columns, export.rows_as_json(found), keys, spare)
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


# What a colour says, the word beside it says too; on a pipe, and where NO_COLOR is set, there is none.
STYLES: dict[str, dict[str, str]] = {
    "outcome": {"failure": "bold red", "warning": "yellow", "pending": "cyan", "success": "green"},
    "action": {"delete": "red", "create": "green", "reject": "red", "approve": "green"},
    "severity": {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"},
    "state": {"new": "bold", "changed": "bold", "withdrawn": "dim", "suppressed": "dim", "reviewed": "dim"},
}
STYLES["status"] = {"FAILED": "bold red", "WARNING": "yellow", "IN_PROGRESS": "cyan", **STYLES["outcome"]}


def table(
    columns: Sequence[str], records: Iterable[Row], keys: Sequence[str] = (), spare: Sequence[str] = ()
) -> None:
    """A table that fits the terminal; on a pipe it is as wide as it needs.

    `keys` are columns never cut short, `spare` those that are left out first, which is said below. Where not even
    the rest fits, each record stands by itself.
    """
    records = list(records)
    room = console().width
    texts = {name: [_short(cell(record.get(name))) for record in records] for name in columns}
    kept, left_out = list(columns), []
    for name in (*(one for one in spare if _says_nothing(texts.get(one, []))), *spare):
        if name in kept and _least(kept, texts, keys, READABLE) > room:
            kept.remove(name)
            left_out.append(name)
    if _least(kept, texts, keys, NARROWEST) > room:
        _stacked(columns, records, texts, keys)
        return
    _grid(kept, records, texts, keys, room)
    if left_out:
        names = ", ".join(name for name in columns if name in left_out).replace("_", " ")
        print(f"\nno room for {names}; --format csv has all")


def console() -> Console:
    """Where tables go: as wide as the terminal, or as wide as they need."""
    from rich.console import Console

    on_terminal = sys.stdout.isatty()
    return Console(
        file=sys.stdout, width=None if on_terminal else PIPE, highlight=False,
        color_system="auto" if on_terminal and not os.environ.get("NO_COLOR") else None,
    )  # fmt: skip


def _says_nothing(texts: Sequence[str]) -> bool:
    return len(set(texts)) < 2


def _least(
    columns: Sequence[str], texts: Mapping[str, Sequence[str]], keys: Sequence[str], narrowest: int
) -> int:
    """The width of a table whose columns, but for the keys, are at most so wide."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, (name, *texts[name]))) for name in columns]
    least = [
        width if name in keys else min(width, narrowest) for name, width in zip(columns, widths, strict=True)
    ]
    return sum(least) + GAP * (len(columns) - 1)


def _grid(
    columns: Sequence[str],
    records: Sequence[Row],
    texts: Mapping[str, Sequence[str]],
    keys: Sequence[str],
    room: int,
) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    lines = [[texts[name][place] for name in columns] for place in range(len(records))]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, width in zip(columns, _widths(columns, lines, keys, room), strict=True):
        numeric = bool(records) and all(isinstance(record.get(name), int | None) for record in records)
        made.add_column(
            Text(_titled(name)), justify="right" if numeric else "left", no_wrap=True, overflow="ellipsis",
            width=width,
        )  # fmt: skip
    for line in lines:
        made.add_row(*(Text(text, style_of(name, text)) for name, text in zip(columns, line, strict=True)))
    show(made)


def _titled(name: str) -> str:
    """The name of a column in words; what somebody calculated stays as they wrote it."""
    return name.replace("_", " ") if name.isidentifier() else name


def folding(*names: str) -> Table:
    """A table whose cells go over several lines instead of being cut short."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        made.add_column(name, overflow="fold")
    return made


def show(made: Table) -> None:
    """Print a table; nothing stands behind the last word of a line."""
    page = console()
    with page.capture() as captured:
        page.print(made)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def style_of(name: str, text: str) -> str:
    """The colour of a value, where it has a meaning."""
    return STYLES.get(name, {}).get(text, "")


def _stacked(
    columns: Sequence[str], records: Sequence[Row], texts: Mapping[str, Sequence[str]], keys: Sequence[str]
) -> None:
    """Each record by itself, what it is known by first: for terminals that have no room for a table."""
    import textwrap

    from rich.text import Text

    page = console()
    label = max(len(name) for name in columns if name not in keys)
    margin = " " * (label + 4)
    for place in range(len(records)):
        page.print(Text("  ".join(texts[name][place] for name in columns if name in keys), "bold"))
        for name in columns:
            text = texts[name][place]
            if name not in keys and text:
                told = textwrap.wrap(text, max(page.width - len(margin), NARROWEST), break_on_hyphens=False)
                head = f"  {name.replace('_', ' '):<{label}}  "
                page.print(Text(head).append(f"\n{margin}".join(told), style_of(name, text)))


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
        if widths[widest] <= 1:
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
    if isinstance(value, Exact):
        return inert(value)
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
