"""A question of somebody's own, in SQL: held to reading, and when it is wrong, told where."""

from __future__ import annotations

import json
from collections.abc import Mapping

import duckdb

from pipeline.errors import AuditbookError, UsageError
from pipeline.query import Log
from pipeline.rows import Rows

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_PREPARE = "PREPARE asked AS "


def ask(log: Log, question: str, values: Mapping[str, str] | None = None) -> Rows:
    """The rows of one question that only reads; `$name` in it is a value, and so is `$1`."""
    try:
        statements = duckdb.extract_statements(question)
        if len(statements) != 1 or statements[0].type not in _READING:
            raise UsageError(
                "only one question at a time, and nothing that writes.", hint="Begin with SELECT or FROM."
            )
        given = values or {}
        _must_match(statements[0].named_parameters, set(given))
        by_place = [given[name] for name in sorted(given, key=int)] if "1" in given else None
        rows = log.sql(question.strip().rstrip(";"), by_place or given)
        if statements[0].type == duckdb.StatementType.EXPLAIN:
            plan = log.con.execute(rows.sql, rows.values or None).fetchall()
            return Rows(
                log.con,
                "SELECT unnest(?::VARCHAR[]) AS plan",
                ["\n".join(text for _, text in plan).split("\n")],
            )
        rows.shape()  # binds names and types; nothing is read
    except duckdb.Error as error:
        raise wrong(log, question, error) from error
    return rows


def _must_match(needed: set[str], given: set[str]) -> None:
    """A value that is missing, or that nothing asks for, is a slip of the pen."""
    for name in sorted(needed - given):
        raise UsageError(f"${name} has no value.", hint=f"Give it with --param {name}=VALUE.")
    for name in sorted(given - needed):
        listed = ", ".join(f"${one}" for one in sorted(needed)) or "none"
        raise UsageError(f"the question has no ${name}.", hint=f"Its values are: {listed}.")


def wrong(log: Log, question: str, error: duckdb.Error) -> AuditbookError:
    """The engine's words, with line and column of the question as it was typed."""
    first, _, rest = str(error).partition("\n")
    hint = rest.partition("LINE ")[0].strip() or None
    where = _place(log, question)
    return AuditbookError(f"the question cannot be answered{where}: {first}", hint=hint)


def _place(log: Log, question: str) -> str:
    """Asked again without being run, the engine tells the position in figures."""
    log.con.execute("SET errors_as_json = true")
    try:
        log.con.execute(_PREPARE + question)
        log.con.execute("DEALLOCATE asked")
    except duckdb.Error as error:
        told = str(error)
        said = json.loads(told[told.index("{") :]) if "{" in told else {}
        if "position" in said:
            before = question.encode()[: int(said["position"]) - len(_PREPARE)].decode(errors="ignore")
            return f", line {before.count(chr(10)) + 1}, column {len(before.rpartition(chr(10))[2]) + 1}"
    finally:
        log.con.execute("SET errors_as_json = false")
    return ""
