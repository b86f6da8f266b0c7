"""Which places of a record a mapping reads -> columns of what stands there. The parsing half of normalize.

A record is parsed once, for all members that are read at its top; what lies deeper is read from those, where many
records say the same. Text n of a mapping is the value `tn` (blank is null), JSON n is `jn`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import duckdb
import pyarrow as pa

from pipeline.distinct import Rows, whole
from pipeline.modifiers import blank_null, quote
from pipeline.paths import keys_of


@dataclass(frozen=True)
class Places:
    """`top` is member -> DuckDB type, in the order of the columns k1, k2 …; `exact` are read on their own, as x1, x2 …,
    where it matters whether a null is written or nothing; `values` make the texts and JSON values of them. `wanted` is
    what the compiled judge can take out of a record itself: columns and values -> place and kind."""

    top: Mapping[str, str]
    exact: Sequence[str]
    values: Mapping[str, str]
    wanted: Mapping[str, tuple[str, str]]

    @property
    def columns(self) -> list[str]:
        return [f"k{n}" for n in range(1, len(self.top) + 1)] + [
            f"x{n}" for n in range(1, len(self.exact) + 1)
        ]

    @cached_property
    def json(self) -> frozenset[str]:
        """The columns whose texts are JSON."""
        tops = [f"k{n}" for n, kind in enumerate(self.top.values(), 1) if kind == "JSON"]
        taken = [name for name, (_, kind) in self.wanted.items() if kind == "json"]
        return frozenset([*tops, *taken, *(f"x{n}" for n in range(1, len(self.exact) + 1))])


@dataclass
class _Below:
    """What is read inside one member, as texts and as JSON."""

    texts: list[str] = field(default_factory=list)
    jsons: list[str] = field(default_factory=list)


def places(texts: Sequence[str], jsons: Sequence[str], exact: Iterable[str]) -> Places:
    """How to come to the texts and JSON values at these pointers."""
    exact = set(exact)
    alone = [place for place in jsons if place in exact or not place.startswith("/")]
    alone += [place for place in texts if not place.startswith("/") and place not in alone]
    below: dict[str, _Below] = {}
    for place in [*texts, *jsons]:
        if place not in alone:
            below.setdefault(_member(place), _Below())
    folded: dict[str, str] = {}
    for member in below:
        folded.setdefault(member.lower(), member)
    for place in [*texts, *jsons]:  # two members that differ in case only cannot be two columns
        if place not in alone and folded[(member := _member(place)).lower()] != member:
            alone.append(place)
            below.pop(member, None)
    as_json = {_member(place) for place in [*jsons, *filter(_is_deep, texts)] if place.startswith("/")}
    kinds = {keys_of(f"/{member}")[0]: "JSON" if member in as_json else "VARCHAR" for member in below}
    names = {member: f"k{n}" for n, member in enumerate(below, 1)}
    own = {place: f"x{n}" for n, place in enumerate(alone, 1)}
    values: dict[str, str] = {}
    apart = set(alone)
    for place in filter(_is_deep, texts):
        if place not in apart:
            below[_member(place)].texts.append(place)
    for place in filter(_is_deep, jsons):
        if place not in apart:
            below[_member(place)].jsons.append(place)
    for member, inside in below.items():
        values |= _inside(member, names[member], inside)
    for n, place in enumerate(texts, 1):
        values[f"t{n}"] = _text(place, own, names, below, kinds)
    for n, place in enumerate(jsons, 1):
        values[f"j{n}"] = _json(place, own, names, below)
    return Places(kinds, alone, values, _wanted(texts, jsons, alone, kinds, names))


def _wanted(
    texts: Sequence[str],
    jsons: Sequence[str],
    alone: Sequence[str],
    kinds: Mapping[str, str],
    names: Mapping[str, str],
) -> dict[str, tuple[str, str]]:
    """Columns first, but not those of which only what is inside is read; a text that is all that is read of its member
    is the member's column."""
    whole = set(jsons).difference(alone)
    whole |= {place for place in set(texts).difference(alone) if kinds[keys_of(place)[0]] == "VARCHAR"}
    found = {
        name: (f"/{member}", kinds[keys_of(f"/{member}")[0]])
        for member, name in names.items()
        if f"/{member}" in whole
    }
    found |= {f"x{n}": (place, "json") for n, place in enumerate(alone, 1)}
    found |= {
        f"t{n}": (place, "text")
        for n, place in enumerate(texts, 1)
        if place in alone or _is_deep(place) or kinds[keys_of(place)[0]] == "JSON"
    }
    found |= {
        f"j{n}": (place, "json") for n, place in enumerate(jsons, 1) if place not in alone and _is_deep(place)
    }
    return {name: (place, kind) for name, (place, kind) in found.items() if place.startswith("/")}


def _member(place: str) -> str:
    """The record's own member in which a place is."""
    return place[1:].partition("/")[0]


def _is_deep(place: str) -> bool:
    return "/" in place[1:]


def _inside(member: str, name: str, found: _Below) -> dict[str, str]:
    """Everything below a member is read by one value for texts and one for JSON."""
    values = {}
    for kind, function, wanted in (
        ("s", "json_extract_string", found.texts),
        ("v", "json_extract", found.jsons),
    ):
        if wanted:
            pointers = ", ".join(quote(place[len(member) + 1 :]) for place in wanted)
            values[f"{kind}{name}"] = f"{function}({name}, [{pointers}])"
    return values


def _text(
    place: str,
    own: Mapping[str, str],
    names: Mapping[str, str],
    inside: Mapping[str, _Below],
    kinds: Mapping[str, str],
) -> str:
    if place in own:
        return blank_null(f"json_extract_string({own[place]}, '$')")
    member, _, rest = place[1:].partition("/")
    if rest:
        return blank_null(f"s{names[member]}[{inside[member].texts.index(place) + 1}]")
    if kinds[keys_of(f"/{member}")[0]] == "JSON":
        return blank_null(f"json_extract_string({names[member]}, '$')")
    return names[member]


def _json(place: str, own: Mapping[str, str], names: Mapping[str, str], inside: Mapping[str, _Below]) -> str:
    if place in own:
        return own[place]
    member, _, rest = place[1:].partition("/")
    return f"v{names[member]}[{inside[member].jsons.index(place) + 1}]" if rest else names[member]


def rows(
    connection: duckdb.DuckDBPyConnection, found: Places, records: pa.Array, members: Mapping[str, pa.Array]
) -> Rows:
    """The columns of a block of records, of which some members were taken out already, the blank texts as none."""
    given = dict(members)
    parts, columns = [], []
    names = {member: f"k{n}" for n, member in enumerate(found.top, 1)}
    needed = {keys_of(place)[0] for name, (place, _) in found.wanted.items() if name not in given}
    if top := {m: kind for m, kind in found.top.items() if m in needed and names[m] not in given}:
        parts.append(f"from_json(record, {quote(json.dumps(top))}) AS k")
        for member, kind in top.items():
            value = f'k."{_quoted(member)}"'
            columns.append(f"{value if kind == 'JSON' else blank_null(value)} AS {names[member]}")
    exact = {f"x{n}": place for n, place in enumerate(found.exact, 1) if f"x{n}" not in given}
    if exact:
        parts.append(f"json_extract(record, [{', '.join(map(quote, exact.values()))}]) AS x")
        columns += [f"x[{n}] AS {name}" for n, name in enumerate(exact, 1)]
    if columns:
        connection.register("block", pa.table({"record": records}))
        made = connection.sql(
            f"SELECT {', '.join(columns)} FROM (SELECT {', '.join(parts)} FROM block)"
        ).to_arrow_table()
        connection.unregister("block")
        given |= {name: whole(made.column(name)) for name in made.column_names}
    return Rows(connection, given, len(records), found.json)


def _quoted(member: str) -> str:
    return member.replace('"', '""')
