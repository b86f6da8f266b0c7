"""Reads and checks a detector file: a TOML header in the leading comment, then one SELECT. Part of detector.

A file that is wrong is an error with its line before anything runs. The folder is the registry.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.resources
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pipeline import dialect, headers, reach
from pipeline.columns import EVENT_COLUMNS
from pipeline.errors import AuditbookError, UsageError

Value = int | float | str | bool
REACHES = ("lookback", "lookahead", "habits")


@dataclass(frozen=True)
class Parameter:
    """A number or text of a rule that auditbook.toml may change."""

    default: Value
    unit: str
    meaning: str
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Detector:
    """One rule as its file says it; `path` is what errors call the file."""

    id: str
    title: str
    severity: str
    version: int
    why: str
    false_positives: str
    next_steps: str
    controls: Mapping[str, tuple[str, ...]]
    scope: str
    needs: tuple[str, ...]
    classes: tuple[str, ...]
    attack: tuple[str, ...]
    requires: tuple[str, ...]
    baseline_days: int
    baseline_parameter: str | None
    parameters: Mapping[str, Parameter]
    sql: str
    sha256: str
    path: str
    lookback: str = reach.ALL
    lookahead: str = "0 days"
    habits: str = "0 days"
    reads: str = "true"
    about: str = "person"
    error: str | None = None  # why it cannot be evaluated at all

    def span(self, name: str, chosen: Mapping[str, Value]) -> timedelta | None:
        """How far it looks back, ahead or into habits with these parameters; None is all there is."""
        units = {key: parameter.unit for key, parameter in self.parameters.items()}
        return reach.span(getattr(self, name), units, chosen)


def read(path: Path) -> Detector:
    """Read one detector file from disk."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AuditbookError(f"cannot be read: {error}.", path=path) from error
    return parse(text, name=path.stem, path=str(path))


@cache
def shipped() -> dict[str, Detector]:
    """Every detector of the folder, by id: the folder is the registry. The tests check them, not every night."""
    return {
        name: parse(text, name=name, path=f"pipeline/detectors/{name}.sql", check=False)
        for name, text in _texts().items()
    }


def hashes() -> dict[str, str]:
    """The sha256 of every detector of the folder as it is now, by id."""
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in _texts().items()}


def _texts() -> dict[str, str]:
    folder = importlib.resources.files("pipeline") / "detectors"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return {file.name.removesuffix(".sql"): file.read_text("utf-8") for file in files}


def parse(text: str, *, name: str, path: str, check: bool = True) -> Detector:
    """Read a detector's text; checked, an error names the line and how to mend it."""
    header = headers.read(text, path, "detector")[0] if check else tomllib.loads(text[2 : text.index("*/")])
    if check:
        _check_dialect(text, header, path)
        _check_names(text, header, path)
    baseline = header.get("baseline_days", 0)
    parameters = {key: Parameter(**value) for key, value in header.get("parameters", {}).items()}
    named = baseline if isinstance(baseline, str) else None
    texts = {
        key: " ".join(header[key].split())
        for key in ("title", "why", "false_positives", "next_steps", "scope")
    }
    return Detector(
        id=name, severity=header["severity"], version=header["version"],
        controls={key: tuple(values) for key, values in header["controls"].items()},
        needs=tuple(header["needs"]), classes=tuple(header.get("classes", [])),
        attack=tuple(header.get("attack", [])), requires=tuple(header.get("requires", [])),
        baseline_days=int(parameters[named].default) if named else baseline, baseline_parameter=named,
        parameters=parameters, sql=text, sha256=hashlib.sha256(text.encode()).hexdigest(), path=path, **texts,
        **{key: " ".join(header[key].split()) for key in (*REACHES, "reads", "about") if key in header},
    )  # fmt: skip


def values(detector: Detector, overrides: Mapping[str, object]) -> dict[str, Value]:
    """The parameters as they apply: the defaults, and what the configuration changes about them."""
    if detector.error:
        raise AuditbookError(detector.error)
    chosen = {name: parameter.default for name, parameter in detector.parameters.items()}
    for name, value in overrides.items():
        where = f"[detectors.{detector.id}] {name}:"
        if name not in chosen:
            near = difflib.get_close_matches(name, chosen, 1)
            hint = f"Known are: {', '.join(chosen) or 'none'}." + (
                f" Did you mean {near[0]}?" if near else ""
            )
            raise UsageError(f"{where} no such parameter.", hint=hint)
        chosen[name] = _checked(where, detector.parameters[name], value)
    return chosen


def _check_dialect(text: str, header: Mapping[str, Any], path: str) -> None:
    """The statement, and the conditions of the header, are in the dialect."""
    for problem in dialect.problems(text)[:1]:
        raise AuditbookError(problem.message, path=path, line=problem.line, hint=problem.hint)
    for key in ("scope", "reads"):
        for problem in dialect.problems(f"SELECT count(*) FROM events WHERE ({header.get(key, 'true')})")[:1]:
            line = headers.line_of(text, [key])
            raise AuditbookError(f"{key}: {problem.message}", path=path, line=line, hint=problem.hint)


def _check_names(text: str, header: Mapping[str, Any], path: str) -> None:
    """Declared and used parameters are the same, and columns are columns."""
    declared, used = set(header.get("parameters", {})), dialect.parameters(text)
    for name in sorted(used - declared):
        hint = f"Add [parameters.{name}] to the header."
        line = headers.line_where(text, rf"\${name}\b")
        raise AuditbookError(f"${name} is used but not declared.", path=path, line=line, hint=hint)
    for name in sorted(declared - used):
        line = headers.line_of(text, ["parameters", name])
        raise AuditbookError(f"the parameter {name} is declared but not used.", path=path, line=line)
    baseline = header.get("baseline_days", 0)
    if isinstance(baseline, str) and not isinstance(
        header["parameters"].get(baseline, {}).get("default"), int
    ):
        line = headers.line_of(text, ["baseline_days"])
        raise AuditbookError(f'baseline_days: "{baseline}" is not a parameter in days.', path=path, line=line)
    if not header.get("habits") and (
        word := re.search(r"\b(?:FROM|JOIN)\s+(habits|places)\b", text.partition("*/")[2])
    ):
        hint = 'For example habits = "baseline_days + 1 day".'
        raise AuditbookError(
            f"reads {word[1]}, but its header does not say how far back.", path=path, line=1, hint=hint
        )
    if named := dialect.parameters(f"SELECT ({header.get('reads', 'true')})"):
        message = f"reads: ${min(named)} is a parameter, which `reads` cannot have."
        raise AuditbookError(message, path=path, line=headers.line_of(text, ["reads"]))
    units = {key: str(value["unit"]) for key, value in header.get("parameters", {}).items()}
    for key in REACHES:
        if told := reach.problem(header.get(key, reach.ALL), units):
            raise AuditbookError(f"{key}: {told}.", path=path, line=headers.line_of(text, [key]))
    for column in (column for need in header["needs"] for column in alternatives(need)):
        if column not in EVENT_COLUMNS:
            line = headers.line_of(text, ["needs"])
            raise AuditbookError(f'needs: "{column}" is not a column of events.', path=path, line=line)


def alternatives(need: str) -> list[str]:
    """The columns any of which will do: "actor_id or actor_name"."""
    return need.split(" or ")


def _checked(where: str, parameter: Parameter, value: object) -> Value:
    """A configured value of the default's type and within its bounds."""
    wanted = type(parameter.default)
    whole = wanted is float and type(value) is int
    if type(value) is not wanted and not whole:
        kind = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[wanted]
        raise UsageError(f"{where} {json.dumps(value, default=str)} is not {kind} ({parameter.unit}).")
    low, high = parameter.minimum, parameter.maximum
    if isinstance(value, int | float) and not (
        (low is None or value >= low) and (high is None or value <= high)
    ):
        limits = {"at least": low, "at most": high}
        bounds = " and ".join(
            f"{word} {_plain(bound)}" for word, bound in limits.items() if bound is not None
        )
        raise UsageError(
            f"{where} {_plain(value)} is out of range.", hint=f"Expected {bounds} ({parameter.unit})."
        )
    return float(value) if whole else value  # type: ignore[arg-type, return-value]


def _plain(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
