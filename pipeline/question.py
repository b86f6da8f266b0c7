"""A question as it was typed -> its conditions, its order, and what its defaults leave out. Used by query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from pipeline import moments, presets, profiles, vocabulary
from pipeline.audience import Shown, seen, verbatim
from pipeline.entities import Found
from pipeline.errors import UsageError
from pipeline.filters import FILTERS, Clause, Store, bound, clock, conditions, nearby, together
from pipeline.profiles import View
from pipeline.redact import REDACTED
from pipeline.vocabulary import several

Order = tuple[tuple[str, str], ...]
OF_TEXTS = ("text", "detail", "outcome")  # filters on columns in which a secret may stand
NEWEST: Order = (("occurred_at", "DESC"), ("file", "DESC"), ("line", "DESC"))
OLDEST: Order = (("occurred_at", "ASC"), ("file", "ASC"), ("line", "ASC"))
DIRECTIONS = {"": "ASC", "asc": "ASC", "desc": "DESC"}
KEYWORDS = (*FILTERS, "since", "until", "on", "preset", "sort", "limit", "as_of", "profile")


@dataclass(frozen=True)
class Hidden:
    """What a default leaves out: how it is said, and the question that counts it."""

    told: str
    query: str
    values: Sequence[object]


@dataclass(frozen=True)
class Question:
    """What is asked: SQL conditions, order, the filters as they stand with presets and defaults, what is left out."""

    quick: str  # conditions that are asked of the store as it is
    quick_values: list[object]
    where: str  # conditions that are asked of what the audience sees
    values: list[object]
    order: Order
    limit: object
    asked: Mapping[str, object]
    view: View = profiles.NONE
    hidden: tuple[Hidden, ...] = ()
    now: datetime | None = None
    relative: bool = False
    said: tuple[str, ...] = field(default=())
    nearby: Found | None = None  # where alone the events are that can match, if the index says so


def question(
    con: duckdb.DuckDBPyConnection, zone: str, own: Mapping[str, Mapping[str, Any]], mappings: Path | None,
    given: Mapping[str, object], shown: Shown, index: Callable[[tuple[str, ...]], Found | None] = lambda _names: None,
) -> Question:  # fmt: skip
    """Everything that the keywords of `events` mean; a word or value that is not known is an error that lists them."""
    vocabulary.names(given, set(KEYWORDS), "filter")
    asked = understood(given, own)
    kept = "events" if shown.audience == "external" else verbatim(shown, "events")
    store = Store(con, zone, clock(asked.get("as_of"), zone), kept, index)
    view = profiles.of(asked, mappings) if asked.get("profile") else profiles.NONE
    defaults = _defaults(store, view, asked)
    laid = [clause for _, clause in defaults]
    quick, where = _conditions(store, asked, laid, shown)
    near = nearby(store, several(asked.get("entity")))
    if near:
        quick.append((near.condition(["?"] * len(near.values)), near.values))
    return Question(
        *together(quick), *together(where), order(asked.get("sort") or view.sort), asked.get("limit"),
        _told(store, asked),
        view, _hidden(conditions(store, asked) if defaults else [], defaults), store.now,
        any(moments.relative(asked.get(name)) for name in ("since", "until")) or "as_of" in asked or bool(view.since),
        _said(store, asked), near,
    )  # fmt: skip


def _conditions(
    store: Store, asked: Mapping[str, object], laid: list[Clause], shown: Shown
) -> tuple[list[Clause], list[Clause]]:
    """Conditions on the store as it is, and on what is seen of it where people are seen under other names.

    A text that is looked for is looked for twice: what does not have it is passed over before secrets are taken out,
    and what has it only in a secret is not found.
    """
    if shown.audience == "external":
        return [], [*conditions(store, asked), *laid]
    made = [*conditions(store, {name: value for name, value in asked.items() if name not in OF_TEXTS}), *laid]
    texts = several(asked.get("text"))
    if texts and not any(_like_a_mark(str(one)) for one in texts):
        made += conditions(store, {"text": texts})
    of_texts = conditions(store, {name: asked.get(name) for name in OF_TEXTS})
    hidden = shown.audience != "full"
    return [*made, *((seen(sql) if hidden else sql, values) for sql, values in of_texts)], []


def _like_a_mark(text: str) -> bool:
    """Whether a text may stand in the words that are put in a secret's place."""
    return "[" in text or "]" in text or text.lower() in REDACTED.lower()


def understood(given: Mapping[str, object], own: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    """The filters with what their presets say, and a day as its two ends."""
    return _one_day(presets.laid_under(given, own))


def _one_day(asked: dict[str, object]) -> dict[str, object]:
    """`on` is a day, from its beginning to its end."""
    day = asked.pop("on", None)
    if day is None:
        return asked
    if asked.get("since") or asked.get("until"):
        raise UsageError("--on is a day of its own; leave --since and --until away.")
    return {**asked, "since": day, "until": day}


def order(sort: object) -> Order:
    """`occurred_at:desc`, `actor_email`; equal ones are always newest first, then by file and line."""
    chosen: list[tuple[str, str]] = []
    for term in several(sort):
        name, _, direction = str(term).partition(":")
        if direction.lower() not in DIRECTIONS:
            raise UsageError(
                f'"{vocabulary.short(direction)}" is no direction to sort in.',
                hint="Write COL, COL:asc or COL:desc.",
            )
        chosen.append((vocabulary.column(name), DIRECTIONS[direction.lower()]))
    last = OLDEST if chosen and chosen[-1] == OLDEST[0] else NEWEST
    names = {name for name, _ in chosen}
    return (*chosen, *(term for term in last if term[0] not in names))


def _defaults(store: Store, view: View, asked: Mapping[str, object]) -> list[tuple[str, Clause]]:
    """What a source's view leaves out, unless the question says something about it itself."""
    found: list[tuple[str, Clause]] = []
    if view.hide_actor_type and not several(asked.get("actor_type")):
        marks = ", ".join("?" * len(view.hide_actor_type))
        told = f"{' and '.join(view.hide_actor_type)} entries; --actor-type all shows them"
        found.append((told, (f"actor_type NOT IN ({marks})", list(view.hide_actor_type))))
    if view.since and not (asked.get("since") or asked.get("until")):
        since = moments.moment(view.since, store.zone, store.now)
        told = f"entries before {moments.instant(since)} ({view.since} back); --since all shows them"
        found.append((told, ("occurred_at >= ?::TIMESTAMPTZ", [since.isoformat()])))
    if asked.get("as_of") and not asked.get("until"):
        told = f"entries after {moments.instant(store.now)}, the time asked for; --until says another"
        found.append((told, ("occurred_at <= ?::TIMESTAMPTZ", [store.now.isoformat()])))
    return found


def _hidden(made: list[Clause], defaults: list[tuple[str, Clause]]) -> tuple[Hidden, ...]:
    """For each default the events that only it leaves out."""
    found = []
    for told, clause in defaults:
        others = [other for words, other in defaults if words != told]
        where, values = together([*made, *others])
        found.append(
            Hidden(
                told,
                f"SELECT count(*) FROM events WHERE {where} AND NOT ({clause[0]})",
                [*values, *clause[1]],
            )
        )
    return tuple(found)


def _told(store: Store, asked: Mapping[str, object]) -> dict[str, object]:
    """The filters as a manifest keeps them: relative times with the instant that they meant."""
    told = {name: value for name, value in asked.items() if several(value) and name != "profile"}
    for name in ("since", "until"):
        if moments.relative(told.get(name)):
            told[name] = f"{moments.instant(bound(store, name, told[name]) or store.now)} ({told[name]})"
    return told


def _said(store: Store, asked: Mapping[str, object]) -> tuple[str, ...]:
    """Each relative time with the instant that it means."""
    words = []
    for name in ("since", "until"):
        written = asked.get(name)
        if moments.relative(written) and (at := bound(store, name, written)):
            words.append(f"{name} {written} is {moments.instant(at)}")
    return tuple(words)
