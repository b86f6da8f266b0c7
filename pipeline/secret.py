"""Keys that live outside the store: in a file, in the environment, or where a command gets them. Never shown."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import AuditbookError, UsageError

PATIENCE = 60.0  # seconds that a command may take


@dataclass(frozen=True)
class Kept:
    """Where a key is; the first that is given counts."""

    key: str | None = None
    key_env: str | None = None
    key_command: tuple[str, ...] = ()

    @property
    def wanted(self) -> bool:
        return bool(self.key or self.key_env or self.key_command)


def read(place: Kept, table: str, hint: str) -> tuple[bytes, str] | None:
    """The key and where it was found, or None when none is configured; one that cannot be had is an error."""
    if place.key:
        path = Path(place.key).expanduser()
        return file(path, hint), f"the key file {path}"
    if place.key_env:
        text = os.environ.get(place.key_env)
        if not text:
            raise UsageError(
                f"the environment has no {place.key_env}, which [{table}] key_env names.", hint=hint
            )
        return text.encode(), f"the environment's {place.key_env}"
    if place.key_command:
        return _output(place.key_command, table), f"what [{table}] key_command printed"
    return None


def file(path: Path, hint: str) -> bytes:
    """The bytes of a key's file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}.", path=path, hint=hint) from error


def _output(command: Sequence[str], table: str) -> bytes:
    try:
        done = subprocess.run(list(command), capture_output=True, check=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        raise AuditbookError(
            f"[{table}] key_command failed ({type(error).__name__}).", hint="Run it by hand to see why."
        ) from None  # what it printed may be the key
    return done.stdout
