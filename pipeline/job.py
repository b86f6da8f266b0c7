"""What a load asks of its workers, block by block, and what they answer. Part of load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline import mojibake
from pipeline.fates import Hits
from pipeline.mapping import Mapping
from pipeline.normalize import Settings
from pipeline.unnamed import Unnamed


@dataclass(frozen=True)
class Piece:
    """A part of a file in a block: bytes `start` to `stop` of the block's data, which stand at `offset` in the file.
    `commit_no` is the load that brought the file."""

    file: int
    name: str
    sha256: str
    commit_no: int
    offset: int
    start: int = 0
    stop: int = 0


@dataclass(frozen=True)
class Job:
    """A block to load: as what, and where its files go. Without a mapping there are no records, only blank lines."""

    number: int
    mapping: Mapping | None
    settings: Settings
    pieces: Sequence[Piece]
    lines: Path
    events: Path


@dataclass(frozen=True)
class Prepared:
    """What the load must know of a block to say what of it is new: how many lines each piece has, the identities of
    its records, and those that have no id of their own."""

    number: int
    lines: list[int]
    high: np.ndarray
    low: np.ndarray
    rows: np.ndarray
    piece: np.ndarray
    unnamed: Unnamed | None
    alone: bool


@dataclass(frozen=True)
class Told:
    """What the load knows: each piece's first line number, identities that it had to change, and what it met."""

    first_line: list[int]
    uids: dict[int, str] = field(default_factory=dict)
    hits: Hits | None = None


@dataclass(frozen=True)
class PieceCounts:
    """What became of a piece."""

    file: int
    read: int
    fates: tuple[int, int, int, int]  # events, duplicates, rejects, blank
    first_event: int | None
    last_event: int | None
    unknown: dict[tuple[str, str], int]
    mangled: mojibake.Seen


@dataclass(frozen=True)
class Finished:
    """A block that is written."""

    number: int
    counts: list[PieceCounts]
    fields: list[str]
    rows: dict[str, int]
    seconds: dict[str, float]
