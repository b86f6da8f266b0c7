"""A case to hand out: what stands behind a finding, a thing or a report, with a program that checks it.

Handing out is a commit: the record has the hash of the manifest, so that the chain, and its signature, vouch for it.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import beside, catalog, outfile, ownrules
from pipeline import store as stores
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.export import rows_as_json
from pipeline.lock import locked
from pipeline.query import Log
from pipeline.store import Commit

WAIT_FOR_LOCK = 10.0
README = """What this is

lines.jsonl     the lines of the exports, as they are stored, with file, line, byte offset and hash
events.jsonl    what they say, normalized
findings.jsonl  what rules found in them; decisions.jsonl what reviewers decided
rules/          those rules as they are installed, rules.json their versions, hashes and parameters as they applied
records/        every record of the chain, up to the one that put this case on record
MANIFEST.json   the hash of each file; its own hash is in the newest record
verify.py       checks all of it with nothing but Python 3: read it, then run `python3 verify.py --help`
"""


@dataclass(frozen=True)
class Case:
    """What is meant: its events and findings."""

    kind: str
    what: str
    uids: list[str]
    findings: list[str]
    documents: tuple[Path, ...] = ()
    gone: int = 0  # of the events, those that are stored no more

    @property
    def told(self) -> str:
        """What is in it, in words."""
        events = f"{len(self.uids)} event{'s' * (len(self.uids) != 1)}"
        findings = f"{len(self.findings)} finding{'s' * (len(self.findings) != 1)}"
        gone = f"; {self.gone} of the events are stored no more (purged, erased or withdrawn)" * bool(
            self.gone
        )
        return f"{events}, {findings}{gone}"


def hand_out(
    store: Path | str, what: str, out: Path, config: Config, audience: str | None = None
) -> tuple[Case, Commit]:
    """Write a case to a file, and put on record that it was handed out."""
    path = Path(store)
    stores.require(path)
    if (audience or config.privacy.audience) == "external":
        raise UsageError(
            "a case holds the records of the chain, which name people: it is not for external eyes.",
            hint="Give --audience internal or full; `auditbook export --audience external` and reports are for others.",
        )
    if not out.resolve().parent.is_dir():
        raise UsageError("cannot be written: there is no such folder.", path=out)
    with locked(path, wait=WAIT_FOR_LOCK), Log(path, None, audience, config.privacy) as log:
        case = _counted(log, meant(log, what))
        files = _files(log, case)
        number = f"{log.chain[-1].number + 1:06d}"
        manifest = _text(
            {
                "case": f"{case.kind} {case.what}", "what": case.told,
                "audience": log.shown.audience, "head": log.head, "record": f"records/{number}.json",
                "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
            }
        )  # fmt: skip
        told = {
            "kind": case.kind, "what": case.what, "events": len(case.uids), "findings": len(case.findings),
            "gone": case.gone, "audience": log.shown.audience, "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        }  # fmt: skip
        done = stores.commit(path, "evidence", {"evidence": told}, lambda folder: {}, signing=config.signing)
        catalog.publish(path, catalog.recorded_config(log.chain))
    files |= {"MANIFEST.json": manifest, f"records/{number}.json": (done.folder / "record.json").read_bytes()}
    outfile.replace({out: lambda file: file.writelines([_packed(files)])})
    return case, done


def _counted(log: Log, case: Case) -> Case:
    asked = "SELECT count(*) FROM events WHERE event_uid IN (SELECT unnest(?::VARCHAR[]))"
    [(stored,)] = log.con.execute(asked, [case.uids]).fetchall()
    return replace(case, gone=len(case.uids) - stored)


def meant(log: Log, what: str) -> Case:
    """A report by a file of it or its id, a thing as TYPE:ID, or a finding by its id."""
    kind, _, number = what.partition(":")
    if Path(what).is_file():
        return _of_report(log, beside.entry_of(log.store, log.chain, what), (Path(what),))
    if number:
        rows = log.con.execute(
            "SELECT DISTINCT event_uid FROM event_entities WHERE entity_type = ? AND entity_id = ? ORDER BY 1",
            [kind, number],
        ).fetchall()
        if not rows:
            raise UsageError(
                f'no event is about "{what}".', hint="`auditbook values entity_type` lists types."
            )
        uids = [uid for (uid,) in rows]
        return Case("entity", what, uids, _findings_on(log, uids))
    found = log.con.execute(
        "SELECT finding_id, events FROM findings WHERE starts_with(finding_id, ?)", [what]
    ).fetchall()
    if len(found) == 1:
        return Case("finding", found[0][0], sorted(found[0][1]), [found[0][0]])
    if found:
        raise UsageError(f'"{what}" is the beginning of several findings.', hint="Give more of it.")
    return _of_report(log, beside.entry_of(log.store, log.chain, what), ())


def _of_report(log: Log, entry: dict[str, Any], documents: tuple[Path, ...]) -> Case:
    """The findings of its period that stood then, and their events."""
    last = stores.up_to(log.chain, entry["head"])[-1].number
    rows = log.con.execute(
        "SELECT finding_id, events FROM findings WHERE first_commit <= ? AND state != 'withdrawn' "
        "AND window_start < ?::TIMESTAMPTZ AND window_end >= ?::TIMESTAMPTZ ORDER BY 1",
        [last, entry["until"], entry["since"]],
    ).fetchall()
    uids = sorted({uid for _, events in rows for uid in events})
    return Case("report", entry["report_id"], uids, [finding for finding, _ in rows], documents)


def _findings_on(log: Log, uids: Sequence[str]) -> list[str]:
    rows = log.con.execute(
        "SELECT DISTINCT finding_id FROM finding_events WHERE event_uid IN (SELECT unnest(?::VARCHAR[])) ORDER BY 1",
        [uids],
    ).fetchall()
    return [finding for (finding,) in rows]


def _files(log: Log, case: Case) -> dict[str, bytes]:
    mine = "event_uid IN (SELECT unnest(?::VARCHAR[]))"
    lines = log.sql(
        "SELECT file, file_sha256, line, byte_offset, event_uid, line_sha256, raw, sha256(raw) != line_sha256 AS "
        f"redacted FROM event_lines WHERE {mine} ORDER BY file, file_sha256, line",
        [case.uids],
    )
    events = log.sql(
        f"SELECT * FROM events WHERE {mine} ORDER BY occurred_at, file, line, event_uid", [case.uids]
    )
    findings = log.sql(
        "SELECT * FROM findings WHERE finding_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY finding_id",
        [case.findings],
    )
    decisions = log.sql(
        "SELECT * FROM dispositions WHERE finding_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY commit_no, finding_id",
        [case.findings],
    )
    found = list(rows_as_json(findings))
    files = {
        "README.txt": README.encode(),
        "lines.jsonl": _rows(rows_as_json(lines)),
        "events.jsonl": _rows(rows_as_json(events)),
        "findings.jsonl": _rows(found),
        "decisions.jsonl": _rows(rows_as_json(decisions)),
        "verify.py": (importlib.resources.files("pipeline") / "standalone.py").read_bytes(),
        **_rules(log, sorted({str(one["detector"]) for one in found})),
        **{
            f"records/{link.number:06d}.json": (link.folder / "record.json").read_bytes()
            for link in log.chain
        },
    }
    return files | {f"documents/{path.name}": path.read_bytes() for path in case.documents}


def _rules(log: Log, names: Sequence[str]) -> dict[str, bytes]:
    ran = log.sql(
        "SELECT DISTINCT detector, version, sql_sha256, parameters FROM detector_coverage "
        "WHERE newest AND detector IN (SELECT unnest(?::VARCHAR[])) ORDER BY detector",
        [names],
    )
    rows = list(rows_as_json(ran))
    files, rules = {"rules.json": _text(rows)}, ownrules.ran(log.chain)
    for row in rows:
        rule = rules.get(row["detector"])
        if rule is not None and rule.sha256 == row["sql_sha256"]:
            files[f"rules/{row['detector']}.sql"] = rule.sql.encode()
    return files


def _rows(rows: Any) -> bytes:
    return "".join(
        json.dumps(row, ensure_ascii=False, default=str, sort_keys=True) + "\n" for row in rows
    ).encode()


def _text(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=str) + "\n").encode()


def _packed(files: dict[str, bytes]) -> bytes:
    """The same files make the same archive, whenever."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o600 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return packed.getvalue()
