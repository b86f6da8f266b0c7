"""How stages say what they do: a text, and of what can be counted how much is done. Printed by the command."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with what is being done, and, where that is known, how much of how much."""

    def __call__(self, text: str, done: int = 0, total: int = 0, /) -> None: ...


def silent(text: str, done: int = 0, total: int = 0, /) -> None:
    """Says nothing."""
