"""Text that was UTF-8 once and was read as another code page: found and told, never changed. Part of load.

"ยท" is "·" read as CP874, "Ã©" is "é" read as CP1252. A line is told when all of its text beyond ASCII becomes UTF-8
again by the way back; real Thai or French does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import compiled

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_UNLIKELY = re.compile("[\u07c0-\u07ff]")  # "Spaß«" would be a digit of N'Ko


def _page(name: str) -> dict[str, int]:
    """Which byte each character beyond ASCII stands for; what a page leaves undefined stands for itself."""
    texts = (bytes([byte]).decode(name, "ignore") or chr(byte) for byte in range(0x80, 0x100))
    return {text: byte for byte, text in enumerate(texts, start=0x80)}


FIRST, OTHER = range(0xC2, 0xF5), range(0x80, 0xC0)  # the first byte of a character of several, and another


def _begins(page: dict[str, int]) -> str:
    """A pattern for a character of two bytes or more, as it looks in a page."""
    first, other = (
        "".join(re.escape(text) for text, byte in page.items() if byte in span) for span in (FIRST, OTHER)
    )
    return f"[{first}][{other}]"


def _bits(span: range) -> np.ndarray:
    """The characters that such a byte is read as, in any page."""
    bits = np.zeros(0x10000, np.uint8)
    bits[[ord(text) for page in _PAGES.values() for text, byte in page.items() if byte in span]] = 1
    return np.packbits(bits, bitorder="little")


_PAGES = {name: _page(name.lower()) for name in ("CP874", "CP1252")}
_BITS = _bits(FIRST), _bits(OTHER)
_ANY = "|".join(_begins(page) for page in _PAGES.values())
_RUNS = {name: re.compile(f"[{''.join(map(re.escape, page))}]+") for name, page in _PAGES.items()}


@dataclass(frozen=True)
class Mangled:
    """One line that looks mangled: its row, the code page, a word of it and what that was."""

    row: int
    page: str
    stands: str
    meant: str


def find(raw: pa.Array) -> list[Mangled]:
    """The lines of a block that look mangled; `raw` are their texts."""
    marked = compiled.mangled(raw, *_BITS)
    return list(_found(_by_engine(raw) if marked is None else np.flatnonzero(marked), raw))


def _by_engine(raw: pa.Array) -> np.ndarray:
    """Where to look closely, without the compiled library."""
    mangled = np.array([], np.int64)
    if _beyond_ascii(raw):
        beyond = _rows(pc.invert(pc.string_is_ascii(raw)))  # few, as a rule: the slow search is only for them
        mangled = beyond[_rows(pc.match_substring_regex(raw.take(pa.array(beyond)), _ANY))]
    escaped = _rows(pc.match_substring_regex(raw, r"\\u(0e[2-5]|00[c-f])"))
    return np.union1d(mangled, escaped)


def _beyond_ascii(raw: pa.Array) -> bool:
    """Whether the texts, taken together, have characters beyond ASCII: most logs have none, and it is cheap."""
    if not len(raw) or raw.buffers()[2] is None:
        return False
    begin, end = np.frombuffer(raw.buffers()[1], np.int32)[[raw.offset, raw.offset + len(raw)]]
    text = np.frombuffer(raw.buffers()[2], np.uint8)[begin:end]
    return bool(len(text)) and bool(text.max() >= 0x80)


def _rows(mask: pa.Array) -> np.ndarray:
    return np.flatnonzero(np.asarray(pc.fill_null(mask, False)))


@dataclass
class Seen:
    """How many lines of a file look mangled, and the first of them."""

    lines: int = 0
    first: Mangled | None = None
    line: int = 0

    def add(self, more: Seen, before: int) -> None:
        """What was seen in the next lines, of which so many stand before."""
        if self.first is None:
            self.first, self.line = more.first, before + more.line
        self.lines += more.lines

    def message(self, file: str) -> str | None:
        """What is said of a file, if anything."""
        if self.first is None:
            return None
        lines = "1 line looks" if self.lines == 1 else f"{self.lines:,} lines look"
        return (
            f'{file}: {lines} like UTF-8 read as {self.first.page}: "{self.first.stands}" for "{self.first.meant}", '
            f"first in line {self.line:,}. Nothing was changed; export it again as UTF-8."
        )


def seen(raw: pa.Array, sizes: Sequence[int]) -> list[Seen]:
    """What looks mangled in each of the files, or parts of files, that have so many of the lines each."""
    made = [Seen() for _ in sizes]
    ends = np.cumsum(sizes)
    for one in find(raw):
        piece = int(np.searchsorted(ends, one.row, "right"))
        made[piece].add(Seen(1, one, one.row - int(ends[piece]) + sizes[piece] + 1), 0)
    return made


def _found(rows: np.ndarray, raw: pa.Array) -> Iterator[Mangled]:
    for row in rows.tolist():
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), raw[row].as_py())
        for page in _PAGES:
            words = _words(text, page)
            if words is not None:
                yield Mangled(row, page, *words)
                break


def _words(text: str, page: str) -> tuple[str, str] | None:
    """The first mangled word and what it was; None unless every word beyond ASCII goes back to UTF-8."""
    words = []
    rest = _RUNS[page].sub("", text)
    if not rest.isascii():
        return None
    for run in _RUNS[page].findall(text):
        try:
            meant = bytes(_PAGES[page][character] for character in run).decode("utf-8")
        except UnicodeDecodeError:
            return None
        if _UNLIKELY.search(meant):
            return None
        words.append((run, meant))
    return words[0] if words else None
