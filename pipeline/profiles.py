"""How a product's own page shows its log, as its mapping's [view] says: columns, order, window, what it hides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import mapping


@dataclass(frozen=True)
class View:
    """The defaults of one source's page; empty where it has none."""

    columns: tuple[str, ...] = ()
    sort: str | None = None
    since: str | None = None
    hide_actor_type: tuple[str, ...] = ()


NONE = View()


def of(asked: Mapping[str, object], folder: Path | None) -> View:
    """The view of the one source that is asked for; what is asked of several, or by name, has none."""
    chosen = asked.get("source")
    sources = [chosen] if isinstance(chosen, str) else list(chosen or ())  # type: ignore[call-overload]
    found = mapping.known(folder).get(str(sources[0]).lower()) if len(sources) == 1 else None
    if found is None or asked.get("uids") or asked.get("finding"):
        return NONE
    view = found.rules.get("view", {})
    return View(
        tuple(view.get("columns", ())),
        view.get("sort"),
        view.get("since"),
        tuple(view.get("hide_actor_type", ())),
    )
