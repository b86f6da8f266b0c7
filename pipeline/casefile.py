"""Reads and checks the cases beside a detector: what is wrong is said with file, case and remedy. Part of cases.

The shape is that of schemas/cases.schema.json; then what only the whole can tell: groups, times, columns, places.
"""

from __future__ import annotations

import copy
import importlib.resources
import json
import tomllib
from collections.abc import Mapping
from datetime import date, time
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import AuditbookError

Case = dict[str, Any]
TYPES = {
    "string": 'a text in quotes, like "this"',
    "boolean": "true or false",
    "integer": "a whole number",
    "array": "a list, like [1, 2]",
    "object": "a table, like { name = 1 }",
}


def read(path: Path) -> list[Case]:
    """The cases of a file as they are run: each with the defaults and groups that they share."""
    told = _told(path)
    _check_shape(told, path)
    shared = {"defaults": told.get("defaults", {}), "groups": told.get("groups", {})}
    cases = [{**copy.deepcopy(shared), **case} for case in told["cases"]]
    for case in cases:
        _check_use(case, path)
        if not case["expect"]:
            _check_change(case, path)
    for wanted, word in ((True, "match"), (False, "near miss")):
        if not any(bool(case["expect"]) is wanted for case in cases):
            raise AuditbookError(
                f"has no {word}.", path=path, hint="Each detector needs a match and a near miss."
            )
    return cases


def placed(error: AuditbookError, case: Mapping[str, Any], path: Path) -> AuditbookError:
    """The same error, which says also the case and its file."""
    where = f'case "{case["name"]}"' + (f" of {path.name}" if error.path else "")
    message = f"{where}: {error.message}"
    return AuditbookError(message, path=error.path or path, line=error.line, hint=error.hint)


def changed(case: Mapping[str, Any]) -> Case:
    """A near miss with the one value changed that makes it a match."""
    made = copy.deepcopy(dict(case))
    (place, value), *_ = case["becomes_match"].items()
    *parents, last = place.split(".")
    inner: Any = made
    for key in parents:
        inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
    inner[int(last) if isinstance(inner, list) else last] = value
    return made


def _told(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_bytes().decode())
    except UnicodeDecodeError as error:
        raise AuditbookError(f"is not UTF-8 (byte {error.start}).", path=path) from error
    except OSError as error:
        raise AuditbookError(f"cannot be read: {error.strerror}.", path=path) from error
    except tomllib.TOMLDecodeError as error:
        raise AuditbookError(f"is not TOML: {error}.", path=path) from error
    plain: dict[str, Any] = json.loads(json.dumps(found, default=_plain))
    return plain


def _plain(value: date | time) -> str:
    return value.isoformat()


def _check_shape(told: Mapping[str, Any], path: Path, inside: str = "") -> None:
    """Known keys, of the right types; `inside` is what of the case is looked at."""
    errors = sorted(_validator().iter_errors(told), key=lambda one: [str(part) for part in one.absolute_path])
    for error in errors[:1]:
        place = list(error.absolute_path)
        where = inside
        if place[:1] == ["cases"] and len(place) > 1:
            case = told["cases"][place[1]]
            name = case.get("name", place[1] + 1) if isinstance(case, dict) else place[1] + 1
            where, place = f"case {json.dumps(name, ensure_ascii=False)}: {inside}", place[2:]
        message, hint = _words(error, ".".join(map(str, place)))
        raise AuditbookError(f"{where}{message}", path=path, hint=hint)


def _words(error: Any, place: str) -> tuple[str, str | None]:
    """What is wrong, and how to mend it."""
    shown = json.dumps(error.instance, ensure_ascii=False)
    inside, place = (f"{place}.", f"{place}: ") if place else ("", "")
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = next(name for name in sorted(error.instance) if name not in known)
        return f"{inside}{unknown} is not known.", f"Known are: {', '.join(sorted(known))}."
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return f"{inside}{missing} is missing.", f"Each needs {', '.join(error.validator_value)}."
    if error.validator == "type":
        wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        return (
            f"{place}{shown} is not what is expected.",
            f"Expected {' or '.join(TYPES[one] for one in wanted)}.",
        )
    if error.validator in ("minimum", "maximum"):
        return f"{place}{shown} is out of range.", "Expected 0 to 1,000,000."
    if error.validator in ("minItems", "maxItems") and place.endswith("window: "):
        return f"{place}{shown} is not a window.", "Expected when it begins and when it ends."
    return f"{place}{shown} is empty.", "Give it a value or remove the line."


def _check_use(case: Case, path: Path) -> None:
    for name in case.get("use", []):
        if name not in case["groups"]:
            hint = f"Known are: {', '.join(sorted(case['groups'])) or 'none'}."
            raise placed(AuditbookError(f'use: "{name}" is not a group.', hint=hint), case, path)


def _check_change(case: Case, path: Path) -> None:
    """A near miss names one value that is there, or may be, and what it becomes may stand there."""
    if len(case.get("becomes_match", {})) != 1:
        hint = 'For example becomes_match = { "parameters.threshold" = 24 }.'
        message = "expects nothing, so it must name the one value that makes it a match."
        raise placed(AuditbookError(message, hint=hint), case, path)
    [place] = case["becomes_match"]
    try:
        made = changed(case)
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        hint = 'Its parts lead to one value of the case: "events.0.at" is that of its first event.'
        raise placed(
            AuditbookError(f"becomes_match: {place} is no place in it.", hint=hint), case, path
        ) from error
    shared = {name: made.pop(name) for name in ("defaults", "groups")}
    _check_shape({**shared, "cases": [made]}, path, "becomes_match: ")
    _check_use({**shared, **made}, path)


@cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads((importlib.resources.files("schemas") / "cases.schema.json").read_text("utf-8"))
    return jsonschema.Draft202012Validator(schema)
