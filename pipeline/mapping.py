"""Source mappings: what is known of a product and the rules that its records become events by. Data for normalize."""

from __future__ import annotations

import hashlib
import importlib.resources
import tomllib
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pipeline import mapping_check
from pipeline.errors import AuditbookError, UsageError
from pipeline.mapping_check import BASES
from pipeline.paths import segments

Base = Callable[[str], "Mapping | None"]


@dataclass(frozen=True)
class FirstKeys:
    """The first key of each path that a source is recognised by; folded, where its keys are spelled either way."""

    fold: bool
    unwrap: frozenset[str]  # any of these, and what is in it may have the others
    needed: frozenset[str]  # all of these
    either: frozenset[str]  # any of these, if there are some


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
        """What its records are recognised by, as people read it."""
        rules = self.rules["recognise"]
        values = [f"{path}={'|'.join(texts)}" for path, texts in rules.get("values", {}).items()]
        either = [" or ".join(rules["any"])] if "any" in rules else []
        return [*rules.get("keys", []), *values, *either]

    @cached_property
    def first_keys(self) -> FirstKeys:
        """What a record's own keys must be among, if it is to be one of this source's."""
        rules, options = self.rules["recognise"], self.rules.get("record", {})
        fold = bool(options.get("fold_keys", False))

        def firsts(paths: Iterable[str]) -> frozenset[str]:
            keys = (segments(path)[0] for path in paths)
            return frozenset(key.lower() if fold else key for key in keys)

        needed = firsts([*rules.get("keys", ()), *rules.get("values", ())])
        return FirstKeys(fold, firsts(options.get("unwrap", ())), needed, firsts(rules.get("any", ())))

    @property
    def repeated(self) -> list[str]:
        return list(self.rules.get("record", {}).get("repeated", []))

    @property
    def json_cells(self) -> list[str]:
        """The columns of its CSV that hold JSON as text."""
        return list(self.rules.get("record", {}).get("json_cells", []))


def read(source: str, text: str, *, where: str, base: Base = lambda _: None, check: bool = True) -> Mapping:
    """Read and check one mapping's text; an error names the place in it and what is allowed there."""
    try:
        rules = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AuditbookError(f"is not TOML: {error}.", path=where) from error
    digest = hashlib.sha256(text.encode())
    if "extends" in rules:
        below = base(str(rules["extends"]))
        if below is None:
            raise AuditbookError(f'extends: "{rules["extends"]}" is not a known source.', path=where)
        rules = laid_over(below.rules, rules)
        digest.update(below.version.encode())
    if check:
        mapping_check.check(rules, where)
    version = f"{rules['version']}-{digest.hexdigest()[:12]}"
    return Mapping(source, rules["title"], version, rules["about"], rules)


def laid_over(below: Dictionary[str, Any], above: Dictionary[str, Any]) -> dict[str, Any]:
    """One mapping's rules over another's: tables key by key, anything else replaced; a new expression replaces too."""
    made = dict(below)
    for key, value in above.items():
        old = made.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        made[key] = laid_over(old, value) if both and not (BASES & set(value)) else value  # type: ignore[arg-type]
    return made


@cache
def shipped() -> dict[str, Mapping]:
    """Every mapping of ours, by source id: the folder is the registry."""
    folder = importlib.resources.files("schemas") / "sources"
    texts = {
        f.name.removesuffix(".toml"): f.read_text("utf-8") for f in folder.iterdir() if _is_mapping(f.name)
    }
    # Ours are checked by the tests, not again whenever the command starts.
    return _read_all(texts, {}, "schemas/sources", check=False)


def known(folder: Path | None = None) -> dict[str, Mapping]:
    """Ours, and over them those of a folder of the user's own, as they are now."""
    if folder is None:
        return shipped()
    if not folder.is_dir():
        raise UsageError(
            "is not a folder.", path=folder, hint="[sources] path names the folder of your own mappings."
        )
    files = sorted(path for path in folder.iterdir() if _is_mapping(path.name))
    return _with_own(str(folder), tuple((path.stem, path.read_text("utf-8")) for path in files))


@cache
def _with_own(folder: str, texts: tuple[tuple[str, str], ...]) -> dict[str, Mapping]:
    own = _read_all(dict(texts), shipped(), folder, check=True)
    return dict(sorted({**shipped(), **own}.items()))


def named(source: str, folder: Path | None = None) -> Mapping:
    """The mapping of a source id that somebody typed."""
    found = known(folder)
    if source not in found:
        raise UsageError(f'"{source}" is not a known source.', hint=f"Known are: {', '.join(sorted(found))}.")
    return found[source]


def _read_all(
    texts: dict[str, str], below: dict[str, Mapping], where: str, *, check: bool
) -> dict[str, Mapping]:
    """Each mapping of a folder; one that extends another is read after it, whichever name comes first."""
    made: dict[str, Mapping] = {}

    def one(source: str, waiting: tuple[str, ...] = ()) -> Mapping | None:
        if source in waiting or (source not in texts and source not in below):
            return None
        # A mapping that extends its own name lays itself over ours.
        if source not in texts:
            return below[source]
        if source not in made:
            made[source] = read(
                source, texts[source], where=f"{where}/{source}.toml", check=check,
                base=lambda name: one(name, (*waiting, source)) or below.get(name),
            )  # fmt: skip
        return made[source]

    for source in sorted(texts):
        one(source)
    return dict(sorted(made.items()))


def _is_mapping(name: str) -> bool:
    return name.endswith(".toml") and not name.startswith(".")
