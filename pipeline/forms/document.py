"""JSON that is not a record a line -> judged lines: a list of objects, a document that holds one, objects in a row.

A line is cut where a record begins, so each piece has one record at most. Brackets, commas and what an envelope says
stand in blank pieces. Part of load.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec.json
import pyarrow as pa

from pipeline import lines
from pipeline.forms.window import CUT, LOOKAHEAD, NOT_JSON, Value, Window, partly
from pipeline.lines import (
    BLOCK_BYTES,
    BOM,
    CONTINUED,
    EMPTY,
    Pieces,
    Readable,
    Stopped,
    Verdict,
    judge,
    table,
    too_long,
)
from pipeline.mapping import Mapping
from pipeline.marks import fits, score

HEAD = 1 << 20  # in so many bytes the list of an envelope begins
ROWS = 2000
BRACKET = Verdict("blank", "bracket")
ENDS = Stopped("truncated", "the file ends before its JSON does.")
FEW = 12  # members that may stand beside a list without records: pages, counts, cursors
FIRST_EPOCH = 10**8  # numbers from here on may be times
_TIME = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[/.]\d{1,2}[/.]\d{2}|^\d{9,}$")
_MAY_BEGIN = re.compile(r"(?<=[,\[}\n])[ \t\r\n]*([{\]])")
_UNSETTLED = re.compile(r"[,\[}\n][ \t\r\n]*\Z")

NO_JSON = "what stands here is no JSON."

Path = tuple[str, ...]


@dataclass
class Document(Pieces):
    """Cuts JSON of any layout into blocks of judged lines."""

    mapping: Mapping | None = None
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _window: Window = field(init=False)
    _cut: int = 0  # where the present piece begins
    _verdict: Verdict | None = None  # on the record that begins in it
    _inside: bool = False  # whether a record goes on, or what is broken
    _began_inside: bool = False
    _records: bool = False  # whether objects stand one after another
    _ends: Stopped | None = None
    _record: str | None = None  # the last one that was right

    def blocks(self, stream: Readable, block_bytes: int = BLOCK_BYTES) -> Iterator[pa.Table]:
        """Arrow tables of lines.BLOCK_SCHEMA, in the order of the file; put together they are its bytes."""
        self._window = Window(stream, block_bytes)
        for _ in self._values():
            if len(self._rows) >= ROWS:
                yield table(self._taken())
        if self._cut < self._window.end:
            self._emit(self._window.end, False)
        rows, stopped = self._taken(), getattr(stream, "stopped", None)
        told = bool(rows) and rows[-1]["reason"] == ENDS.reason
        if stopped is not None:
            rows = self.ended(rows, stopped)
        elif self._ends is not None and not told:
            rows.append(self.row(b"", False, Verdict("reject", self._ends.reason, self._ends.message)))
        if rows:
            yield table(rows)

    def _taken(self) -> list[dict[str, Any]]:
        rows, self._rows = self._rows, []
        return rows

    # What stands where

    def _values(self) -> Iterator[None]:
        """The values of the file, one after another."""
        window = self._window
        window.more(0)
        while len(BOM) > window.end and window.more(0):
            pass
        if window.bytes(0, len(BOM)) == BOM:
            window.at = len(BOM)
        while begins := window.skip(self._cut):
            path = self._layout(begins)
            if path is None:
                self._records = True
                self._element(top=True)
                yield
            elif path:
                yield from self._object(path)
            else:
                yield from self._list()
        self._through(window.end)

    def _layout(self, begins: str) -> Path | None:
        """Where the list of records is in the value that begins here; None when the value is a record itself."""
        if begins == "[":
            return ()
        if begins != "{":
            return None
        window = self._window
        while (found := window.peek(window.at)).why is not None and window.end - window.at < HEAD:
            if not window.more(self._cut):
                break
        end = found.end if found.why is None else window.end
        value = partly(window.bytes(window.at, min(end, window.at + HEAD)))
        return where(value, self.mapping, self._records) if isinstance(value, dict) else None

    def _object(self, path: Path) -> Iterator[None]:
        """An envelope: the list, or the object that holds it, is at the path's first key; the rest is around it."""
        window, found, state = self._window, False, "first"
        window.at += 1
        while begins := window.skip(self._cut):
            if begins in "}," and (begins == "}" or state == "value"):
                if state == "comma":
                    self._alone(_not_document("a comma stands before the end of the object."))
                window.at += 1
                if begins == "}":
                    return
                state = "comma"
                continue
            if begins != '"' or state == "value":
                self._lost(window.at, _not_document(NO_JSON), window.at, top=True)
                return
            key, state = self._key(), "value"
            if key is None:
                return
            if key == path[0] and not found and window.skip(self._cut) in "[{":
                found = True
                yield from self._list() if len(path) == 1 else self._object(path[1:])
            elif not self._around(key):
                return
        self._ends = self._ends or ENDS

    def _key(self) -> str | None:
        """The key that begins here; goes to the value behind it."""
        window, start = self._window, self._window.at
        found = window.value(start, self._cut)
        if found.why is not None:
            self._broken(start, found, top=True)
            return None
        key = partly(window.bytes(start, found.end))
        window.at = found.end
        colon = window.skip(self._cut)
        if colon == ":":
            window.at += 1
            window.skip(self._cut)
            return str(key)
        if colon:
            self._lost(window.at, _not_document(NO_JSON), window.at, top=True)
        return None

    def _around(self, key: str) -> bool:
        """Something of the envelope: passed over, unless it looks as if records were in it."""
        window, start = self._window, self._window.at
        found = window.value(start, self._cut)
        if found.why is not None:
            self._broken(start, found, top=True)
            return False
        value = partly(window.bytes(start, min(found.end, start + HEAD)))
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            self._begin(start, _not_document(f'the list "{key}" stands beside the records and is not read.'))
        self._through(found.end)
        window.at = found.end
        return True

    def _list(self) -> Iterator[None]:
        """The elements of a list, and its end."""
        window, state = self._window, "first"
        window.at += 1
        while begins := window.skip(self._cut):
            if begins == "]":
                if state == "comma":
                    self._alone(_not_document("a comma stands before the end of the list."))
                window.at += 1
                return
            if begins == ",":
                if state != "value":
                    self._alone(_not_document("a record is missing before this comma."))
                window.at += 1
                state = "comma"
                continue
            if state == "value" and begins not in "{[":
                self._lost(
                    window.at, _not_document("a comma, or the end of the list, belongs here."), window.at
                )
                state = "any"
                continue
            state = "value" if self._element(missing=state == "value") else "any"
            yield
        self._ends = self._ends or ENDS

    def _element(self, missing: bool = False, top: bool = False) -> bool:
        """A record, or what stands in its place; False when its end was not found and reading goes on elsewhere."""
        window, start = self._window, self._window.at
        found = window.value(start, self._cut)
        if found.why is not None:
            self._broken(start, found, top)
            return False
        raw = window.bytes(start, found.end)
        verdict = _not_document("no comma stands before this record.") if missing else self._judged(raw)
        self._record = verdict.record or self._record
        self._begin(start, verdict)
        self._through(found.end, inside=True)
        window.at = found.end
        return True

    def _judged(self, raw: bytes) -> Verdict:
        """Line ends in a record are as good as other space; told places count from its first byte."""
        verdict = self.judged(raw.replace(b"\n", b"\r"))
        if verdict.record is not None and b"\n" in raw:
            return replace(verdict, record=msgspec.json.format(verdict.record.encode(), indent=-1).decode())
        return _of_record(verdict)

    # What is broken

    def _broken(self, start: int, found: Value, top: bool) -> None:
        window = self._window
        if found.why == CUT:
            self._ends = ENDS
            self._begin(start, Verdict("reject", ENDS.reason, ENDS.message))
            self._through(window.end, inside=True)
            window.at = window.end
            return
        verdict = too_long()
        if found.why == NOT_JSON:
            raw = window.bytes(start, min(window.end, found.end + LOOKAHEAD))
            verdict = _of_record(judge(raw.replace(b"\n", b"\r")))
            if verdict.fate != "reject":
                verdict = _not_document(NO_JSON)
        self._lost(start, verdict, found.end, top)

    def _lost(self, start: int, verdict: Verdict, broken: int, top: bool = False) -> None:
        """From here on nothing is known until a place where, beyond doubt, another record begins, or the list ends."""
        window, indent = self._window, self._window.indent(start)
        self._begin(start, verdict)
        line = window.find_back("\n", max(start, self._cut), broken)
        place = max(start + 1, line)
        while True:
            candidate = window.search(_MAY_BEGIN, place)
            if candidate >= 0 and self._may_begin(candidate, indent, top):
                self._through(candidate, inside=True)
                self._resume(candidate)
                return
            if candidate >= 0:
                place = candidate + 1
            elif window.final:
                break
            else:
                unsettled = _UNSETTLED.search(window.text(max(place, window.end - 4096), window.end))
                place = max(place, window.end - len(unsettled[0]) if unsettled else window.end)
                self._through(place, inside=True)
                self._over(place)
                window.more(min(self._cut, place))
        self._through(window.end, inside=True)
        window.at = window.end
        self._ends = Stopped(
            "not_document", f"nothing from byte {start:,} to the end of the file could be read."
        )

    def _resume(self, place: int) -> None:
        window = self._window
        window.at = place
        if not window.text(self._cut, place).strip():
            self._began_inside = False

    def _may_begin(self, place: int, indent: str | None, top: bool) -> bool:
        """A bracket on its own line, indented as the broken record was; or a record of the source, whole."""
        window, own = self._window, self._window.indent(place)
        if window.text(place, place + 1) == "]":
            return not top and indent is not None and own is not None and indent.startswith(own)
        if own is not None and own == indent:
            return True
        found = window.value(place, min(self._cut, place))
        return found.why is None and self._fits(partly(window.bytes(place, found.end)))

    def _fits(self, value: Any) -> bool:
        """Whether an object is surely a record: it has the source's marks, or the keys of the last record."""
        if not isinstance(value, dict):
            return False
        if self.mapping is not None and fits(value, self.mapping):
            return True
        last = partly((self._record or "").encode())
        return isinstance(last, dict) and last.keys() == value.keys()

    # Pieces

    def _begin(self, start: int, verdict: Verdict) -> None:
        """A record begins: in a piece of its own, unless nothing but white space stands before it on its line."""
        self._through(start)
        before = self._window.bytes(self._cut, start)
        if (
            self._verdict is not None
            or self._began_inside
            or before.removeprefix(BOM if not self._cut else b"").strip()
        ):
            self._emit(start, False)
        self._verdict = verdict

    def _alone(self, verdict: Verdict) -> None:
        """One character in the wrong place."""
        self._begin(self._window.at, verdict)
        self._through(self._window.at + 1)

    def _through(self, place: int, inside: bool = False) -> None:
        """Every line that ends before a place is a piece; `inside`: of a record that goes on."""
        self._inside = inside
        while (newline := self._window.find("\n", self._cut, place)) >= 0:
            self._emit(newline, True)
        self._inside = False

    def _emit(self, stop: int, newline: bool) -> None:
        """The piece up to a place."""
        raw = self._window.bytes(self._cut, stop)
        if len(raw) > lines.MAX_LINE_BYTES:
            self._over(stop)
            raw = self._window.bytes(self._cut, stop)
        self._rows.append(self.row(raw, newline, self._fate(raw)))
        self._cut = stop + newline
        self._verdict, self._began_inside = None, self._inside

    def _over(self, stop: int) -> None:
        """Parts of a piece that is over the limit for one."""
        while stop - self._cut > lines.MAX_LINE_BYTES:
            raw = self._window.bytes(self._cut, self._cut + lines.MAX_LINE_BYTES)
            self._rows.append(self.row(raw, False, self._fate(raw)))
            self._cut += len(raw)
            self._verdict, self._began_inside = None, True

    def _fate(self, raw: bytes) -> Verdict:
        if self._verdict is not None:
            return self._verdict
        if self._began_inside:
            return CONTINUED
        return BRACKET if raw.removeprefix(BOM if not self._cut else b"").strip() else EMPTY


def inside(value: dict[str, Any]) -> dict[Path, list[Any]]:
    """The lists in an object, and in the objects in it."""
    found: dict[Path, list[Any]] = {(key,): one for key, one in value.items() if isinstance(one, list)}
    for key, one in value.items():
        if isinstance(one, dict):
            found |= {(key, inner): two for inner, two in one.items() if isinstance(two, list)}
    return found


def where(value: dict[str, Any], mapping: Mapping | None, records: bool) -> Path | None:
    """The path of the list that holds a source's records; None when the object is a record."""
    lists = inside(value)
    of_objects = {path: one for path, one in lists.items() if one and isinstance(one[0], dict)}
    if mapping is not None:
        for path, one in of_objects.items():
            if fits(one[0], mapping):
                return path
        if fits(value, mapping):
            return None
    if records:
        return None
    if says_nothing(value) if mapping is None else score(value, mapping) == 0 and not any(lists.values()):
        return next(iter(lists), None)  # of an export of nothing
    return next(iter(of_objects)) if len(of_objects) == 1 else None


def says_nothing(value: dict[str, Any]) -> bool:
    """Whether an object is an export of nothing, whoever's: its lists are empty, and beside them stands little, no time
    among it, as every event has one."""
    beside = [
        one for inner in value.values() for one in (inner.values() if isinstance(inner, dict) else [inner])
    ]
    lists = [one for one in beside if isinstance(one, list)]
    return bool(lists) and not any(lists) and len(beside) <= FEW and not any(map(_may_be_a_time, beside))


def _may_be_a_time(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_TIME.search(value))
    return not isinstance(value, bool) and isinstance(value, int | float) and value >= FIRST_EPOCH


def _of_record(verdict: Verdict) -> Verdict:
    if verdict.message is None:
        return verdict
    return replace(verdict, message=verdict.message.replace("of the line", "of the record"))


def _not_document(message: str) -> Verdict:
    return Verdict("reject", "not_document", message)
