"""What is taken for a secret, and what is shown in its place. Used by whatever leaves the store, and before storing.

One set of expressions (secrets.toml), as SQL for columns and in Python for texts of our own.
"""

from __future__ import annotations

import importlib.resources
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

REDACTED = "[REDACTED]"
_VALUE = r'(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)'


def text(value: str, names: Sequence[str] = ()) -> str:
    """A text with every secret replaced."""
    for pattern, shown in _patterns(tuple(names)):
        value = pattern.sub(shown, value)
    return value


def document(value: Any) -> Any:
    """A JSON document with every secret replaced, those by the names of their fields too."""
    return json.loads(text(json.dumps(value, ensure_ascii=False, default=str)))


def arguments(given: Iterable[str]) -> list[str]:
    """What was typed, for the record: without secrets, and without what an option holds that is one by its name."""
    kept, hide = [], False
    for argument in given:
        kept.append(REDACTED if hide else text(argument))
        hide = argument.startswith("--") and bool(_ends_secret().fullmatch(argument.lstrip("-")))
    return kept


def macros(names: Sequence[str] = ()) -> list[str]:
    """SQL that makes `has_secret(text)` and `redacted(text)`."""
    found = _patterns(tuple(names))
    replaced = "t"
    for pattern, shown in found:
        replaced = f"regexp_replace({replaced}, {_quoted(pattern.pattern)}, {_quoted(shown)}, 'g')"
    anything = _quoted("|".join(pattern.pattern for pattern, _ in found))
    words = _quoted("|".join((f"(?i:{'|'.join([*_words()[0], *map(re.escape, names)])})", *_words()[1])))
    return [
        f"CREATE OR REPLACE TEMP MACRO may_have_secret(t) AS regexp_matches(t, {words})",
        f"CREATE OR REPLACE TEMP MACRO has_secret(t) AS regexp_matches(t, {anything})",
        f"CREATE OR REPLACE TEMP MACRO redacted(t) AS CASE WHEN has_secret(t) THEN {replaced} ELSE t END",
        f"""CREATE OR REPLACE TEMP MACRO redacted_json(j) AS CASE WHEN has_secret(j::VARCHAR)
          THEN coalesce(TRY_CAST(redacted(j::VARCHAR) AS JSON), '"{REDACTED}"'::JSON) ELSE j END""",
        f"CREATE OR REPLACE TEMP MACRO secret_name(t) AS regexp_full_match(t, {_quoted(_name(tuple(names)))})",
    ]


# The same words, to which everything is a secret.
PLACEHOLDERS = tuple(
    f"CREATE OR REPLACE TEMP MACRO {one}"
    for one in ("may_have_secret(t) AS true", "has_secret(t) AS true", f"redacted(t) AS '{REDACTED}'",
                f"""redacted_json(j) AS '"{REDACTED}"'::JSON""", "secret_name(t) AS true")
)  # fmt: skip


def _quoted(pattern: str) -> str:
    return "'" + pattern.replace("'", "''") + "'"


@cache
def _words() -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = tomllib.loads((importlib.resources.files("pipeline") / "secrets.toml").read_text("utf-8"))
    return tuple(found["names"]), tuple(found["shapes"])


def _name(more: tuple[str, ...]) -> str:
    """A field's name that ends in one of the words, or is one of those that were configured."""
    own = "".join(f"|{re.escape(name)}" for name in more)
    return rf"(?i:(?:[\w.\-]*(?:{'|'.join(_words()[0])})s?(?:[_-](?:was|old|new|before|after|value))?{own}))"


@cache
def _ends_secret() -> re.Pattern[str]:
    return re.compile(_name(()))


@cache
def _patterns(names: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    """What is looked for, in this order, and what is put in its place."""
    name = _name(names)
    # {"field": NAME, "old": …, "new": …} and {NAME: {"old": …, "new": …}}: the values stand behind the name
    before = (
        rf'(?:"(?:field|name|key|property|attribute)"\s*:\s*"{name}"\s*,|"{name}"\s*:\s*\{{)\s*"\w+"\s*:\s*'
    )
    found = (
        (rf'("{name}"\s*:\s*){_VALUE}', rf'\1"{REDACTED}"'),
        (rf'("{name}"\s*:\s*\[)[^\[\]{{}}]+\]', rf'\1"{REDACTED}"]'),
        (rf"({before}){_VALUE}", rf'\1"{REDACTED}"'),
        (rf'({before}(?:{_VALUE}|null|true|false)\s*,\s*"\w+"\s*:\s*){_VALUE}', rf'\1"{REDACTED}"'),
        (rf'(\\+"{name}\\+"\s*:\s*\\+")[^"\\]+', rf"\1{REDACTED}"),
        ("|".join(_words()[1]), REDACTED),
    )
    return tuple((re.compile(pattern), shown) for pattern, shown in found)
