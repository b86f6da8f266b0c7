"""Changes each comparison and each number of a rule, one at a time: some case beside it must notice. `make mutate`.

MUTATE="bulk_delete off_hours" for some rules, MUTATE=folder for somebody's own. A comparison becomes its neighbour
(< and <=, = and <>), a number or a default one more. Changes that make no difference stand in `either_way.toml`, each
with why (beside this file, or in that folder); one that stands there and is noticed is an error too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb

from pipeline import casefile, cases, casetables, detector, dialect
from pipeline.detector import Detector
from pipeline.errors import AuditbookError

HERE = Path(__file__).resolve().parent
LAST = HERE / ".noticed.json"
SHIPPED = HERE.parent / "pipeline" / "detectors"
NEIGHBOUR = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "=": "<>", "<>": "="}
TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|<=|>=|<>|->>|->|[<>=]|(?<![\w.$])\d+(?:\.\d+)?(?![\w.])",
    re.S,
)
WORD = re.compile(r"[a-z_]+")
Noticed = dict[str, str]  # a change -> the case that noticed it
PARAMETER = re.compile(r"\$([a-z][a-z0-9_]*)")


@dataclass(frozen=True, eq=False)
class Mutant:
    """A rule with one thing changed; `defaults` are parameters that a case does not set itself."""

    rule: Detector
    line: int
    what: str
    defaults: dict[str, object]


def mutants(rule: Detector) -> list[Mutant]:
    """Every change of a rule, in the order of its file."""
    return [*_of_defaults(rule), *_of_sql(rule)]


def _of_defaults(rule: Detector) -> Iterator[Mutant]:
    for name, said in rule.parameters.items():
        if isinstance(said.default, bool) or not isinstance(said.default, int | float):
            continue
        more = said.default + 1 if said.maximum is None or said.default < said.maximum else said.default - 1
        line = rule.sql.count("\n", 0, rule.sql.index(f"[parameters.{name}]")) + 1
        yield Mutant(rule, line, f"{name} = {more}", {name: more})


def _of_sql(rule: Detector) -> Iterator[Mutant]:
    begin = rule.sql.index("*/") + 2
    for found in TOKEN.finditer(rule.sql, begin):
        text = found.group()
        if not (text in NEIGHBOUR or text[0].isdigit()):
            continue
        other = (
            NEIGHBOUR.get(text) or f"{float(text) + 1:g}"
            if "." in text
            else NEIGHBOUR.get(text) or str(int(text) + 1)
        )
        changed = rule.sql[: found.start()] + other + rule.sql[found.end() :]
        line = rule.sql.count("\n", 0, found.start()) + 1
        around = rule.sql[max(begin, found.start() - 30) : found.end() + 20].replace("\n", " ")
        yield Mutant(replace(rule, sql=changed), line, f"{text} became {other} in …{around}…", {})


def survivors(path: Path, last: Noticed) -> tuple[str, int, list[Mutant], Noticed]:
    """The rule's name, how many changes there are, those that no case notices, and which case noticed the others.

    A change is shown first to the case that noticed it the `last` time: that is most often all that it takes.
    """
    rule, told = cases.read(path)
    changed, noticed = mutants(rule), Noticed()
    alive = [Mutant(rule, 0, "as it is", {}), *changed]
    made: dict[str, dict[str, Any]] = {}
    with duckdb.connect() as connection:
        # What is planned once must hold for the tables of every case.
        connection.execute("SET threads = 1")
        connection.execute("SET disabled_optimizers = 'statistics_propagation,compressed_materialization'")
        connection.execute("SET TimeZone = 'UTC'")
        for is_again in (True, False):
            for name, case, matches in _shown(told):
                asked = [one for one in alive if not is_again or last.get(one.what) == name]
                if asked:
                    made[name] = made.get(name) or _made(case, set(WORD.findall(rule.sql)))
                    _fill(connection, made[name])
                gone = [one for one in asked if _notices(connection, one, case, matches)]
                noticed |= {one.what: name for one in gone}
                alive = [one for one in alive if one not in gone]
    if "as it is" in noticed:
        raise AuditbookError("does not pass its own cases: `auditbook detectors test`.", path=path)
    return rule.id, len(changed), alive[1:], noticed


def _shown(told: Sequence[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], bool | None]]:
    """Each case and whether it matches; None is a near miss with its one value changed: it must find something."""
    for case in told:
        yield case["name"], case, bool(case["expect"])
        if not case["expect"]:
            yield f"{case['name']}, changed", casefile.changed(case), None


def _made(case: Mapping[str, Any], mentioned: set[str]) -> dict[str, Any]:
    """What a rule reads of a case, as Arrow tables."""
    with duckdb.connect(config={"threads": 1}) as made:
        casetables.build(made, case)
        return {
            name: made.sql(f"SELECT * FROM {name}").to_arrow_table()
            for name in sorted(dialect.TABLES & mentioned)
        }


def _fill(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Any]) -> None:
    """Put them into tables that stay, so that a statement is planned once for all cases."""
    for name, rows in tables.items():
        connection.register("rows", rows)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM rows LIMIT 0")
        connection.execute(f"DELETE FROM {name}")
        connection.execute(f"INSERT INTO {name} SELECT * FROM rows")
        connection.unregister("rows")


def _notices(
    connection: duckdb.DuckDBPyConnection, one: Mutant, case: dict[str, Any], matches: bool | None
) -> bool:
    try:
        found = detector.findings(one.rule, *_rows(connection, one, case.get("parameters", {})))
    except (AuditbookError, duckdb.Error):
        return True
    if matches is None:
        return not found
    return next(cases.differences(case, found), None) is not None


def _rows(
    connection: duckdb.DuckDBPyConnection, one: Mutant, given: Mapping[str, object]
) -> tuple[list[tuple[Any, ...]], tuple[str, ...]]:
    """What a changed rule returns with these parameters; it is planned when it is first asked with them."""
    chosen = detector.values(one.rule, {**one.defaults, **given})
    sql = PARAMETER.sub(lambda name: _literal(chosen[name[1]]), one.rule.sql.partition("*/")[2])
    name = f"m{hashlib.sha256(sql.encode()).hexdigest()[:16]}"
    try:
        answer = connection.execute(f"EXECUTE {name}")
    except duckdb.BinderException:  # not planned yet
        connection.execute(f"PREPARE {name} AS {sql}")
        answer = connection.execute(f"EXECUTE {name}")
    return answer.fetchall(), tuple(column[0] for column in answer.description or ())


def _literal(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value).lower()


def wrong(name: str, alive: Sequence[Mutant], known: Sequence[Mapping[str, str]]) -> list[str]:
    """The changes of a rule that no case notices and nobody said why, and what is said of changes that are noticed."""
    said = {one["change"] for one in known if one["rule"] == name}
    unsaid = [f"{one.rule.path}:{one.line} {one.what}" for one in alive if one.what not in said]
    gone = said - {one.what for one in alive}
    return unsaid + [f"{name}: is noticed, or no change of it: {change}" for change in sorted(gone)]


def main() -> None:
    began, wanted = time.perf_counter(), os.environ.get("MUTATE", "").split()
    folder = Path(wanted[0]) if wanted and Path(wanted[0]).is_dir() else SHIPPED
    # The longest first, so that no process is left alone with them.
    paths = sorted(folder.glob("*.sql"), key=lambda one: -one.with_suffix(".cases.toml").stat().st_size)
    if folder is SHIPPED and wanted:
        paths = [path for path in paths if path.stem in wanted]
    listed = (HERE if folder is SHIPPED else folder) / "either_way.toml"
    known = tomllib.loads(listed.read_text("utf-8"))["changes"] if listed.exists() else []
    last = json.loads(LAST.read_text("utf-8")) if LAST.exists() else {}
    total, left = 0, list[str]()
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        asked = [pool.submit(survivors, path, last.get(path.stem, {})) for path in paths]
        for done in as_completed(asked):
            name, count, alive, noticed = done.result()
            found = wrong(name, alive, known)
            print(f"{name:32} {count:4} changes, {len(alive)} make no difference, {len(found)} wrong")
            print("".join(f"  {one}\n" for one in found), end="", flush=True)
            total, left = total + count, [*left, *found]
            last[name] = noticed
            LAST.write_text(json.dumps(last, indent=0), "utf-8")
    print(f"{len(paths)} rules, {total} changes, {len(left)} wrong, {time.perf_counter() - began:.0f} s")
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    try:
        main()
    except AuditbookError as error:
        sys.exit(str(error))
