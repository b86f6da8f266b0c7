"""Somebody outside is told of each new head, so that a chain that is cut later is found. After the commits are made.

Whatever commits says so here; the command, and `pipeline.run`, tell once at the end of the newest head.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import AuditbookError
from pipeline.signing import Signing

if TYPE_CHECKING:
    from pipeline.store import Commit

PATIENCE = 60.0

_owed: dict[Path, tuple[Commit, Signing]] = {}


def owe(store: Path, newest: Commit, settings: Signing | None) -> None:
    """Remember that a witness, if one is configured, is to be told of this commit."""
    if settings is not None and settings.witness:
        _owed[store] = (newest, settings)


def tell() -> None:
    """Run each configured command with the newest head on its standard input; that one failed is an error."""
    while _owed:
        _, (newest, settings) = _owed.popitem()
        told = {
            "commit": newest.number, "head": newest.head, "seal": newest.record["seal"],
            "signature": newest.record.get("signature"), "public_key": newest.record["run"].get("signed_with"),
        }  # fmt: skip
        _run(settings.witness, told)


def _run(command: tuple[str, ...], told: dict[str, Any]) -> None:
    try:
        subprocess.run(
            list(command), input=json.dumps(told) + "\n", text=True, capture_output=True, check=True, timeout=PATIENCE
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        code = getattr(error, "returncode", None)
        why = type(error).__name__ if code is None else f"exit {code}"
        raise AuditbookError(
            f"the witness was not told of head {told['head'][:12]} ({command[0]}: {why}).",
            hint="What was done is committed; the next run tells it the newest head.",
        ) from error
