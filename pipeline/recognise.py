"""Which source a file is, from its first lines. Part of load."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from typing import Any

from pipeline import forms
from pipeline.errors import UsageError
from pipeline.inputs import FORMS, Input
from pipeline.mapping import Mapping
from pipeline.marks import fits, may_fit, score

Known = Dictionary[str, Mapping]
UNKNOWN = "no source was recognised from its first lines"
NO_EXPORT = f"only {FORMS} can be read"


def source_of(
    one: Input, source: str | None, known: Known, begun: bytes | None = None
) -> tuple[Mapping | None, str | None]:
    """The mapping for a file, or why there is none: an error for a file that was named, a skip inside a folder. First
    bytes that are known are not read again."""
    if source is not None:
        return known[source], None
    if one.readable:
        records, says_something = forms.first_records(one, begun)
        if not says_something:
            return known.get(one.path.name.split(".")[0]), None
        chosen = recognise(records, known)
        if chosen is not None:
            return chosen, None
        near = nearest(records, known)
        why = UNKNOWN
        why += f"; nearest: {', '.join(near)}" if near else ""
    else:
        why = NO_EXPORT
    if not one.in_folder:
        raise UsageError(why + ".", path=one.path, hint=f"Say which with --source: {', '.join(known)}.")
    return None, why


def recognise(records: Sequence[Dictionary[str, Any]], known: Known) -> Mapping | None:
    """The one source whose marks the records have; of several the one that asks for most, None when two ask alike."""
    keys = frozenset[str]().union(*records)
    folded = frozenset(map(str.lower, keys))
    found = {
        source: _marks(one)
        for source, one in known.items()
        if may_fit(keys, folded, one) and any(fits(record, one) for record in records)
    }
    most = max(found.values(), default=0)
    winners = [source for source, marks in found.items() if marks == most]
    return known[winners[0]] if len(winners) == 1 else None


def nearest(records: Sequence[Dictionary[str, Any]], known: Known) -> list[str]:
    """Source ids by how many of their marks the records have, best first; for the message when none fits."""
    scores = _scores(records, known)
    return [s for s in sorted(scores, key=lambda source: (-scores[source], source)) if scores[s] > 0][:3]


def _scores(records: Sequence[Dictionary[str, Any]], known: Known) -> dict[str, float]:
    """For each source the best share of its marks that any one of the records has."""
    return {
        source: max((score(record, one) for record in records), default=0.0) for source, one in known.items()
    }


def _marks(one: Mapping) -> int:
    rules = one.rules["recognise"]
    return len(rules.get("keys", [])) + 2 * len(rules.get("values", {})) + ("any" in rules)
