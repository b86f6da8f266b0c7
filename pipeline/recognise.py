"""Which source a file is, from its first lines. Part of load."""

from __future__ import annotations

import json
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pipeline import mapping
from pipeline.errors import UsageError
from pipeline.inputs import Input
from pipeline.lines import BOM
from pipeline.mapping import Mapping
from pipeline.paths import segments
from pipeline.records import unwrapped, value_at

RECOGNISED_FROM = 64 * 1024
Known = Dictionary[str, Mapping]


def source_of(
    one: Input, source: str | None, folder: Path | None = None
) -> tuple[Mapping | None, str | None]:
    """The mapping for a file, or why there is none: an error for a file that was named, a skip inside a folder."""
    known = mapping.known(folder)
    if source is not None:
        return mapping.named(source, folder), None
    if one.readable:
        records = first_records(one)
        if not records and not _has_text(one):
            return known.get(one.path.name.split(".")[0]), None
        chosen = recognise(records, known)
        if chosen is not None:
            return chosen, None
        near = nearest(records, known)
        why = "no source was recognised from its first lines"
        why += f"; nearest: {', '.join(near)}" if near else ""
    else:
        why = "only JSON lines can be read"
    if not one.in_folder:
        raise UsageError(why + ".", path=one.path, hint=f"Say which with --source: {', '.join(known)}.")
    return None, why


def recognise(records: Sequence[Dictionary[str, Any]], known: Known) -> Mapping | None:
    """The one source whose marks the records have; of several the one that asks for most, None when two ask alike."""
    found = {source: _marks(known[source]) for source, score in _scores(records, known).items() if score >= 1}
    most = max(found.values(), default=0)
    winners = [source for source, marks in found.items() if marks == most]
    return known[winners[0]] if len(winners) == 1 else None


def nearest(records: Sequence[Dictionary[str, Any]], known: Known) -> list[str]:
    """Source ids by how many of their marks the records have, best first; for the message when none fits."""
    scores = _scores(records, known)
    return [s for s in sorted(scores, key=lambda source: (-scores[source], source)) if scores[s] > 0][:3]


def first_records(one: Input) -> list[dict[str, Any]]:
    """The records of a file's first lines."""
    with one.open() as stream:
        head = stream.read(RECOGNISED_FROM)
    records = []
    for line in head.removeprefix(BOM).split(b"\n")[:50]:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def _scores(records: Sequence[Dictionary[str, Any]], known: Known) -> dict[str, float]:
    """For each source the best share of its marks that any one of the records has."""
    return {
        source: max((_score(record, one) for record in records), default=0.0) for source, one in known.items()
    }


def _score(record: Dictionary[str, Any], one: Mapping) -> float:
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


def _marks(one: Mapping) -> int:
    rules = one.rules["recognise"]
    return len(rules.get("keys", [])) + 2 * len(rules.get("values", {})) + ("any" in rules)


def _fits(value: Any, globs: list[str]) -> bool:
    return isinstance(value, str) and any(fnmatchcase(value, glob) for glob in globs)


def _has(record: Any, path: str, fold: bool) -> bool:
    *parents, last = segments(path)
    inner = value_at(record, parents, fold)
    if isinstance(inner, dict):
        return last in inner or (fold and last.lower() in map(str.lower, inner))
    return value_at(inner, [last]) is not None


def _has_text(one: Input) -> bool:
    with one.open() as stream:
        return bool(stream.read(RECOGNISED_FROM).removeprefix(BOM).strip())
