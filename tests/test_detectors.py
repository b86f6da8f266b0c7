"""The shipped detectors against their cases, and what a wrong detector file, parameter or row is answered with."""

# ruff: noqa: E501 -- messages are compared whole, on one line

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import Result

from pipeline import cases, casetables, config, detector, dialect
from pipeline.errors import AuditbookError

FOLDER = Path(__file__).resolve().parent.parent / "pipeline" / "detectors"
SHIPPED = sorted(FOLDER.glob("*.sql"))
FIRST_SEVEN = {
    "off_hours", "new_ip_for_actor", "bulk_delete", "permission_change",
    "missing_approval", "logging_disabled", "failed_job",
}  # fmt: skip

HEADER = """/*
title = "Deletions"
severity = "low"
version = 1
why = "Because."
false_positives = "None."
next_steps = "Look."
scope = "action = 'delete'"
needs = ["action"]

[controls]
soc2 = []
iso27001 = []
pci = []
hipaa = []
nist = []

[parameters.threshold]
default = 2
minimum = 1
maximum = 9
unit = "records"
meaning = "How many"
*/
"""
SELECT = """SELECT 'k' AS key, 's' AS subject, min(occurred_at) AS window_start, max(occurred_at) AS window_end,
  'o' AS observed, 'e' AS expected, 'r' AS reason, list(event_uid) AS events
FROM events HAVING count(*) >= $threshold
"""
CASES = """[[cases]]
name = "two"
events = [{ at = "2026-03-02T10:00:00Z", source = "printago", action = "delete", repeat = 2 }]
expect = [{ key = "k", subject = "s", window = ["2026-03-02T10:00:00Z", "2026-03-02T10:01:00Z"], observed = "o", expected = "e", events = 2 }]
[[cases]]
name = "one"
events = [{ at = "2026-03-02T10:00:00Z", source = "printago", action = "delete" }]
expect = []
becomes_match = { "events.0.repeat" = 2 }
"""  # fmt: skip
EVENT = 'events = [{ at = "2026-03-02T10:00:00Z", source = "printago", action = "delete" }]'


@pytest.fixture
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two events and their actor: as much of a store as these rules read."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            """CREATE TABLE events AS SELECT 'e' || n AS event_uid, 'printago' AS source, 'delete' AS action,
              'ana' AS actor_key, []::VARCHAR[] AS classes,
              TIMESTAMPTZ '2026-03-02 10:00:00Z' + n * INTERVAL 1 MINUTE AS occurred_at FROM range(2) AS numbers(n)"""
        )
        connection.execute("CREATE VIEW activity AS SELECT *, actor_key AS person FROM events")
        connection.execute(
            """CREATE VIEW habits AS SELECT source, person, true AS is_named, occurred_at::DATE AS local_date, 1 AS n
            FROM activity"""
        )
        connection.execute(
            """CREATE TABLE places (source VARCHAR, person VARCHAR, is_named BOOLEAN, "day" DATE, n BIGINT,
              source_ip VARCHAR, user_agent VARCHAR, api_key_id_masked VARCHAR)"""
        )
        yield connection


def parse(text: str) -> detector.Detector:
    return detector.parse(text, name="deletions", path="deletions.sql")


def refusal(text: str) -> str:
    with pytest.raises(AuditbookError) as error:
        parse(text)
    return str(error.value)


def test_every_detector_has_its_cases_and_every_case_its_detector() -> None:
    rules = {path.name.removesuffix(".sql") for path in SHIPPED}
    assert rules == {path.name.removesuffix(".cases.toml") for path in FOLDER.glob("*.cases.toml")}
    assert rules >= FIRST_SEVEN
    assert set(detector.shipped()) == rules


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_cases(path: Path) -> None:
    results = cases.run_cases(path)
    assert [f"{one.case}: {one.message}" for one in results if not one.ok] == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_detectors_are_in_the_dialect(path: Path) -> None:
    assert dialect.problems(path.read_text()) == []
    for names in detector.read(path).controls.values():
        assert names


def test_parameters_may_be_typed_in_a_shell() -> None:
    """The file runs as it is: nothing is templated into it."""
    for one in detector.shipped().values():
        assert one.sql == (FOLDER / f"{one.id}.sql").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "deletions.sql:1 has no header. It begins with /* title = … */ in TOML."),
        ("/*\ntitle = \"x\"\nwhy = \n*/ SELECT 1", "deletions.sql:3 the header is not TOML: Invalid value (at line 3, column 7)."),
        (HEADER.replace('"low"', '"bad"') + SELECT, "deletions.sql:3 severity: 'bad' is not one of ['critical', 'high', 'medium', 'low', 'info']."),
        (HEADER.replace('why = "Because."\n', "") + SELECT, "deletions.sql:1 the header: 'why' is a required property."),
        (HEADER.replace('why = "Because."', 'why = " "') + SELECT, "deletions.sql:5 why: ' ' does not match '\\\\S'."),
        (HEADER.replace("nist = []\n", "") + SELECT, "deletions.sql:11 controls: 'nist' is a required property."),
        (HEADER.replace('["action"]', '["actoin"]') + SELECT, 'deletions.sql:9 needs: "actoin" is not a column of events.'),
        (HEADER.replace("needs =", 'baseline_days = "threshhold"\nneeds =') + SELECT, 'deletions.sql:9 baseline_days: "threshhold" is not a parameter in days.'),
        (HEADER + SELECT.replace("$threshold", "$treshold"), "deletions.sql:27 $treshold is used but not declared. Add [parameters.treshold] to the header."),
        (HEADER + SELECT.replace("$threshold", "2 -- $threshold"), "deletions.sql:18 the parameter threshold is declared but not used."),
        (HEADER + "SELEC 1", 'deletions.sql:25 Parser Error: syntax error at or near "SELEC".'),
        (HEADER, "deletions.sql:1 must be exactly one SELECT statement, but holds: nothing."),
        (HEADER + SELECT + "; SELECT 2", "deletions.sql:1 must be exactly one SELECT statement, but holds: SELECT, SELECT."),
        (HEADER + "DELETE FROM events", "deletions.sql:1 must be exactly one SELECT statement, but holds: DELETE."),
        (HEADER + SELECT.replace("FROM events", "FROM 'x.parquet'"), 'deletions.sql:27 "x.parquet" is not a table that detectors may read. Allowed are: activity, actors, calendar, correlation_groups, event_changes, event_entities, event_messages, events, files, geography, habits, job_runs, places, rejects, retention_policy, spans, status_graph, tenants.'),
        (HEADER + SELECT.replace("FROM events", "FROM other.events"), 'deletions.sql:27 "other.events" is not a table that detectors may read. Allowed are: activity, actors, calendar, correlation_groups, event_changes, event_entities, event_messages, events, files, geography, habits, job_runs, places, rejects, retention_policy, spans, status_graph, tenants.'),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_where_and_how(text: str, message: str) -> None:
    assert refusal(text) == message


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT getenv('HOME')", "deletions.sql:25 getenv() is not a function that detectors may use."),
        ("SELECT 1,\n  random()", "deletions.sql:26 random() is not a function that detectors may use."),
        ("SELECT now()", "deletions.sql:25 now() is not a function that detectors may use."),
        ("SELECT 1 WHERE EXISTS (SELECT getenv('HOME'))", "deletions.sql:25 getenv() is not a function that detectors may use."),
    ],
)  # fmt: skip
def test_functions_are_on_a_list(sql: str, message: str) -> None:
    told = refusal(HEADER + sql)
    assert told.startswith(message)
    assert "Allowed are: abs, any_value, arg_max," in told


def test_reading_files_is_refused() -> None:
    assert "reads from a function; detectors read tables." in refusal(
        HEADER + "SELECT * FROM read_csv('x.csv')"
    )


def test_writing_inside_a_select_is_refused() -> None:
    """DuckDB 2 calls it a SELECT; 1.5 does not parse it."""
    told = refusal(HEADER + "WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone")
    assert told in (
        "deletions.sql:1 delete_query is not allowed; a detector only selects.",
        "deletions.sql:25 Parser Error: A CTE needs a SELECT.",
    )


def test_the_scope_is_checked_like_the_rule() -> None:
    told = refusal(HEADER.replace("action = 'delete'", "action = getenv('x')") + SELECT)
    assert told.startswith("deletions.sql:8 scope: getenv() is not a function that detectors may use.")
    told = refusal(HEADER.replace("action = 'delete'", "action = ) OR (true") + SELECT)
    assert told == 'deletions.sql:8 scope: Parser Error: syntax error at or near ")".'


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"treshold": 3}, "[detectors.deletions] treshold: no such parameter. Known are: threshold. Did you mean threshold?"),
        ({"threshold": "3"}, '[detectors.deletions] threshold: "3" is not a whole number (records).'),
        ({"threshold": True}, "[detectors.deletions] threshold: true is not a whole number (records)."),
        ({"threshold": 2.5}, "[detectors.deletions] threshold: 2.5 is not a whole number (records)."),
        ({"threshold": 0}, "[detectors.deletions] threshold: 0 is out of range. Expected at least 1 and at most 9 (records)."),
        ({"threshold": 10}, "[detectors.deletions] threshold: 10 is out of range. Expected at least 1 and at most 9 (records)."),
    ],
)  # fmt: skip
def test_a_wrong_parameter_lists_the_known_ones(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(AuditbookError) as error:
        detector.values(parse(HEADER + SELECT), overrides)
    assert str(error.value) == message


NUMBERS = [
    (one.id, name)
    for one in detector.shipped().values()
    for name, parameter in one.parameters.items()
    if not isinstance(parameter.default, bool | str)
]


@pytest.mark.parametrize(("rule", "name"), NUMBERS, ids=lambda part: part)
def test_every_number_has_bounds_within_which_the_rule_runs(rule: str, name: str) -> None:
    one = detector.shipped()[rule]
    said = one.parameters[name]
    assert isinstance(said.default, int | float) and said.minimum is not None and said.maximum is not None
    assert said.minimum <= said.default <= said.maximum
    event = {
        "at": "2026-03-02T10:00:00Z",
        "repeat": 3,
        "source": "printago",
        "actor_email": "ana@example.com",
        "classes": ["permission"],
    }
    with duckdb.connect() as connection:
        casetables.build(connection, {"name": "bounds", "defaults": {}, "events": [event]})
        for value in (said.minimum, said.maximum):
            detector.evaluate(connection, one, {name: value})
    for value in (said.minimum - 1, said.maximum + 1, 10**15, 10**400):
        with pytest.raises(AuditbookError, match=rf"{name}: .* is out of range\. Expected at least"):
            detector.values(one, {name: value})


def test_the_bounds_are_said_where_the_config_is_read() -> None:
    with pytest.raises(AuditbookError) as error:
        config.from_dict({"detectors": {"bulk_delete": {"window_minutes": 10**15}}})
    assert str(error.value).endswith("is out of range. Expected at least 1 and at most 10,080 (minutes).")


def test_a_number_without_bounds_is_refused() -> None:
    told = refusal(HEADER.replace("maximum = 9\n", "") + SELECT)
    assert told == "deletions.sql:18 parameters.threshold: 'maximum' is a required property."


def test_no_number_is_out_of_range() -> None:
    rule = parse(HEADER.replace("default = 2\n", "default = 2.0\n") + SELECT)
    with pytest.raises(AuditbookError, match=r"nan is out of range"):
        detector.values(rule, {"threshold": float("nan")})


def test_overrides_replace_defaults() -> None:
    assert detector.values(parse(HEADER + SELECT), {}) == {"threshold": 2}
    assert detector.values(parse(HEADER + SELECT), {"threshold": 9}) == {"threshold": 9}


def test_a_finding_is_known_again_by_detector_and_key(tables: duckdb.DuckDBPyConnection) -> None:
    (found,) = detector.evaluate(tables, parse(HEADER + SELECT), {}, "critical")
    # The first 16 digits of sha256("deletions\nk").
    assert (found.finding_id, found.detector, found.severity, found.title) == (
        "33582928131d225f",
        "deletions",
        "critical",
        "Deletions",
    )
    assert (found.window_start.isoformat(), found.window_end.isoformat()) == (
        "2026-03-02T10:00:00+00:00",
        "2026-03-02T10:01:00+00:00",
    )
    assert found.events == ("e0", "e1")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'k' AS", "NULL AS", "deletions.sql returns a finding without key."),
        ("'s' AS", "'' AS", 'deletions.sql returns the finding with the key "k" without subject.'),
        ("list(event_uid)", "list(event_uid) FILTER (false)", 'deletions.sql returns the finding with the key "k" without events.'),
        ("list(event_uid)", "list(NULL::VARCHAR)", 'deletions.sql returns the finding with the key "k" with an event that is null.'),
        ("min(occurred_at)", "NULL::TIMESTAMPTZ", 'deletions.sql returns the finding with the key "k" without window_start.'),
        ("min(occurred_at)", "'2026'", "deletions.sql returns a window_start that is not a TIMESTAMPTZ."),
        ("min(occurred_at)", "min(occurred_at)::TIMESTAMP", "deletions.sql returns a window_start that is not a TIMESTAMPTZ."),
        ("HAVING", "GROUP BY event_uid HAVING 1 + ", 'deletions.sql returns two findings with the key "k".'),
        ("'r' AS reason", "'r' AS reasons", "deletions.sql returns the columns key, subject, window_start, window_end, observed, expected, reasons, events. Expected key, subject, window_start, window_end, observed, expected, reason, cleared_by, events."),
    ],
)  # fmt: skip
def test_a_broken_rule_is_never_silence(
    tables: duckdb.DuckDBPyConnection, old: str, new: str, message: str
) -> None:
    with pytest.raises(AuditbookError) as error:
        detector.evaluate(tables, parse(HEADER + SELECT.replace(old, new)), {})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("nowhere", 'deletions.sql Binder Error: Referenced column "nowhere" not found in FROM clause.'),
        ("CAST(CAST(min(source) AS INTEGER) AS VARCHAR)", "deletions.sql Conversion Error: Could not convert string 'printago' to INT32"),
    ],
)  # fmt: skip
def test_an_error_of_the_database_names_the_file(
    tables: duckdb.DuckDBPyConnection, sql: str, message: str
) -> None:
    with pytest.raises(AuditbookError) as error:
        detector.evaluate(tables, parse(HEADER + SELECT.replace("'r' AS", f"{sql} AS")), {})
    assert str(error.value).startswith(message)


def test_coverage_says_how_much_was_seen(tables: duckdb.DuckDBPyConnection) -> None:
    tables.execute(
        "INSERT INTO events VALUES ('e3', 'hoops', NULL, 'ana', [], TIMESTAMPTZ '2026-03-05 10:00:00Z')"
    )
    silent, seen = detector.coverage(tables, parse(HEADER + SELECT), {"threshold": 3})
    assert (silent.source, silent.status, silent.in_scope, silent.why) == (
        "hoops",
        "not_evaluable",
        0,
        "None of its 1 events is in scope.",
    )
    assert (seen.source, seen.status, seen.in_scope, seen.missing, seen.why) == (
        "printago",
        "evaluated",
        2,
        None,
        None,
    )
    assert (seen.parameters, seen.version, seen.error) == ('{"threshold": 3}', 1, None)


def test_coverage_names_the_field_that_is_missing(tables: duckdb.DuckDBPyConnection) -> None:
    tables.execute(
        "INSERT INTO events VALUES ('e3', 'printago', NULL, 'ana', [], TIMESTAMPTZ '2026-03-05 10:00:00Z')"
    )
    tables.execute(
        "INSERT INTO events VALUES ('e4', 'hoops', NULL, 'ana', [], TIMESTAMPTZ '2026-03-05 10:00:00Z')"
    )
    rule = parse(HEADER.replace("action = 'delete'", "true") + SELECT)
    silent, seen = detector.coverage(tables, rule, {})
    assert (silent.status, silent.in_scope, silent.why) == (
        "not_evaluable",
        0,
        "action: never filled by this source.",
    )
    assert (seen.status, seen.in_scope, seen.missing) == ("evaluated", 2, "action (1 of 3 events)")


@pytest.mark.parametrize(
    ("name", "parameters", "missing"),
    [
        ("new_ip_for_actor", {"min_baseline_days": 1}, "source_ip (969 of 1,000 events)"),
        ("off_hours", {"min_baseline_days": 1}, None),
        ("off_hours", {"min_baseline_days": 1}, "actor_email or actor_id or actor_name (969 of 1,000 events)"),
        ("bulk_delete", {}, "action (969 of 1,000 events)"),
        ("missing_approval", {}, "parent_entity_id (969 of 1,000 events)"),
        ("failed_job", {}, "outcome (969 of 1,000 events)"),
    ],
)  # fmt: skip
def test_what_lacks_a_needed_column_is_not_counted_as_judged(
    name: str, parameters: dict[str, object], missing: str | None
) -> None:
    """1,000 events of which 31 are whole: 969 are said to lack the column, and 31 to be judged."""
    whole = {
        "at": "2026-03-02T10:00:00Z", "every": "1d", "repeat": 31, "source": "craftstage", "actor_id": "usr_1",
        "source_ip": "192.0.2.1", "action": "export", "entity_type": "export", "parent_entity_type": "job",
        "parent_entity_id": "job_1", "category": "background_job", "outcome": "success",
    }  # fmt: skip
    columns = re.findall(r"actor_id|outcome|[a-z_]+(?= \()", missing or "")
    lacking = {
        **whole,
        "every": "1m",
        "repeat": 969,
        **({columns[0]: "unknown" if columns[0] == "outcome" else ""} if columns else {}),
    }
    with duckdb.connect() as connection:
        casetables.build(connection, {"name": "coverage", "defaults": {}, "events": [whole, lacking]})
        (seen,) = detector.coverage(connection, detector.shipped()[name], parameters)
    assert (seen.status, seen.in_scope, seen.missing) == ("evaluated", 31 if missing else 1000, missing)


def test_a_partial_sight_is_said_beside_the_people_without_a_past(tables: duckdb.DuckDBPyConnection) -> None:
    for row in (
        "'e3', 'printago', NULL, 'ana'",
        "'e4', 'printago', 'delete', 'ana'",
        "'e5', 'printago', 'delete', 'ben'",
    ):
        tables.execute(f"INSERT INTO events VALUES ({row}, [], TIMESTAMPTZ '2026-03-05 10:00:00Z')")
    header = HEADER.replace("action = 'delete'", "true").replace("needs =", "baseline_days = 1\nneeds =")
    (seen,) = detector.coverage(tables, parse(header + SELECT), {})
    assert seen.why == (
        "1 of 2 people have fewer than 1 earlier days of activity: not judged. Not said: action (1 of 5 events)."
    )


def test_the_scope_may_use_parameters(tables: duckdb.DuckDBPyConnection) -> None:
    rule = parse(HEADER.replace("action = 'delete'", "event_uid < 'e' || $threshold") + SELECT)
    assert [detector.coverage(tables, rule, {"threshold": n})[0].in_scope for n in (1, 2)] == [1, 2]


def test_coverage_counts_those_who_have_no_past_yet(tables: duckdb.DuckDBPyConnection) -> None:
    rule = parse(HEADER.replace("needs =", "baseline_days = 1\nneeds =") + SELECT)
    (cold,) = detector.coverage(tables, rule, {})
    assert (cold.status, cold.baseline_needed) == ("not_evaluable", 1)
    assert cold.why == "Nobody has the 1 earlier days of activity that a judgement needs (the most: 0)."
    tables.execute(
        "INSERT INTO events VALUES ('e3', 'printago', 'delete', 'ana', [], TIMESTAMPTZ '2026-03-05 10:00:00Z')"
    )
    tables.execute(
        "INSERT INTO events VALUES ('e4', 'printago', 'delete', 'ben', [], TIMESTAMPTZ '2026-03-05 10:00:00Z')"
    )
    (warm,) = detector.coverage(tables, rule, {})
    assert (warm.status, warm.why) == (
        "evaluated",
        "1 of 2 people have fewer than 1 earlier days of activity: not judged.",
    )


@pytest.mark.parametrize(
    ("actors", "kinds", "is_service"),
    [
        ({}, ("api_key", "api_key", "user"), False),
        ({}, ("api_key", "webhook", "customer"), False),
        ({}, ("api_key", "scheduler", "unknown"), True),
        ({"ana@example.com": {"service": False}}, ("api_key", "api_key", "api_key"), False),
        ({"ana@example.com": {"service": True}}, ("user", "user", "user"), True),
        ({"ana@example.com": {"name": "Ana"}}, ("api_key", "api_key", "user"), False),
    ],
)  # fmt: skip
def test_who_is_a_service(actors: dict[str, object], kinds: tuple[str, ...], is_service: bool) -> None:
    events = [
        {
            "at": "2026-03-02T10:00:00Z",
            "source": "printago",
            "actor_email": "ana@example.com",
            "actor_type": kind,
        }
        for kind in kinds
    ]
    with duckdb.connect() as connection:
        casetables.build(
            connection, {"name": "service", "defaults": {}, "events": events, "config": {"actors": actors}}
        )
        assert connection.sql("SELECT is_service FROM actors").fetchall() == [(is_service,)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_order_is_left_to_chance(path: Path) -> None:
    """Which of many rows is told is settled to the last tie: by the event."""
    sql = path.read_text().split("*/", 1)[1]
    assert re.findall(r"arg_(?:min|max)\((?![^()]+, \([^()]*(?:event|revoke)_uid\)\))[^\n]*", sql) == []


def test_a_failure_is_covered_as_one() -> None:
    told = detector.failed(parse(HEADER + SELECT), {"threshold": "x"}, "it broke")
    assert (told.source, told.status, told.error, told.parameters) == (
        "*",
        "failed",
        "it broke",
        '{"threshold": "x"}',
    )


def test_cases_of_somebody_elses_folder(tmp_path: Path) -> None:
    (tmp_path / "deletions.sql").write_text(HEADER + SELECT)
    (tmp_path / "deletions.cases.toml").write_text(CASES)
    assert [(one.detector, one.case, one.ok, one.message) for one in cases.run_cases(tmp_path)] == [
        ("deletions", "two", True, ""),
        ("deletions", "one", True, ""),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('observed = "o"', 'observed = "p"', 'observed is "o", not "p"'),
        ("events = 2", "events = 3", "events is 2, not 3"),
        ("repeat = 2 }]\nexpect", "repeat = 1 }]\nexpect", "expected 1 findings, found none"),
    ],
)  # fmt: skip
def test_a_case_that_differs_says_how(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "deletions.sql").write_text(HEADER + SELECT)
    (tmp_path / "deletions.cases.toml").write_text(CASES.replace(old, new))
    assert cases.run_cases(tmp_path)[0].message == message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"events.0.repeat" = 2', '"events.0.action" = "update"', "stays without a finding when events.0.action becomes update"),
        ('"events.0.repeat" = 2', '"events.0.source" = "printago"', "becomes_match does not change events.0.source; stays without a finding when events.0.source becomes printago"),
        ('action = "delete" }]', 'action = "update" }]', "was not evaluated: None of its 1 events is in scope."),
        ("expect = []", 'expect = []\nnot_evaluable = "Too early."', 'was to be not evaluable because "Too early.", but: evaluated'),
    ],
)  # fmt: skip
def test_a_near_miss_must_have_been_near(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "deletions.sql").write_text(HEADER + SELECT)
    (tmp_path / "deletions.cases.toml").write_text(CASES.replace(old, new))
    assert cases.run_cases(tmp_path)[1].message == message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('becomes_match = { "events.0.repeat" = 2 }\n', "", 'case "one": expects nothing, so it must name the one value that makes it a match. For example becomes_match = { "parameters.threshold" = 24 }.'),
        ("expect = []", "expected = []", 'case "one": expected is not known. Known are: becomes_match, config, events, expect, geography, name, not_evaluable, parameters, rejects, use.'),
        (', observed = "o"', "", 'case "two": expect.0.observed is missing. Each needs key, subject, window, observed, expected, events.'),
        (CASES, "", "cases is missing. Each needs cases."),
        (CASES, "cases = []", "cases: [] is empty. Give it a value or remove the line."),
        (CASES, 'cases = ["x"]', 'case 1: "x" is not what is expected. Expected a table, like { name = 1 }.'),
        ("[[cases]]", "case = 1\n[[cases]]", "case is not known. Known are: cases, defaults, groups."),
        ("[[cases]]", "[defaults]\nrepeat = true\n[[cases]]", "defaults.repeat: true is not what is expected. Expected a whole number."),
        ('name = "two"\n', "", "case 1: name is missing. Each needs name, expect."),
        ("expect = []", 'expect = []\nuse = ["nobody"]', 'case "one": use: "nobody" is not a group. Known are: none.'),
        ("expect = []", "expect = []\nparameters = { treshold = 3 }", 'case "one": [detectors.deletions] treshold: no such parameter. Known are: threshold. Did you mean threshold?'),
        ("expect = []", "expect = []\nconfig = { organization = { timezone = 5 } }", 'case "one": [organization] timezone: 5 is not what is expected. Expected text in quotes, like "this".'),
        ("expect = []", "expect = []\ngeography = [{ source_ip = 5 }]", 'case "one": geography.0.source_ip: 5 is not what is expected. Expected a text in quotes.'),
        ("expect = []", "expect = []\ngeography = [{}]", 'case "one": geography.0: it is empty. Give it a value or remove it.'),
        ("expect = []", "expect = []\nrejects = [{ lines = 5 }]", 'case "one": rejects.0: lines is not a column. Did you mean line?'),
        ('window = ["2026-03-02T10:00:00Z", ', 'window = ["soon", ', 'case "two": "soon" is not a time. Write 2026-03-02T23:10:00Z.'),
        ("events = 2 }", 'events = "x" }', 'case "two": expect.0.events: "x" is not what is expected. Expected a list, like [1, 2] or a whole number.'),
        (CASES[CASES.index("[[cases]]", 5):], "", "has no near miss. Each detector needs a match and a near miss."),
        ("[[cases]]", "[cases]]", "is not TOML: Expected newline or end of document after a statement (at line 1, column 8)."),
    ],
)  # fmt: skip
def test_a_wrong_case_file_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "deletions.sql").write_text(HEADER + SELECT)
    (tmp_path / "deletions.cases.toml").write_text(CASES.replace(old, new, 1))
    with pytest.raises(AuditbookError) as error:
        cases.run_cases(tmp_path)
    assert str(error.value) == f"{tmp_path / 'deletions.cases.toml'} {message}"


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ('{ at = "yesterday" }', '"yesterday" is not a time. Write 2026-03-02T23:10:00Z.'),
        ('{ at = "2026-03-02T10:00:00" }', '"2026-03-02T10:00:00" has no zone. Write 2026-03-02T23:10:00Z or 2026-03-02T18:10:00-05:00.'),
        ('{ at = "0001-01-01T00:00:00Z" }', '"0001-01-01T00:00:00Z" is too far away. Write 2026-03-02T23:10:00Z.'),
        ('{ at = "9998-12-31T00:00:00Z", repeat = 9, every = "365d" }', "it reaches beyond the year 9999. Repeat it less."),
        ('{ at = 2026-03-02T10:00:00Z, every = "soon" }', 'every = "soon" is not a step. Write 30s, 15m, 2h or 1d.'),
        ('{ at = 2026-03-02T10:00:00Z, colour = "x" }', "colour is not a column. For example: "),
        ('{ at = 2026-03-02T10:00:00Z, acton = "x" }', "acton is not a column. Did you mean action?"),
    ],
)  # fmt: skip
def test_a_wrong_event_of_a_case_is_told(tmp_path: Path, event: str, message: str) -> None:
    assert f'case "one": events.0: {message}' in wrong(tmp_path, EVENT, f"events = [{event}]")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('is_bulk = "x"', 'is_bulk: "x" is not what is expected. Expected true or false.'),
        ("line = true", "line: true is not what is expected. Expected a number."),
        ("line = 99999999999999999999", "line: 99999999999999999999 is not what is expected. Expected a number."),
        ("action_detail = 5", "action_detail: 5 is not what is expected. Expected a text in quotes."),
        ('classes = "x"', 'classes: "x" is not what is expected. Expected a list; of each, a text in quotes.'),
        ('outcome = "sucess"', 'outcome: "sucess" is none of its values. Known are: success, warning, failure, pending, unknown.'),
        ('repeat = "x"', 'repeat: "x" is not what is expected. Expected a whole number.'),
        ("repeat = 1000001", "repeat: 1000001 is out of range. Expected 0 to 1,000,000."),
        ("changes = [{ old = 1 }]", "changes.0.field is missing. Each needs field."),
        ('metadata = "x"', 'metadata: "x" is not what is expected. Expected a table, like { name = 1 }.'),
        ('related_entities = [{ typ = "x" }]', 'related_entities: [{"typ": "x"}] is not what is expected. Expected a list; of each, a table of type, id, name, relation.'),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_told(tmp_path: Path, value: str, message: str) -> None:
    told = wrong(tmp_path, EVENT, f'events = [{{ at = 2026-03-02T10:00:00Z, source = "hoops", {value} }}]')
    assert told == f'case "one": events.0.{message}'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('"events.7.at" = 2', "events.7.at is no place in it. "),
        ('"events.x.at" = 2', "events.x.at is no place in it. "),
        ('"name.x.y" = 2', "name.x.y is no place in it. "),
        ('"evnts" = 2', "evnts is not known. Known are: becomes_match, "),
        ('"events.0.repeat" = "x"', 'events.0.repeat: "x" is not what is expected. Expected a whole number.'),
    ],
)
def test_a_wrong_change_of_a_case_is_told(tmp_path: Path, change: str, message: str) -> None:
    told = wrong(tmp_path, '"events.0.repeat" = 2', change)
    assert told.startswith(f'case "one": becomes_match: {message}')


def test_a_near_miss_of_no_events_has_none_to_change(tmp_path: Path) -> None:
    assert wrong(tmp_path, EVENT, "events = []") == (
        'case "one": becomes_match: events.0.repeat is no place in it. Its parts lead to one value of the case: '
        '"events.0.at" is that of its first event.'
    )


def test_a_case_file_that_is_no_text_or_of_a_broken_rule(
    tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    (tmp_path / "rules").mkdir()
    rule, told = tmp_path / "rules" / "deletions.sql", tmp_path / "rules" / "deletions.cases.toml"
    rule.write_text(HEADER + SELECT)
    told.write_bytes(b'name = "\xff"')
    shown = invoke("detectors", "test", "rules")
    assert (shown.exit_code, shown.stderr) == (
        1,
        "auditbook: rules/deletions.cases.toml is not UTF-8 (byte 8).\n",
    )
    told.write_text(CASES)
    rule.write_text(HEADER + SELECT.replace("occurred_at)", "occured_at)", 1))
    shown = invoke("detectors", "test", "rules")
    assert shown.exit_code == 1
    assert shown.stderr.startswith('auditbook: rules/deletions.sql case "two" of deletions.cases.toml: ')
    assert "occured_at" in shown.stderr


def wrong(folder: Path, old: str, new: str) -> str:
    """What is said of a case file in which something was replaced, after the name of the file."""
    (folder / "deletions.sql").write_text(HEADER + SELECT)
    head, one = CASES.rsplit("[[cases]]", 1)
    (folder / "deletions.cases.toml").write_text(f"{head}[[cases]]{one.replace(old, new, 1)}")
    with pytest.raises(AuditbookError) as error:
        cases.run_cases(folder)
    return str(error.value).removeprefix(f"{folder / 'deletions.cases.toml'} ")


def test_a_folder_without_detectors_or_cases_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AuditbookError, match=r"holds no detectors \(\*\.sql\)\."):
        cases.run_cases(tmp_path)
    (tmp_path / "deletions.sql").write_text(HEADER + SELECT)
    with pytest.raises(
        AuditbookError, match=r"deletions\.cases\.toml is not there\. A detector has its cases beside it\."
    ):
        cases.run_cases(tmp_path)
    (tmp_path / "deletions.cases.toml").write_text(CASES)
    (tmp_path / "other.cases.toml").write_text(CASES)
    with pytest.raises(AuditbookError, match=r"other\.cases\.toml has no detector beside it\."):
        cases.run_cases(tmp_path)
