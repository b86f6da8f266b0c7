"""What is taken for a secret, and what is shown in its place. Used by whatever leaves the store, and before storing.

One set of expressions (secrets.toml), as SQL for columns and in Python for texts of our own.
"""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache

REDACTED = "[REDACTED]"
_VALUE = r'(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)'


def text(value: str, names: Sequence[str] = ()) -> str:
    """A text with every secret replaced."""
    named, escaped, shapes, _ = _patterns(tuple(names))
    value = named.sub(rf'\1"{REDACTED}"', value)
    return shapes.sub(REDACTED, escaped.sub(rf"\1{REDACTED}", value))


def arguments(given: Iterable[str]) -> list[str]:
    """What was typed, for the record: without secrets, and without what an option holds that is one by its name."""
    kept, hide = [], False
    for argument in given:
        kept.append(REDACTED if hide else text(argument))
        hide = argument.startswith("--") and bool(_ends_secret().fullmatch(argument.lstrip("-")))
    return kept


def macros(names: Sequence[str] = ()) -> list[str]:
    """SQL that makes `has_secret(text)` and `redacted(text)`."""
    named, escaped, shapes, anything = (_quoted(found.pattern) for found in _patterns(tuple(names)))
    replaced = rf"""regexp_replace(t, {named}, '\1"{REDACTED}"', 'g')"""
    replaced = rf"regexp_replace({replaced}, {escaped}, '\1{REDACTED}', 'g')"
    replaced = f"regexp_replace({replaced}, {shapes}, '{REDACTED}', 'g')"
    return [
        f"CREATE OR REPLACE TEMP MACRO has_secret(t) AS regexp_matches(t, {anything})",
        f"CREATE OR REPLACE TEMP MACRO redacted(t) AS CASE WHEN has_secret(t) THEN {replaced} ELSE t END",
        f"CREATE OR REPLACE TEMP MACRO secret_name(t) AS regexp_full_match(t, {_quoted(_name(tuple(names)))})",
    ]


def _quoted(pattern: str) -> str:
    return "'" + pattern.replace("'", "''") + "'"


@cache
def _words() -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = tomllib.loads((importlib.resources.files("pipeline") / "secrets.toml").read_text("utf-8"))
    return tuple(found["names"]), tuple(found["shapes"])


def _name(more: tuple[str, ...]) -> str:
    """A field's name that ends in one of the words, or is one of those that were configured."""
    words = "|".join([*_words()[0]])
    own = "".join(f"|{re.escape(name)}" for name in more)
    return rf"(?i:(?:[\w.\-]*(?:{words})s?{own}))"


@cache
def _ends_secret() -> re.Pattern[str]:
    return re.compile(_name(()))


@cache
def _patterns(names: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    name = _name(names)
    named = rf'("{name}"\s*:\s*){_VALUE}'
    escaped = rf'(\\+"{name}\\+"\s*:\s*\\+")[^"\\]+'
    shapes = "|".join(_words()[1])
    return tuple(re.compile(found) for found in (named, escaped, shapes, f"{named}|{escaped}|{shapes}"))
