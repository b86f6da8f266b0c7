"""What a store knows of a filter's values: typed words are held against it, and an error lists what there is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

import duckdb

from pipeline import mapping
from pipeline.columns import EVENT_COLUMNS, VOCABULARIES
from pipeline.errors import UsageError
from pipeline.hours import suggestion

# The column that a filter, or a word of a table's head, is about.
COLUMNS: dict[str, str] = {
    "type": "event_type_raw", "detail": "action_detail", "correlation": "correlation_id", "ip": "source_ip",
    "entity": "entity_type", "time": "occurred_at", "event": "event_uid", "status": "status_raw",
}  # fmt: skip
LONGEST = 10_000  # characters of a filter's value
SHOWN = 60
BULK = ("bulk_create", "bulk_update", "bulk_delete")


def short(value: object) -> str:
    """A typed value as an error repeats it."""
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def names(given: Iterable[str], allowed: Iterable[str], what: str) -> None:
    """An error that names the nearest word for one that is not allowed."""
    words = sorted(allowed)
    for name in given:
        if name not in words:
            near = difflib.get_close_matches(name, words, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(words)}."
            raise UsageError(f'"{short(name)}" is not a {what}.', hint=hint)


def column(name: str, more: Mapping[str, str] = COLUMNS) -> str:
    """The column of events that somebody means; an error lists them."""
    word = name.strip().lower().replace("-", "_").replace(" ", "_")
    found = more.get(word, word)
    if found not in EVENT_COLUMNS and found != "actor_key":
        names([word], [*EVENT_COLUMNS, *more], "column")
    return found


def several(value: object) -> list[object]:
    """One value, several or none, as a list; False asks for nothing."""
    if value is None or value is False:
        return []
    found = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
    for one in found:
        if isinstance(one, str) and len(one) > LONGEST:
            raise UsageError(
                f'"{short(one)}" is too long to be asked for: {len(one):,} characters.',
                hint=f"At most {LONGEST:,}.",
            )
    return found


def distinct(con: duckdb.DuckDBPyConnection, name: str, events: str = "events") -> list[str]:
    """Every value of a column that has few."""
    rows = con.execute(f'SELECT DISTINCT "{name}" FROM {events} WHERE "{name}" IS NOT NULL ORDER BY 1')
    return [row[0] for row in rows.fetchall()]


def sources(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Ours and those that were loaded, the user's own among them."""
    rows = con.execute("SELECT DISTINCT source FROM files WHERE source IS NOT NULL").fetchall()
    return sorted({*mapping.shipped(), *(row[0] for row in rows)})


def of_list(name: str, chosen: Sequence[object], allowed: Sequence[str]) -> list[object]:
    """Typed words in the spelling of a closed list, whatever their case."""
    folded = {word.lower().replace("-", "_"): word for word in allowed}
    found = [folded.get(str(value).strip().lower().replace("-", "_")) for value in chosen]
    for value, word in zip(chosen, found, strict=True):
        if word is None:
            raise UsageError(
                f'"{short(value)}" is not a known {name}.',
                hint=f"Known are: {', '.join(allowed) or 'none'}.",
            )
    return list(found)


def categories(chosen: Sequence[object]) -> list[object]:
    """`Setting` and `settings` are one category."""
    folded = {fold_entity(word): word for word in VOCABULARIES["category"]}
    return of_list(
        "category", [folded.get(fold_entity(str(one)), one) for one in chosen], VOCABULARIES["category"]
    )


def actors(
    con: duckdb.DuckDBPyConnection, chosen: Sequence[object], sql: str, events: str = "events"
) -> None:
    """A person whom no event names is a slip of the pen more often than a question."""
    people = """SELECT 1 FROM actors WHERE lower($1) IN
      (lower(person), lower(display_name), lower(email), lower(actor_key), lower(split_part(actor_key, ':', 2)))"""
    for value in chosen:
        if con.execute(people, [str(value)]).fetchall():
            continue
        if con.execute(
            f"SELECT 1 FROM {events} WHERE {sql} LIMIT 1", [str(value)] * sql.count("?")
        ).fetchall():
            continue
        rows = con.execute("SELECT DISTINCT unnest([person, display_name, email]) FROM actors").fetchall()
        spellings = sorted(row[0] for row in rows if row[0])
        near = difflib.get_close_matches(short(value), spellings, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`auditbook sources actors` lists them."
        raise UsageError(f'"{short(value)}" is no actor of this store.', hint=hint)


def fold_entity(kind: str) -> str | None:
    """`PrintJobs`, `print_jobs` and `print_job` are the same type."""
    if not kind:
        return None
    word = re.sub(r"[\s\-]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", kind)).lower()
    if word.endswith("ies"):
        return word[:-3] + "y"
    if re.search(r"(ch|sh|x|ss)es$", word):
        return word[:-2]
    return word if re.search(r"(ss|us|is)$", word) else word.removesuffix("s")


def entity_type(con: duckdb.DuckDBPyConnection, word: str, events: str = "events") -> str | None:
    """A type as the store spells it; the quick look first, for the list takes a reading of everything."""
    kind = fold_entity(word.strip())
    if (
        kind is None
        or con.execute(f"SELECT 1 FROM {events} WHERE entity_type = ? LIMIT 1", [kind]).fetchall()
    ):
        return kind
    found = types(con)
    alike = [one for one in found if one.replace("_", "") == kind.replace("_", "")]
    if not alike:
        raise UsageError(
            f'"{short(word)}" is no entity type of this store.',
            hint=f"Known are: {', '.join(found) or 'none'}.",
        )
    return alike[0]


def types(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Every entity type, those of parents and related things too."""
    rows = con.execute(
        "SELECT DISTINCT entity_type FROM event_entities UNION SELECT DISTINCT entity_type FROM events"
    ).fetchall()
    return sorted(row[0] for row in rows if row[0])


def event_types(
    con: duckdb.DuckDBPyConnection, chosen: Sequence[object], events: str = "events"
) -> list[object]:
    """A source's own event families, in every spelling that the store has of the word."""
    known = distinct(con, "event_type_raw", events)
    found = [[one for one in known if fold(one) == fold(str(value))] for value in chosen]
    for value, spellings in zip(chosen, found, strict=True):
        if not spellings:
            raise UsageError(
                f'"{short(value)}" is no event type of this store.', hint=suggestion(str(value)[:200], known)
            )
    return [one for spellings in found for one in spellings]


def fold(text: str) -> str:
    """`BACKGROUND_JOB`, `background job` and `Background-Job` are one word."""
    return text.strip().lower().replace("-", "_").replace(" ", "_")


def finding(con: duckdb.DuckDBPyConnection, value: object) -> str:
    """A finding's id, of which the beginning is enough."""
    rows = con.execute(
        "SELECT finding_id FROM findings WHERE starts_with(finding_id, ?) LIMIT 2", [str(value).lower()]
    ).fetchall()
    if len(rows) != 1:
        problem = "is the beginning of several findings" if rows else "is not a finding"
        raise UsageError(f'"{short(value)}" {problem}.', hint="`auditbook findings` lists them.")
    return str(rows[0][0])
