"""CSV -> judged lines: a header, then records of texts, by RFC 4180 and no looser. Part of load.

A record is one JSON object, named by the header; a name that comes again is numbered, as `repeated` numbers keys.
A record over several lines is counted at its first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jiter
import msgspec.json
import pyarrow as pa

from pipeline import lines
from pipeline.lines import (
    BLOCK_BYTES,
    BLOCK_ROWS,
    BOM,
    CONTINUED,
    EMPTY,
    Pieces,
    Readable,
    Stopped,
    Verdict,
    content_hash,
    table,
)
from pipeline.mapping import Mapping
from pipeline.marks import score

DELIMITERS = (b",", b";", b"\t")
HEADER = Verdict("blank", "header")
_QUOTED = re.compile(rb'"((?:[^"]++|"")*+)"')
_PLAIN = {delimiter: re.compile(rb'[^"\r\n' + delimiter + rb"]*") for delimiter in DELIMITERS}
_SEPARATOR = re.compile(rb"(?i)sep=([,;\t])\r?")


@dataclass(frozen=True)
class _Cells:
    """A record that is whole: its cells, and where it ends, before its newline."""

    cells: list[bytes]
    end: int


@dataclass(frozen=True)
class _Broken:
    """What is no CSV: where, and the words for it."""

    at: int
    what: str


_Parsed = _Cells | _Broken | None  # None: its end has not been read yet


@dataclass
class Csv(Pieces):
    """Cuts a stream of CSV into blocks of judged lines."""

    mapping: Mapping | None = None
    delimiter: bytes | None = None
    header: list[bytes] | None = None
    names: Sequence[str] = ()
    unnamed: int = 0  # the line of a header that could not be read
    stopped: Stopped | None = None
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def blocks(self, stream: Readable, block_bytes: int = BLOCK_BYTES) -> Iterator[pa.Table]:
        """Arrow tables of lines.BLOCK_SCHEMA, in the order of the file; put together they are its bytes."""
        data, more = b"", True
        while more:
            chunk = stream.read(block_bytes)
            more = bool(chunk)
            if not more:
                self.stopped = getattr(stream, "stopped", None)
            data += chunk
            data = data[self._records(data, not more) :]
            while len(self._rows) >= BLOCK_ROWS:
                rows, self._rows = self._rows, []
                yield table(rows)
                data = data[self._records(data, not more) :]
            rows, self._rows = self._rows, []
            rows = rows if more else self.ended(rows, self.stopped)
            if rows:
                yield table(rows)

    def _records(self, data: bytes, final: bool) -> int:
        """Judge the records that are whole, not too many at once; returns how much of the data they are."""
        at = 0
        while at < len(data) and len(self._rows) < BLOCK_ROWS:
            newline = data.find(b"\n", at)
            stop = newline if newline >= 0 else len(data)
            if self.long or stop - at > lines.MAX_LINE_BYTES:
                rest, pieces = self.over(data[at:stop])
                self._rows += pieces
                at = stop - len(rest)
                if newline < 0 and not final:
                    return at
                self._piece(rest, newline >= 0, CONTINUED)
                self.long, at = False, stop + 1
                continue
            parsed = self._parse(data, at, stop, newline >= 0, final)
            if parsed is None:
                return at
            end = parsed.end if isinstance(parsed, _Cells) else stop
            self._record(data[at:end], end < len(data), parsed, at)
            at = end + 1
        return min(at, len(data))

    def _parse(self, data: bytes, at: int, stop: int, ended: bool, final: bool) -> _Parsed:
        line = data[at:stop]
        if self.names and b'"' not in line and (ended or final):
            body = line.removesuffix(b"\r").removeprefix(BOM)
            if b"\r" not in body:
                assert self.delimiter is not None
                return _Cells(body.split(self.delimiter), stop)
        if not (ended or final):
            return None
        if self.names or self.unnamed or not line.removeprefix(BOM).strip():
            return parse(data, at, self.delimiter or b",", final)
        return self._sniffed(data, at, line, final)

    def _sniffed(self, data: bytes, at: int, line: bytes, final: bool) -> _Parsed:
        """The header, by the delimiter that makes most of it: the source's marks, else the most cells."""
        if self.delimiter is None and (said := _SEPARATOR.fullmatch(line.removeprefix(BOM))):
            self.delimiter = said[1]
            return _Cells([], at + len(line))
        made = {d: parse(data, at, d, final) for d in ([self.delimiter] if self.delimiter else DELIMITERS)}
        if any(parsed is None for parsed in made.values()):
            return None
        whole = {d: parsed for d, parsed in made.items() if isinstance(parsed, _Cells)}
        if not whole:
            return made[self.delimiter or b","]
        self.delimiter = max(whole, key=lambda d: (self._fits(whole[d].cells), len(whole[d].cells)))
        return whole[self.delimiter]

    def _fits(self, cells: Sequence[bytes]) -> float:
        return score(named(cells), self.mapping) if self.mapping else 0.0

    def _record(self, raw: bytes, newline: bool, parsed: _Cells | _Broken, at: int) -> None:
        """The pieces of one record, or of one line that is none."""
        verdict = self._verdict(raw, parsed, at)
        if (
            self.stopped and not newline and verdict.fate == "event"
        ):  # it looks whole, but its last cell may not be
            verdict = Verdict("reject", self.stopped.reason, self.stopped.message)
            self.stopped = None if b"\n" in raw else self.stopped
        first, *others = raw.split(b"\n")
        self._piece(first, newline or bool(others), verdict)
        for n, other in enumerate(others, start=1):
            self._piece(other, newline or n < len(others), CONTINUED)

    def _piece(self, raw: bytes, newline: bool, verdict: Verdict) -> None:
        self._rows.append(self.row(raw, newline, verdict))

    def _verdict(self, raw: bytes, parsed: _Cells | _Broken, at: int) -> Verdict:
        if not raw.removeprefix(BOM).strip() or (
            isinstance(parsed, _Cells) and not any(parsed.cells) and parsed.cells
        ):
            return EMPTY
        if self.unnamed:
            return _not_csv(
                f"the header on line {self.unnamed} could not be read: nothing says what is what."
            )
        if isinstance(parsed, _Cells) and not parsed.cells:
            return HEADER  # "sep=;"
        wrong = _wrong(raw, parsed, at)
        if not self.names:
            return self._header(parsed, wrong)
        if wrong is not None:
            return wrong
        assert isinstance(parsed, _Cells)
        if parsed.cells == self.header:
            return HEADER
        if len(parsed.cells) != len(self.names):
            return _not_csv(f"{_counted(len(parsed.cells))} where the header has {len(self.names)}.")
        return self._event([cell.decode() for cell in parsed.cells])

    def _header(self, parsed: _Cells | _Broken, wrong: Verdict | None) -> Verdict:
        if wrong is not None or isinstance(parsed, _Broken):
            self.unnamed = self.line + 1
            return wrong or EMPTY
        self.header = parsed.cells
        self.names = list(named(parsed.cells))
        return HEADER

    def _event(self, cells: list[str]) -> Verdict:
        record: dict[str, Any] = dict(zip(self.names, cells, strict=True))
        written = dict(record)
        for name in self.mapping.json_cells if self.mapping else ():
            if (value := _json(record.get(name, ""))) is not None:
                written[name] = msgspec.Raw(record[name].encode())
                record[name] = value
        text = msgspec.json.encode(written).decode()
        return self.check(Verdict("event", record=text, content=content_hash(record)))


def named(cells: Sequence[bytes]) -> dict[str, str]:
    """The names of a header's cells, as a record of empty texts; what comes again gets a number that is free."""
    record: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for cell in cells:
        own = name = cell.decode("utf-8", "replace")
        while name in record or not seen[own]:
            seen[own] += 1
            name = own if seen[own] == 1 else f"{own}__{seen[own]}"
        record[name] = ""
    return record


def parse(data: bytes, at: int, delimiter: bytes, everything: bool) -> _Parsed:
    """The record that begins at a place, a byte order mark before it left out."""
    limit = min(len(data), at + lines.MAX_LINE_BYTES)
    final = everything or limit < len(data)
    pos = at + len(BOM) if data.startswith(BOM, at) else at
    cells, plain = list[bytes](), _PLAIN[delimiter]
    while True:
        if pos >= limit < len(data):
            return _Broken(at, "the record that begins at byte {} of the line is too long.")
        if data[pos : pos + 1] == b'"':
            quoted = _QUOTED.match(data, pos, limit)
            if quoted is None or (quoted.end() == limit and not final):
                return (
                    _Broken(pos, "the quotation mark at byte {} of the record is never closed.")
                    if final
                    else None
                )
            cells.append(quoted[1].replace(b'""', b'"'))
            pos = quoted.end()
        else:
            cell = plain.match(data, pos, limit)
            assert cell is not None
            cells.append(cell[0])
            pos = cell.end()
        follows = data[pos : pos + 2]
        if follows.startswith(delimiter):
            pos += 1
        elif follows.startswith(b"\n"):
            return _Cells(cells, pos)
        elif follows == b"\r\n":
            return _Cells(cells, pos + 1)
        elif follows in (b"", b"\r") and pos + len(follows) == len(data):
            return _Cells(cells, len(data)) if everything else None
        else:
            return _Broken(pos, _OUT_OF_PLACE.get(follows[:1], _BEHIND))


_BEHIND = "what stands at byte {} of the record, behind a closed quotation mark, belongs to no cell."
_OUT_OF_PLACE = {
    b'"': "a quotation mark at byte {} of the record stands inside a cell that is not in quotation marks.",
    b"\r": "a carriage return without a line feed at byte {} of the record.",
}


def _wrong(raw: bytes, parsed: _Cells | _Broken, at: int) -> Verdict | None:
    """What makes a record unreadable, whatever it says."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return Verdict("reject", "not_utf8", f"byte {error.start + 1} of the record is not UTF-8.")
    if isinstance(parsed, _Broken):
        return _not_csv(parsed.what.format(f"{parsed.at - at + 1:,}"))
    if (nul := raw.find(b"\0")) >= 0:
        return _not_csv(f"a NUL byte at byte {nul + 1:,} of the record.")
    return None


def _json(text: str) -> Any:
    """The object or list that a cell holds as text; None when it is just text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return jiter.from_json(text.encode(), catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError:
        return None


def _counted(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"


def _not_csv(message: str) -> Verdict:
    return Verdict("reject", "not_csv", message)
