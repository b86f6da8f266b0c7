"""Fields -> which of them is the time, the actor, the action, the entity …, by names, shapes and values. Of a draft."""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.fields import EMAIL, IDENTIFIER, Field, is_ip, time_format

WORDS = tomllib.loads((importlib.resources.files("pipeline") / "words.toml").read_text("utf-8"))
ACTOR, ENTITY, ACTION, TIME = (
    {word: int(points) for points, words in WORDS["weights"][name].items() for word in words}
    for name in ("actor", "entity", "action", "time")
)
NOT_WHEN, IDS, OTHER_IDS, TENANT, FORMER, GENERIC = (
    frozenset(WORDS["names"][name])
    for name in ("not_when", "ids", "other_ids", "tenant", "former", "generic")
)
OURS: dict[str, str] = {word: ours for ours, words in WORDS["verbs"].items() for word in words}
COMBINED = re.compile(r"^([A-Za-z][A-Za-z _-]*?)(?:\s*[:/]\s*|\s*#|\s+#?)([A-Za-z]*[-_]?\d[\w-]*)$")
NAMESPACED = re.compile(r"^[A-Za-z][\w-]*[.:/][A-Za-z]")


@dataclass(frozen=True)
class Entity:
    """Where the thing concerned stands: fields, one text with both, or objects of its kinds (kind -> id path)."""

    kind: Field | None = None
    id: Field | None = None
    name: Field | None = None
    combined: bool = False
    by_kind: tuple[tuple[str, Field], ...] = ()


def best(fields: Sequence[Field], score: Callable[[Field], float], least: float = 1.0) -> Field | None:
    """The field with the highest score, the first of equals; none that scores below `least`."""
    scored = [(score(one), one) for one in fields]
    highest = max((points for points, _ in scored), default=0.0)
    return next((one for points, one in scored if points == highest), None) if highest >= least else None


def time(fields: Sequence[Field], lines: int) -> tuple[Field, Any] | None:
    """The time and how it is written."""
    forms = {one.path: time_format(one.texts) for one in fields if len(one.texts) >= 0.9 * lines}

    def score(one: Field) -> float:
        if forms.get(one.path) is None:
            return 0.0
        penalty = 8 * bool(NOT_WHEN & set(one.words)) + 8 * bool(FORMER & set(one.words)) + len(one.keys)
        return 10 + _weight(one.words, TIME) - penalty + (forms[one.path] == "iso") + 2 * one.variety

    found = best(fields, score)
    return None if found is None else (found, forms[found.path])


def action(fields: Sequence[Field], lines: int) -> Field | None:
    """The field whose texts are verbs, or names of events."""

    def score(one: Field) -> float:
        texts = one.texts
        weight = _weight(one.own, ACTION) + 0.5 * _weight(one.words[:-1], ACTION)
        if len(texts) < 0.6 * lines or _is_about(one, ACTOR, 6) or _is_about(one, ENTITY, 6) or not weight:
            return 0.0
        if (
            one.share(
                lambda t: EMAIL.match(t) or is_ip(t) or re.fullmatch(r"[\d.,:TZ +-]+|GET|PUT|POST|PATCH", t)
            )
            > 0.3
        ):
            return 0.0
        verbs = one.share(verb_of)
        long = one.share(lambda t: len(t) > 80)
        return (
            weight
            + 8 * verbs
            + one.share(NAMESPACED.match)
            - 4 * long
            - 3 * (one.variety > 0.95)
            - len(one.keys) / 2
        )

    return best(fields, score, 4.0)


def actor(fields: Sequence[Field], taken: set[str]) -> dict[str, Field]:
    """id, name, email, type, role of who did it."""
    found: dict[str, Field] = {}
    for part in ("email", "id", "name", "type", "role"):

        def score(one: Field, part: str = part) -> float:
            weight = _weight(one.words, ACTOR)
            if (
                one.path in taken
                or _is_about(one, ENTITY, 5)
                or FORMER & set(one.words)
                or _part(one) != part
            ):
                return 0.0
            if {"ua", "agent", "useragent", "impersonator", "impersonated", "ip"} & set(
                one.words
            ) or not weight:
                return 0.0
            return weight - len(one.keys) / 2 + min(1.0, len(one.texts) / max(1, len(one.values)))

        chosen = best(fields, score, 2.0)
        if chosen is not None:
            found[part] = chosen
    return found


def entity(fields: Sequence[Field], taken: set[str]) -> Entity:
    """The thing concerned."""
    about = [
        f for f in fields if f.path not in taken and _is_about(f, ENTITY, 5) and not FORMER & set(f.words)
    ]
    about = [f for f in about if not ({"ip", "agent", "email"} & set(f.own)) or _part(f) == "email"]

    def score(one: Field, part: str) -> float:
        return _weight(one.words, ENTITY) * (_part(one) == part) - len(one.keys) / 4

    parts = {part: best(about, partial(score, part=part), 2.0) for part in ("type", "id", "name")}
    both = best(about, lambda f: _weight(f.words, ENTITY) * (f.share(COMBINED.match) >= 0.7), 2.0)
    if both is not None and (parts["type"] is None or parts["id"] is None):
        return Entity(both, both, None, combined=True)
    if parts["id"] is not None or parts["type"] is not None:
        return Entity(parts["type"], parts["id"], parts["name"])
    named = []
    for one in fields:
        kind = one.words[:-1] if one.own[-1:] and one.own[-1] in IDS else []
        skip = OTHER_IDS | TENANT | set(ACTOR) | FORMER | {"api", "impersonator"}
        if kind and one.path not in taken and not skip & set(one.words[:-1]):
            named.append(("_".join(kind[-2:] if len(one.own) > 2 else kind[-1:]), one))
    return Entity(by_kind=tuple(named), name=parts["name"])


def kind_in(one: Field) -> str | None:
    """`document` for documentId, `user` for target_user.id; nothing for targetId, which may be anything."""
    nouns = [word for word in one.words if word not in IDS and not word.isdigit()]
    return nouns[-1] if nouns and nouns[-1] not in GENERIC else None


def by_name(
    fields: Sequence[Field], names: set[str], fits: Callable[[str], Any], least: float = 0.6
) -> Field | None:
    """A field that has one of the words in its name and whose values pass a test."""
    fitting = [f for f in fields if f.texts and names & set(f.words) and f.share(fits) >= least]
    return best(fitting, lambda f: 20 - len(f.keys) - 5 * bool(FORMER & set(f.words)))


def verb_of(text: str) -> str | None:
    """Our action for a product's text."""
    found = verb_in(text)
    return found and found[1]


def verb_in(text: str) -> tuple[str, str] | None:
    """The last verb of a text, for what is acted on comes first, and our action for it."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text).lower()
    for word in reversed(re.findall(r"log(?:ged)? ?(?:in|out)|sign(?:ed)? ?(?:in|out)|[a-z]+", spaced)):
        for stem in (word, *_stems(word)):
            if stem in OURS:
                return word, OURS[stem]
    return None


def answer(text: str, table: str) -> str | None:
    """The one of our words that a product's text means."""
    plain = re.sub(r"[\s-]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)).lower()
    return next((str(ours) for ours, words in WORDS[table].items() if plain in words), None)


def _stems(word: str) -> list[str]:
    """`created`, `creating`, `creates`, `creation` -> `create`; `cancelled` -> `cancel`."""
    found = []
    for ending in ("ed", "d", "ing", "es", "s", "ion", "led", "al", "ment"):
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            found += [stem, stem + "e", stem + "te"]
    return [*found, word[:-3] + "y"] if word.endswith("ied") else found


def _weight(found: Sequence[str], weights: dict[str, int]) -> int:
    return max((weights.get(word, 0) for word in found), default=0)


def _is_about(one: Field, weights: dict[str, int], least: int) -> bool:
    """Named for the kind of thing, and not for the action on it (`event`, `action type`)."""
    return _weight(one.words, weights) >= least


def _part(one: Field) -> str:
    """What of somebody or something a field holds."""
    own = set(one.own)
    if one.share(EMAIL.match) > 0.5:
        return "email"
    if own & {"type", "kind", "class", "category"}:
        return "type"
    if own & {"role", "roles"}:
        return "role"
    if own & IDS:
        return "id"
    if own & {"name", "label", "title", "display", "full", "username", "nickname"}:
        return "name"
    if one.share(lambda text: is_ip(text) or text in ("true", "false")) > 0.5:
        return "other"
    return "id" if one.share(IDENTIFIER.match) > 0.7 and not one.share(COMBINED.match) > 0.7 else "name"
