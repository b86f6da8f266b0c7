"""An unknown export -> where it says what changed, and in which of the common shapes. Of a draft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.fields import Field, containers

OLD, NEW = (
    ("old", "before", "previous", "from", "prior", "was"),
    ("new", "after", "current", "to", "updated", "now"),
)
FIELD = ("field", "name", "key", "property", "attribute", "label", "column", "path")


def changes(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The [[changes]] of a first mapping."""
    found = containers(records)
    for one in found:
        members = [m for value in one.values for m in (value if isinstance(value, list) else value.values())][
            :200
        ]
        if members and all(isinstance(member, dict) for member in members):
            named = {
                part: _key(members, words) for part, words in (("field", FIELD), ("old", OLD), ("new", NEW))
            }
            if not (named["old"] and named["new"]):
                continue
            if all(isinstance(value, dict) for value in one.values):
                return [{"shape": "old_new", "path": one.path, "old": named["old"], "new": named["new"]}]
            if named["field"]:
                return [{"shape": "list", "path": one.path, **named}]
    sides = {
        word: one for one in found for word in one.own if all(isinstance(value, dict) for value in one.values)
    }
    for old, new in zip(OLD, NEW, strict=True):
        if old in sides and new in sides and sides[old].keys[:-1] == sides[new].keys[:-1]:
            return [{"shape": "before_after", "before": sides[old].path, "after": sides[new].path}]
    return []


def _key(members: Sequence[dict[str, Any]], wanted: Sequence[str]) -> str | None:
    """The key of the members that has one of the words in its name."""
    keys = sorted({key for member in members for key in member})
    return next((key for word in wanted for key in keys if word in Field((key,)).own), None)
