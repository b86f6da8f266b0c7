"""The mapping language -> DuckDB SQL expressions over one parsed record. The compiler half of normalize.

Each record is parsed once: all paths of a mapping become two lists, `t` (their texts) and `j` (their JSON), and an
expression refers to them by position. Nothing of the data ever becomes SQL; texts of a mapping are quoted here.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from typing import Any

from pipeline.mapping import segments

MODIFIERS = {"match", "split", "as", "map"}
TESTS = ("is", "in", "matches", "exists")


def quote(text: object) -> str:
    """A SQL text literal."""
    return "'" + str(text).replace("'", "''") + "'"


def pointer(path: str) -> str:
    """The JSON pointer of a path."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in segments(path))


def blank_null(sql: str) -> str:
    """Text of nothing but white space is no value."""
    return f"CASE WHEN trim({sql}) <> '' THEN {sql} END"


def json_list(sql: str) -> str:
    """A JSON array as a list of JSON values, anything else as an empty list."""
    return f"(CASE WHEN json_type({sql}) = 'ARRAY' THEN CAST({sql} AS JSON[]) ELSE [] END)"


def text_list(sql: str) -> str:
    """A JSON array as a list of texts, one value as a list of it, null and blank as an empty list."""
    return (
        f"(CASE WHEN json_type({sql}) = 'ARRAY' THEN "
        f"list_filter(CAST({sql} AS VARCHAR[]), lambda x: x IS NOT NULL) "
        f"WHEN trim(json_extract_string({sql}, '$')) <> '' THEN [json_extract_string({sql}, '$')] ELSE [] END)"
    )


@dataclass
class Expressions:
    """Compiles expressions and conditions; remembers which paths were read."""

    columns: Dictionary[str, Any]
    paths: list[str] = field(default_factory=list)

    def slot(self, path: str) -> int:
        """The position of a path in `t` and `j`."""
        place = pointer(path)
        if place not in self.paths:
            self.paths.append(place)
        return self.paths.index(place) + 1

    def text(self, expression: Any) -> str:
        """SQL for the text of an expression."""
        if isinstance(expression, str):
            return "(" + blank_null(f"t[{self.slot(expression)}]") + ")"
        return "(" + self._modified(self._base(expression), expression) + ")"

    def json(self, expression: Any) -> str:
        """SQL for the JSON of an expression: the value at a path as it is, anything else as a JSON text."""
        if isinstance(expression, str):
            return f"j[{self.slot(expression)}]"
        if "object" in expression:
            return self._object(expression["object"])
        if set(expression) == {"path"}:
            return self.json(expression["path"])
        if MODIFIERS & set(expression):
            return f"to_json({self.text(expression)})"
        if "column" in expression:
            return self.json(self.columns[expression["column"]])
        if "first" in expression:
            return f"coalesce({', '.join(self.json(inner) for inner in expression['first'])})"
        if "when" in expression:
            return f"({self._cases(expression, self.json)})"
        if expression.get("json"):
            return self._embedded(expression)
        return f"to_json({self.text(expression)})"

    def _object(self, members: Dictionary[str, Any]) -> str:
        """A JSON object of the members that say something; what is inside a member stays as it is."""
        pairs = []
        for key, expression in members.items():
            value = self.json(expression)
            says = f"json_type({value}) NOT IN ('NULL', 'VARCHAR') OR trim(json_extract_string({value}, '$')) <> ''"
            pairs.append(f"CASE WHEN {says} THEN to_json({quote(key)}) || ':' || {value} END")
        told = f"list_filter([{', '.join(pairs)}], lambda pair: pair IS NOT NULL)"
        return (
            f"CASE WHEN len({told}) > 0 THEN CAST('{{' || array_to_string({told}, ',') || '}}' AS JSON) END"
        )

    def condition(self, condition: Dictionary[str, Any]) -> str:
        """SQL that is true or false, never null."""
        parts = []
        for joined, word in (("all", " AND "), ("any", " OR ")):
            if joined in condition:
                parts.append("(" + word.join(self.condition(inner) for inner in condition[joined]) + ")")
        if "not" in condition:
            parts.append(f"NOT {self.condition(condition['not'])}")
        subject = {
            key: condition[key] for key in ("path", "json", "inside", "of", "column") if key in condition
        }
        if subject:
            value = self._base(subject)
            parts += [self._test(value, test, condition[test]) for test in TESTS if test in condition]
        return "(" + " AND ".join(parts) + ")"

    def _test(self, value: str, test: str, wanted: Any) -> str:
        if test == "exists":
            return f"(({value}) IS {'NOT ' if wanted else ''}NULL)"
        if test == "matches":
            return f"coalesce(regexp_matches({value}, {quote(wanted)}), false)"
        texts = [_constant(w) for w in (wanted if test == "in" else [wanted])]
        return f"coalesce(({value}) IN ({', '.join(map(quote, texts))}), false)"

    def _base(self, expression: Dictionary[str, Any]) -> str:
        if "list" in expression:
            return self._looked_up(expression)
        if "value" in expression:
            return quote(_constant(expression["value"]))
        if "column" in expression:
            return self.text(self.columns[expression["column"]])
        if "first" in expression:
            return f"coalesce({', '.join(self.text(inner) for inner in expression['first'])})"
        if "when" in expression:
            return self._cases(expression, self.text)
        if "object" in expression:
            return f"CAST({self.json(expression)} AS VARCHAR)"
        if "of" in expression:
            return self.text(expression["of"])
        if expression.get("json"):
            return blank_null(f"json_extract_string({self._embedded(expression)}, '$')")
        return self.text(expression["path"])

    def _cases(self, expression: Dictionary[str, Any], compile_one: Callable[[Any], str]) -> str:
        cases = "".join(
            f" WHEN {self.condition({k: v for k, v in case.items() if k != 'then'})} THEN {compile_one(case['then'])}"
            for case in expression["when"]
        )
        otherwise = compile_one(expression["else"]) if "else" in expression else "NULL"
        return f"CASE{cases} ELSE {otherwise} END"

    def _looked_up(self, expression: Dictionary[str, Any]) -> str:
        objects = json_list(f"j[{self.slot(expression['list'])}]")
        found = (
            f"list_filter({objects}, lambda o: "
            f"json_extract_string(o, {quote(pointer(expression['key']))}) = {quote(expression['is'])})[1]"
        )
        return blank_null(f"json_extract_string({found}, {quote(pointer(str(expression['value'])))})")

    def _embedded(self, expression: Dictionary[str, Any]) -> str:
        """JSON that a product wrote as text inside its JSON."""
        parsed = f"TRY_CAST(t[{self.slot(expression['path'])}] AS JSON)"
        if "inside" in expression:
            return f"json_extract({parsed}, {quote(pointer(expression['inside']))})"
        return parsed

    def _modified(self, sql: str, expression: Dictionary[str, Any]) -> str:
        if "match" in expression:
            group = 1 if "(" in expression["match"] else 0
            sql = f"nullif(regexp_extract({sql}, {quote(expression['match'])}, {group}), '')"
        if "split" in expression:
            sql = _split(sql, expression["split"], expression["part"])
        if "as" in expression:
            sql = AS[expression["as"]](sql)
        if "map" in expression:
            cases = "".join(
                f" WHEN {quote(k)} THEN {quote(_constant(v))}" for k, v in expression["map"].items()
            )
            sql = f"CASE {sql}{cases} ELSE {_map_else(sql, expression.get('else'))} END"
        return sql


def _map_else(sql: str, otherwise: Any) -> str:
    if otherwise is None:
        return "NULL"
    if isinstance(otherwise, dict):
        return sql
    return f"CASE WHEN {sql} IS NOT NULL THEN {quote(otherwise)} END"


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
    return (
        f"CASE WHEN {word} LIKE '%ies' THEN regexp_replace({word}, 'ies$', 'y') "
        f"WHEN regexp_matches({word}, '(ch|sh|x|ss)es$') THEN regexp_replace({word}, 'es$', '') "
        f"WHEN regexp_matches({word}, '(ss|us|is)$') THEN {word} ELSE regexp_replace({word}, 's$', '') END"
    )


AS: Dictionary[str, Callable[[str], str]] = {
    "entity": _entity,
    "snake": _snake,
    "lower": lambda sql: f"lower({sql})",
    "mask": lambda sql: f"CASE WHEN contains({sql}, '*') THEN {sql} ELSE left({sql}, 4) || '****' END",
}


def _constant(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
