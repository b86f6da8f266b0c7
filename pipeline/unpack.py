"""A packed file -> its bytes, as far as they can be had; what stopped them is said, never passed over. Part of load."""

from __future__ import annotations

import bz2
import lzma
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from isal import igzip_lib

from pipeline.limits import Limits
from pipeline.lines import Stopped

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKED = 64 * 1024
UNPACKED = 1 << 20
READ = ": what came before it was read."
_ISAL: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # its stubs call it an instance
DAMAGED = (OSError, EOFError, lzma.LZMAError, _ISAL, zstd.ZstdError)


class Unpacker(Protocol):
    """What reads one member; bz2's interface, which the others follow."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


@dataclass(frozen=True)
class Codec:
    """How one kind of packed file is read: its name, how its members begin, and whether zeros may fill up its end."""

    name: str
    begins: tuple[bytes, ...]
    unpacker: Callable[[], Unpacker]
    filled_up: bool = False

    def begun_by(self, head: bytes) -> bool:
        """Whether a member begins so, as far as there is one."""
        return any(head[: len(magic)] == magic[: len(head)] for magic in self.begins)


CODECS = {
    ".gz": Codec(
        "gzip", (b"\x1f\x8b",), lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP), True
    ),
    ".zst": Codec(
        "zstd",
        (b"\x28\xb5\x2f\xfd", *(bytes([n]) + b"\x2a\x4d\x18" for n in range(0x50, 0x60))),
        zstd.ZstdDecompressor,
    ),
    ".bz2": Codec("bzip2", (b"BZh",), bz2.BZ2Decompressor),
    ".xz": Codec("xz", (b"\xfd7zXZ\x00",), lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ), True),
}


class Unpacked:
    """The bytes of a packed file of one or more members. `stopped` says why there are no more than were given."""

    def __init__(self, file: BinaryIO, codec: Codec, limits: Limits) -> None:
        self._file, self._codec, self._limits = file, codec, limits
        self._waiting = b""  # read from the file, not yet given to an unpacker
        self._given = b""
        self._chunks = self._within_limits()
        self.stopped: Stopped | None = None

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end."""
        parts: list[bytes] = []
        while size > 0 and (chunk := self._given or next(self._chunks, b"")):
            parts.append(chunk[:size])
            self._given = chunk[size:]
            size -= len(parts[-1])
        return b"".join(parts)

    def _within_limits(self) -> Iterator[bytes]:
        """The bytes in steps that do not depend on how they are read: what is over the limits is never given out."""
        given = 0
        for chunk in self._members():
            expanded, packed, limits = given + len(chunk), self._file.tell(), self._limits
            over = f"more than {limits.max_expanded:,} bytes ([load] max_expanded)"
            if expanded <= limits.max_expanded:
                over = f"more than {limits.max_ratio:,} times its size ([load] max_ratio)"
                if expanded <= max(limits.ratio_from, limits.max_ratio * packed):
                    yield chunk
                    given = expanded
                    continue
            self.stopped = Stopped(
                "bomb", f"the file expands to {over}; nothing after byte {given:,} was read."
            )
            return

    def _members(self) -> Iterator[bytes]:
        first = True
        while self._member_follows(first):
            yield from self._member()
            if self.stopped:
                return
            first = False

    def _member_follows(self, first: bool) -> bool:
        """Whether there is another member; what is no member and no filling is said."""
        head = self._waiting
        while len(head) < 6 and (more := self._file.read(PACKED)):
            head += more
        if self._codec.filled_up and not first:
            while head and not (head := head.lstrip(b"\0")):
                head = self._file.read(PACKED)
        self._waiting = head
        if not head and not first:
            return False
        if head and self._codec.begun_by(head):
            return True
        where = f"after byte {self._place(head):,} of the packed file"
        what = (
            f"is no {self._codec.name} file"
            if first
            else f"has something that is not {self._codec.name} {where}"
        )
        if first:
            raise EOFError(f"it {what}")
        self.stopped = Stopped("truncated", f"the file {what}; nothing behind it was read.")
        return False

    def _place(self, rest: bytes) -> int:
        return self._file.tell() - len(rest)

    def _member(self) -> Iterator[bytes]:
        began = self._place(self._waiting)
        unpacker, given, before, chunk = self._codec.unpacker(), 0, 0, b""
        while not unpacker.eof:
            if unpacker.needs_input:
                before += len(chunk)
                chunk, self._waiting = self._waiting or self._file.read(PACKED), b""
                if not chunk:
                    self.stopped = self._cut(self._file.tell())
                    return
            try:
                made = unpacker.decompress(chunk if unpacker.needs_input else b"", UNPACKED)
            except DAMAGED as error:
                yield from self._rescued(began, before, given, chunk)
                self.stopped = self._damaged(error, began + before)
                return
            given += len(made)
            if made:
                yield made
        self._waiting = unpacker.unused_data

    def _rescued(self, began: int, before: int, given: int, chunk: bytes) -> Iterator[bytes]:
        """What can still be had of a damaged member: first its bytes `before` as they were, then byte by byte."""
        unpacker, made = self._codec.unpacker(), 0
        self._file.seek(began)
        try:
            packed = self._again(before, chunk)
            while True:
                piece = unpacker.decompress(next(packed) if unpacker.needs_input else b"", UNPACKED)
                if new := piece[max(given - made, 0) :]:
                    yield new
                made += len(piece)
        except DAMAGED:
            return

    def _again(self, before: int, chunk: bytes) -> Iterator[bytes]:
        while before > 0:
            part = self._file.read(min(PACKED, before))
            before -= len(part)
            yield part
        yield from (chunk[n : n + 1] for n in range(len(chunk)))

    def _cut(self, at: int) -> Stopped:
        return Stopped(
            "truncated",
            f"the {self._codec.name} file is cut off at byte {at:,}{READ}",
        )

    def _damaged(self, error: Exception, after: int) -> Stopped:
        return Stopped(
            "truncated",
            f"the {self._codec.name} file is damaged after byte {after:,} ({error}){READ}",
        )
