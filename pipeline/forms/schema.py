"""A mapping's record schema: what its records must be, said by JSON Schema and judged by jsonschema. Part of load."""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema

from pipeline.lines import Verdict
from pipeline.mapping import Mapping

LONGEST = 300  # of a message: it quotes what the record has


def checker(mapping: Mapping | None) -> Callable[[Verdict], Verdict]:
    """What has the last word on a record: a reject when it is not what the mapping's schema says."""
    schema = mapping.rules.get("record", {}).get("schema") if mapping else None
    if schema is None:
        return lambda verdict: verdict
    validator = jsonschema.Draft202012Validator(schema)

    def check(verdict: Verdict) -> Verdict:
        error = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(verdict.record or "{}")))
        if error is None:
            return verdict
        said = error.message if len(error.message) <= LONGEST else error.message[:LONGEST] + "…"
        return Verdict("reject", "schema", f"{error.json_path}: {said}.")

    return check
