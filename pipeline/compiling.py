"""The hook of the build: the C of scanning/ becomes scanning.so where a compiler is, and nothing is said where none is.

AUDITBOOK_COMPILED=0 leaves it out, as it does when loading.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FLAGS = ("-O2", "-std=c11", "-shared", "-fPIC")


class Compiling(BuildHookInterface):  # type: ignore[type-arg]
    """Asked by hatchling before it packs a wheel, an editable one included."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - its signature
        if self.target_name != "wheel":
            return
        library = compiled(Path(self.root) / "pipeline")
        if library is not None:
            build_data["artifacts"].append("pipeline/scanning.so")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def compiled(folder: Path) -> Path | None:
    """The library, made of the sources beside it; nothing without a compiler, or when it cannot."""
    library, made = folder / "scanning.so", folder / "scanning.new"
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is not None and os.environ.get("AUDITBOOK_COMPILED") != "0":
        sources = sorted(map(str, (folder / "scanning").glob("*.c")))
        command = [compiler, *FLAGS, "-o", str(made), *sources]
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return made.replace(library)
    made.unlink(missing_ok=True)
    library.unlink(missing_ok=True)
    return None
