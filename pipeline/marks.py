"""The marks that a source's records are known by, and which of them a record has. Part of load."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from pipeline.mapping import Mapping
from pipeline.paths import segments
from pipeline.records import unwrapped, value_at


def fits(record: Dictionary[str, Any], one: Mapping) -> bool:
    """Whether a record has all of a mapping's marks."""
    marks = _each(record, one)
    return next(marks, False) and all(marks)


def score(record: Dictionary[str, Any], one: Mapping) -> float:
    """The share of a mapping's marks that a record has."""
    marks = list(_each(record, one))
    return sum(marks) / len(marks) if marks else 0.0


def may_fit(keys: frozenset[str], folded: frozenset[str], one: Mapping) -> bool:
    """Whether records with these keys among them, `folded` in small letters, could fit a mapping; most are told
    apart by their keys alone."""
    first = one.first_keys
    seen = folded if first.fold else keys
    if not first.unwrap.isdisjoint(seen):
        return True
    return first.needed <= seen and not (first.either and first.either.isdisjoint(seen))


def _each(record: Dictionary[str, Any], one: Mapping) -> Iterator[bool]:
    rules, options = one.rules["recognise"], one.rules.get("record", {})
    if "unwrap" in options:
        record = unwrapped(record, options["unwrap"])
    fold = options.get("fold_keys", False)
    if any(_has(record, path, fold) for path in rules.get("none", ())):
        return
    for path in rules.get("keys", ()):
        yield _has(record, path, fold)
    for path, globs in rules.get("values", {}).items():
        yield _like(value_at(record, _parts(path), fold), globs)
    if "any" in rules:
        yield any(_has(record, path, fold) for path in rules["any"])


def _like(value: Any, globs: list[str]) -> bool:
    return isinstance(value, str) and any(fnmatchcase(value, glob) for glob in globs)


def _has(record: Any, path: str, fold: bool) -> bool:
    *parents, last = _parts(path)
    inner = value_at(record, parents, fold) if parents else record
    if isinstance(inner, dict):
        return last in inner or (fold and last.lower() in map(str.lower, inner))
    return value_at(inner, [last]) is not None


@cache
def _parts(path: str) -> tuple[str, ...]:
    return tuple(segments(path))
