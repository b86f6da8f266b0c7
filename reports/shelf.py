"""Where finished documents are put: a folder a day, private, atomic, and never over another document."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

from pipeline.errors import AuditbookError

Document = Callable[[], bytes]


def place(out: Path, day: str, documents: Mapping[str, Document]) -> list[Path]:
    """Write each document as it is made, so that what came before a failure is there to read."""
    made: dict[str, bytes] = {}
    written: list[Path] = []
    folder = out / day
    for name, document in documents.items():
        try:
            made[name] = document()
        except AuditbookError as error:
            if not written:
                raise
            raise AuditbookError(str(error), hint=f"Written: {', '.join(map(str, written))}.") from error
        folder = _folder(out, day, made)
        written = [_write(folder / each, content) for each, content in made.items()]
    return written


def _folder(out: Path, day: str, made: Mapping[str, bytes]) -> Path:
    """The first of `day`, `day-2`, … where no document of these names says something else."""
    for number in count(1):
        folder = out / (day if number == 1 else f"{day}-{number}")
        if all(_same(folder / name, content) is not False for name, content in made.items()):
            return folder
    raise AssertionError("counting does not end")


def _same(path: Path, content: bytes) -> bool | None:
    """None when there is nothing yet."""
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AuditbookError(
            f"cannot be read: {error.strerror}.", path=path, hint="Give another --out."
        ) from error


def _write(path: Path, content: bytes) -> Path:
    """Complete under another name first, then linked into place: a link never replaces."""
    if _same(path, content):
        return path
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{path.name}-", dir=path.parent
        )  # 0600 whatever the umask
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        finally:
            Path(temporary).unlink()
    except OSError as error:
        raise AuditbookError(
            f"cannot be written: {error.strerror}.", path=path, hint="Give another --out."
        ) from error
    return path
