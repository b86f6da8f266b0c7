"""The marks that a source's records are known by, and which of them a record has. Part of load."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from fnmatch import fnmatchcase
from typing import Any

from pipeline.mapping import Mapping
from pipeline.paths import segments
from pipeline.records import unwrapped, value_at


def score(record: Dictionary[str, Any], one: Mapping) -> float:
    """The share of a mapping's marks that a record has."""
    rules, options = one.rules["recognise"], one.rules.get("record", {})
    record, fold = unwrapped(record, options.get("unwrap", [])), options.get("fold_keys", False)
    if any(_has(record, path, fold) for path in rules.get("none", [])):
        return 0.0
    marks = [_has(record, path, fold) for path in rules.get("keys", [])]
    marks += [
        _fits(value_at(record, segments(path), fold), globs)
        for path, globs in rules.get("values", {}).items()
    ]
    if "any" in rules:
        marks.append(any(_has(record, path, fold) for path in rules["any"]))
    return sum(marks) / len(marks) if marks else 0.0


def _fits(value: Any, globs: list[str]) -> bool:
    return isinstance(value, str) and any(fnmatchcase(value, glob) for glob in globs)


def _has(record: Any, path: str, fold: bool) -> bool:
    *parents, last = segments(path)
    inner = value_at(record, parents, fold)
    if isinstance(inner, dict):
        return last in inner or (fold and last.lower() in map(str.lower, inner))
    return value_at(inner, [last]) is not None
