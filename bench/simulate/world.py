"""The course of events: what is due runs in order of time; what it records is written day by day to five exports."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import IO, Any

import msgspec

from bench.simulate.diary import DAY, MINUTE, Diary, offset
from bench.simulate.staff import Person

Record = dict[str, Any]
PRODUCTS = ("craftstage", "oncloudwine", "printago", "bswagic", "hoops")
ID_AND_TIME = {
    "craftstage": ("id", "createdAt"),
    "oncloudwine": ("id", "timestamp"),
    "printago": ("id", "createdAt"),
    "bswagic": ("ID", "Date"),
    "hoops": ("activity_id", "occurred_at"),
}


@dataclass
class Entry:
    """One record on its way to a file. `shown` is what its clock said when that was wrong."""

    t: int
    order: int
    product: str
    record: Record | None
    shown: int
    id: str = ""
    lost: bool = False


@dataclass
class Label:
    """Something that happened. `sort`: planted (to find), unlogged (a silence took part of it), ordinary
    (true, but no incident) or benign (looks alike)."""

    kind: str
    sort: str
    start: int
    end: int
    who: list[str] = field(default_factory=list)
    source: str = ""
    strength: str = ""
    entries: list[Entry] = field(default_factory=list)


Deed = Callable[..., object]


class World:
    """What is due, what was recorded, and the dice. One for each simulation."""

    def __init__(self, rng: Random, staff: list[Person], diary: Diary, folder: Path) -> None:
        self.rng, self.staff, self.diary, self.folder = rng, staff, diary, folder
        self.begin = (
            int(datetime(diary.begin.year, diary.begin.month, diary.begin.day, tzinfo=UTC).timestamp()) * 1000
        )
        self.end = self.begin + diary.days * DAY
        self.labels: list[Label] = []
        self.label: Label | None = None
        self.state: dict[str, Any] = {}
        self.silences: list[tuple[str, int, int, float]] = []
        self.erased: list[tuple[str, int, int, int]] = []
        self.again: list[tuple[int, str, bytes]] = []
        self.counts = dict.fromkeys(PRODUCTS, 0)
        self._due: list[tuple[int, int, Deed, Label | None]] = []
        self._order = 0
        self._pending: list[Entry] = []
        self._number = {"bswagic": 412_087, "hoops": 90_344}
        self._encode = msgspec.json.Encoder().encode

    def at(self, t: float, deed: Deed, label: Label | None = None) -> None:
        """Let this be done at that time; what it records is part of the label."""
        self._order += 1
        heapq.heappush(self._due, (int(t), self._order, deed, label))

    def emit(self, product: str, t: float, record: Record, clock_error: int = 0) -> Entry:
        self._order += 1
        entry = Entry(int(t), self._order, product, record, int(t) + clock_error)
        self._pending.append(entry)
        if self.label is not None:
            self.label.entries.append(entry)
        return entry

    def note(self, kind: str, sort: str, t: float, *entries: Entry, who: str = "", until: float = 0) -> Label:
        """A label of what is recorded by these entries."""
        label = Label(
            kind, sort, int(t), int(until or t), [who] if who else [], strength="", entries=list(entries)
        )
        self.labels.append(label)
        return label

    def run(self, mornings: Callable[[int], None]) -> None:
        """Day after day: plan it, let what is due happen, write it."""
        with _files(self.folder) as files:
            for day in range(self.diary.days):
                mornings(day)
                limit = self.begin + (day + 1) * DAY
                while self._due and self._due[0][0] < limit:
                    t, _, deed, self.label = heapq.heappop(self._due)
                    deed(self, t)
                self.label = None
                self._write(files, limit)

    def _write(self, files: dict[str, IO[bytes]], limit: int) -> None:
        self._pending.sort(key=lambda one: (one.t, one.order))
        place = next((n for n, one in enumerate(self._pending) if one.t >= limit), len(self._pending))
        ready, self._pending = self._pending[:place], self._pending[place:]
        for entry in ready:
            self._one(files[entry.product], entry)
        for _, product, line in [one for one in self.again if one[0] < limit]:
            files[product].write(line)
        self.again = [one for one in self.again if one[0] >= limit]

    def _one(self, file: IO[bytes], entry: Entry) -> None:
        product, record = entry.product, entry.record
        entry.record = None
        assert record is not None
        if any(
            p == product and a <= entry.t < b and self.rng.random() < share
            for p, a, b, share in self.silences
        ):
            entry.lost = True
            return
        key, clock = ID_AND_TIME[product]
        identity = record[key] or self._next(product)
        record[key] = identity
        record[clock] = _clock(product, entry.shown)
        for n, (p, a, b, left) in enumerate(self.erased):
            if p == product and a <= entry.t < b and left:
                self.erased[n] = (p, a, b, left - 1)
                return
        entry.id = str(identity)
        self.counts[product] += 1
        line = self._encode(record) + b"\n"
        file.write(line)
        if self.rng.random() < 0.0005:
            self.again.append((entry.t + DAY, product, line))

    def _next(self, product: str) -> int | str:
        if product not in self._number:
            return ("evt_" if product == "craftstage" else "act_") + cuid(self.rng)[:18]
        self._number[product] += 1
        return self._number[product] if product == "hoops" else str(self._number[product])


PAIRS = [
    a + b for a in "abcdefghijklmnopqrstuvwxyz0123456789" for b in "abcdefghijklmnopqrstuvwxyz0123456789"
]


def cuid(rng: Random) -> str:
    return "".join(rng.choices(PAIRS, k=12))


def _clock(product: str, t: int) -> str | int:
    if product == "oncloudwine":
        return t
    if product == "bswagic":
        local = datetime.fromtimestamp((t + 330 * MINUTE) / 1000, UTC)
        return local.strftime("%d/%m/%Y %I:%M %p")
    if product == "hoops":
        moment = datetime.fromtimestamp(t / 1000, UTC)
        ahead = offset("America/New_York", moment.date(), moment.hour)
        local = datetime.fromtimestamp(t / 1000 + ahead * 60, UTC)
        return f"{local:%Y-%m-%dT%H:%M:%S}-{-ahead // 60:02d}:00"
    return f"{datetime.fromtimestamp(t // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{t % 1000:03d}Z"


def iso(t: float, product: str = "craftstage") -> str:
    """A time inside a record, as the product writes them."""
    return str(_clock(product, int(t)))


class _files(dict[str, IO[bytes]]):
    def __init__(self, folder: Path) -> None:
        super().__init__({name: (folder / f"{name}.jsonl").open("wb") for name in PRODUCTS})

    def __enter__(self) -> _files:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.values():
            file.close()
