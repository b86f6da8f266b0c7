"""A reviewer's decision on a finding: one small commit, for good and by name."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from pipeline import catalog, spelling, summary
from pipeline import store as stores
from pipeline.columns import DECISIONS
from pipeline.errors import UsageError
from pipeline.findings import DISPOSITION_ROWS, write_rows
from pipeline.hours import zone
from pipeline.lock import locked
from pipeline.signing import Signing

WAIT_FOR_LOCK = 10.0


def decide(
    store: Path | str,
    finding_id: str,
    *,
    status: str,
    by: str,
    reason: str,
    until: date | None = None,
    signing: Signing | None = None,
    as_of: datetime | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> stores.Commit:
    """Record a reviewer's decision on a finding, for good and by name; `as_of` is the clock, else now.

    What the reviewer must know of the finding is told.
    """
    path = Path(store)
    stores.require(path)
    if status not in DECISIONS:
        raise UsageError(f'"{status}" is not a status.', hint=f"Allowed are: {', '.join(DECISIONS)}.")
    if not by.strip() or not reason.strip():
        raise UsageError("a decision needs a person and a reason.", hint="Give --by and --reason.")
    with locked(path, wait=WAIT_FOR_LOCK):
        chain = stores.commits(path)
        config = catalog.recorded_config(chain)
        _refuse_over(until, as_of or datetime.now(UTC), config.organization.timezone)
        with catalog.connect(path) as connection:
            finding, actor_keys, state = _named(connection, finding_id)
            _refuse_own(connection, by, actor_keys or [], summary.of(chain).relation("sightings"))
        _refuse_mixed(by)
        row: dict[str, object] = {
            "finding_id": finding, "status": status, "reviewer": by, "os_user": getpass.getuser(), "reason": reason,
            "until": until, "decided_at": datetime.now(UTC).replace(microsecond=0),
        }  # fmt: skip

        def write(folder: Path) -> dict[str, int]:
            target = folder / "dispositions.parquet"
            return {target.name: write_rows(target, DISPOSITION_ROWS, [row])}

        if state == "withdrawn":
            tell(f"{finding} is withdrawn: no rule finds it any more, and it stays so whatever is decided.")
        done = stores.commit(path, "disposition", {}, write, signing=signing)
        catalog.publish(path, config)
    return done


def _named(connection: duckdb.DuckDBPyConnection, finding_id: str) -> tuple[str, list[str] | None, str]:
    """The one finding whose id begins so: its whole id, whom it is about, and how it stands."""
    found = connection.execute(
        "SELECT finding_id, actor_keys, base_state FROM current_findings WHERE starts_with(finding_id, ?)",
        [finding_id],
    ).fetchall()
    if len(found) != 1:
        problem = "is not a finding" if not found else "is the beginning of several findings"
        raise UsageError(f'"{finding_id}" {problem}.', hint="`auditbook findings` lists them.")
    return found[0]


def _refuse_over(until: date | None, now: datetime, timezone: str) -> None:
    """A decision that held until yesterday decides nothing."""
    today = now.astimezone(zone(timezone)).date()
    if until is not None and until < today:
        raise UsageError(
            f"--until {until} is over: it is {today} in {timezone}.",
            hint="A decision holds up to and including its day; without --until it holds for good.",
        )


def _refuse_own(
    connection: duckdb.DuckDBPyConnection, by: str, actor_keys: list[str], sightings: str
) -> None:
    """Nobody decides about what they did themselves, under whatever name they are known, however it is written."""
    name = by.strip()
    asked = {"by": spelling.every_text(by), "keys": actor_keys}
    own = connection.execute(_own(spelling.spellings(sightings)), asked).fetchall()
    if own:
        person, is_them = own[0]
        raise UsageError(
            f"the finding is about {name}'s own actions."
            if name.lower() == person.lower()
            else f"{name} is {person}, whose own actions the finding is about."
            if is_them
            else f"{name} has the name of {person}, whose own actions the finding is about.",
            hint="Somebody else has to decide; --by names the person who does.",
        )


def _refuse_mixed(by: str) -> None:
    """A name that nobody can read as it is written is nobody's."""
    found = spelling.mixed(by)
    if found is not None:
        word, (*others, last) = found[0], [one.title() for one in found[1]]
        raise UsageError(
            f'--by "{by.strip()}": "{word}" has {", ".join(others)} and {last} letters, which look alike.',
            hint="Write each word of a name in one alphabet.",
        )


def _own(spellings: str) -> str:
    """SQL: who of the finding's actors was named.

    Who has the same name in another product may be the same person, as long as nobody says who is who.
    """
    called = spelling.name_of("display_name")
    return f"""WITH known AS ({spelling.marks_of(spellings, local=True)}),
    asked AS ({spelling.marks_of("SELECT unnest($by::VARCHAR[]) AS spelling")}),
    named AS (SELECT DISTINCT person FROM known SEMI JOIN asked USING (mark)),
    alike AS (SELECT DISTINCT {called} AS called FROM actors WHERE person IN (SELECT person FROM named))
    SELECT DISTINCT a.person, a.person IN (SELECT person FROM named) AS is_them FROM actors a
    WHERE list_contains($keys::VARCHAR[], a.actor_key) AND (a.person IN (SELECT person FROM named)
      OR {called} IN (SELECT called FROM alike WHERE length(called) > 2))
    ORDER BY is_them DESC, a.person"""
