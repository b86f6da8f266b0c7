"""Reads and checks one source mapping, and recognises which source a file's records are. Data for normalize."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import tomllib
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema

from pipeline.columns import EVENT_COLUMNS, VOCABULARIES
from pipeline.errors import AuditbookError, UsageError

# Columns that the engine fills itself; a mapping may not name them under [columns].
MADE_BY_ENGINE = frozenset(
    "event_uid source occurred_at occurred_at_raw time_precision tz_source source_event_id ip_key changes classes "
    "communications related_entities unmapped file file_sha256 line mapping_version schema_version parse_warnings "
    "conflicts_with".split()
)


@dataclass(frozen=True)
class Mapping:
    """One source: its id, what is said about it, and the rules that the engine compiles."""

    source: str
    title: str
    version: str
    about: Dictionary[str, Any]
    rules: Dictionary[str, Any]

    @property
    def keys(self) -> list[str]:
        return list(self.rules["recognise"]["keys"])

    @property
    def repeated(self) -> list[str]:
        return list(self.rules.get("record", {}).get("repeated", []))


def segments(path: str) -> list[str]:
    """The keys of a path: `a.b c` or, for keys with dots, the JSON pointer `/a.b/c`."""
    if path.startswith("/"):
        return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    return path.split(".")


def read(source: str, text: str, *, where: str) -> Mapping:
    """Check one mapping's text; an error names the place in it and what is allowed there."""
    try:
        rules = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AuditbookError(f"is not TOML: {error}.", path=where) from error
    problem = jsonschema.exceptions.best_match(_validator().iter_errors(rules))
    if problem is not None:
        raise AuditbookError(f"{_toml_path(problem.absolute_path)}: {problem.message}.", path=where)
    _check_columns(rules["columns"], where)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Mapping(source, rules["title"], f"{rules['version']}-{digest}", rules["about"], rules)


@cache
def shipped() -> dict[str, Mapping]:
    """Every mapping of the folder, by source id: the folder is the registry."""
    folder = importlib.resources.files("schemas") / "sources"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {
        f.name.removesuffix(".toml"): read(
            f.name.removesuffix(".toml"), f.read_text("utf-8"), where=f"schemas/sources/{f.name}"
        )
        for f in files
    }


def named(source: str) -> Mapping:
    """The mapping of a source id that somebody typed."""
    known = shipped()
    if source not in known:
        raise UsageError(f'"{source}" is not a known source.', hint=f"Known are: {', '.join(sorted(known))}.")
    return known[source]


def recognise(records: Sequence[Dictionary[str, Any]]) -> Mapping | None:
    """The one source whose keys the records have; None when none has them all or two fit equally well."""
    scores = _scores(records)
    best = [source for source, score in scores.items() if score >= 1]
    longest = max((len(shipped()[source].keys) for source in best), default=0)
    winners = [source for source in best if len(shipped()[source].keys) == longest]
    return shipped()[winners[0]] if len(winners) == 1 else None


def nearest(records: Sequence[Dictionary[str, Any]]) -> list[str]:
    """Source ids by how many of their keys the records have, best first; for the message when none fits."""
    scores = _scores(records)
    return [s for s in sorted(scores, key=lambda source: (-scores[source], source)) if scores[s] > 0][:3]


def _scores(records: Sequence[Dictionary[str, Any]]) -> dict[str, float]:
    """For each source the best share of its keys that any one of the records has."""
    return {
        source: max(
            (sum(_has(record, key) for key in mapping.keys) / len(mapping.keys) for record in records),
            default=0.0,
        )
        for source, mapping in shipped().items()
    }


def _has(record: Any, path: str) -> bool:
    for key in segments(path):
        if not isinstance(record, dict) or key not in record:
            return False
        record = record[key]
    return True


def _check_columns(columns: Dictionary[str, Any], where: str) -> None:
    for column, expression in columns.items():
        if column not in EVENT_COLUMNS or column in MADE_BY_ENGINE:
            allowed = ", ".join(name for name in EVENT_COLUMNS if name not in MADE_BY_ENGINE)
            raise AuditbookError(
                f"[columns] {column}: no such column.", path=where, hint=f"Allowed are: {allowed}."
            )
        if column in VOCABULARIES:
            for constant in _constants(expression):
                if constant not in VOCABULARIES[column]:
                    allowed = ", ".join(VOCABULARIES[column])
                    raise AuditbookError(
                        f'[columns] {column}: "{constant}" is not one of its values.',
                        path=where,
                        hint=f"Allowed are: {allowed}.",
                    )


def _constants(expression: Any) -> list[str]:
    """Every text that an expression can itself put in: constants, map results, else texts."""
    if not isinstance(expression, dict):
        return []
    found = [str(value) for value in expression.get("map", {}).values()]
    if "value" in expression and "list" not in expression:
        found.append(str(expression["value"]))
    if isinstance(expression.get("else"), str) and "map" in expression:
        found.append(expression["else"])
    nested = [*expression.get("first", []), *(case["then"] for case in expression.get("when", []))]
    nested += [expression[key] for key in ("of", "else") if isinstance(expression.get(key), dict)]
    return found + [constant for inner in nested for constant in _constants(inner)]


@cache
def _validator() -> Any:
    schema = json.loads((importlib.resources.files("schemas") / "mapping.schema.json").read_text("utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _toml_path(path: Any) -> str:
    return ".".join(str(part) for part in path) or "the file"
