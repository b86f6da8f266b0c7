"""How answers look in Jupyter: tables, one event, a store, pictures. Light or dark comes from the page around them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pipeline.export import canonical, rows_as_json
from reports.html import css, environment

if TYPE_CHECKING:
    from pipeline.query import Log
    from pipeline.rows import Rows

MOST = 50  # rows shown
LONGEST = 160  # characters of a text shown
CHANGES = 4  # of an event shown
EVENTS = (
    "occurred_at",
    "source",
    "actor",
    "action",
    "entity",
    "source_ip",
    "outcome",
    "changes",
    "event_uid",
)
QUIET = {"changes": ([],), "outcome": ("unknown",), "source_ip": ()}  # left out when no row says more
FINDINGS = ("finding_id", "severity", "state", "title", "subject", "window_start", "observed", "expected")
SAYING = frozenset({"title", "subject", "observed", "expected"})  # sentences, which share the room evenly
_EVENT = frozenset(
    "occurred_at actor_name actor_email actor_id actor_type action action_detail entity_type changes".split()
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z")


@dataclass(frozen=True)
class Plot:
    """A picture of a question; shows itself, and can be kept as SVG."""

    svg: str
    caption: str
    kind: str

    def _repr_html_(self) -> str:
        return _rendered("plot", plot=self, svg=Markup(self.svg))

    def __repr__(self) -> str:
        return f"{self.kind}: {self.caption}"

    def write(self, path: Path | str) -> Path:
        """Keep the picture as an .svg file."""
        target = Path(path)
        target.write_text(self.svg, "utf-8")
        return target


def plot(rows: Rows, kind: str, *columns: str) -> Plot:
    """One of the pictures of plots.py."""
    from reports import plots

    drawing, caption = getattr(plots, kind)(rows, *columns)
    return Plot(str(drawing), caption, kind.replace("_", " "))


def table(rows: Rows) -> str:
    """The first rows, with what changed beside what was."""
    names = rows.columns
    found = list(rows_as_json(rows.limit(min(rows.most or MOST, MOST))))
    total = rows.count() if len(found) == MOST else len(found)
    columns = [name for name in names if name in (found[0] if found else names)]
    if set(names) >= _EVENT:
        found = [{**row, **_in_short(row)} for row in found]
        columns = [
            name
            for name in EVENTS
            if name not in QUIET or any(row.get(name) not in (None, *QUIET[name]) for row in found)
        ]
    elif set(FINDINGS) <= set(names):
        columns = [*FINDINGS]
    return _rendered("table", columns=columns, rows=found, total=total)


def event(row: dict[str, Any]) -> str:
    """One event in full: what is empty is left out."""
    said = canonical(row)
    apart = (
        "changes",
        "communications",
        "raw",
        "correlated",
        "findings",
        "conflicting",
        "loaded",
        "duplicates",
    )
    facts = {
        name: value
        for name, value in said.items()
        if name not in apart and value not in (None, "", [], {}, False)
    }
    others = [(other, _in_short(other)) for other in said.get("correlated", ())]
    return _rendered("event", event=said, facts=facts, brief=_in_short(said), others=others)


def store(log: Log) -> str:
    """What is in a store, and what to type next."""
    sources = list(rows_as_json(log.sql(
        """SELECT source, count(*) AS events, min(occurred_at) AS first_event, max(occurred_at) AS last_event
        FROM events GROUP BY source ORDER BY source"""
    )))  # fmt: skip
    findings = log.sql(
        "SELECT severity, count(*) AS n FROM findings WHERE state IN ('new', 'open', 'changed') GROUP BY severity"
    ).pl()
    return _rendered("store", log=log, sources=sources, findings=dict(findings.rows()))


def trial(one: Any) -> str:
    """What a rule would have found with other parameters."""
    return _rendered("trial", trial=one, table=Markup(table(one.findings)))


def history(one: Any) -> str:
    """One thing's life: its entries, then what they add up to."""
    parts = {
        name: Markup(table(answer.rows))
        for name, answer in (
            ("Time spent at each status", one.dwell()),
            ("Who worked on it", one.contributors()),
            ("State", one.state()),
            ("Contradictions", one.conflicts()),
        )
        if len(answer)
    }
    return _rendered("history", life=one, table=Markup(table(one.entries)), parts=parts)


def answer(one: Any) -> str:
    """A recipe's rows, with the question and what could not be seen."""
    return _rendered("answer", answer=one, table=Markup(table(one.rows)))


def _in_short(row: dict[str, Any]) -> dict[str, Any]:
    """Who, what and about what, each in one cell."""
    name = (
        "Anonymous" if row["actor_anonymous"] else row["actor_name"] or row["actor_email"] or row["actor_id"]
    )
    entity = " ".join(
        part for part in (row["entity_type"], row.get("entity_name") or row.get("entity_id")) if part
    )
    many = len(row.get("entity_ids") or [])
    other = row.get("impersonator_email") or row.get("impersonator_name") or row.get("impersonator_id")
    who = name or row["actor_type"]
    return {
        "actor": [
            f"{other} as {who}" if other else who,
            row["actor_email"] if row["actor_email"] != name else None,
        ],
        "action": [row["action_detail"] or row["action"], row["action"] if row["action_detail"] else None],
        "entity": f"{entity} (+{many})" if many else entity,
    }


def _rendered(template: str, **parts: Any) -> str:
    made = environment().get_template(f"notebook/{template}.html.j2")
    style = Markup(css("notebook.css"))
    return made.render(style=style, kind=_kind, short=_short, CHANGES=CHANGES, SAYING=SAYING, **parts)


def _kind(value: Any) -> str:
    """How a value is shown."""
    if value is None:
        return "nothing"
    if isinstance(value, bool | str):
        return "time" if isinstance(value, str) and _TIME.fullmatch(value) else "text"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list) and value and isinstance(value[0], dict) and "old_present" in value[0]:
        return "changes"
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return "texts"
    return "nothing" if value in ([], {}) else "json"


def _short(value: Any, most: int = LONGEST) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else text[: most - 1] + "…"
