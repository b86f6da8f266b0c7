"""PDF/A-3a and PDF/UA-1 as veraPDF sees them: what a file names, it must meet."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT

VERAPDF = ROOT / ".verapdf"
# Every standard that a file names (flavour 0), in one process: most of its time is its start.
COMMAND = (
    "java", "-XX:TieredStopAtLevel=1", "-cp", f"{VERAPDF}/*", "org.verapdf.apps.GreenfieldCliWrapper",
    "--format", "text", "--flavour", "0",
)  # fmt: skip


def need() -> None:
    """Skips where the validator is not."""
    if VERAPDF.is_dir() and shutil.which("java"):
        return
    if os.environ.get("AUDITBOOK_NO_VERAPDF"):
        pytest.xfail("veraPDF could not be fetched")
    pytest.skip("no veraPDF here: make verapdf fetches it (Java and Maven)")


def must_be_met(files: Mapping[str, bytes], folder: Path) -> None:
    """Both standards by each of the files, which names both."""
    need()
    paths = {name: folder / f"{name}.pdf" for name in files}
    for name, path in paths.items():
        path.write_bytes(files[name])
    done = subprocess.run([*COMMAND, *map(str, paths.values())], capture_output=True, text=True, check=False)
    told = sorted(tuple(line.split()) for line in done.stdout.splitlines())
    met = sorted(("PASS", str(path), flavour) for path in paths.values() for flavour in ("3a", "ua1"))
    assert told == met, (done.stdout, done.stderr)
