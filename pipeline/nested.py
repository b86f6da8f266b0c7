"""What an event has several of: related entities, messages, classes. Part of normalize."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import Any

from pipeline.columns import MESSAGE, RELATED
from pipeline.expressions import Expressions
from pipeline.modifiers import quote
from pipeline.times import instant_of_iso

MESSAGE_TEXTS = ("channel", "direction", "sender", "subject", "body", "body_format", "sent_at")


def related(build: Expressions, entries: list[Dictionary[str, Any]]) -> str:
    """SQL for `related_entities`: what the mapping's [[related]] tables find, in their order."""
    return _concatenated([_only_when(build, entry, _relation(build, entry)) for entry in entries])


def _relation(build: Expressions, entry: Dictionary[str, Any]) -> str:
    inner, items = build.inside(entry["each"]) if "each" in entry else (build, "")
    parts = {k: inner.text(entry[k]) if k in entry else "NULL" for k in ("type", "id", "name", "relation")}
    if "ids" in entry:
        ids = build.text_list(entry["ids"])
        return (
            f"list_transform({ids}, lambda x: row({parts['type']}, x, NULL, {parts['relation']})::{RELATED})"
        )
    made = f"row({parts['type']}, {parts['id']}, {parts['name']}, {parts['relation']})::{RELATED}"
    found = f"coalesce({parts['id']}, {parts['name']}) IS NOT NULL"
    if "each" not in entry:
        return f"CASE WHEN {found} THEN [{made}] ELSE [] END"
    fits = f"{found} AND {inner.condition(entry['where'])}" if "where" in entry else found
    found = f"list_filter({items}, lambda {inner.item}: {fits})"
    return f"list_transform({found}, lambda {inner.item}: {made})"


def messages(build: Expressions, entries: list[Dictionary[str, Any]]) -> str:
    """SQL for `communications`: a message wherever one of [[messages]] finds whom it went to or what it said."""
    return _concatenated([_only_when(build, entry, _message(build, entry)) for entry in entries])


def _message(build: Expressions, entry: Dictionary[str, Any]) -> str:
    text = {key: build.text(entry[key]) if key in entry else "NULL" for key in MESSAGE_TEXTS}
    lists = {key: build.text_list(entry[key]) if key in entry else "[]" for key in ("to", "cc", "bcc")}
    automated = build.condition(entry["automated"]) if "automated" in entry else "NULL"
    fields = [
        text["channel"], text["direction"], automated, text["sender"], lists["to"], lists["cc"], lists["bcc"],
        text["subject"], text["body"], text["body_format"], f"sha256({text['body']})",
        instant_of_iso(text["sent_at"]),
    ]  # fmt: skip
    found = f"(len({lists['to']}) > 0 OR coalesce({text['subject']}, {text['body']}) IS NOT NULL)"
    return f"CASE WHEN {found} THEN [row({', '.join(fields)})::{MESSAGE}] ELSE [] END"


def classes(build: Expressions, rules: Dictionary[str, Any]) -> str:
    """SQL for `classes`: those of which any condition holds."""
    cases = [
        f"CASE WHEN {build.condition({'any': conditions})} THEN {quote(name)} END"
        for name, conditions in rules.items()
    ]
    return f"list_filter([{', '.join(cases)}]::VARCHAR[], lambda c: c IS NOT NULL)" if cases else "[]"


def _only_when(build: Expressions, entry: Dictionary[str, Any], made: str) -> str:
    return f"CASE WHEN {build.condition(entry['when'])} THEN {made} ELSE [] END" if "when" in entry else made


def _concatenated(lists: list[str]) -> str:
    return f"flatten([{', '.join(lists)}])" if lists else "[]"
