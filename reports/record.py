"""What stands behind the report: commits, failures of the pipeline itself, lines that were rejected, suppressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reports.evidence import cut
from reports.rows import IN_REVIEW, Reader, said
from reports.text import count

REJECTS_SHOWN = 25


@dataclass(frozen=True)
class Commit:
    number: int
    kind: str
    head: str
    added: str


@dataclass(frozen=True)
class Failure:
    """Something in the pipeline that did not work, whether or not it was mended since."""

    what: str
    where: str
    why: str


@dataclass(frozen=True)
class Reject:
    file: str
    line: int
    byte_offset: int
    reason: str
    message: str
    text: str
    more: int


@dataclass(frozen=True)
class Suppression:
    detector: str
    actor: str
    owner: str
    reason: str
    until: str
    expired: bool
    findings: int


@dataclass(frozen=True)
class Record:
    commits: tuple[Commit, ...]
    failures: tuple[Failure, ...]
    rejects: tuple[Reject, ...]
    rejects_total: int
    suppressions: tuple[Suppression, ...]


def record(reader: Reader, files: set[tuple[str, str, int]], day: Any) -> Record:
    """`files` are the (name, sha256, commit) that the report covers; `day` is the day of its clock."""
    commits = reader.rows("SELECT commit_no, kind, head, content, run FROM commits ORDER BY commit_no")
    rejects = [
        row for row in reader.rows(_REJECTS) if (row["file"], row["file_sha256"], row["commit_no"]) in files
    ]
    return Record(
        commits=tuple(_commit(row) for row in commits),
        failures=tuple(_failures(reader, commits)),
        rejects=tuple(_reject(row) for row in rejects[:REJECTS_SHOWN]),
        rejects_total=len(rejects),
        suppressions=_suppressions(reader, day),
    )


_REJECTS = """SELECT file, file_sha256, commit_no, line, byte_offset, reason, message, text
    FROM rejects WHERE resolved_by IS NULL ORDER BY file, file_sha256, commit_no, line"""


def _commit(row: dict[str, Any]) -> Commit:
    files = said(row["content"]).get("files", {})
    added = ", ".join(
        count(
            one["rows"],
            name.removesuffix(".parquet").removesuffix("s"),
            None if name[-9:-8] == "s" else name[:-8],
        )
        for name, one in sorted(files.items())
    )
    return Commit(row["commit_no"], row["kind"], row["head"], added or "nothing to count")


def _failures(reader: Reader, commits: list[dict[str, Any]]) -> list[Failure]:
    failures = [
        Failure(
            f"Detector {row['detector']} failed",
            f"commit {row['commit_no']}, {'all sources' if row['source'] in (None, '*') else row['source']}",
            row["error"] or row["why"] or "no reason recorded",
        )
        for row in reader.rows(
            "SELECT DISTINCT detector, source, commit_no, error, why FROM detector_coverage "
            "WHERE status = 'failed' ORDER BY commit_no, detector, source"
        )
    ]
    for row in commits:
        interrupted = (said(row["run"]) or {}).get("interrupted")
        if interrupted:
            started = interrupted.get("started") if isinstance(interrupted, dict) else interrupted
            failures.append(
                Failure(
                    "A run was interrupted",
                    f"noticed by commit {row['commit_no']}",
                    f"It began {started or 'at a time not recorded'} and did not finish; what it had not committed "
                    "was discarded and done again.",
                )
            )
    return failures


def _reject(row: dict[str, Any]) -> Reject:
    text, more = cut(row["text"] or "")
    return Reject(
        row["file"], row["line"], row["byte_offset"], row["reason"], row["message"] or "", text, more
    )


def _suppressions(reader: Reader, day: Any) -> tuple[Suppression, ...]:
    covered = {
        row["suppression"]: row["n"]
        for row in reader.rows(
            "SELECT s.suppression, count(*) AS n FROM suppressed_findings s JOIN findings f USING (finding_id) "
            f"WHERE f.state = 'suppressed' AND s.until >= $day::DATE AND {IN_REVIEW} GROUP BY ALL",
            day=day,
        )
    }
    return tuple(
        Suppression(
            detector="every detector" if row["detector"] == "*" else row["detector"],
            actor=(row["actor"] or "anyone") + (f" in {row['source']}" if row["source"] else ""),
            owner=row["owner"],
            reason=row["reason"],
            until=str(row["until"] or "no end"),
            expired=row["until"] is not None and row["until"] < day,
            findings=covered.get(row["suppression"], 0),
        )
        for row in reader.rows(
            "SELECT * FROM suppressions ORDER BY detector, actor, owner, until, suppression"
        )
    )
