"""Which findings are asked for: by what they say themselves, and by the events behind them. Used by query."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline import vocabulary
from pipeline.columns import SEVERITIES, STATES
from pipeline.errors import UsageError
from pipeline.filters import FILTERS, Clause, Store, bound, conditions, together
from pipeline.question import DIRECTIONS
from pipeline.vocabulary import several

OF_EVENTS = tuple(name for name in FILTERS if name not in ("text", "finding", "uids"))
KEYWORDS = (
    "severity",
    "detector",
    "state",
    "case",
    *FILTERS,
    "since",
    "until",
    "on",
    "preset",
    "sort",
    "limit",
    "as_of",
)
SAYS = "concat_ws(' ', title, subject, observed, expected, reason)"
GRAVEST = f"list_position({list(SEVERITIES)}, severity), window_start, finding_id"


def where(store: Store, asked: Mapping[str, object]) -> Clause:
    """Conditions on findings; a time is about the window, the rest about the events, of which one is enough."""
    clauses = [
        _among(name, words)
        for name in ("severity", "detector", "state")
        if (words := _words(store, name, asked))
    ]
    if cases := [_case(store, one) for one in several(asked.get("case"))]:
        clauses.append(_among("case_id", [one for found in cases for one in found]))
    about = {name: asked[name] for name in OF_EVENTS if several(asked.get(name))}
    if about:
        clauses.append(_behind(together(conditions(store, about))))
    if texts := several(asked.get("text")):
        said = [f"contains(lower({SAYS}), lower(?))"] * len(texts)
        event, values = _behind(together(conditions(store, {"text": texts})))
        clauses.append((f"({' OR '.join([*said, event])})", [*map(str, texts), *values]))
    if chosen := [one for one in several(asked.get("finding")) if one is not True and one != "any"]:
        clauses.append(_among("finding_id", [vocabulary.finding(store.con, one) for one in chosen]))
    if uids := several(asked.get("uids")):
        clauses.append(("list_has_any(events, ?::VARCHAR[])", [list(map(str, uids))]))
    since, until = (bound(store, name, asked.get(name)) for name in ("since", "until"))
    conditions(store, {name: asked.get(name) for name in ("since", "until")})  # which comes first
    clauses += [("window_end >= ?::TIMESTAMPTZ", [since.isoformat()])] if since else []
    clauses += [("window_start < ?::TIMESTAMPTZ", [until.isoformat()])] if until else []
    return together(clauses)


def order(sort: object, columns: list[str]) -> str:
    """Most severe first, unless a column of findings is named."""
    terms = []
    for term in several(sort):
        name, _, direction = str(term).partition(":")
        vocabulary.names([name], columns, "column")
        if direction.lower() not in DIRECTIONS:
            raise UsageError(
                f'"{vocabulary.short(direction)}" is no direction to sort in.',
                hint="Write COL, COL:asc or COL:desc.",
            )
        shown = f"list_position({list(SEVERITIES)}, severity)" if name == "severity" else f'"{name}"'
        terms.append(f"{shown} {DIRECTIONS[direction.lower()]}")
    return ", ".join([*terms, GRAVEST])


def _case(store: Store, asked: object) -> list[object]:
    """The cases whose id begins so."""
    query = "SELECT DISTINCT case_id FROM findings WHERE starts_with(case_id, ?)"
    found: list[object] = [row[0] for row in store.con.execute(query, [str(asked)]).fetchall()]
    if not found:
        raise UsageError(
            f'"{vocabulary.short(str(asked))}" is not a case.', hint="`auditbook findings cases` lists them."
        )
    return found


def _among(column: str, chosen: list[object]) -> Clause:
    return f"{column} IN ({', '.join('?' * len(chosen))})", list(chosen)


def _behind(clause: Clause) -> Clause:
    sql, values = clause
    events = (
        f"SELECT event_uid FROM events WHERE event_uid IN (SELECT event_uid FROM finding_events) AND {sql}"
    )
    return f"finding_id IN (SELECT finding_id FROM finding_events WHERE event_uid IN ({events}))", values


def _words(store: Store, name: str, asked: Mapping[str, object]) -> list[object]:
    chosen = several(asked.get(name))
    if name == "detector":
        rows = store.con.execute("SELECT DISTINCT detector FROM finding_versions").fetchall()
        from pipeline import detector

        return vocabulary.of_list(name, chosen, sorted({*detector.shipped(), *(row[0] for row in rows)}))
    return vocabulary.of_list(name, chosen, SEVERITIES if name == "severity" else STATES)
