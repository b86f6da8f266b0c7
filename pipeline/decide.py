"""A reviewer's decision on a finding: one small commit, for good and by name."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from pipeline import catalog, identity, summary
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
) -> stores.Commit:
    """Record a reviewer's decision on a finding, for good and by name; `as_of` is the clock, else now."""
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
            found = connection.execute(
                "SELECT finding_id, actor_keys FROM current_findings WHERE starts_with(finding_id, ?)",
                [finding_id],
            ).fetchall()
            if len(found) != 1:
                problem = "is not a finding" if not found else "is the beginning of several findings"
                raise UsageError(f'"{finding_id}" {problem}.', hint="`auditbook findings` lists them.")
            sightings = summary.of(chain).relation("sightings")
            _refuse_own(connection, by, found[0][1] or [], sightings)
        row = {
            "finding_id": found[0][0], "status": status, "reviewer": by, "os_user": getpass.getuser(), "reason": reason,
            "until": until, "decided_at": datetime.now(UTC).replace(microsecond=0),
        }  # fmt: skip

        def write(folder: Path) -> dict[str, int]:
            target = folder / "dispositions.parquet"
            return {target.name: write_rows(target, DISPOSITION_ROWS, [row])}

        done = stores.commit(path, "disposition", {}, write, signing=signing)
        catalog.publish(path, config)
    return done


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
    texts = [name, *(part.strip() for part in re.split("[<>()]", name) if part.strip())]
    connection.execute(f"CREATE TEMP VIEW spellings AS {identity.spellings(sightings)}")
    own = connection.execute(_OWN, {"by": texts, "keys": actor_keys}).fetchall()
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


_LOCAL = "CASE WHEN contains({0}, '@') THEN regexp_extract({0}, '^[^@+]*') ELSE {0} END"
# Who has the same name in another product may be the same person, as long as nobody says who is who. Who gives an
# address means that one and no other with the same beginning.
_OWN = f"""WITH known AS (SELECT person, spelling, {identity.address_of("spelling")} AS address,
      {identity.name_of(_LOCAL.format("spelling"))} AS called FROM spellings),
  asked AS (SELECT spelling, {identity.address_of("spelling")} AS address, {identity.name_of("spelling")} AS called
    FROM (SELECT unnest($by::VARCHAR[]) AS spelling)),
  named AS (SELECT DISTINCT k.person FROM known k JOIN asked q ON lower(k.spelling) = lower(q.spelling)
    OR CASE WHEN contains(q.spelling, '@') THEN contains(k.spelling, '@') AND k.address = q.address
         ELSE length(q.called) > 2 AND k.called = q.called END),
  alike AS (SELECT DISTINCT {identity.name_of("display_name")} AS called FROM actors
    WHERE person IN (SELECT person FROM named))
  SELECT DISTINCT a.person, a.person IN (SELECT person FROM named) AS is_them FROM actors a
  WHERE list_contains($keys::VARCHAR[], a.actor_key) AND (a.person IN (SELECT person FROM named)
    OR {identity.name_of("display_name")} IN (SELECT called FROM alike WHERE length(called) > 2))
  ORDER BY is_them DESC, a.person"""
