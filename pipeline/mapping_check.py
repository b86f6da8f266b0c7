"""What a mapping may say: its schema, vocabularies and patterns; an error names the place and what is allowed there."""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from difflib import get_close_matches
from functools import cache
from typing import Any

import duckdb

from pipeline import engine
from pipeline.columns import EVENT_COLUMNS, VOCABULARIES
from pipeline.errors import AuditbookError

# Columns that the engine fills itself; a mapping may not name them under [columns].
MADE_BY_ENGINE = frozenset(
    "event_uid source occurred_at occurred_at_raw time_precision tz_source source_event_id ip_key changes classes "
    "communications related_entities unmapped file file_sha256 line mapping_version schema_version parse_warnings "
    "conflicts_with".split()
)
# What an expression can begin from; each has exactly one.
BASES = frozenset("path of column value first when list list_where each concat length object".split())
OWN_VALUE = frozenset({"list", "list_where", "each"})  # in these `value` and `when` speak about the items


def check(rules: Dictionary[str, Any], where: str) -> None:
    """Raise the first thing that is wrong with a mapping's rules."""
    from jsonschema.exceptions import best_match

    errors = sorted(
        _validator().iter_errors(rules), key=lambda error: [str(part) for part in error.absolute_path]
    )
    if errors:
        worst = best_match(errors)
        raise AuditbookError(f"{_place(worst.absolute_path)}: {_words(worst)}", path=where)
    for column, expression in rules["columns"].items():
        _check_column(column, expression, where)
    for node in nodes(
        [rules[key] for key in ("columns", "changes", "related", "messages", "classes") if key in rules]
    ):
        _check_node(node, rules["columns"], where)
    _check_patterns(rules, where)
    _check_schema(rules, where)
    _check_graphs(rules, where)
    referred(rules, where)


def nodes(value: Any) -> Iterator[Dictionary[str, Any]]:
    """Every table inside a value of the language, itself included; what a map or an object is keyed by is data."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key != "map":
                yield from nodes(
                    list(inner.values()) if key == "object" and isinstance(inner, dict) else inner
                )
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def referred(rules: Dictionary[str, Any], where: str = "") -> list[list[str]]:
    """The columns that others refer to, in the order in which they can be made."""
    columns = rules["columns"]
    parts = [*columns.values(), *(rules[key] for key in ("changes", "related", "messages") if key in rules)]
    parts += rules.get("classes", {}).values()
    needed = {name for part in parts for name in _columns_in(part)}
    levels: list[list[str]] = []
    while needed:
        ready = sorted(name for name in needed if not needed & set(_columns_in(columns[name])))
        if not ready:
            circle = ", ".join(sorted(needed))
            raise AuditbookError(f"[columns] {circle}: each is made from the other.", path=where)
        levels.append(ready)
        needed -= set(ready)
    return levels


def _columns_in(expression: Any) -> list[str]:
    return [node["column"] for node in nodes(expression) if isinstance(node.get("column"), str)]


def _check_column(column: str, expression: Any, where: str) -> None:
    if column not in EVENT_COLUMNS or column in MADE_BY_ENGINE:
        allowed = ", ".join(name for name in EVENT_COLUMNS if name not in MADE_BY_ENGINE)
        raise AuditbookError(
            f"[columns] {column}: no such column.", path=where, hint=f"Allowed are: {allowed}."
        )
    for constant in _constants(expression) if column in VOCABULARIES else []:
        if constant not in VOCABULARIES[column]:
            allowed = ", ".join(VOCABULARIES[column])
            raise AuditbookError(
                f'[columns] {column}: "{constant}" is not one of its values.',
                path=where,
                hint=f"Allowed are: {allowed}.",
            )


def _check_node(node: Dictionary[str, Any], columns: Dictionary[str, Any], where: str) -> None:
    named = node.get("column")
    if isinstance(named, str) and named not in columns:
        raise AuditbookError(
            f'{{ column = "{named}" }}: the mapping does not make that column.', path=where,
            hint=f"It makes: {', '.join(columns)}.",
        )  # fmt: skip
    said = BASES & set(node)
    if OWN_VALUE & said:
        said -= {"value", "when"}
    if len(said) > 1 and not _is_condition(node) and "shape" not in node and "type" not in node:
        raise AuditbookError(
            f"{{ {' … '.join(f'{key} =' for key in sorted(said))} … }}: an expression begins from one of them.",
            path=where,
        )


def _is_condition(node: Dictionary[str, Any]) -> bool:
    return bool(
        {"all", "any", "not", "then", "in", "matches", "exists", "starts", "ends", "equals"} & set(node)
    )


def _constants(expression: Any) -> list[str]:
    """Every text that an expression can itself put in: constants, map results, else texts."""
    if not isinstance(expression, dict):
        return []
    found = [str(value) for value in expression.get("map", {}).values()]
    own = OWN_VALUE & set(expression)
    if "value" in expression and not own:
        found.append(str(expression["value"]))
    if isinstance(expression.get("else"), str) and "map" in expression:
        found.append(expression["else"])
    if "map" in expression:
        return found
    cases = expression.get("when", [])
    nested = [*expression.get("first", []), *([] if own else [case["then"] for case in cases])]
    nested += [expression[key] for key in ("of", "else") if isinstance(expression.get(key), dict)]
    nested += [expression["value"]] if own and "list" not in expression else []
    return found + [constant for inner in nested for constant in _constants(inner)]


def _check_graphs(rules: Dictionary[str, Any], where: str) -> None:
    """A status that a step leads to is one of the graph's own, so that a slip of the pen declares nothing."""
    for number, graph in enumerate(rules.get("transitions", []), start=1):
        for old, following in graph["steps"].items():
            for new in sorted(set(following) - set(graph["steps"])):
                near = get_close_matches(new, graph["steps"], 1)
                last = f"Add {json.dumps(new)} = [] for one that nothing follows."
                raise AuditbookError(
                    f'[[transitions]] {number} steps.{old}: "{new}" is not a status of the graph.',
                    path=where,
                    hint=f'Did you mean "{near[0]}"?' if near else last,
                )


def _check_patterns(rules: Dictionary[str, Any], where: str) -> None:
    patterns = [
        node[key] for node in nodes(rules) for key in ("match", "matches") if isinstance(node.get(key), str)
    ]
    if not patterns:
        return
    with engine.connect() as connection:
        tried = ", ".join(["regexp_matches('', ?)"] * len(patterns))
        try:
            connection.execute(f"SELECT {tried}", patterns)
        except duckdb.Error as error:
            for pattern in patterns:
                _check_pattern(connection, pattern, where)
            raise AuditbookError(f"a pattern cannot be used: {error}", path=where) from error


def _check_schema(rules: Dictionary[str, Any], where: str) -> None:
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(rules.get("record", {}).get("schema", {}))
    except jsonschema.SchemaError as error:
        place = ".".join(["record.schema", *map(str, error.absolute_path)])
        raise AuditbookError(f"{place}: {error.message}.", path=where) from error


def _check_pattern(connection: duckdb.DuckDBPyConnection, pattern: str, where: str) -> None:
    try:
        connection.execute("SELECT regexp_matches('', ?)", [pattern])
    except duckdb.Error as error:
        said = str(error).split(": ", 1)[-1].strip().rstrip(".")
        raise AuditbookError(
            f"the pattern {json.dumps(pattern)}: {said}.", path=where,
            hint="Patterns are RE2: no look-around, no references back.",
        ) from error  # fmt: skip


@cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads((importlib.resources.files("schemas") / "mapping.schema.json").read_text("utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _place(path: Any) -> str:
    """`[columns] action.map.created`, `[[related]] 2 type`, as TOML has it."""
    keys = [str(part + 1) if isinstance(part, int) else str(part) for part in path]
    if not keys:
        return "the file"
    if len(keys) == 1:
        return keys[0]
    if keys[0] in ("changes", "related", "messages", "transitions"):
        return " ".join([f"[[{keys[0]}]]", keys[1], *([".".join(keys[2:])] if keys[2:] else [])])
    return f"[{keys[0]}] {'.'.join(keys[1:])}"


def _words(error: Any) -> str:
    """What is wrong, and what is allowed instead."""
    shown = json.dumps(error.instance, ensure_ascii=False, default=str)
    wanted = error.validator_value
    if error.validator == "additionalProperties":
        allowed = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in allowed)
        near = get_close_matches(unknown, allowed, 1)
        return f'"{unknown}" is not a key here. ' + (
            f'Did you mean "{near[0]}"?' if near else f"Allowed are: {', '.join(allowed)}."
        )
    if error.validator in ("required", "dependentRequired"):
        return f"{re.sub(r' is a (required property|dependency of .*)$', ' is missing', error.message)}.".replace(
            "'", '"'
        )
    if error.validator == "enum":
        return f"{shown} is not one of {', '.join(map(str, wanted))}."
    if error.validator == "type":
        return f"{shown} is not {' or '.join(wanted if isinstance(wanted, list) else [wanted])}."
    if error.validator == "pattern":
        return f"{shown} is neither iso, epoch, epoch_s or epoch_ms nor a format with % in it."
    return f"{shown} is empty." if error.validator.startswith("min") else f"{error.message}."
