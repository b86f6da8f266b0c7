"""SQL for what may be done to one value: quoting, splitting, spelling, looking up, counting. Of the compiler."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from typing import Any

NAMES = ("match", "split", "as", "map")


def quote(text: object) -> str:
    """A SQL text literal."""
    return "'" + str(text).replace("'", "''") + "'"


def constant(value: object) -> str:
    """How a constant of a mapping compares: as text."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def blank_null(sql: str) -> str:
    """Text of nothing but white space is no value."""
    return f"CASE WHEN trim({sql}) <> '' THEN {sql} END"


def json_list(sql: str) -> str:
    """A JSON array as a list of JSON values, one object as a list of it, anything else as an empty list."""
    kind = f"json_type({sql})"
    return f"(CASE {kind} WHEN 'ARRAY' THEN CAST({sql} AS JSON[]) WHEN 'OBJECT' THEN [{sql}]::JSON[] ELSE [] END)"


def text_list(sql: str) -> str:
    """A JSON array as a list of texts, one value as a list of it, null and blank as an empty list."""
    return (
        f"(CASE WHEN json_type({sql}) = 'ARRAY' THEN "
        f"list_filter(CAST({sql} AS VARCHAR[]), lambda x: x IS NOT NULL) "
        f"WHEN trim(json_extract_string({sql}, '$')) <> '' THEN [json_extract_string({sql}, '$')] ELSE [] END)"
    )


def length(sql: str) -> str:
    """How many members a JSON list or object has, as text."""
    return (
        f"CASE json_type({sql}) WHEN 'ARRAY' THEN json_array_length({sql})::VARCHAR "
        f"WHEN 'OBJECT' THEN len(json_keys({sql}))::VARCHAR END"
    )


def modified(sql: str, expression: Dictionary[str, Any]) -> str:
    """The text after the modifiers that an expression names, in their fixed order."""
    if "match" in expression:
        group = min(1, groups(expression["match"]))
        sql = f"nullif(regexp_extract({sql}, {quote(expression['match'])}, {group}), '')"
    if "split" in expression:
        sql = _split(sql, expression["split"], expression["part"])
    if "as" in expression:
        sql = AS[expression["as"]](sql)
    return sql


def mapped(sql: str, expression: Dictionary[str, Any]) -> str:
    """The text looked up in a map; `else` is for a text that is not in it, never for no text."""
    fold = expression.get("fold", False)
    cases = "".join(
        f" WHEN {quote(key.lower() if fold else key)} THEN {quote(constant(value))}"
        for key, value in expression["map"].items()
    )
    otherwise = expression.get("else")
    if otherwise is None:
        rest = "NULL"
    elif isinstance(otherwise, dict):
        rest = sql
    else:
        rest = f"CASE WHEN {sql} IS NOT NULL THEN {quote(otherwise)} END"
    return f"CASE {f'lower({sql})' if fold else sql}{cases} ELSE {rest} END" if cases else rest


def groups(pattern: str) -> int:
    """How many capturing groups a pattern has."""
    bare = re.sub(r"\[[^\]]*\]", "", re.sub(r"\\.", "", pattern))  # without escapes, then without classes
    return len(re.findall(r"\((?!\?)|\(\?P?<[A-Za-z]", bare))


def _split(sql: str, separator: str, part: int) -> str:
    at = f"strpos({sql}, {quote(separator)})"
    if part == 0:
        return f"CASE WHEN {at} > 0 THEN {blank_null(f'left({sql}, {at} - 1)')} ELSE {sql} END"
    return f"CASE WHEN {at} > 0 THEN {blank_null(f'substr({sql}, {at} + {len(separator)})')} END"


def _snake(sql: str) -> str:
    spaced = f"regexp_replace({sql}, '([a-z0-9])([A-Z])', '\\1_\\2', 'g')"
    return f"lower(regexp_replace(trim({spaced}), '[\\s\\-]+', '_', 'g'))"


def _entity(sql: str) -> str:
    """One thing's type: `PrintJobs`, `print_jobs` and `PRINT_JOB` are all `print_job`."""
    word = _snake(sql)
    for plural, singular in (("ies$", "y"), ("(ch|sh|x|ss)es$", "\\1"), ("([^sui])s$", "\\1")):
        word = f"regexp_replace({word}, '{plural}', '{singular}')"
    return word


def _host(sql: str) -> str:
    """The address of `10.0.0.1:443` and `[::1]:443`; any other text as it is."""
    return (
        f"regexp_replace(regexp_replace(trim({sql}), '^(\\d+\\.\\d+\\.\\d+\\.\\d+):\\d+$', '\\1'), "
        "'^\\[([^\\]]+)\\](:\\d+)?$', '\\1')"
    )


def _title(sql: str) -> str:
    """`user.account_created` reads `User Account Created`."""
    words = f"string_split_regex(trim({sql}), '[\\s_.\\-]+')"
    return (
        f"array_to_string(list_transform({words}, lambda w: upper(left(w, 1)) || lower(substr(w, 2))), ' ')"
    )


AS: Dictionary[str, Callable[[str], str]] = {
    "entity": _entity,
    "snake": _snake,
    "title": _title,
    "lower": lambda sql: f"lower({sql})",
    "upper": lambda sql: f"upper({sql})",
    "trim": lambda sql: f"nullif(trim({sql}), '')",
    "ip": _host,
    "mask": lambda sql: f"CASE WHEN contains({sql}, '*') THEN {sql} ELSE left({sql}, 4) || '****' END",
}
