"""Bytes -> lines, each with its fate so far. First half of load; knows neither stores nor sources.

Evidence is judged strictly: what a JSON reader would repair or guess is a reject with a reason, and its bytes are kept.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import jiter
import msgspec.json
import pyarrow as pa

from pipeline.repeats import numbered

MAX_LINE_BYTES = 64 * 1024 * 1024
BLOCK_BYTES = 8 * 1024 * 1024
BLOCK_ROWS = 50_000  # of a table at most, but for the lines of one record
BOM = b"\xef\xbb\xbf"
TOO_LARGE = "a number is too large to be kept exactly."

_HUGE = re.compile(rb"[eE]\+?\d{2}|\d{300}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NOT_FINITE = re.compile(r"-?(NaN|Infinity)")
_COLUMN = re.compile(r"at line \d+ column (\d+)")

BLOCK_SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("byte_offset", pa.int64()),
        ("fate", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("raw", pa.string()),
        ("raw_bytes", pa.binary()),
        ("newline", pa.bool_()),
        ("line_sha256", pa.string()),
        ("record_sha256", pa.string()),
        ("ordinal", pa.int64()),
        ("record", pa.string()),
    ]
)


class Readable(Protocol):
    """What blocks are read from; one that had to stop early says why in `stopped`, at the end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Stopped:
    """Why a file was not read to its end: `truncated` or `bomb`, and the words for it."""

    reason: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """What one line is: `record` is the JSON text of a good one, `content` the hash of what it says."""

    fate: str
    reason: str | None = None
    message: str | None = None
    record: str | None = None
    content: str | None = None


CONTINUED = Verdict("blank", "continued")
EMPTY = Verdict("blank", "empty")


@dataclass
class Pieces:
    """Makes the rows of a file's pieces, one after another; keeps count of where it is and of equal records.

    `check` has the last word on a record: it may make a reject of it.
    """

    repeated: Sequence[str] = ()
    check: Callable[[Verdict], Verdict] = lambda verdict: verdict
    line: int = 0
    offset: int = 0
    # By 8 bytes of the record's hash, for memory; two that share them would still get different ordinals.
    equal: Counter[int] = field(default_factory=Counter)
    long: bool = False  # the beginning of the present line was over the limit

    def judged(self, raw: bytes) -> Verdict:
        """The verdict on the text of one record."""
        verdict = judge(raw, self.repeated)
        return self.check(verdict) if verdict.fate == "event" else verdict

    def row(self, raw: bytes, newline: bool, verdict: Verdict) -> dict[str, Any]:
        """The next piece. Equal are records whose texts are, whatever else stands on their lines."""
        self.line += 1
        text, undecodable = _as_text(raw)
        digest = same = hashlib.sha256(raw)
        if verdict.record is not None and verdict.record != text:
            same = hashlib.sha256(verdict.record.encode())
        short = int.from_bytes(same.digest()[:8])
        row = {
            "line": self.line,
            "byte_offset": self.offset,
            "fate": verdict.fate,
            "reason": verdict.reason,
            "message": verdict.message,
            "raw": text,
            "raw_bytes": undecodable,
            "newline": newline,
            "line_sha256": digest.hexdigest(),
            "record_sha256": verdict.content,
            "ordinal": self.equal[short],
            "record": verdict.record,
        }
        self.equal[short] += 1
        self.offset += len(raw) + newline
        return row

    def over(self, raw: bytes) -> tuple[bytes, list[dict[str, Any]]]:
        """What is over the limit of the line's beginning, as pieces, and the rest of it."""
        rows = []
        while len(raw) > MAX_LINE_BYTES:
            cut = _between_characters(raw, MAX_LINE_BYTES)
            rows.append(self.row(raw[:cut], False, CONTINUED if self.long else too_long()))
            raw, self.long = raw[cut:], True
        return raw, rows

    def ended(self, rows: list[dict[str, Any]], stopped: Stopped | None) -> list[dict[str, Any]]:
        """The last rows of a file; of one that was not read to its end the last row says so."""
        if stopped is not None and rows and rows[-1]["fate"] == "reject":
            rows[-1] |= {"reason": stopped.reason, "message": stopped.message}
        elif stopped is not None:
            rows.append(self.row(b"", False, _reject(stopped.reason, stopped.message)))
        return rows


@dataclass
class Splitter(Pieces):
    """Cuts a stream into blocks of judged lines; a line over the limit becomes several pieces."""

    def blocks(self, stream: Readable, block_bytes: int = BLOCK_BYTES) -> Iterator[pa.Table]:
        """Arrow tables of BLOCK_SCHEMA, in the order of the file; put together they are its bytes."""
        parts: list[bytes] = []  # of a line whose end has not come yet
        size = 0
        while chunk := stream.read(block_bytes):
            rows: list[dict[str, Any]] = []
            whole, newline, tail = chunk.rpartition(b"\n")
            if newline:
                for raw in b"".join([*parts, whole]).split(b"\n"):
                    rows += self._line(raw, True)
                    if len(rows) >= BLOCK_ROWS:
                        yield table(rows)
                        rows = []
                parts, size = [], 0
            if tail:
                parts.append(tail)
                size += len(tail)
            if size > MAX_LINE_BYTES:
                rest, pieces = self.over(b"".join(parts))
                rows += pieces
                parts, size = [rest], len(rest)
            if rows:
                yield table(rows)
        rows = self.ended(
            self._line(b"".join(parts), False) if parts else [], getattr(stream, "stopped", None)
        )
        if rows:
            yield table(rows)

    def _line(self, raw: bytes, newline: bool) -> list[dict[str, Any]]:
        raw, rows = self.over(raw)
        if self.long:
            self.long = False
            return [*rows, self.row(raw, newline, CONTINUED)]
        marked = self.line == 0 and raw.startswith(BOM)  # blanked, so that places in messages are the file's
        return [self.row(raw, newline, self.judged(b"   " + raw[3:] if marked else raw))]


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of pieces as a block."""
    return pa.Table.from_pylist(rows, schema=BLOCK_SCHEMA)


def too_long() -> Verdict:
    """What is said of a record over the limit."""
    return _reject("too_long", f"at most {MAX_LINE_BYTES:,} bytes are read as one record, this one has more.")


def _between_characters(raw: bytes, at: int) -> int:
    """At most this place, where no character of UTF-8 is cut in two."""
    return next((cut for cut in range(at, at - 4, -1) if not 0x80 <= raw[cut] < 0xC0), at)


def judge(raw: bytes, repeated: Sequence[str] = ()) -> Verdict:
    """Is this line one strict JSON object? If not, why not, and at which byte of the line."""
    if not raw.strip():
        return EMPTY
    if len(raw) > MAX_LINE_BYTES:
        return too_long()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return _reject("not_utf8", f"byte {error.start + 1} of the line is not UTF-8.")
    try:
        record = jiter.from_json(raw, catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError as error:
        return _judge_broken(text, str(error), repeated)
    if not isinstance(record, dict):
        return _reject("not_object", f"a record is a JSON object, this is {_kind(record)}.")
    if _HUGE.search(raw) and not _finite(record):
        return _reject("not_finite_number", TOO_LARGE)
    return Verdict("event", record=text, content=content_hash(record))


def content_hash(record: dict[str, Any]) -> str:
    """The same for records that say the same, whatever the order of their keys and their white space."""
    return hashlib.sha256(msgspec.json.encode(record, order="sorted")).hexdigest()


def _judge_broken(text: str, error: str, repeated: Sequence[str]) -> Verdict:
    where = _COLUMN.search(error)
    column = int(where.group(1)) if where else 0
    at = f"at byte {column} of the line"
    if error.startswith("Detected duplicate key"):
        if repeated and (apart := numbered(text, repeated)).added:
            verdict = judge(apart.text.encode())
            return replace(verdict, message=verdict.message and apart.as_written(verdict.message))
        key = error[error.index('"') + 1 : error.rindex('" at line')]
        return _reject(
            "duplicate_key", f'the key "{key}" comes twice, {at}; which of the two is meant is not known.'
        )
    if error.startswith("number out of range"):
        return _reject("not_finite_number", TOO_LARGE)
    if error.startswith("recursion limit"):
        return _reject("too_deep", "nested more than 200 deep.")
    if "hex escape" in error and _SURROGATE.search(text):
        return _reject("lone_surrogate", f"half of a surrogate pair {at} is not text.")
    if _NOT_FINITE.match(text.encode()[max(column - 2, 0) :].decode("utf-8", "replace").lstrip(":, [\t\r\n")):
        return _reject("not_finite_number", f"NaN and Infinity are not JSON numbers, {at}.")
    return _reject("not_json", f"{_COLUMN.sub('', error).strip()} {at}.")


def _as_text(raw: bytes) -> tuple[str | None, bytes | None]:
    try:
        return raw.decode("utf-8"), None
    except UnicodeDecodeError:
        return None, raw


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list) else True


def _kind(value: object) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _reject(reason: str, message: str) -> Verdict:
    return Verdict("reject", reason, message)
