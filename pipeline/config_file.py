"""auditbook.toml -> a checked dictionary; what is wrong is said with file, line and key. The reading half of config."""

from __future__ import annotations

import base64
import importlib.resources
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.hours import check_holidays, read_hours, suggestion, zone

Path_ = tuple[str | int, ...]

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
LARGEST_PICTURE = 300_000
TYPES = {
    "string": 'text in quotes, like "this"',
    "boolean": "true or false",
    "array": "a list, like [1, 2]",
    "object": "a table",
    "number": "a number",
}


def read_file(path: Path) -> dict[str, Any]:
    """The file's contents, checked."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError as error:
        raise UsageError(
            "does not exist.", path=path, hint="`auditbook init` writes one with comments."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 (byte {error.start}).", path=path) from error
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}.", path=path) from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(error, path, text) from error
    return check(raw, where=path, text=text)


def check(raw: Mapping[str, Any], *, where: object = None, text: str = "") -> dict[str, Any]:
    """The dictionary with dates as texts, or an error about the first thing that is wrong with it."""
    plain: dict[str, Any] = json.loads(json.dumps(raw, default=_plain))
    errors = sorted(_validator().iter_errors(plain), key=lambda e: (_place(e, text), str(e.message)))
    problem = (_key(errors[0]), *_words(errors[0])) if errors else next(_contradictions(plain, where), None)
    if problem is not None:
        place, message, hint = problem
        line = line_of(text, place) if text else None
        raise UsageError(f"{_name(place)}: {message}", path=where, line=line, hint=hint)
    return plain


def with_picture(report: Mapping[str, Any], where: Path | None) -> dict[str, Any]:
    """[report] with its logo as a data: address: what documents show does not depend on a file that may change."""
    logo = str(report.get("logo", ""))
    if not logo or logo.startswith("data:image/"):
        return dict(report)
    path = (where.parent if where else Path()) / logo
    kind = PICTURES.get(path.suffix.lower())
    if kind is None:
        raise UsageError(
            "is no picture that a report can show.", path=path, hint=f"Use {', '.join(PICTURES)}."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}.", path=path, hint="[report] logo names it."
        ) from error
    if len(content) > LARGEST_PICTURE:
        raise UsageError(f"has {len(content):,} bytes; a logo may have {LARGEST_PICTURE:,}.", path=path)
    return {**report, "logo": f"data:{kind};base64,{base64.b64encode(content).decode()}"}


def own_folder(table: Mapping[str, Any], where: object) -> Path | None:
    """The folder of [sources] path or [detectors] path, which is relative to the file that names it."""
    folder = Path(where).parent if isinstance(where, Path) else Path()
    return folder / table["path"] if "path" in table else None


def own_rules(folder: Path | None) -> list[Path]:
    """The files of the user's own rules; a hidden one is an editor's."""
    found = folder.glob("*.sql") if folder else ()
    return sorted(file for file in found if not file.name.startswith(".") and not file.is_dir())


def _contradictions(plain: dict[str, Any], where: object) -> Iterator[tuple[Path_, str, str | None]]:
    """What each key allows and the whole does not: a rule's parameters, and one spelling for two people."""
    if where is not None:  # what a store recorded names sources of a folder that may not be here
        yield from _unknown_sources(plain, where)
        for name, given in plain.get("sources", {}).items():
            if isinstance(given, dict) and "archive" in given and "retention" not in given:
                hint = "archive is what follows retention: say how long that is, too."
                yield ("sources", name, "archive"), "nothing is archived without a retention.", hint
    yield from _unknown_rules(plain, where)
    owners: dict[str, str] = {}
    for person, given in plain.get("actors", {}).items():
        for spelling in (person, *given.get("aliases", [])):
            owner = owners.setdefault(spelling.lower(), person)
            if owner != person:
                yield (
                    ("actors", person, "aliases"),
                    f'"{spelling}" is {owner} already.',
                    "An alias belongs to one person.",
                )


def _unknown_rules(plain: dict[str, Any], where: object) -> Iterator[tuple[Path_, str, str | None]]:
    """Rules that are not there, and parameters that they do not have; that a rule is broken is told when it runs."""
    given, folder = plain.get("detectors", {}), own_folder(plain.get("detectors", {}), where)
    if folder is not None and not folder.is_dir():
        if where is not None:
            hint = "It holds your own rules, one .sql a rule."
            yield ("detectors", "path"), f'"{folder}" is not a folder.', hint
        return
    known = {*_files("pipeline", "detectors", ".sql"), *(file.stem for file in own_rules(folder))}
    named: list[tuple[Path_, str]] = [(("detectors", name), name) for name in given if name != "path"]
    suppressed = enumerate(plain.get("suppressions", []))
    named += [(("suppressions", n, "detector"), one["detector"]) for n, one in suppressed]
    for place, name in named:
        if name not in known | ({"*"} if place[0] == "suppressions" else set()):
            yield place, f'"{name}" is not a known detector.', suggestion(name, known)
            return
    for name, settings in given.items():
        for parameter, value in settings.items() if name != "path" else ():
            if parameter not in ("enabled", "severity"):
                yield from _wrong_parameter(folder, name, parameter, value)


def _wrong_parameter(
    folder: Path | None, name: str, parameter: str, value: Any
) -> Iterator[tuple[Path_, str, str | None]]:
    from pipeline import detector, ownrules

    rule = ownrules.known(folder)[name]
    try:
        if not rule.error:
            detector.values(rule, {parameter: value})
    except UsageError as error:
        message = error.message.removeprefix(f"[detectors.{name}] {parameter}: ")
        yield ("detectors", name, parameter), message, error.hint


def _unknown_sources(plain: dict[str, Any], where: object) -> Iterator[tuple[Path_, str, str | None]]:
    folder = own_folder(plain.get("sources", {}), where)
    if folder is not None and not folder.is_dir():
        yield (
            ("sources", "path"),
            f'"{folder}" is not a folder.',
            "It holds your own mappings, one .toml a source.",
        )
        return
    known = {*_sources(), *(file.stem for file in (folder.glob("*.toml") if folder else ()))}
    named: list[tuple[Path_, str]] = [(("sources", n), n) for n in plain.get("sources", {}) if n != "path"]
    suppressed = enumerate(plain.get("suppressions", []))
    named += [(("suppressions", n, "source"), one["source"]) for n, one in suppressed if "source" in one]
    for place, name in named:
        if name not in known:
            yield place, f'"{name}" is not a known source.', suggestion(name, known)


def line_of(text: str, wanted: Path_) -> int | None:
    """The line on which a key stands; the nearest table above it when the key itself is not written."""
    places = _lines(text)
    while wanted and wanted not in places:
        wanted = wanted[:-1]
    return places.get(wanted)


@cache
def _lines(text: str) -> dict[Path_, int]:
    """Every key and table with its line: TOML says what is in a line, this only where the lines are."""
    places: dict[Path_, int] = {}
    table: Path_ = ()
    counts: dict[Path_, int] = {}
    inside: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if inside is not None:
            inside = None if inside in line else inside
            continue
        if header := re.match(r"\s*(\[\[?)([^\[\]]+)\]", line):
            table = _dotted(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            places.setdefault(table, number)
        elif assignment := re.match(
            r"""\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""", line
        ):
            places.setdefault((*table, *_dotted(assignment[1])), number)
            inside = next((q for q in ('"' * 3, "'" * 3) if line.count(q) == 1), None)
    return places


def _dotted(key: str) -> Path_:
    found: Any
    try:
        found = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return (key.strip(),)
    names: list[str | int] = []
    while isinstance(found, dict):
        name, found = next(iter(found.items()))
        names.append(name)
    return tuple(names)


def _not_toml(error: tomllib.TOMLDecodeError, path: Path, text: str) -> UsageError:
    said = str(error)
    line = re.search(r"\(at line (\d+), column (\d+)\)", said)
    what = (
        said[: line.start()].strip()
        if line
        else said.replace("(at end of document)", "at the end of the file")
    )
    number = int(line[1]) if line else len(text.splitlines()) or 1
    return UsageError(
        f"is not TOML: {what.rstrip('.')}.",
        path=path,
        line=number,
        hint='Texts stand in quotes: name = "value".',
    )


def _plain(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise UsageError(f'"{value}" is a time of day, which no setting takes.')


def _place(error: Any, text: str) -> int:
    return line_of(text, _key(error)) or 0


def _key(error: Any) -> Path_:
    """The path of the key that is at fault: one that is not known is named itself."""
    path: Path_ = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        return (*path, _unknown(error)[0])
    if "propertyNames" in error.absolute_schema_path:
        return (*path, error.instance)
    return path


def _unknown(error: Any) -> list[str]:
    return [name for name in error.instance if name not in error.schema.get("properties", {})]


def _name(place: Path_) -> str:
    """`[organization] timezone`: the table in brackets, then the key in it; `[[suppressions]] 2 until`."""
    if not place:
        return "the file"
    shown = [f'"{p}"' if isinstance(p, str) and not re.fullmatch(r"[\w-]+", p) else str(p) for p in place]
    if len(place) > 1 and isinstance(place[1], int):
        return " ".join([f"[[{shown[0]}]]", str(place[1] + 1), *shown[2:]])
    named = place[0] in ("sources", "detectors", "actors", "teams") and place[1:] != ("path",)
    depth = 2 if named and len(place) > 1 else 1
    table, key = shown[:depth], shown[depth:]
    return " ".join([f"[{'.'.join(table)}]", *([".".join(key)] if key else [])])


def _words(error: Any) -> tuple[str, str | None]:
    """What is wrong, and how to mend it."""
    shown = json.dumps(error.instance, ensure_ascii=False)
    if error.validator == "format":
        return error.cause.message, error.cause.hint
    if error.validator == "additionalProperties":
        return "is not a known key.", suggestion(_unknown(error)[0], error.schema["properties"])
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return f"has no {missing}.", f"Each needs {', '.join(error.validator_value)}."
    if error.validator == "type":
        wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        return f"{shown} is not what is expected.", f"Expected {' or '.join(TYPES[name] for name in wanted)}."
    if error.validator == "enum":
        return f"{shown} is not one of its values.", suggestion(str(error.instance), error.validator_value)
    return f"{shown} is empty.", "Give it a value or remove the line."


@cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads((importlib.resources.files("schemas") / "config.schema.json").read_text("utf-8"))
    formats = jsonschema.FormatChecker(formats=())
    for name, checked in FORMATS.items():
        formats.checks(name, raises=UsageError)(_texts_only(checked))
    return jsonschema.Draft202012Validator(schema, format_checker=formats)


def _texts_only(checked: Callable[[str], object]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or bool(checked(value) or True)


def _day(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f'"{text}" is not a day.', hint="Expected a date like 2027-03-31.") from error


def _span(text: str) -> None:
    if not re.fullmatch(r"[1-9]\d* (day|week|month|year)s?", text):
        raise UsageError(
            f'"{text}" is not a span of time.', hint='Expected something like "2 years" or "90 days".'
        )


def _files(package: str, folder: str, ending: str) -> list[str]:
    place = importlib.resources.files(package) / folder
    return [f.name.removesuffix(ending) for f in place.iterdir() if f.name.endswith(ending)]


def _sources() -> list[str]:
    return _files("schemas", "sources", ".toml")


FORMATS: dict[str, Callable[[str], object]] = {
    "zone": zone,
    "business-hours": read_hours,
    "holidays": check_holidays,
    "day": _day,
    "span": _span,
}
