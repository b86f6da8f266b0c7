"""Guesses -> the rules of a first mapping, and what each was guessed from. Of a draft."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import diffs, guess
from pipeline.fields import EMAIL, Field, embedded, is_ip, leaves

MOST_IN_A_MAP = 60
NAMES = {
    "correlation_id": {"correlation", "request", "trace", "transaction"},
    "user_agent": {"agent", "ua", "useragent", "browser"},
    "reason": {"reason", "comment", "justification", "note"},
    "message": {"message", "description", "summary", "text"},
    "error_message": {"error", "failure"},
}
STATUS = {"status", "outcome", "result", "success", "succeeded", "state"}


@dataclass
class Draft:
    """The rules so far, and which path each column was read from; `kept` are paths whose texts are no secrets."""

    rules: dict[str, Any]
    lines: int
    fields: list[Field]
    guessed: dict[str, Field] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    @property
    def taken(self) -> set[str]:
        return {one.path for one in self.guessed.values()}

    @property
    def columns(self) -> dict[str, Any]:
        return self.rules["columns"]  # type: ignore[no-any-return]

    def column(self, name: str, one: Field | None, expression: Any = None) -> None:
        """Fill a column from a field, as it is or by an expression."""
        if one is not None:
            self.guessed[name] = one
            self.columns[name] = one.path if expression is None else expression


def rules(title: str, records: Sequence[dict[str, Any]]) -> Draft | None:
    """A first mapping for the records; None when no field is a time."""
    envelope = _envelope(records)
    if envelope:
        records = [{**(embedded(r.get(envelope)) or r), "envelope": r} for r in records]
        records = [
            {**r, "envelope": {k: v for k, v in r["envelope"].items() if k != envelope}} for r in records
        ]
    draft = Draft(_head(title, envelope), len(records), leaves(records))
    found = guess.time(draft.fields, draft.lines)
    if found is None:
        return None
    when, form = found
    draft.guessed["occurred_at"] = when
    draft.kept.add(when.path)
    draft.rules["time"] = {"path": when.path, "format": form}
    if isinstance(form, list) and any("%m" in one and not one.startswith("%Y") for one in form):
        draft.rules["time"]["day_first"] = form[0].startswith("%d")
    for part in (_record, _action, _actor, _entity, _outcome, _rest):
        part(draft)
    draft.rules["changes"] = diffs.changes(records)
    draft.rules["recognise"]["keys"] = _keys(draft, records)
    return draft


def _head(title: str, envelope: str | None) -> dict[str, Any]:
    about = ("documentation", "retention", "logging", "permissions", "entry_url")
    return {
        "title": title,
        "version": 1,
        "about": dict.fromkeys(about, "not documented"),
        "recognise": {},
        "record": {"unwrap": [envelope]} if envelope else {},
        "time": {},
        "columns": {},
    }


def _envelope(records: Sequence[dict[str, Any]]) -> str | None:
    """The key under which every line has its record as JSON text."""
    keys = [key for key in records[0] if all(len(embedded(r.get(key)) or ()) >= 3 for r in records)]
    return next(
        (key for key in keys if guess.time(leaves([embedded(r[key]) or {} for r in records]), len(records))),
        None,
    )


def _record(draft: Draft) -> None:
    short = [
        f
        for f in draft.fields
        if len(f.keys) <= 2 and f.path not in draft.taken and len(f.texts) == draft.lines
    ]
    own = {"id", "uuid", "guid", "key"} | {"event", "log", "entry", "audit", "record", "activity", "message"}

    def is_id(one: Field) -> float:
        named = set(one.own) <= own and bool({"id", "uuid", "guid"} & set(one.own))
        return (
            10.0 - len(one.keys) - len(one.own) / 2
            if named and one.variety > 0.98 and len(one.keys) == 1
            else 0.0
        )

    def is_tenant(one: Field) -> float:
        named = guess.TENANT & set(one.words) and (set(one.own) & (guess.IDS | guess.TENANT))
        few = len(set(one.texts)) <= max(1, draft.lines // 5)
        return 10.0 - len(one.keys) if named and few and "name" not in one.own else 0.0

    for name, score in (("id", is_id), ("instance", is_tenant)):
        found = guess.best(short, score)
        if found is not None:
            draft.rules["record"][name] = found.path
            draft.guessed["source_event_id" if name == "id" else "instance"] = found


def _action(draft: Draft) -> None:
    found = guess.action([f for f in draft.fields if f.path not in draft.taken], draft.lines)
    if found is None:
        return
    draft.column("action_raw", found)
    draft.column("action_detail", found)
    draft.kept.add(found.path)
    texts = sorted(set(found.texts))
    if len(texts) <= MOST_IN_A_MAP:
        known = {text: verb for text in texts if (verb := guess.verb_of(text))}
        draft.columns["action"] = {"path": found.path, "map": known, "else": "other"}
        return
    verbs = dict(filter(None, map(guess.verb_in, texts)))
    pattern = (
        "(?i)(?:^|[^a-z])(" + "|".join(sorted(verbs, key=lambda verb: (-len(verb), verb))) + ")(?:[^a-z]|$)"
    )
    draft.columns["action"] = {
        "path": found.path,
        "match": pattern,
        "as": "lower",
        "map": verbs,
        "else": "other",
    }


def _actor(draft: Draft) -> None:
    found = guess.actor(draft.fields, draft.taken)
    name = found.get("name")
    draft.column("actor_email", found.get("email"))
    draft.column("actor_id", found.get("id"))
    draft.column("actor_role", found.get("role"))
    mixed = found.get("email")
    if mixed is not None and mixed.share(EMAIL.match) < 1:  # an address for people, a name for the rest
        draft.columns["actor_email"] = {"path": mixed.path, "match": "^\\S+@\\S+$"}
        draft.columns["actor_name"] = name.path if name else {"path": mixed.path, "match": "^[^@]+$"}
    else:
        draft.column("actor_name", name)
    kind = found.get("type")
    if kind is not None:
        draft.column("actor_type_raw", kind)
        draft.columns["actor_type"] = _answers(kind, "actor_types", "unknown")
        draft.kept.add(kind.path)
    elif found:
        who = found.get("email") or name or found["id"]
        system = {
            text: "system" for text in sorted(set(who.texts)) if guess.answer(text, "actor_types") == "system"
        }
        anybody = {"when": [{"path": who.path, "exists": True, "then": {"value": "user"}}]}
        draft.columns["actor_type"] = {"path": who.path, "map": system, "else": "user"} if system else anybody


def _entity(draft: Draft) -> None:
    found = guess.entity(draft.fields, draft.taken)
    if found.combined and found.id is not None:
        pattern = guess.COMBINED.pattern
        kind = {"path": found.id.path, "match": pattern, "as": "entity"}
        draft.column("entity_type", found.id, kind)
        draft.column("entity_id", found.id, {"path": found.id.path, "match": pattern.replace("(", "(?:", 1)})
        return
    draft.column("entity_id", found.id)
    draft.column("entity_name", found.name)
    if found.kind is not None:
        draft.column("entity_type_raw", found.kind)
        draft.column("entity_type", found.kind, {"path": found.kind.path, "as": "entity"})
        draft.kept.add(found.kind.path)
    elif found.by_kind:
        cases = [{"path": one.path, "exists": True, "then": {"value": kind}} for kind, one in found.by_kind]
        draft.column("entity_type", found.by_kind[0][1], {"when": cases})
        paths = [one.path for _, one in found.by_kind]
        draft.column("entity_id", found.by_kind[0][1], paths[0] if len(paths) == 1 else {"first": paths})
    elif found.id is not None and (kind_name := guess.kind_in(found.id)):
        draft.columns["entity_type"] = {
            "when": [{"path": found.id.path, "exists": True, "then": {"value": kind_name}}]
        }
    elif "action_raw" in draft.guessed and draft.guessed["action_raw"].share(guess.NAMESPACED.match) > 0.8:
        action = draft.guessed["action_raw"]
        draft.columns["entity_type"] = {
            "path": action.path,
            "match": "^([A-Za-z][A-Za-z_-]*)[.:/]",
            "as": "entity",
        }


def _outcome(draft: Draft) -> None:
    found = guess.by_name(_free(draft), STATUS, lambda text: guess.answer(text, "outcomes"), 0.5)
    if found is not None:
        draft.column("status_raw", found)
        draft.columns["outcome"] = _answers(found, "outcomes", "unknown")
        draft.kept.add(found.path)


def _rest(draft: Draft) -> None:
    untaken = [one for one in draft.fields if one.path not in draft.taken]
    named = guess.by_name(untaken, {"ip", "addr", "address", "host", "client", "remote"}, is_ip)
    draft.column("source_ip", named or next((f for f in untaken if f.texts and f.share(is_ip) > 0.9), None))
    for name, words in NAMES.items():
        draft.column(name, guess.by_name(_free(draft), words, _any_text))


def _free(draft: Draft) -> list[Field]:
    return [one for one in draft.fields if one.path not in draft.taken and not guess.FORMER & set(one.words)]


def _any_text(text: str) -> bool:
    return not re.fullmatch(r"true|false|-?\d+", text)


def _answers(one: Field, table: str, otherwise: str) -> dict[str, Any]:
    told = {
        text: ours for text in sorted(set(one.texts))[:MOST_IN_A_MAP] if (ours := guess.answer(text, table))
    }
    return {"path": one.path, "map": told, "else": otherwise}


def _keys(draft: Draft, records: Sequence[dict[str, Any]]) -> list[str]:
    """What every record has at its top, what was understood first."""
    common = [key for key in records[0] if key != "envelope" and all(key in record for record in records)]
    used = [one.keys[0] for one in draft.guessed.values()]
    paths = {key: Field((key,)).path for key in [*used, *common] if key in common}
    return list(paths.values())[:8]
