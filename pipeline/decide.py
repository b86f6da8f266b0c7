"""A reviewer's decision on a finding: one small commit, for good and by name."""

from __future__ import annotations

import getpass
from datetime import UTC, date, datetime
from pathlib import Path

from pipeline import catalog
from pipeline import store as stores
from pipeline.columns import DECISIONS
from pipeline.errors import UsageError
from pipeline.findings import DISPOSITION_ROWS, write_rows
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
) -> stores.Commit:
    """Record a reviewer's decision on a finding, for good and by name."""
    path = Path(store)
    stores.require(path)
    if status not in DECISIONS:
        raise UsageError(f'"{status}" is not a status.', hint=f"Allowed are: {', '.join(DECISIONS)}.")
    if not by.strip() or not reason.strip():
        raise UsageError("a decision needs a person and a reason.", hint="Give --by and --reason.")
    with locked(path, wait=WAIT_FOR_LOCK):
        chain = stores.commits(path)
        config = catalog.recorded_config(chain)
        with catalog.connect(path) as connection:
            found = connection.execute(
                "SELECT finding_id FROM findings WHERE starts_with(finding_id, ?)", [finding_id]
            ).fetchall()
        if len(found) != 1:
            problem = "is not a finding" if not found else "is the beginning of several findings"
            raise UsageError(f'"{finding_id}" {problem}.', hint="`auditbook findings` lists them.")
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
