"""Presets: filters under a name, ours and those of the config. Read by query."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from pipeline.errors import UsageError

WHO = ("actor", "newcomer")  # two ways of saying who: the one that was typed holds


@cache
def shipped() -> Mapping[str, Mapping[str, Any]]:
    """Ours."""
    return tomllib.loads((importlib.resources.files("pipeline") / "presets.toml").read_text("utf-8"))


def laid_under(given: Mapping[str, object], own: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    """What was asked, with what its presets say where nothing was typed."""
    names = given.get("preset")
    asked = {name: value for name, value in given.items() if name != "preset"}
    for name in [names] if isinstance(names, str) else list(names or ()):  # type: ignore[call-overload]
        typed = {key for key, value in asked.items() if value not in (None, [], (), False)}
        if typed & set(WHO):
            typed |= set(WHO)
        if "on" in typed:
            typed |= {"since", "until"}
        said = {key: value for key, value in named(name, own).items() if key != "about"}
        asked |= {key: value for key, value in said.items() if key not in typed}
    return asked


def named(name: str, own: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The preset of a name that somebody typed; their own win over ours."""
    known = {**shipped(), **own}
    if name not in known:
        shown = name if len(name) <= 60 else f"{name[:59]}…"
        raise UsageError(f'"{shown}" is no preset.', hint=f"Known are: {', '.join(sorted(known))}.")
    return known[name]
