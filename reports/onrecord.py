"""What the next commit's record says of a document that was written: enough to know it by, and to make it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from pipeline import issued, redact


def tell(
    store: Path, kind: str, report_id: str, head: str, as_of: str, written: Sequence[Path],
    asked: Mapping[str, object], **more: object,
) -> None:  # fmt: skip
    """Note a document for the next commit; `asked` is what it takes to make it again."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written}
    entry = {"kind": kind, "report_id": report_id, "head": head, "as_of": as_of, "files": files, **more}
    issued.note(store, {**entry, "asked": dict(asked), "folder": str(written[0].parent.resolve())})


def settled(filters: Mapping[str, object]) -> dict[str, object]:
    """Filters as a record can keep them and the same document is made of again: texts and lists of texts."""
    return {name: _settled(value) for name, value in filters.items()}


def _settled(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return [_settled(one) for one in value] if isinstance(value, (list, tuple)) else value


def recorded(filters: Mapping[str, object]) -> list[list[object]]:
    """The same in their order, and without secrets, which a record keeps for good."""
    return [[name, _recorded(value)] for name, value in filters.items()]


def _recorded(value: object) -> object:
    if isinstance(value, str):
        return redact.text(value)
    return [_recorded(one) for one in value] if isinstance(value, list) else value
