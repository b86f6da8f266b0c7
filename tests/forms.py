"""What the tests of the forms share: a form's rows, and the file again from them."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from pipeline.forms import Form
from pipeline.lines import BLOCK_SCHEMA, Stopped

Row = dict[str, Any]


class Cut(io.BytesIO):
    """A stream that had to stop early."""

    stopped = Stopped("truncated", "the gzip file is cut off at byte 9: what came before it was read.")


def rows(form: Form, content: bytes | io.BytesIO, block_bytes: int = 1 << 20) -> list[Row]:
    """Every piece, in order; that each table has the schema is asserted on the way."""
    found: list[Row] = []
    for block in form.blocks(io.BytesIO(content) if isinstance(content, bytes) else content, block_bytes):
        assert block.schema == BLOCK_SCHEMA
        found += block.to_pylist()
    return found


def told(found: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of some rows."""
    return [tuple(row[name] for name in columns) for row in found]


def put_together(found: list[Row]) -> bytes:
    """The file again, from what is kept of it."""
    parts = (row["raw"].encode() if row["raw_bytes"] is None else row["raw_bytes"] for row in found)
    return b"".join(part + b"\n" * row["newline"] for part, row in zip(parts, found, strict=True))


def must_be_whole(form: Form, found: list[Row], content: bytes) -> None:
    """What holds of every form and all bytes: nothing is lost, nothing counted twice, every fate has its reason."""
    assert hashlib.sha256(put_together(found)).hexdigest() == hashlib.sha256(content).hexdigest()
    assert (form.line, form.offset) == (len(found), len(content))
    offset = 0
    for number, row in enumerate(found, start=1):
        assert (row["line"], row["byte_offset"]) == (number, offset)
        offset += len(put_together([row]))
        assert (row["raw"] is None) != (row["raw_bytes"] is None)
        assert row["fate"] in ("event", "reject", "blank")
        assert (row["fate"] == "event") == (row["record"] is not None) == (row["record_sha256"] is not None)
        assert (row["fate"] == "event") == (row["reason"] is None)
        assert (row["fate"] == "reject") == (row["message"] is not None)
