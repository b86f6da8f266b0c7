"""What changed, old and new side by side. For show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.cli import output

Row = Mapping[str, Any]
REDACTED = "[REDACTED]"


def diff(row: Row, title: str = "what changed") -> None:
    """Old and new side by side; a creation has only new values, a deletion only what was removed."""
    changes = row["changes"]
    if not changes:
        return
    empty = {"create": "old", "delete": "new"}.get(row["action"])
    sides = [side for side in ("old", "new") if side != empty or any(_given(one, side) for one in changes)]
    output.heading(title)
    made = output.folding("field", *({"old": "− old", "new": "+ new"}[side] for side in sides))
    for one in changes:
        made.add_row(output.inert(one["field"]), *(_side(one, side) for side in sides))
    output.show(made)


def _given(change: Row, side: str) -> bool:
    return not change["redacted"] and change.get(side) is not None


def _side(change: Row, side: str) -> Any:
    from rich.text import Text

    if change["redacted"]:
        return Text(REDACTED, "dim")
    if side not in change:
        return Text("(not given)", "dim")
    value = change[side]
    exact = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return Text(output.inert(exact), {"old": "red", "new": "green"}[side])
