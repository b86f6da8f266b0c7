"""The rows of detect and review commits -> findings as they stand now. Tables of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipeline import engine, spelling, views
from pipeline.columns import SEVERITIES
from pipeline.config import Config
from pipeline.replaced import in_force
from pipeline.store import Commit

FINDING_ROWS: dict[str, str] = {
    "finding_id": "VARCHAR",
    "detector": "VARCHAR",
    "severity": "VARCHAR",
    "title": "VARCHAR",
    "key": "VARCHAR",
    "subject": "VARCHAR",
    "window_start": "TIMESTAMP WITH TIME ZONE",
    "window_end": "TIMESTAMP WITH TIME ZONE",
    "observed": "VARCHAR",
    "expected": "VARCHAR",
    "reason": "VARCHAR",
    "cleared_by": "VARCHAR",
    "events": "VARCHAR[]",
    "actor_key": "VARCHAR",
    "actor_keys": "VARCHAR[]",
    "sources": "VARCHAR[]",
    "local_date": "DATE",
    "change": "VARCHAR",
}
DISPOSITION_ROWS: dict[str, str] = {
    "finding_id": "VARCHAR",
    "status": "VARCHAR",
    "reviewer": "VARCHAR",
    "os_user": "VARCHAR",
    "reason": "VARCHAR",
    "until": "DATE",
    "decided_at": "TIMESTAMP WITH TIME ZONE",
}
COVERAGE_ROWS: dict[str, str] = {
    "detector": "VARCHAR",
    "source": "VARCHAR",
    "status": "VARCHAR",
    "in_scope": "BIGINT",
    "missing": "VARCHAR",
    "baseline_days": "BIGINT",
    "baseline_needed": "BIGINT",
    "baseline_events": "BIGINT",
    "why": "VARCHAR",
    "error": "VARCHAR",
    "version": "BIGINT",
    "sql_sha256": "VARCHAR",
    "parameters": "VARCHAR",
    "counts": "VARCHAR",
}


def _rows(chain: Sequence[Commit], name: str, columns: dict[str, str]) -> str:
    """One kind of small file over all commits, with the number of the commit each row came by."""
    nothing = f"SELECT *, 0::BIGINT AS commit_no FROM {views.parquet([], columns)}"
    parts = [
        f"SELECT *, {number} AS commit_no FROM {views.all_of([str(path.resolve())])}"
        for number, path in in_force(chain, name)
    ]
    return " UNION ALL BY NAME ".join([nothing, *parts])


def tables(
    connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit], config: Config, sightings: str
) -> None:
    """Findings, their events, decisions, suppressions and coverage, as tables of the catalog.

    `sightings` is the relation that says under which spellings each actor was seen.
    """
    evaluations = [link.number for link in chain if link.kind == "detect"]
    newest = evaluations[-1] if evaluations else 0
    connection.execute(
        f"CREATE OR REPLACE TABLE dispositions AS {_rows(chain, 'dispositions.parquet', DISPOSITION_ROWS)}"
    )
    connection.execute(
        f"CREATE OR REPLACE TABLE finding_versions AS {_rows(chain, 'findings.parquet', FINDING_ROWS)}"
    )
    connection.execute(
        f"""CREATE OR REPLACE TABLE detector_coverage AS SELECT *, commit_no = {newest} AS newest
        FROM ({_rows(chain, "coverage.parquet", COVERAGE_ROWS)})"""
    )
    zone = config.organization.timezone.replace("'", "''")
    connection.execute(
        f"""CREATE OR REPLACE MACRO organization_day() AS
        coalesce(getvariable('as_of')::DATE, timezone('{zone}', now())::DATE)"""
    )
    connection.execute(
        "CREATE OR REPLACE TABLE suppressions (suppression BIGINT, detector VARCHAR, actor VARCHAR, source VARCHAR, "
        "owner VARCHAR, reason VARCHAR, until DATE)"
    )
    rows = [
        (number, s.detector, s.actor, s.source, s.owner, s.reason, s.until)
        for number, s in enumerate(config.suppressions, start=1)
    ]
    engine.insert(connection, "suppressions", rows)
    connection.execute(_CURRENT_FINDINGS, {"newest": newest})
    connection.execute(
        "CREATE OR REPLACE VIEW finding_events AS SELECT finding_id, unnest(events) AS event_uid FROM current_findings"
    )
    written = [
        (number, text)
        for number, s in enumerate(config.suppressions, start=1)
        for text in (spelling.person_texts(s.actor) if s.actor else ())
    ]
    asked = {"numbers": [number for number, _ in written], "texts": [text for _, text in written]}
    if rows:  # who is spelled how takes a while to say
        connection.execute(_suppressed(spelling.spellings(sightings)), asked)
    else:
        connection.execute(_NONE_SUPPRESSED)
    connection.execute(f"CREATE OR REPLACE VIEW findings AS {FINDINGS}")
    connection.execute(f"CREATE OR REPLACE VIEW cases AS {CASES}")


# What one person did on one day is one case, whatever rules saw it; a finding about nobody is a case of its own.
_CURRENT_FINDINGS = """CREATE OR REPLACE TABLE current_findings AS
  SELECT last.* EXCLUDE (commit_no, change), commit_no AS last_commit, a.person,
    left(sha256(coalesce(a.person, last.finding_id) || '|' || last.local_date), 8) AS case_id,
    CASE WHEN change = 'withdrawn' THEN 'withdrawn' WHEN commit_no < $newest THEN 'open'
         WHEN change = 'new' THEN 'new' ELSE 'changed' END AS base_state
  FROM (SELECT *, min(commit_no) OVER (PARTITION BY finding_id) AS first_commit FROM finding_versions
        QUALIFY row_number() OVER (PARTITION BY finding_id ORDER BY commit_no DESC) = 1) last
  LEFT JOIN actors a ON a.actor_key = last.actor_key"""
CASES = f"""SELECT case_id, any_value(person) AS person, arg_min(subject, (window_start, finding_id)) AS subject,
    min(local_date) AS local_date, list_extract({list(SEVERITIES)}, min(list_position({list(SEVERITIES)}, severity)))
      AS severity, count(*) AS findings, count(*) FILTER (state IN ('new', 'open', 'changed')) AS "open",
    list_sort(list(DISTINCT detector)) AS detectors, min(window_start) AS window_start, max(window_end) AS window_end
  FROM (SELECT f.*, c.person, c.local_date FROM findings f JOIN current_findings c USING (finding_id))
  WHERE state <> 'withdrawn' GROUP BY case_id"""

# What a disposition or a suppression says holds until its day has passed, on the day of `as_of` (else the
# organization's today). A
# decision is about the finding as it was then: one that changed since needs another.
FINDINGS = """SELECT f.finding_id, f.detector, f.severity, f.title, f.key, f.subject, f.window_start, f.window_end,
    f.observed, f.expected, f.reason, f.cleared_by, f.events, f.case_id,
    CASE WHEN f.base_state = 'withdrawn' THEN 'withdrawn' WHEN d.commit_no > f.last_commit THEN 'reviewed'
         WHEN s.finding_id IS NOT NULL THEN 'suppressed' WHEN d.status IS NOT NULL THEN 'changed'
         ELSE f.base_state END AS state,
    d.status AS disposition, d.reviewer AS reviewed_by, d.reason AS review_reason, d.until AS review_until,
    s.owner AS suppressed_by, s.reason AS suppression_reason, s.until AS suppressed_until,
    f.first_commit, f.last_commit
  FROM current_findings f
  LEFT JOIN (SELECT * FROM (SELECT * FROM dispositions
               QUALIFY row_number() OVER (PARTITION BY finding_id ORDER BY commit_no DESC) = 1)
             WHERE coalesce(until >= organization_day(), true)) d USING (finding_id)
  LEFT JOIN (SELECT * FROM suppressed_findings
             WHERE until >= organization_day()
             QUALIFY row_number() OVER (PARTITION BY finding_id ORDER BY until DESC, suppression) = 1) s
    USING (finding_id)"""


_NONE_SUPPRESSED = """CREATE OR REPLACE TABLE suppressed_findings
  (finding_id VARCHAR, suppression BIGINT, "owner" VARCHAR, reason VARCHAR, until DATE)"""


def _suppressed(spellings: str) -> str:
    """SQL: which findings a configured suppression covers.

    By its detector, its source, and all ids, addresses and names of whoever is spelled like its actor; who is spelled
    so but for case, accents and order only where nobody is exactly. Every event must be theirs (what somebody else did
    beside it is not covered), and the finding about a person: what is about the log stays, whosever entries stand
    behind it, unless the suppression names its rule.
    """
    asked = "SELECT unnest($numbers::BIGINT[]) AS suppression, unnest($texts::VARCHAR[]) AS spelling"
    known = "SELECT * FROM spellings WHERE EXISTS (FROM others)"  # else nothing is folded
    return f"""CREATE OR REPLACE TABLE suppressed_findings AS
    WITH spellings AS ({spellings}),
    exactly AS (SELECT DISTINCT s.suppression, p.person FROM suppressions s JOIN spellings p
      ON lower(p.spelling) = lower(trim(s.actor))),
    others AS (SELECT * FROM ({asked}) ANTI JOIN exactly USING (suppression)),
    asked AS ({spelling.marks_of("SELECT * FROM others")}),
    known AS ({spelling.marks_of(known)}),
    spelled AS (FROM exactly UNION SELECT a.suppression, k.person FROM asked a JOIN known k USING (mark)),
    identities AS (SELECT person, list(actor_key) AS keys FROM actors GROUP BY person)
    SELECT DISTINCT f.finding_id, s.suppression, s.owner, s.reason, s.until
    FROM current_findings f JOIN suppressions s ON s.detector IN ('*', f.detector)
    LEFT JOIN spelled w ON w.suppression = s.suppression LEFT JOIN identities i ON i.person = w.person
    WHERE (s.source IS NULL OR coalesce(f.sources = [s.source], false))
      AND (s.actor IS NULL OR (coalesce(list_has_all(i.keys, f.actor_keys), false)
        AND (f.actor_key IS NOT NULL OR (s.detector <> '*' AND len(f.actor_keys) > 0))))"""


def write_rows(path: Path, columns: dict[str, str], rows: Sequence[dict[str, object]]) -> int:
    """A small Parquet file of a commit, rows in the given order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    given = pa.table({name: [row[name] for row in rows] for name in columns})
    typed = ", ".join(f'"{name}"::{kind} AS "{name}"' for name, kind in columns.items())
    with engine.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", given)
        table = connection.sql(f"SELECT {typed} FROM given").to_arrow_table()
    pq.write_table(table, path, compression="zstd")
    return int(table.num_rows)


def notices(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What a reader must know of the suppressions: those that ran out, those that cover nothing, what they hide."""
    rows = connection.execute(
        """SELECT s.suppression, s.detector, coalesce(s.actor, 'everybody'), s.owner, s.until,
          s.until < organization_day(), count(c.finding_id),
          count(f.finding_id) FILTER (f.state = 'suppressed'),
          count(DISTINCT p.person) FILTER (s.actor IS NOT NULL)
        FROM suppressions s LEFT JOIN suppressed_findings c USING (suppression) LEFT JOIN findings f USING (finding_id)
          LEFT JOIN current_findings p USING (finding_id)
        GROUP BY ALL ORDER BY s.suppression"""
    ).fetchall()
    told = []
    for number, rule, actor, owner, until, over, matched, hidden, named in rows:
        name = f"suppression {number} ({rule} of {actor}, {owner})"
        if over:
            told.append(f"{name} ran out on {until}: what it covered counts again.")
        elif not matched:
            told.append(f"{name} covers no finding.")
        else:
            whose = f", of {named} people who are called so," if named > 1 else ""
            told.append(f"{name} covers {hidden} of the findings{whose} until {until}.")
    return told


def failures(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What a reader must know of the rules that broke in the newest evaluation: silence is theirs, not the log's."""
    rows = connection.execute(
        "SELECT detector, error FROM detector_coverage WHERE newest AND status = 'failed' ORDER BY detector"
    ).fetchall()
    return [f"the detector {rule} failed in the newest evaluation, nothing new is found by it: {error}"
            for rule, error in rows]  # fmt: skip
