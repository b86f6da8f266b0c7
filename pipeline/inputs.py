"""What was typed -> the export files that it means, and their decompressed bytes. First step of load."""

from __future__ import annotations

import glob
import hashlib
import io
import lzma
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from pipeline.errors import AuditbookError, UsageError

LINES = (".jsonl", ".ndjson")
LATER = (".json", ".csv")
COMPRESSED = {"": None, ".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
READABLE = tuple(form + packed for form in LINES for packed in COMPRESSED)
EXPORTS = READABLE + tuple(form + packed for form in LATER for packed in COMPRESSED)


@dataclass(frozen=True)
class Input:
    """One file to load; `name` is what the ledger calls it, without the folders of this machine."""

    name: str
    path: Path
    in_folder: bool = False

    @property
    def readable(self) -> bool:
        return self.path.name.endswith(READABLE) or self.path.name == "stdin"

    def open(self) -> BinaryIO:
        """The decompressed bytes as a stream."""
        codec = COMPRESSED.get(self.path.suffix if self.path.suffix in COMPRESSED else "")
        if codec == "xz":
            return io.BufferedReader(lzma.open(self.path))
        if codec is not None:
            return io.BufferedReader(pa.input_stream(str(self.path), compression=codec))
        return self.path.open("rb")

    def sha256(self) -> str:
        """The hash of the decompressed bytes: the same export is the same whatever it was packed with."""
        digest = hashlib.sha256()
        try:
            with self.open() as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise AuditbookError(f"cannot be read: {error}.", path=self.path) from error
        return digest.hexdigest()


def find(exports: Sequence[str]) -> list[Input]:
    """Every export that the arguments mean, each file once, in the order given and by name within a folder."""
    if not exports:
        raise UsageError("nothing to load.", hint="Name files, folders or globs.")
    found = {item.path.resolve(): item for argument in exports for item in _expand(argument)}
    return list(found.values())


def _expand(argument: str) -> list[Input]:
    path = Path(argument)
    if argument == "-":
        return [_spooled()]
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        return [_named(path)]
    matches = sorted(glob.glob(argument, recursive=True))
    if not matches:
        raise UsageError("no such file or folder.", path=argument)
    return [item for match in matches if Path(match).is_file() for item in [_named(Path(match))]]


def _in_folder(folder: Path) -> list[Input]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.name.endswith(EXPORTS) and path.is_file() and not path.name.startswith(".")
    )
    if not files:
        raise UsageError(
            "has no exports in it.", path=folder, hint=f"Looked for {', '.join(LINES)}, also compressed."
        )
    return [Input(path.relative_to(folder).as_posix(), path, in_folder=True) for path in files]


def _named(path: Path) -> Input:
    found = Input(path.name, path)
    if not found.readable:
        raise UsageError(
            "is not a file of JSON lines.",
            path=path,
            hint=f"Readable are {', '.join(LINES)}, also .gz .zst .bz2 .xz.",
        )
    return found


def _spooled() -> Input:
    """Standard input, kept in a file of its own for the second reading; removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="auditbook-stdin-")
    _spools.append(folder)
    path = Path(folder.name) / "stdin"
    with path.open("wb") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
    return Input("stdin", path)


_spools: list[tempfile.TemporaryDirectory[str]] = []
