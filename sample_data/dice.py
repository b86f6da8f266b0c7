"""Chance that falls the same on every machine. Used by everything that writes the sample month."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

SEED = "fernhollow 2026-10"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LETTERS_AND_DIGITS = LETTERS + "0123456789"

Thing = TypeVar("Thing")


class Dice:
    """Rolls named after what they decide, so that a roll more in one product moves nothing in another."""

    def __init__(self, name: str) -> None:
        # Only random() is promised to give the same numbers in every version of Python; choice() and the rest are not.
        self._roll = random.Random(f"{SEED} {name}").random

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._roll() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True in that share of the rolls."""
        return self._roll() < probability

    def pick(self, things: Sequence[Thing]) -> Thing:
        """One of them."""
        return things[self.whole(0, len(things) - 1)]

    def some(self, things: Sequence[Thing], count: int) -> list[Thing]:
        """That many different ones, in their order."""
        left = list(range(len(things)))
        taken = [left.pop(self.whole(0, len(left) - 1)) for _ in range(min(count, len(left)))]
        return [things[place] for place in sorted(taken)]

    def seconds(self, low: int, high: int) -> timedelta:
        """A while, to the millisecond."""
        return timedelta(milliseconds=self.whole(low * 1000, high * 1000))

    def minutes(self, low: int, high: int) -> timedelta:
        """A longer while."""
        return self.seconds(low * 60, high * 60)

    def cuid(self) -> str:
        """An id in the style of cuid2: a letter and 23 letters or digits."""
        return self.pick(LETTERS) + self.text(23)

    def text(self, length: int, alphabet: str = LETTERS_AND_DIGITS) -> str:
        """Letters without a meaning."""
        return "".join(self.pick(alphabet) for _ in range(length))
