"""Rows -> pages of a table behind those that WeasyPrint laid out, tagged, written as they come. Run by press.py.

WeasyPrint keeps every box of a document until its end. Here a page is forgotten when it is written, so that the number
of rows decides how long it takes and not how much memory. Imports nothing of auditbook.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.binding import Face, File

MM = 72 / 25.4
PAPERS = {"A4": (210 * MM, 297 * MM), "Letter": (612.0, 792.0)}
TOP, RIGHT, BOTTOM, LEFT = 24 * MM, 20 * MM, 22 * MM, 22 * MM  # as print.css says
SMALL, FOOT = 7.6, BOTTOM - 5 * MM - 7.6  # of the running heads, in points
INK, SOFT, RULE = "0.114 0.141 0.188", "0.365 0.4 0.451", "0.839 0.855 0.878"  # --ink, --soft, --rule
ADVANCE = 0.6  # of a letter of Plex Mono, in ems
LETTERS = 128  # on a line; their size follows from the paper's width
GAP, SHORT = 2, 22  # between columns; a column that is no longer is not made shorter
RARE = 0.1  # of the texts of a column may be longer than it
LEADING, SPACE = 1.28, 0.42  # between the lines of a row, and between rows, in ems


@dataclass(frozen=True)
class Plan:
    """How the rows fall into pages: the columns' widths in letters, and where in the file each page begins."""

    rows: Path
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    paper: tuple[float, float]
    running: tuple[str, str, str]
    marked: int  # letters of the first column that make a bookmark when they change
    pages: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> float:
        """Of the letters, in points."""
        return (self.paper[0] - LEFT - RIGHT) / LETTERS / ADVANCE

    @cached_property
    def starts(self) -> list[float]:
        """Where each column begins."""
        before = accumulate((width + GAP for width in self.widths[:-1]), initial=0)
        return [LEFT + letters * self.size * ADVANCE for letters in before]


def plan(order: dict[str, Any]) -> Plan:
    """Reads the rows twice: for the widths, and for the pages."""
    path, columns = Path(order["rows"]), tuple(order["columns"])
    lengths = [Counter([len(name)]) for name in columns]
    for _, row in _rows(path, 0):
        for counted, text in zip(lengths, row, strict=True):
            counted[_longest(text)] += 1
    widths = _widths([_usual(counted, len(name)) for counted, name in zip(lengths, columns, strict=True)])
    paper = PAPERS[order["paper"]]
    laid = Plan(path, columns, widths, paper, tuple(order["running"]), order["marked"])
    return replace(laid, pages=tuple(_pages(laid)))


def _rows(path: Path, at: int) -> Iterator[tuple[int, list[str]]]:
    """Each row, and where it begins."""
    with path.open("rb") as file:
        file.seek(at)
        for line in file:
            yield at, json.loads(line)
            at += len(line)


def _longest(text: str) -> int:
    return max(map(len, text.split("\n")))


def _usual(lengths: Counter[int], least: int) -> int:
    """As wide as nearly all of its texts."""
    if max(lengths) <= SHORT:
        return max(lengths)
    left = lengths.total() * RARE
    for length in sorted(lengths, reverse=True):
        left -= lengths[length]
        if left < 0:
            break
    return max(least, length, SHORT // 2)


def _widths(longest: Sequence[int]) -> tuple[int, ...]:
    """What each column needs; where there is no room for all, the longest share what the short ones leave."""
    room = LETTERS - GAP * (len(longest) - 1)
    widths, left = list(longest), len(longest)
    for n in sorted(range(len(longest)), key=lambda n: (longest[n] > SHORT, longest[n])):
        widths[n] = longest[n] if longest[n] <= SHORT else min(longest[n], room // left)
        room, left = room - widths[n], left - 1
    return tuple(widths)


def _pages(laid: Plan) -> Iterator[tuple[int, int]]:
    """Where each page begins, and how many rows it has; a row stays whole."""
    room, first, rows = laid.paper[1] - TOP - BOTTOM - 2 * laid.size, 0, 0
    left = room
    for at, row in _rows(laid.rows, 0):
        height = _height(laid, row)
        if rows and height > left:
            yield first, rows
            first, rows, left = at, 0, room
        rows, left = rows + 1, left - height
    if rows:
        yield first, rows


def _height(laid: Plan, row: Sequence[str]) -> float:
    lines = max(len(wrapped(text, width)) for text, width in zip(row, laid.widths, strict=True))
    return laid.size * (lines * LEADING + SPACE)


@lru_cache(4096)
def wrapped(text: str, width: int) -> tuple[str, ...]:
    """The text in lines no longer than the column, broken after a word where one ends in the line's second half."""
    lines = []
    for part in text.split("\n"):
        begin = 0
        while len(part) - begin > width:
            middle, most = begin + width // 2, begin + width
            end = max(part.rfind(mark, middle, most) for mark in " -_./:@,") + 1 or most
            lines.append(part[begin:end])
            begin = end
        lines.append(part[begin:])
    return tuple(lines)


class Pen:
    """Text in two faces: a letter that one lacks is taken from the other, on the room of one letter."""

    def __init__(self, faces: dict[str, Face]) -> None:
        self.faces = faces

    def text(self, letters: str, x: float, y: float, size: float, face: str = "M") -> str:
        """Text at a place; several lines stand below each other."""
        told = " T* ".join(self._line(line, size, face) for line in letters.split("\n"))
        return f"BT /{face} {size:.2f} Tf {size * LEADING:.2f} TL {x:.2f} {y:.2f} Td {told} ET"

    def width(self, text: str, size: float, face: str = "S") -> float:
        """How far the text reaches."""
        widths = self.faces[face].widths
        found: float = sum(widths.get(letter, 600.0) for letter in text)
        return found * size / 1000

    def _line(self, line: str, size: float, face: str) -> str:
        own = self.faces[face]
        try:
            coded = "".join([own.codes[letter] for letter in line])
        except KeyError:
            return " ".join(self._letter(letter, size, face) for letter in line)
        own.used.update(line)
        return f"<{coded}> Tj"

    def _letter(self, letter: str, size: float, face: str) -> str:
        own, name = self.faces[face], "S" if face == "M" else "M"
        if letter in own.codes:
            own.used.add(letter)
            return f"<{own.codes[letter]}> Tj"
        other = self.faces[name]
        other.used.add(letter)
        aside = other.widths[letter] - 1000 * ADVANCE
        return f"/{name} {size:.2f} Tf [<{other.codes[letter]}> {aside:.0f}] TJ /{face} {size:.2f} Tf"


@dataclass
class Drawn:
    """What a document must know of the sheets: by their numbers, what they are and what belongs to what."""

    resources: int
    section: int
    table: int
    groups: list[int] = field(default_factory=list)  # of the table
    pages: list[int] = field(default_factory=list)
    belongs: list[int] = field(default_factory=list)  # of each page: which element each of its marks is of
    days: list[tuple[str, int, float]] = field(default_factory=list)  # bookmarks: name, page and height


def draw(laid: Plan, file: File, pen: Pen, before: int, parent: int, key: int) -> Drawn:
    """Every sheet, one after the other: `before` pages, under a parent in the tree of pages, from a key of marks on."""
    drawn = Drawn(file.number(), file.number(), file.number())
    for index, (at, number_of_rows) in enumerate(laid.pages):
        sheet = Sheet(laid, file, pen, drawn, index)
        sheet.running(before)
        y = sheet.heads(laid.paper[1] - TOP)
        for _, row in islice(_rows(laid.rows, at), number_of_rows):
            y = sheet.row(row, y)
        sheet.finish(parent, key + index)
    return drawn


def numbered(laid: Plan, pen: Pen, page: int, pages: int) -> str:
    """The number of a page, at its foot."""
    said = f"page {page} of {pages}"
    drawing = pen.text(said, laid.paper[0] - RIGHT - pen.width(said, SMALL), FOOT, SMALL, "S")
    return aside(f"{SOFT} rg {drawing}", "Pagination")


def aside(drawing: str, kind: str) -> str:
    """What is drawn and not read."""
    return f"/Artifact <</Type/{kind}>> BDC {drawing} EMC"


class Sheet:
    """One page while it is drawn."""

    def __init__(self, laid: Plan, file: File, pen: Pen, drawn: Drawn, index: int) -> None:
        self.laid, self.file, self.pen, self.known, self.index = laid, file, pen, drawn, index
        self.page, self.group = file.number(), file.number()
        self.drawing: list[str] = []
        self.marked: list[int] = []  # the element of each mark
        self.rows: list[int] = []
        drawn.pages.append(self.page)

    def running(self, before: int) -> None:
        """The running heads, as on the pages before: they are no part of what is read."""
        (width, height), pen = self.laid.paper, self.pen
        left, right, below = self.laid.running
        top, end = height - TOP + 5 * MM + 2, width - RIGHT
        for drawing in (
            pen.text(left, LEFT, top, SMALL, "S"),
            pen.text(right, end - pen.width(right, SMALL), top, SMALL, "S"),
            pen.text(below, LEFT, FOOT, SMALL),
        ):
            self._aside(f"{SOFT} rg {drawing}", "Pagination")
        self.drawing.append(numbered(self.laid, pen, before + self.index + 1, before + len(self.laid.pages)))

    def heads(self, y: float) -> float:
        """The columns' names: read once, drawn on every page."""
        size, known = self.laid.size, self.known
        y -= size
        names = [
            f"{SOFT} rg {self.pen.text(name, x, y, size, 'S')}"
            for name, x in zip(self.laid.columns, self.laid.starts, strict=True)
        ]
        if self.index:
            self._aside(" ".join(names), "Pagination")
        else:
            group, row = self.file.number(), self.file.number()
            cells = [self._element("TH", row, name, "/A<</O/Table/Scope/Column>>") for name in names]
            self._keep(row, "TR", group, cells)
            self._keep(group, "THead", known.table, [row])
            known.groups.append(group)
        self._line(y - size * 0.55, INK, 0.6)
        self.drawing.append(f"{INK} rg")
        return y - size * 0.67

    def row(self, row: Sequence[str], y: float) -> float:
        """A row, from a height down; gives the height below it."""
        size, number, cells, most = self.laid.size, self.file.number(), [], 1
        if row[0][: self.laid.marked] != (self.known.days[-1][0] if self.known.days else None):
            self.known.days.append((row[0][: self.laid.marked], self.page, y))
        for text, width, x in zip(row, self.laid.widths, self.laid.starts, strict=True):
            lines = wrapped(text, width)
            most = max(most, len(lines))
            drawing = self.pen.text("\n".join(lines), x, y - size, size) if text else ""
            cells.append(self._element("TD", number, drawing))
        self._keep(number, "TR", self.group, cells)
        self.rows.append(number)
        y -= size * (most * LEADING + SPACE)
        self._line(y + size * 0.12, RULE, 0.4)
        return y

    def finish(self, parent: int, key: int) -> None:
        """The page itself, and which element each mark belongs to."""
        drawing, belongs, (width, height) = self.file.number(), self.file.number(), self.laid.paper
        self.file.draw(drawing, self.drawing)
        self.file.keep(
            self.page,
            f"<</Type/Page/Parent {parent} 0 R/MediaBox[0 0 {width:.2f} {height:.2f}]/Contents {drawing} 0 R"
            f"/Resources {self.known.resources} 0 R/Tabs/S/StructParents {key}>>",
        )
        self.file.keep(belongs, listed(self.marked))
        self._keep(self.group, "TBody", self.known.table, self.rows)
        self.known.groups.append(self.group)
        self.known.belongs.append(belongs)

    def _element(self, kind: str, parent: int, drawing: str, more: str = "") -> int:
        """An element of the structure, and what it marks."""
        number = self.file.number()
        mark = f"/K {len(self.marked)}" if drawing else ""
        if drawing:
            self.drawing.append(f"/{kind} <</MCID {len(self.marked)}>> BDC {drawing} EMC")
            self.marked.append(number)
        self.file.keep(number, f"<</S/{kind}/P {parent} 0 R/Pg {self.page} 0 R{more}{mark}>>")
        return number

    def _keep(self, number: int, kind: str, parent: int, kids: Sequence[int]) -> None:
        """An element of others."""
        self.file.keep(number, f"<</S/{kind}/P {parent} 0 R/K{listed(kids)}>>")

    def _aside(self, drawing: str, kind: str) -> None:
        self.drawing.append(aside(drawing, kind))

    def _line(self, y: float, colour: str, width: float) -> None:
        end = self.laid.paper[0] - RIGHT
        self._aside(f"{colour} RG {width} w {LEFT:.2f} {y:.2f} m {end:.2f} {y:.2f} l S", "Layout")


def listed(numbers: Sequence[int]) -> str:
    """References to objects."""
    return f"[{' '.join([f'{number} 0 R' for number in numbers])}]"
