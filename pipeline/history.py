"""One entity's life: its entries and those of what is one life with it, and what they say of its course. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline import chosen as choosing
from pipeline import recipe
from pipeline.chosen import LANES, Chosen
from pipeline.filters import known, several
from pipeline.recipe import Answer
from pipeline.recipefile import shipped
from pipeline.rows import Rows

if TYPE_CHECKING:
    from pipeline.query import Log

# What a history says beside its entries: recipes over the same events.
PARTS = ("state", "conflicts", "dwell", "contributors", "hand-overs", "runs")
OPTIONS = set("source instance since until as_of at sort lane limit".split())
STATUS = "status"  # not a lane of its own: the entries of any lane that change a status
_STATUS = (
    "len(list_filter(changes, lambda c: regexp_matches(c.field, '(?i)(^|[ ._])(status|stage|state)$'))) > 0"
)


@dataclass(frozen=True)
class History:
    """One thing's life. Its entries are rows that can be asked further (.pl() .by("lane") .timeline() .write("x.csv"));
    .state(at) .conflicts() .dwell() .contributors() .handovers() .runs() say what they add up to."""

    log: Log
    entity: str
    linked: tuple[str, ...]
    as_of: datetime
    entries: Rows
    chosen: Chosen
    sight: tuple[str, ...]

    def state(self, at: object = None) -> Answer:
        """Each field's last value at a time, replayed from the changes."""
        return self._part("state", at)

    def conflicts(self, at: object = None) -> Answer:
        """Where the log contradicts itself: a change that begins from another value than the one before left."""
        return self._part("conflicts", at)

    def dwell(self, at: object = None) -> Answer:
        """How long it stood at each status."""
        return self._part("dwell", at)

    def contributors(self) -> Answer:
        """Who did how much of what, from when to when."""
        return self._part("contributors")

    def handovers(self) -> Answer:
        """Each time that another person went on, and after how long."""
        return self._part("hand-overs")

    def runs(self) -> Answer:
        """Runs of background jobs, folded from their entries."""
        return self._part("runs")

    def _part(self, name: str, at: object = None) -> Answer:
        if at is not None:
            return of(self.log, self.entity, {**self.chosen.asked, "at": at})._part(name)
        return recipe.ask(self.log, shipped()[name], self.chosen, {}, self.as_of)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.entries, name)

    def __len__(self) -> int:
        return len(self.entries)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.entries)})

    def __repr__(self) -> str:
        linked = f", with {', '.join(self.linked)}" if self.linked else ""
        return f"History({self.entity}{linked}): {len(self.entries):,} entries as of {self.as_of:%Y-%m-%d %H:%M}Z"

    def _repr_html_(self) -> str:
        from pipeline import shown

        return shown.history(self)


def of(log: Log, name: str, options: Mapping[str, object]) -> History:
    """The life of TYPE:ID. Nothing that came after `at` (or `as_of`) is in it."""
    known(options, OPTIONS, "setting of history")
    at = options.get("at") if options.get("at") is not None else options.get("as_of")
    clock = recipe.clock(log, at)
    filters = {key: options[key] for key in recipe.NARROWING if options.get(key) is not None}
    chosen = choosing.entity(log, name, {**filters, **({"as_of": clock} if clock else {})})
    return History(
        log, chosen.entities[0], chosen.entities[1:], clock or recipe.newest(log, chosen.source),
        _entries(log, chosen, options), chosen, recipe.sight(log, shipped()["state"], chosen),
    )  # fmt: skip


def _entries(log: Log, chosen: Chosen, options: Mapping[str, object]) -> Rows:
    lanes = [str(lane) for lane in several(options.get("lane"))]
    for lane in lanes:
        known({lane: None}, {*LANES, STATUS}, "lane")
    direction = str(options.get("sort") or "oldest")
    known({direction: None}, {"oldest", "newest"}, "way to sort")
    condition = f"list_contains($lanes, lane) OR (list_contains($lanes, '{STATUS}') AND {_STATUS})"
    query = chosen.around(f"SELECT * FROM events{f' WHERE {condition}' if lanes else ''}")
    way = "DESC" if direction == "newest" else "ASC"
    return Rows(
        log.con, query, chosen.bound(query, {"lanes": lanes}),
        order=(("occurred_at", way), ("file", way), ("line", way)), asked={**chosen.asked, "entity": chosen.target},
    ).limit(options.get("limit"))  # fmt: skip
