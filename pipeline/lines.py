"""Bytes -> lines, each with its fate so far. First half of load; knows neither stores nor sources.

Evidence is judged strictly: what a JSON reader would repair or guess is a reject with a reason, and its bytes are kept.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import jiter
import msgspec.json
import pyarrow as pa

MAX_LINE_BYTES = 64 * 1024 * 1024
# Of a line that is too long for a record the bytes are kept; what is longer than this is no file of lines.
LONGEST_KEPT = 512 * 1024 * 1024
BLOCK_BYTES = 8 * 1024 * 1024
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
    """What blocks are read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Verdict:
    """What one line is: `record` is the JSON text of a good one, `content` the hash of what it says."""

    fate: str
    reason: str | None = None
    message: str | None = None
    record: str | None = None
    content: str | None = None


@dataclass
class Splitter:
    """Cuts a stream into blocks of judged lines; keeps count of where it is and of equal lines."""

    repeated: Sequence[str] = ()
    line: int = 0
    offset: int = 0
    # By 8 bytes of the line's hash, for memory; two lines that share them would still get different ordinals.
    equal_lines: Counter[int] = field(default_factory=Counter)

    def blocks(self, stream: Readable, block_bytes: int = BLOCK_BYTES) -> Iterator[pa.Table]:
        """Arrow tables of BLOCK_SCHEMA, in the order of the file; put together they are its bytes."""
        parts: list[bytes] = []  # of a line whose end has not come yet
        while chunk := stream.read(block_bytes):
            whole, newline, tail = chunk.rpartition(b"\n")
            if newline:
                yield self._table(b"".join([*parts, whole]).split(b"\n"), ends_with_newline=True)
                parts = []
            parts += [tail] if tail else []
        if parts:
            yield self._table([b"".join(parts)], ends_with_newline=False)

    def _table(self, lines: list[bytes], ends_with_newline: bool) -> pa.Table:
        return pa.Table.from_pylist([self._row(raw, ends_with_newline) for raw in lines], schema=BLOCK_SCHEMA)

    def _row(self, raw: bytes, newline: bool) -> dict[str, Any]:
        self.line += 1
        marked = self.line == 1 and raw.startswith(BOM)  # blanked, so that places in messages are the file's
        verdict = judge(b"   " + raw[3:] if marked else raw, self.repeated)
        text, undecodable = _as_text(raw)
        digest = hashlib.sha256(raw)
        short = int.from_bytes(digest.digest()[:8])
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
            "ordinal": self.equal_lines[short],
            "record": verdict.record,
        }
        self.equal_lines[short] += 1
        self.offset += len(raw) + newline
        return row


def judge(raw: bytes, repeated: Sequence[str] = ()) -> Verdict:
    """Is this line one strict JSON object? If not, why not, and at which byte of the line."""
    if not raw.strip():
        return Verdict("blank", "empty")
    if len(raw) > MAX_LINE_BYTES:
        return _reject("too_long", f"{len(raw):,} bytes; at most {MAX_LINE_BYTES:,} are read as one record.")
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
        if repeated and (record := _number_repeated(text, repeated)) is not None:
            return Verdict(
                "event", record=json.dumps(record, ensure_ascii=False), content=content_hash(record)
            )
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
    if _NOT_FINITE.match(text.encode()[max(column - 2, 0) :].decode("utf-8", "replace").lstrip(":, [\t")):
        return _reject("not_finite_number", f"NaN and Infinity are not JSON numbers, {at}.")
    return _reject("not_json", f"{_COLUMN.sub('', error).strip()} {at}.")


def _number_repeated(text: str, repeated: Sequence[str]) -> dict[str, Any] | None:
    """The record with its repeated top-level keys told apart; None when another key comes twice."""
    nested_twice = False

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal nested_twice
        record: dict[str, Any] = {}
        seen: Counter[str] = Counter()
        for key, value in found:
            seen[key] += 1
            nested_twice = nested_twice or (seen[key] > 1 and key not in repeated)
            record[key if seen[key] == 1 else f"{key}__{seen[key]}"] = value
        return record

    try:
        record = json.loads(text, object_pairs_hook=pairs)
    except ValueError:
        return None
    return None if nested_twice or not isinstance(record, dict) else record


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
