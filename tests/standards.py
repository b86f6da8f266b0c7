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
COMMAND = ("java", "-cp", f"{VERAPDF}/*", "org.verapdf.apps.GreenfieldCliWrapper", "--format", "text")


def need() -> None:
    """Skips where the validator is not."""
    if VERAPDF.is_dir() and shutil.which("java"):
        return
    if os.environ.get("AUDITBOOK_NO_VERAPDF"):
        pytest.xfail("veraPDF could not be fetched")
    pytest.skip("no veraPDF here: make verapdf fetches it (Java and Maven)")


def must_be_met(files: Mapping[str, bytes], folder: Path) -> None:
    """Both standards by each of the files."""
    need()
    paths = [folder / f"{name}.pdf" for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    for flavour in ("3a", "ua1"):
        done = subprocess.run(
            [*COMMAND, "--flavour", flavour, *map(str, paths)], capture_output=True, text=True, check=False
        )
        told = {Path(line.split()[1]).stem: line.split()[0] for line in done.stdout.splitlines()}
        assert told == dict.fromkeys(files, "PASS"), (flavour, done.stdout, done.stderr)
