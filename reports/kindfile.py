"""A file of kinds/ -> which parts a document of that kind has. The folder is the registry. Part of document."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What a file of kinds/ says."""

    name: str
    title: str
    about: str
    target: str
    plain: bool
    sections: tuple[Mapping[str, Any], ...]


@cache
def kinds() -> dict[str, Kind]:
    """The kinds that there are: the folder is the registry."""
    folder = importlib.resources.files("reports") / "kinds"
    files = sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
    return {name: _kind(name, one.read_text("utf-8")) for one in files if (name := one.name[: -len(".toml")])}


def _kind(name: str, text: str) -> Kind:
    said = tomllib.loads(text)
    return Kind(
        name,
        said["title"],
        said["about"],
        said.get("target", "none"),
        said.get("plain", False),
        tuple(said["sections"]),
    )
