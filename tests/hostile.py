"""Values that are attacks on whoever shows them, and harmless ones of the same length and with the same gaps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

ATTACKS = (
    "<script>window.hit=1</script>", "</script><script>window.hit=1</script>", '"><img src=x onerror=window.hit=1>',
    "<svg onload=window.hit=1>", "javascript:window.hit=1", "data:text/html,<script>window.hit=1</script>",
    "</style><style>*{display:none}</style>", "expression(window.hit=1)", "\u202egnp.exe", "a\u0000b\u200b",
    "e\u0301\u0327\u0489" * 20, "👩‍👩‍👧‍👦🏴‍☠️", "{{7*7}}${7*7}<%=7*7%>", "http://127.0.0.1:9/x.png", "file:///etc/passwd",
    "__proto__", "constructor", "'; DROP TABLE events; --", "]]><!--", "&lt;b&gt;&#x3c;", "x" * 1_000_000,
)  # fmt: skip
# Fields of the products' exports that hold what people typed; the others decide what a line is.
TYPED = frozenset(
    "name email content subject comment to cc bcc actor userId reason message error errorMessage stack description from"
    " actorEmail userAgent ipAddress title label old new before after note tags".split()
)


def harmless(values: tuple[str, ...]) -> tuple[str, ...]:
    """Letters in the place of everything but the gaps, another letter for each value."""
    return tuple(re.sub(r"[^\s/-]", chr(ord("a") + n), value) for n, value in enumerate(values))


def put(place: Path, source: str, values: tuple[str, ...]) -> None:
    """A source's own lines of the tests, every typed field with one value after the other."""
    given = cycle(values)
    lines = (ROOT / "tests" / "sources" / f"{source}.jsonl").read_text("utf-8").splitlines()
    made = [
        json.dumps(_with(json.loads(line), given), ensure_ascii=True) for line in lines if _is_object(line)
    ]
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{source}.jsonl").write_text("\n".join(made) + "\n", "utf-8")


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _with(value: Any, given: Iterator[str], typed: bool = False) -> Any:
    if isinstance(value, dict):
        return {name: _with(one, given, typed or name in TYPED) for name, one in value.items()}
    if isinstance(value, list):
        return [_with(one, given, typed) for one in value]
    return next(given) if typed and isinstance(value, str) else value
