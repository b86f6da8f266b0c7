"""xz, strictly: the standard reader drops whatever follows the last stream without a word. Part of load."""

from __future__ import annotations

import io
import lzma
from pathlib import Path
from typing import Any

CHUNK = 1 << 20


class Xz(io.RawIOBase):
    """The decompressed bytes of an .xz file of one or more streams; anything else after them is an error."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._stream = lzma.LZMADecompressor()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while True:
            packed = self._packed()
            if not packed and (self._stream.eof or self._stream.needs_input):
                return self._end()
            unpacked = self._stream.decompress(packed, len(buffer))
            if unpacked:
                buffer[: len(unpacked)] = unpacked
                return len(unpacked)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _packed(self) -> bytes:
        """More input when some is needed; a stream that has ended makes room for the next."""
        if not self._stream.eof:
            return self._file.read(CHUNK) if self._stream.needs_input else b""
        rest = self._stream.unused_data or self._file.read(CHUNK)
        if rest:
            self._stream = lzma.LZMADecompressor()
        return rest

    def _end(self) -> int:
        if not self._stream.eof:
            raise EOFError("the compressed file is cut off")
        return 0
