"""The mapping language -> DuckDB SQL expressions over one parsed record. The compiler half of normalize.

Each record is parsed once for all texts and once for all JSON values that a mapping reads: path n is the column `tn`
(blank is null) or `jn`. Inside a list the same paths are relative to an item, the variable of a lambda. Nothing of the
data ever becomes SQL; texts of a mapping are quoted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from pipeline.modifiers import (
    NAMES,
    blank_null,
    constant,
    json_list,
    length,
    mapped,
    modified,
    quote,
    text_list,
)  # fmt: skip
from pipeline.paths import pointer, segments

TESTS = ("is", "in", "matches", "exists", "starts", "ends", "equals", "type")
SUBJECT = ("path", "json", "inside", "of", "column")
JSON_TYPES = {
    "object": ("OBJECT",),
    "array": ("ARRAY",),
    "string": ("VARCHAR",),
    "number": ("BIGINT", "UBIGINT", "HUGEINT", "DOUBLE", "DECIMAL"),
    "boolean": ("BOOLEAN",),
    "null": ("NULL",),
}


_WRITTEN = re.compile(r"j\d+|coalesce\(j\d+(, j\d+)*\)")


@dataclass(eq=False)
class Items:
    """A list of the record's own and what is read of its members, by one reading for all who ask."""

    members: str
    texts: list[str] = field(default_factory=list)
    jsons: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """SQL: for each member what was asked for, as `text_1` (blank is null), `json_1` and so on."""
        read, fields = [], []
        for function, kind, places in (
            ("json_extract_string", "text", self.texts),
            ("json_extract", "json", self.jsons),
        ):
            if places:
                read.append(f"{kind}: {function}(o, [{', '.join(map(quote, places))}])")
            values = (f"m.{kind}[{n}]" for n in range(1, len(places) + 1))
            fields += [
                f"{kind}_{n}: {blank_null(value) if kind == 'text' else value}"
                for n, value in enumerate(values, 1)
            ]
        if not read:
            return self.members
        found = f"list_transform({self.members}, lambda o: {{{', '.join(read)}}})"
        return f"list_transform({found}, lambda m: {{{', '.join(fields)}}})"


@dataclass
class Expressions:
    """Compiles expressions and conditions; remembers which paths of the record and which keys at all were read."""

    columns: Dictionary[str, Any]
    texts: list[str] = field(default_factory=list)
    jsons: list[str] = field(default_factory=list)
    made_once: list[str | Items] = field(default_factory=list)
    lists: dict[str, Items] = field(default_factory=dict)
    tests: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    exact: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    item: str | None = None
    items: Items | None = None
    depth: int = 0

    @property
    def paths(self) -> list[str]:
        """Every path of the record that was read, texts first."""
        return [*self.texts, *(place for place in self.jsons if place not in self.texts)]

    def text_at(self, path: str) -> str:
        """SQL for the text at a path."""
        self.keys.update(segments(path))
        if self.items is not None:
            return f"{self.item}.text_{_position(self.items.texts, pointer(path))}"
        if self.item is not None:
            return f"({blank_null(f'json_extract_string({self.item}, {quote(pointer(path))})')})"
        return f"t{_position(self.texts, pointer(path))}"

    def json_at(self, path: str) -> str:
        """SQL for the JSON at a path."""
        self.keys.update(segments(path))
        if self.items is not None:
            return f"{self.item}.json_{_position(self.items.jsons, pointer(path))}"
        if self.item is not None:
            return f"json_extract({self.item}, {quote(pointer(path))})"
        return f"j{_position(self.jsons, pointer(path))}"

    def json_or_null_at(self, path: str) -> str:
        """The same where it matters whether a null is written or nothing at all."""
        if self.item is None:
            self.exact.add(pointer(path))
        return self.json_at(path)

    def once(self, sql: str | Items) -> str:
        """The name under which a value that many ask for is made once; a later one may use an earlier one."""
        return f"once_{_position(self.made_once, sql)}"

    def text_list(self, expression: Any) -> str:
        """SQL for an expression as a list of texts."""
        if isinstance(expression, dict) and "each" in expression:
            return self._each(expression)
        return text_list(self.json(expression))

    def inside(self, place: Any) -> tuple[Expressions, str]:
        """The compiler for one member of a list, whose paths start there, and SQL of the members."""
        found = self.json(place)
        members = json_list(found if isinstance(place, str) or self.item is not None else self.once(found))
        own = replace(self, item=f"o{self.depth}", items=None, depth=self.depth + 1)
        if self.item is not None:
            return own, members
        own.items = self.lists.setdefault(members, Items(members))
        return own, self.once(own.items)

    def text(self, expression: Any) -> str:
        """SQL for the text of an expression."""
        if isinstance(expression, str):
            return self.text_at(expression)
        sql = modified(self._base(expression), expression)
        if "map" not in expression:
            return f"({sql})"
        if self.item is None and "(" in sql:  # the engine would make it again for each key
            sql = self.once(sql)
        return f"({mapped(sql, expression)})"

    def before_map(self, expression: Dictionary[str, Any]) -> str:
        """SQL for the text that is about to be looked up in an expression's map."""
        return f"({modified(self._base(expression), expression)})"

    def json(self, expression: Any) -> str:
        """SQL for the JSON of an expression: the value at a path as it is, anything else as a JSON text."""
        if isinstance(expression, str):
            return self.json_at(expression)
        if "object" in expression:
            return f"CAST({self.object_text(expression['object'])} AS JSON)"
        if set(expression) == {"path"}:
            return self.json(expression["path"])
        if set(NAMES) & set(expression):
            return f"to_json({self.text(expression)})"
        if "column" in expression:
            return self._outside().json(self.columns[expression["column"]])
        if "first" in expression:
            return f"coalesce({', '.join(self.json(inner) for inner in expression['first'])})"
        if "each" in expression:
            return f"nullif(to_json({self._each(expression)}), '[]'::JSON)"
        if "list_where" in expression:
            return self._first_item(expression, lambda item: item.json(expression["value"]))
        if "when" in expression:
            return f"({self._cases(expression, self.json)})"
        return self._embedded(expression) if expression.get("json") else f"to_json({self.text(expression)})"

    def condition(self, condition: Dictionary[str, Any]) -> str:
        """SQL that is true or false, never null."""
        parts = []
        for joined, word in (("all", " AND "), ("any", " OR ")):
            if joined in condition:
                parts.append("(" + word.join(self.condition(inner) for inner in condition[joined]) + ")")
        if "not" in condition:
            parts.append(f"NOT {self.condition(condition['not'])}")
        subject = {key: condition[key] for key in SUBJECT if key in condition}
        if subject:
            parts += [self._test(subject, test, condition) for test in TESTS if test in condition]
        return "(" + " AND ".join(parts) + ")"

    def _test(self, subject: Dictionary[str, Any], test: str, condition: Dictionary[str, Any]) -> str:
        """One question about one value; of the record itself it is asked once, whatever is made of the answer."""
        asked = self._asked(subject, test, condition)
        if self.item is not None:
            return asked
        return f"test_{_position(self.tests, asked)}"

    def _asked(self, subject: Dictionary[str, Any], test: str, condition: Dictionary[str, Any]) -> str:
        wanted, fold = condition[test], condition.get("fold", False)
        if test == "type":
            kinds = ", ".join(map(quote, JSON_TYPES[wanted]))
            if wanted == "null" and isinstance(subject.get("path"), str):
                self.json_or_null_at(subject["path"])
            return f"coalesce(json_type({self.json(subject)}) IN ({kinds}), false)"
        value = self._base(subject)
        if test == "exists":
            return f"(({value}) IS {'NOT ' if wanted else ''}NULL)"
        if test == "matches":
            return f"coalesce(regexp_matches({value}, {quote(wanted)}), false)"
        if test == "equals":
            return f"coalesce(lower({value}) = lower({self.text(wanted)}), false)"
        value = f"lower({value})" if fold else f"({value})"
        texts = [constant(w) for w in (wanted if test == "in" else [wanted])]
        quoted = [quote(text.lower() if fold else text) for text in texts]
        if test in ("starts", "ends"):
            return f"coalesce({test}_with({value}, {quoted[0]}), false)"
        return f"coalesce({value} IN ({', '.join(quoted)}), false)"

    def _base(self, expression: Dictionary[str, Any]) -> str:
        if "list" in expression:
            where = {"path": expression["key"], "is": expression["is"], "fold": expression.get("fold", False)}
            return self._first_item(
                {"list_where": expression["list"], "when": where},
                lambda item: item.text(str(expression["value"])),
            )
        if "list_where" in expression:
            return self._first_item(expression, lambda item: item.text(expression["value"]))
        if "each" in expression:
            return f"CAST({self.json(expression)} AS VARCHAR)"
        if "value" in expression:
            return quote(constant(expression["value"]))
        if "column" in expression:
            return column_name(expression["column"])
        if "first" in expression:
            return f"coalesce({', '.join(self.text(inner) for inner in expression['first'])})"
        if "concat" in expression:
            parts = ", ".join(self.text(inner) for inner in expression["concat"])
            return f"nullif(concat_ws({quote(expression.get('with', ' '))}, {parts}), '')"
        if "length" in expression:
            return length(self.json(expression["length"]))
        if "when" in expression:
            return self._cases(expression, self.text)
        if "object" in expression:
            return self.object_text(expression["object"])
        if "of" in expression:
            return self.text(expression["of"])
        if expression.get("json"):
            return blank_null(f"json_extract_string({self._embedded(expression)}, '$')")
        return self.text_at(expression["path"])

    def _cases(self, expression: Dictionary[str, Any], compile_one: Callable[[Any], str]) -> str:
        asked = (
            (compile_one(case["then"]), self.condition({k: v for k, v in case.items() if k != "then"}))
            for case in expression["when"]
        )
        cases = "".join(
            f" WHEN {' OR '.join(condition for _, condition in same)} THEN {made}"
            for made, same in groupby(asked, itemgetter(0))
        )
        otherwise = compile_one(expression["else"]) if "else" in expression else "NULL"
        return f"CASE{cases} ELSE {otherwise} END"

    def _first_item(self, expression: Dictionary[str, Any], value: Callable[[Expressions], str]) -> str:
        item, members = self.inside(expression["list_where"])
        wanted = expression["when"]
        if self.item is None and wanted.keys() - {"fold"} == {
            "path",
            "is",
        }:  # each list of texts is made once
            names, fold = item.text_at(wanted["path"]), wanted.get("fold", False)
            text = constant(wanted["is"])
            names, text = (f"lower({names})", text.lower()) if fold else (names, text)
            texts, values = (
                self.once(f"list_transform({members}, lambda {item.item}: {sql})")
                for sql in (names, value(item))
            )
            return f"{values}[list_position({texts}, {quote(text)})]"
        found = f"list_filter({members}, lambda {item.item}: {item.condition(wanted)})[1:1]"
        return f"list_transform({found}, lambda {item.item}: {value(item)})[1]"

    def _each(self, expression: Dictionary[str, Any]) -> str:
        item, members = self.inside(expression["each"])
        if "when" in expression:
            members = f"list_filter({members}, lambda {item.item}: {item.condition(expression['when'])})"
        texts = f"list_transform({members}, lambda {item.item}: {item.text(expression['value'])})"
        return f"list_filter({texts}, lambda x: x IS NOT NULL)"

    def object_text(self, members: Dictionary[str, Any]) -> str:
        """SQL for the text of a JSON object of the members that say something; what is inside one stays as it is."""
        pairs = []
        for key, expression in members.items():
            value = self.json(expression)
            says = f"json_type({value}) NOT IN ('NULL', 'VARCHAR') OR trim(json_extract_string({value}, '$')) <> ''"
            # The engine's own writing need not be read again.
            if self.item is None and _WRITTEN.fullmatch(value):
                value = f"{value}::VARCHAR"
                says = f"""{value} <> 'null' AND {value} <> '""'
                  AND (NOT starts_with({value}, '" ') OR trim({value}, '" ') <> '')"""
            elif value.startswith("to_json("):  # made of a text, which is null when it says nothing
                says = f"{self.text(expression)} IS NOT NULL"
            pair = f"CASE WHEN {says} THEN {quote(_json_key(key))} || {value} END"
            pairs.append(pair if self.item is not None else f"part_{_position(self.parts, pair)}")
        return f"'{{' || nullif(concat_ws(',', {', '.join(pairs)}), '') || '}}'"

    def _embedded(self, expression: Dictionary[str, Any]) -> str:
        """JSON that a product wrote as text inside its JSON."""
        parsed = f"TRY_CAST({self.text_at(expression['path'])} AS JSON)"
        if "inside" in expression:
            self.keys.update(segments(expression["inside"]))
            return f"json_extract({parsed}, {quote(pointer(expression['inside']))})"
        return parsed

    def _outside(self) -> Expressions:
        return replace(self, item=None, items=None)


def column_name(column: str) -> str:
    """What a column that others refer to is called while the rest is made."""
    return f"c_{column}"


def _position(places: list[Any], place: Any) -> int:
    if place not in places:
        places.append(place)
    return places.index(place) + 1


def _json_key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False) + ":"
