"""A stretch of a stream as text that has one character for each byte, and the JSON values in it. Part of load."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import jiter

from pipeline import lines
from pipeline.lines import Readable

NOT_JSON, TOO_LONG, CUT = "not JSON", "too long", "cut"
LOOKAHEAD = 16  # no error of a reader depends on more bytes than these behind it
_READER = json.JSONDecoder(parse_int=str, parse_float=str)
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Value:
    """A JSON value: where it ends; or, if it has no end, `why` not, and at which place."""

    end: int
    why: str | None = None


class Window:
    """Places count from the beginning of the stream; `at` is the one that is looked at."""

    def __init__(self, stream: Readable, block_bytes: int) -> None:
        self._stream, self._block_bytes = stream, block_bytes
        self._text, self._base = "", 0
        self.at, self.final = 0, False

    @property
    def end(self) -> int:
        return self._base + len(self._text)

    def text(self, start: int, stop: int) -> str:
        return self._text[start - self._base : stop - self._base]

    def bytes(self, start: int, stop: int) -> bytes:
        return self.text(start, stop).encode("latin-1")

    def find(self, what: str, start: int, stop: int) -> int:
        """The first place of a text, or -1."""
        found = self._text.find(what, start - self._base, stop - self._base)
        return found if found < 0 else found + self._base

    def find_back(self, what: str, start: int, stop: int) -> int:
        """The last place of a text, or -1."""
        found = self._text.rfind(what, start - self._base, stop - self._base)
        return found if found < 0 else found + self._base

    def indent(self, place: int) -> str | None:
        """The white space before a place on its line; None when something else stands there."""
        line = self._text.rfind("\n", 0, place - self._base) + 1
        if line == 0 and self._base:
            return None  # the line begins before what is still known, so there was something
        before = self._text[line : place - self._base]
        return before.strip("\r") if not before.strip(" \t\r") else None

    def search(self, pattern: re.Pattern[str], start: int) -> int:
        """The first place where a pattern's group is found, or -1."""
        found = pattern.search(self._text, start - self._base)
        return found.start(1) + self._base if found else -1

    def forget(self, before: int) -> None:
        """Whatever stands before a place is not asked for again, but for the character just before it."""
        gone = max(before - 1 - self._base, 0)
        self._text, self._base = self._text[gone:], self._base + gone

    def more(self, keep: int) -> bool:
        """Read on; False when there is no more."""
        chunk = self._stream.read(self._block_bytes)
        self.forget(keep)
        self._text += chunk.decode("latin-1")
        self.final = not chunk
        return not self.final

    def skip(self, keep: int) -> str:
        """Go to the next character that is no white space, and return it; nothing at the end."""
        while True:
            space = _SPACE.match(self._text, self.at - self._base)
            assert space is not None
            self.at = space.end() + self._base
            if self.at < self.end:
                return self._text[self.at - self._base]
            if self.final or not self.more(keep):
                return ""

    def value(self, start: int, keep: int) -> Value:
        """The JSON value that begins at a place; more is read while its end is not there."""
        while True:
            found = self.peek(start)
            known = self.end - LOOKAHEAD if found.why == CUT else found.end
            if known - start > lines.MAX_LINE_BYTES:
                return Value(start + lines.MAX_LINE_BYTES, TOO_LONG)
            if found.why != CUT or self.final:
                return found
            self.more(keep)

    def peek(self, start: int) -> Value:
        """The same with what is there."""
        index, text, why, place = start - self._base, self._text, CUT, len(self._text)
        try:
            end = _READER.raw_decode(text, index)[1]
            if end < len(text) or self.final:
                return Value(end + self._base)
        except json.JSONDecodeError as error:
            place = error.pos
            unfinished = error.msg.startswith("Unterminated string") or place > len(text) - LOOKAHEAD
            if self.final and unfinished:
                unfinished = _ends_early(text[index:])
            why = CUT if unfinished else NOT_JSON
        except RecursionError:
            deep = _matched(text, index)
            if deep is not None:
                return Value(deep + self._base)
        return Value(place + self._base, why)


def partly(data: bytes) -> Any:
    """What the first JSON value says, as far as it goes; None when it says nothing."""
    try:
        end = _READER.raw_decode(data.decode("latin-1"))[1]
    except json.JSONDecodeError as error:
        end = len(data) if error.msg.startswith("Unterminated string") else error.pos
    except RecursionError:
        return None
    try:
        return jiter.from_json(data[:end].decode("utf-8", "ignore").encode(), partial_mode="on")
    except ValueError:
        return None


def _ends_early(text: str) -> bool:
    try:
        jiter.from_json(text.encode("latin-1"))
    except ValueError as error:
        return str(error).startswith("EOF")
    return False


def _matched(text: str, index: int) -> int | None:
    """The end of a value that is nested too deep for a reader, by its brackets."""
    depth = 0
    for token in _TOKEN.finditer(text, index):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return None
