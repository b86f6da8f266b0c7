"""What works on this machine, and how to mend what does not. Looks, and changes nothing."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from pipeline.errors import AuditbookError

PANGO = "Debian, Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; macOS: brew install pango."
INSTALL = "pip install --upgrade auditbook"
OLDEST = (3, 11)
FONTS = ("fontpkg-ibm-plex-sans", "fontpkg-ibm-plex-mono")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: ok, note (works without) or missing."""

    what: str
    state: str
    found: str
    mend: str | None = None


def examine(store: Path) -> list[Check]:
    """Everything that auditbook needs, in the order in which it needs it."""
    return [
        _python(), *_libraries(), _compiled(), _zones(), _pango(), *_fonts(), _notebooks(), _store(store)
    ]  # fmt: skip


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if tuple(sys.version_info) < OLDEST:
        return Check("python", "missing", version, "auditbook needs Python 3.11 or newer.")
    return Check("python", "ok", version)


def _libraries() -> list[Check]:
    """Every library that the package asks for, as its own metadata says."""
    asked = [line for line in metadata.requires("auditbook") or [] if "extra ==" not in line]
    names = sorted(re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in asked)
    return [_library(name) for name in names if name not in FONTS]


def _library(name: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "missing", "not installed", f"{INSTALL}, or pip install {name}.")


def _compiled() -> Check:
    from pipeline import compiled

    if compiled.library() is not None:
        return Check("judge of lines", "ok", "compiled")
    if compiled.LIBRARY.is_file():
        return Check(
            "judge of lines", "note", "in Python: the compiled one does not work here or is switched off"
        )
    return Check(
        "judge of lines", "note", "in Python, which loads slower",
        "With a C compiler, install auditbook again from its source.",
    )  # fmt: skip


def _zones() -> Check:
    from pipeline.hours import zone, zone_names

    try:
        zone("America/New_York")
    except (AuditbookError, OSError, ModuleNotFoundError) as error:
        return Check("time zones", "missing", str(error), "pip install tzdata")
    return Check("time zones", "ok", f"{len(zone_names())} zones, tzdata {metadata.version('tzdata')}")


def _pango() -> Check:
    """WeasyPrint loads Pango when it is imported, and says so in its own words when it cannot."""
    try:
        importlib.import_module("weasyprint")
        pango = importlib.import_module("weasyprint.text.ffi").pango.pango_version()
    except (ImportError, OSError) as error:
        return Check("pango", "missing", f"no PDF, only HTML: {str(error).splitlines()[0]}", PANGO)
    return Check("pango", "ok", f"{pango // 10_000}.{pango // 100 % 100}.{pango % 100}")


def _fonts() -> list[Check]:
    return [_library(name) for name in FONTS]


def _notebooks() -> Check:
    try:
        return Check("notebooks", "ok", f"ipykernel {metadata.version('ipykernel')}")
    except metadata.PackageNotFoundError:
        return Check("notebooks", "note", "no Jupyter here", "pip install 'auditbook[notebook]' brings it.")


def _store(place: Path) -> Check:
    from pipeline import store as stores

    if not stores.exists(place):
        return Check("store", "note", f"{place}: none yet", "`auditbook run EXPORT…` makes one.")
    try:
        chain = stores.commits(place)
    except AuditbookError as error:
        return Check("store", "missing", str(error), None)
    return Check("store", "ok", f"{place}: {len(chain)} commits, head {stores.head(place)[:12]}")
