"""Legal holds: what must stay, whatever a policy or a person's wish says. Small commits."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import catalog, mapping, vocabulary
from pipeline import store as stores
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.findings import write_rows
from pipeline.keeping import FILE, ROWS
from pipeline.lock import locked
from pipeline.store import Commit

WAIT_FOR_LOCK = 10.0


@dataclass(frozen=True)
class Held:
    """What a hold covers: everything that is given must be so, and what is not given may be anything."""

    case: str | None = None
    source: str | None = None
    actor: str | None = None
    entity: str | None = None
    finding: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def covers(self) -> bool:
        return any(vars(self)[name] for name in ("source", "actor", "entity", "finding", "since", "until"))


def add(store: Path | str, held: Held, *, by: str, reason: str, config: Config) -> tuple[str, Commit]:
    """Put what is meant on hold; the hold's id, and the commit."""
    if not held.covers:
        raise UsageError(
            "a hold covers something.",
            hint="Give --actor, --entity, --finding, --source, --since or --until.",
        )
    source = _known(Path(store), held, config)
    kind, _, number = (held.entity or "").partition(":")
    row: dict[str, object] = {
        "change": "added", "case_name": held.case, "source": source, "actor": held.actor,
        "entity_type": kind or None, "entity_id": number or None, "finding": held.finding, "since": held.since,
        "until": held.until,
    }  # fmt: skip
    return _commit(Path(store), row, by, reason, config)


def _known(store: Path, held: Held, config: Config) -> str | None:
    """The source that is meant; an error when a word of the hold can never cover anything."""
    stores.require(store)
    if held.since and held.until and held.since >= held.until:
        raise UsageError(
            "the period of the hold ends before it begins.", hint="Give --since and --until in order."
        )
    with catalog.connect(store) as connection:
        asked = "SELECT count(*) FROM finding_versions WHERE starts_with(finding_id, ?)"
        if held.finding is not None and connection.execute(asked, [held.finding]).fetchall() == [(0,)]:
            raise UsageError(
                f'"{vocabulary.short(held.finding)}" is not a finding.',
                hint="`auditbook findings` lists them.",
            )
        loaded = {source for (source,) in connection.execute("SELECT DISTINCT source FROM files").fetchall()}
    if held.source is None:
        return None
    known = sorted({*mapping.known(config.mappings), *loaded} - {None})
    return str(vocabulary.of_list("source", [held.source], known)[0])


def release(store: Path | str, hold: str, *, by: str, reason: str, config: Config) -> tuple[str, Commit]:
    """Let go of a hold, by its id or by the name of its case; it stays on record."""
    path = Path(store)
    stores.require(path)
    with catalog.connect(path) as connection:
        found = connection.execute(
            "SELECT hold_id FROM holds WHERE active AND (hold_id = ? OR case_name = ?)", [hold, hold]
        ).fetchall()
    if len(found) != 1:
        problem = "is no hold that stands" if not found else "means several holds"
        raise UsageError(f'"{hold}" {problem}.', hint="`auditbook retain hold list` shows them.")
    return _commit(path, {"hold_id": found[0][0], "change": "released"}, by, reason, config)


def refuse(store: Path, file: Mapping[str, Any]) -> None:
    """An error when a loaded file has events that are on hold, or lines that did not load while its source is."""
    asked = {name: file[name] for name in ("file", "sha256", "source")}
    with catalog.connect(store) as connection:
        [(events, rejects)] = connection.execute(_HELD_OF_FILE, asked).fetchall()
    if events or rejects:
        raise UsageError(
            f"{events:,} events and {rejects:,} rejected lines of {file['file']} are on hold; nothing was changed.",
            hint="`auditbook retain hold list` shows the holds.",
        )


_HELD_OF_FILE = """SELECT
  (SELECT count(DISTINCT event_uid) FROM events SEMI JOIN held_events USING (event_uid)
    WHERE file = $file AND file_sha256 = $sha256),
  (SELECT count(*) FROM rejects WHERE file = $file AND file_sha256 = $sha256
    AND EXISTS (SELECT 1 FROM holds WHERE active AND (source IS NULL OR source = $source)))"""


def _commit(path: Path, told: dict[str, object], by: str, reason: str, config: Config) -> tuple[str, Commit]:
    stores.require(path)
    if not by.strip() or not reason.strip():
        raise UsageError("a hold needs a person and a reason.", hint="Give --by and --reason.")
    with locked(path, wait=WAIT_FOR_LOCK):
        chain = stores.commits(path)
        number = chain[-1].number + 1 if chain else 1
        row = dict.fromkeys(ROWS) | {"hold_id": f"hold-{number}"} | told | {
            "reason": reason, "by": by, "os_user": getpass.getuser(), "at": datetime.now(UTC).replace(microsecond=0),
        }  # fmt: skip

        def write(folder: Path) -> dict[str, int]:
            return {FILE: write_rows(folder / FILE, ROWS, [row])}

        done = stores.commit(path, "hold", {}, write, signing=config.signing)
        catalog.publish(path, catalog.recorded_config(chain))
    return str(row["hold_id"]), done
