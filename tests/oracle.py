"""Another judge of lines: Python's own reader and plain checks. Slow, and with nothing of ours but the rules."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from pipeline.lines import judge

DEEPEST = 200
LONGEST_NUMBER = 4000  # beyond, a reader may refuse an integer for its length alone


class NoRecord(ValueError):
    """The line is not one strict JSON object."""


def record(raw: bytes) -> dict[str, Any]:
    """What a line says, or NoRecord."""
    try:
        text = raw.decode("utf-8")
        _check_escapes(text)
        value = json.loads(
            text, object_pairs_hook=_once, parse_constant=_refuse, parse_int=_integer, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise NoRecord(str(error)) from error
    if not isinstance(value, dict):
        raise NoRecord("no object")
    _must_be_text(value, 1)
    return value


def agrees(raw: bytes) -> None:
    """Assert that our judge says of a line what this one says."""
    if not raw.strip() or any(len(run) > LONGEST_NUMBER for run in _digits(raw)):
        return
    verdict = judge(raw)
    try:
        wanted = record(raw)
    except NoRecord as error:
        assert verdict.fate == "reject", f"{raw!r} was taken for a record: {error}"
        assert verdict.reason, raw
        assert verdict.message, raw
        return
    assert verdict.fate == "event", f"{raw!r} was refused: {verdict.reason}, {verdict.message}"
    assert verdict.record is not None
    assert record(verdict.record.encode()) == wanted, raw


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise NoRecord("a key comes twice")
    return dict(pairs)


def _check_escapes(text: str) -> None:
    """Python's reader takes `\\u+041` for a character where it is not compiled."""
    for escape in re.finditer(r"\\(?:u[0-9a-fA-F]{4}|(.))", text, re.DOTALL):
        if escape[1] == "u":
            raise NoRecord("an escape without four digits")


def _refuse(word: str) -> None:
    raise NoRecord(word)


def _integer(text: str) -> str:
    return f"integer {text}"


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise NoRecord("a number is too large")
    return number


def _must_be_text(value: Any, depth: int) -> None:
    if isinstance(value, (dict, list)) and depth > DEEPEST:
        raise NoRecord("too deep")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise NoRecord("half of a surrogate pair")
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _must_be_text(one, depth + 1)


def _digits(raw: bytes) -> list[bytes]:
    return raw.translate(bytes(n if 48 <= n < 58 else 32 for n in range(256))).split()
