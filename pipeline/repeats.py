"""A record whose keys come twice, where its mapping says that they may: they are numbered in its text. Part of load.

Whatever else the text says stays as it is written, so that the judge of record can be asked about it.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r'("(?:[^"\\]++|\\.)*+")([ \t\r\n]*+:)?|[{}\[\]]', re.DOTALL)
_PLACE = re.compile(r"\bbyte (\d+) of\b")


@dataclass(frozen=True)
class Numbered:
    """The text with its keys told apart, and behind which of its bytes a byte was put in."""

    text: str
    added: Sequence[int]

    def as_written(self, message: str) -> str:
        """A message about this text as one about the text that it was made of."""
        return _PLACE.sub(lambda found: f"byte {self._place(int(found[1]))} of", message)

    def _place(self, place: int) -> int:
        return place - bisect_left(self.added, place)


def numbered(text: str, repeated: Sequence[str]) -> Numbered:
    """The text with a number at each later one of its repeated keys; below the top none may be repeated."""
    parts, added = [], list[int]()
    seen: Counter[str] = Counter()
    depth = done = length = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
        elif depth == 1 and token[2] and (name := _name(token[1])) in repeated:
            seen[name] += 1
            if seen[name] > 1:
                suffix = f"__{seen[name]}"
                parts += [text[done : token.end(1) - 1], suffix]
                done = token.end(1) - 1
                length += sum(len(part.encode()) for part in parts[-2:])
                added += range(length - len(suffix), length)
    return Numbered("".join([*parts, text[done:]]), added)


def _name(written: str) -> str:
    """The key that a text spells; what it says itself where that is no spelling."""
    try:
        return str(json.loads(written)) if "\\" in written else written[1:-1]
    except ValueError:
        return written
