"""Runs a recipe over a store: its rows, which question they answer, and what it could not see. Reads, never writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline import chosen as choosing
from pipeline import hours
from pipeline.chosen import Chosen
from pipeline.errors import AuditbookError, UsageError
from pipeline.filters import known, moment
from pipeline.recipefile import Recipe, Value, shipped
from pipeline.rows import Rows

if TYPE_CHECKING:
    from pipeline.query import Log

NARROWING = ("source", "instance", "since", "until")
CHOOSE = {"entity": choosing.entity, "person": choosing.person, "address": choosing.address}
_REACH = """SELECT source, strftime(min(first_event), '%Y-%m-%d %H:%M:%SZ'),
  strftime(max(last_event), '%Y-%m-%d %H:%M:%SZ'), sum(rejects)::BIGINT
  FROM files WHERE list_contains(?, source) GROUP BY source ORDER BY source"""


@dataclass(frozen=True)
class Answer:
    """A recipe's rows with what they answer. Every method of rows works on it: .pl() .df() .by() .write("x.csv") …"""

    recipe: Recipe
    target: str | None
    as_of: datetime
    rows: Rows
    chosen: Chosen
    sight: tuple[str, ...]  # what was looked at, and what could not be seen

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.rows, name)

    def __len__(self) -> int:
        return len(self.rows)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.rows)})

    def __repr__(self) -> str:
        sight = "\n".join(f"- {one}" for one in self.sight)
        return f"{self.recipe.title}{f': {self.target}' if self.target else ''}\n{self.rows!r}\n{sight}"

    def _repr_html_(self) -> str:
        from pipeline import shown

        return shown.answer(self)


def run(
    log: Log, name: str, target: str | None = None, options: Mapping[str, object] | None = None
) -> Answer:
    """Ask a recipe: options are its parameters, and source, instance, since, until, as_of, limit."""
    recipes = shipped()
    known({name: None}, set(recipes), "recipe")
    one, given = recipes[name], dict(options or {})
    known(given, {*NARROWING, "as_of", "limit", *one.parameters}, f"setting of {name}")
    now = clock(log, given.get("as_of"))
    chosen = choose(log, one, target, {key: given.get(key) for key in NARROWING}, now)
    values = _values(one, given)
    days = {name: _day(log, values[name], now or newest(log, chosen.source)) for name in one.days}
    answer = ask(log, one, chosen, {**values, **days}, now, given.get("limit"))
    zone = log.config.organization.timezone
    return replace(
        answer, sight=(*(f"The {name} is {day}, in {zone}." for name, day in days.items()), *answer.sight)
    )


def choose(
    log: Log, one: Recipe, target: str | None, filters: Mapping[str, object], now: datetime | None
) -> Chosen:
    """The events that a recipe looks at; nothing that came after the clock is among them."""
    narrowed = {**{k: v for k, v in filters.items() if v is not None}, **({"as_of": now} if now else {})}
    if one.target == "none" and target is not None:
        raise UsageError(f"{one.name} takes no target.", hint=f"auditbook recipe {one.usage}")
    if target is None:
        if one.target != "none" and not one.optional_target:
            raise UsageError(f"{one.name} needs a target.", hint=f"auditbook recipe {one.usage}")
        return choosing.everything(log, narrowed)
    found = CHOOSE[one.target](log, target, narrowed)
    return replace(choosing.everything(log, narrowed), target=target) if one.whole else found


def ask(
    log: Log,
    one: Recipe,
    chosen: Chosen,
    values: Mapping[str, object],
    now: datetime | None,
    limit: object = None,
) -> Answer:
    """The recipe's question about the chosen events."""
    as_of = now or newest(log, chosen.source)
    every = {**values, "as_of": as_of.isoformat(), "target": chosen.target,
             "zone": log.config.organization.timezone}  # fmt: skip
    query = chosen.around(one.sql)
    rows = Rows(
        log.con, query, chosen.bound(query, every), whole=True, asked={**chosen.asked, "recipe": one.name}
    )
    if tuple(rows.columns) != tuple(one.columns):
        message = f"returns the columns {', '.join(rows.columns)}."
        raise AuditbookError(message, path=one.path, hint=f"The header says {', '.join(one.columns)}.")
    return Answer(one, chosen.target, as_of, rows.limit(limit), chosen, sight(log, one, chosen))


def newest(log: Log, source: str | None) -> datetime:
    """The time of the newest event that was loaded: what a log can know of now."""
    [(found,)] = log.con.execute(
        "SELECT epoch_us(max(last_event)) FROM files WHERE $source IS NULL OR source = $source",
        {"source": source},
    ).fetchall()
    return datetime.fromtimestamp((found or 0) / 1_000_000, UTC)


def sight(log: Log, one: Recipe, chosen: Chosen) -> tuple[str, ...]:
    """What was looked at of each source, which columns it left empty, and where the log itself ends."""
    empty = ", ".join(f"count(*) FILTER (in_scope AND {column} IS NULL)" for column in one.needs)
    unseen = ", ".join(f"count(*) FILTER ({each.when})" for each in one.unseen)
    query = chosen.around(f"""SELECT source, count(*), count(*) FILTER (in_scope),
      [{empty}], [{unseen}] FROM (SELECT *, coalesce(({one.scope}), false) AS in_scope FROM events)
      GROUP BY source ORDER BY source""")
    rows = log.con.execute(query, chosen.bound(query, {}) or None).fetchall()
    if not rows:
        return (f"No event of {chosen.target or 'the store'} is in what was asked for.",)
    there = [row for row in rows if row[2]]
    said = [told for row in there for told in _looked(one, *row[:4])]
    if without := [f"{source} ({events:,} events)" for source, events, scope, *_ in rows if not scope]:
        said.append(f"No {one.scope_name} in {', '.join(without)}.")
    for place, each in enumerate(one.unseen):
        if n := sum(row[4][place] for row in rows):
            said.append(each.text.format(n=f"{n:,}"))
    return (*said, *_ends(log, [row[0] for row in there or rows]))


def _looked(one: Recipe, source: str, events: int, scope: int, blanks: list[int]) -> list[str]:
    """What was looked at of a source, and what it leaves empty."""
    return [
        f"{source}: {scope:,} {one.scope_name} among the {events:,} events that were looked at.",
        *(
            f"{source}: {blank:,} of {scope:,} {one.scope_name} have no {column}."
            for column, blank in zip(one.needs, blanks, strict=True)
            if blank
        ),
    ]


def _ends(log: Log, sources: list[str]) -> list[str]:
    """Where the log of each source begins, and the lines that did not load."""
    rows = log.con.execute(_REACH, [sources]).fetchall()
    said = []
    for source, first, last, rejects in rows:
        said.append(f"{source}: the log reaches from {first} to {last}; nothing before or after is known.")
        if rejects:
            lines = (
                "1 line did not load and is" if rejects == 1 else f"{rejects:,} lines did not load and are"
            )
            said.append(f"{source}: {lines} not in this answer (`auditbook rejects`).")
    return said


def clock(log: Log, asked: object) -> datetime | None:
    """The time that was asked for; a bare date is its end."""
    return None if asked is None else moment(log.con, log.config.organization.timezone, asked, end=True)


def _day(log: Log, written: object, now: datetime) -> str:
    """A day as it was written, as the organization's date."""
    zone = log.config.organization.timezone
    return moment(log.con, zone, written, as_of=now).astimezone(hours.zone(zone)).date().isoformat()


def _values(one: Recipe, given: Mapping[str, object]) -> dict[str, Value]:
    """The parameters as they apply, each of its default's type."""
    made: dict[str, Value] = {}
    for name, parameter in one.parameters.items():
        value = given.get(name, parameter.default)
        if value is None:
            raise UsageError(
                f"{one.name} needs {name}: {parameter.meaning}", hint=f"auditbook recipe {one.usage}"
            )
        wanted: Any = type(parameter.default) if parameter.default is not None else str
        try:
            made[name] = wanted(value)
        except ValueError as error:
            raise UsageError(f'{name}: "{value}" is not a number.', hint=parameter.meaning) from error
    return made
