"""What an output shows to whom: views laid over those of the store, so that nothing has to think of it.

`full` is everything as it is stored. `internal`, the default, has every secret replaced. `external` also has people
under pseudonyms, which are the same in every output made with the same key, and no free text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from pipeline import hidden, pseudonyms, redact, views
from pipeline.config import Privacy
from pipeline.findings import FINDINGS
from pipeline.hidden import WITHHELD, withheld

AUDIENCES = ("full", "internal", "external")
_OF_TEXT = re.compile(rf"\b(?:{'|'.join(hidden.TEXTS)}|m\.subject|m\.body)\b")
# Filters that say nobody's name and no free text.
ASKED_OPENLY = (
    "source", "instance", "actor_type", "type", "action", "detail", "outcome", "category", "since", "until", "on",
    "as_of", "sort", "finding", "correlation", "newcomer",
)  # fmt: skip
# What our own people typed: in a reason a secret may stand as well.
OWN_TEXTS = {
    "dispositions": ("reason",), "suppressions": ("reason",), "holds": ("case_name", "reason", "release_reason"),
    "tombstones": ("policy", "legal_basis"), "commits": ("run",),
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """To whom something is shown, and what is configured about that."""

    audience: str = "internal"
    privacy: Privacy = field(default_factory=Privacy)


EVERYTHING = Shown("full")


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """The words that the views of an audience are written with, for as long as views are made: a view is bound when it
    is made, and binding what really looks for secrets compiles every expression anew."""
    for sql in redact.PLACEHOLDERS:
        connection.execute(sql)


def lay(connection: duckdb.DuckDBPyConnection, shown: Shown, stored: Mapping[str, str]) -> None:
    """Make the temporary views `events`, `stored_lines`, `lines` and `event_lines` for an audience, and the tables that
    tell of people; `stored` is the SQL of the first two. As they are stored, all four stay reachable with an underscore
    before their names. The connection was prepared."""
    external = shown.audience == "external"
    within = {f"_{name}": sql for name, sql in stored.items()}
    if external:
        views.make(connection, {"_events": within["_events"]}, temporary=True)
        pseudonyms.make(connection, shown.privacy)
        connection.execute("DROP VIEW temp._events")
    with views.standing_in(
        connection, {f"_{name}": sql for name, sql in views.NOTHING.items()}, temporary=True
    ):
        joined = {f"_{name}": _inner(sql, stored) for name, sql in views.JOINED.items()}
        laid = {name: over(shown, name, f"_{name}") for name in (*stored, *views.JOINED)}
        views.make(connection, {**joined, **laid}, temporary=True)
    views.make(connection, within, temporary=True)
    for sql in redact.macros(shown.privacy.names):
        connection.execute(sql)
    _tables(connection, external)


def over(shown: Shown, view: str, relation: str) -> str:
    """What an audience sees of a view, over only the rows of it that `relation` has; the store's own view when `full`
    is what is shown."""
    if shown.audience == "full":
        return f"SELECT * FROM {relation} t"
    columns = hidden.EXTERNAL if shown.audience == "external" else hidden.INTERNAL
    replaced = ", ".join(f'{sql} AS "{column}"' for column, sql in columns[view].items())
    return f"SELECT * REPLACE ({replaced}) FROM {relation} t"


def of_few(connection: duckdb.DuckDBPyConnection, shown: Shown, table: str) -> str:
    """The same of a table of few events: one look at all of their words often saves making each of them ready."""
    tells = f"SELECT 1 FROM {table} WHERE {hidden.MAY_TELL} LIMIT 1"
    if shown.audience == "internal" and not connection.execute(tells).fetchall():
        return f"SELECT * FROM {table} t"
    return over(shown, "events", table)


def verbatim(shown: Shown, view: str) -> str:
    """The name of a view as it is stored: for looking things up by what no audience changes, never for showing."""
    return view if shown.audience == "full" else f"_{view}"


def seen(sql: str) -> str:
    """A condition on texts of stored events, as asked of what an internal audience sees of them."""
    return _OF_TEXT.sub(r"redacted(\g<0>)", sql)


def of(connection: duckdb.DuckDBPyConnection) -> str:
    """To whom this connection shows what it has."""
    found = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE view_name = '_events' "
        "UNION ALL SELECT table_name FROM duckdb_tables() WHERE table_name = 'pseudonyms'"
    ).fetchall()
    return "external" if ("pseudonyms",) in found else "internal" if found else "full"


def typed(connection: duckdb.DuckDBPyConnection, filters: Mapping[str, object]) -> dict[str, object]:
    """What was asked, as the audience of the answer may read it: no secret, and to others nobody's name."""
    audience = of(connection)
    if audience == "full":
        return dict(filters)
    return {name: _typed(connection, audience, name, value) for name, value in filters.items()}


def _typed(connection: duckdb.DuckDBPyConnection, audience: str, name: str, value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_typed(connection, audience, name, one) for one in value]
    if not isinstance(value, str):
        return value
    if audience == "internal" or name in ASKED_OPENLY:
        return redact.text(value)
    kind, _, which = value.partition(":") if name == "entity" else ("", "", value)
    [(known,)] = connection.execute("SELECT spelled(?)", [which]).fetchall()
    if name == "entity":
        return f"{kind}:{known}" if known else redact.text(value)
    return known or WITHHELD


def _tables(connection: duckdb.DuckDBPyConnection, external: bool) -> None:
    """Findings, people and records, laid over in the same way."""
    [(database,)] = connection.execute("SELECT current_database()").fetchall()
    if external:
        connection.execute("CREATE TEMP TABLE sentences (told VARCHAR PRIMARY KEY, shown VARCHAR)")
    elif not connection.execute(_TELLING).fetchall():
        return
    for name in ("finding_versions", "current_findings"):
        columns = [column for column in hidden.FINDING_TEXTS if column != "key" or external]
        texts = pseudonyms.sentences(connection, f"{database}.main.{name}", columns) if external else {
            column: f'redacted("{column}")' for column in columns
        }  # fmt: skip
        _over(connection, database, name, texts | (hidden.WHOSE[name] if external else {}))
    if external:
        _over(connection, database, "commits", hidden.RECORDS)
        _over(connection, database, "actors", hidden.ACTORS)
        _over(connection, database, "people", hidden.PERSONS)
        _over(
            connection, database, "dispositions", {"os_user": f"'{WITHHELD}'", "reason": withheld("reason")}
        )
        _over(connection, database, "settings", {"config": "'{}'::JSON"})
        _over(connection, database, "suppressions", {"actor": "named(actor)", "reason": withheld("reason")})
        _over(connection, database, "holds", {name: withheld(name) for name in (*OWN_TEXTS["holds"], "os_user")}
              | {"actor": "named(actor)"})  # fmt: skip
        _over(
            connection,
            database,
            "tombstones",
            {name: f'redacted("{name}")' for name in OWN_TEXTS["tombstones"]},
        )
    else:
        for name, own in OWN_TEXTS.items():
            made = "redacted_json" if name == "commits" else "redacted"
            _over(connection, database, name, {column: f'{made}("{column}")' for column in own})
    connection.execute(f"CREATE TEMP VIEW findings AS {FINDINGS}")


# These tell of secrets rarely: one look at all of their words saves making each of them ready.
_TELLING = " UNION ALL ".join(
    f"(SELECT 1 FROM {name} WHERE has_secret(concat_ws(chr(10), {', '.join(columns)})) LIMIT 1)"
    for name, columns in {"finding_versions": hidden.FINDING_TEXTS, **OWN_TEXTS}.items()
)


def _over(
    connection: duckdb.DuckDBPyConnection, database: str, table: str, columns: Mapping[str, str]
) -> None:
    """A temporary table in place of the catalog's; the views that read it are made after it, and see this one."""
    replaced = ", ".join(f'{sql} AS "{column}"' for column, sql in columns.items())
    star = f"* REPLACE ({replaced})" if columns else "*"
    connection.execute(f"CREATE TEMP TABLE {table} AS SELECT {star} FROM {database}.main.{table} t")


def _inner(sql: str, names: Mapping[str, str]) -> str:
    """The same SQL over the views as they are stored."""
    return re.sub(rf"(?<=(?:FROM|JOIN) )({'|'.join(names)})\b", r"_\1", sql)
