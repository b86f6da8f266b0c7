"""What is behind the text of a PDF: rows attached as CSV and JSON, with a manifest, and rows printed."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pipeline import export
from reports.pdf import Annex, Attached
from reports.sections import ATTACHED, PRINTED
from reports.selection import COLUMNS, cell, lines, running
from reports.text import words

if TYPE_CHECKING:
    from reports.document import Document
    from reports.model import Report

MANIFEST = "manifest.json"


def of_rows(name: str, title: str, rows: Any) -> list[Attached]:
    """All rows of one section, twice."""
    made = []
    with rows.held() as held:
        for kind in ("csv", "json"):
            stream = io.BytesIO()
            export.stream(held, stream, kind)
            made.append(Attached(f"{name}.{kind}", f"{title}, as {kind.upper()}", stream.getvalue().decode()))
    return made


def of_records(name: str, title: str, records: Iterable[dict[str, Any]]) -> list[Attached]:
    """Records that are no query of the store, twice."""
    listed = list(records)
    columns = list(listed[0]) if listed else []
    text = json.dumps(listed, ensure_ascii=False, indent=1) + "\n"
    return [
        Attached(f"{name}.csv", f"{title}, as CSV", "".join(export.to_csv(listed, columns))),
        Attached(f"{name}.json", f"{title}, as JSON", text),
    ]


def of_review(report: Report) -> list[Attached]:
    """The rules, the findings, every line behind them and the ledger of a review."""
    found = report.findings
    findings = [
        {
            "finding_id": one.id, "name": one.name, "detector": one.rule, "severity": one.severity, "state": one.state,
            "title": one.title, "subject": one.subject, "window_start": one.start.iso, "window_end": one.end.iso,
            "observed": one.observed, "expected": one.expected, "reason": one.reason, "events": one.entries_total,
            "disposition": one.disposition, "decided_by": one.decided_by, "decided_why": one.decided_why,
        }
        for one in sorted((*found.full, *found.brief), key=lambda one: one.number)
    ]  # fmt: skip
    files = [
        {
            "file": one.name, "sha256": one.sha256, "source": one.source, "bytes": one.bytes, **vars(one.ledger),
            "commit": one.commit_no,
        }
        for one in report.completeness.files
    ]  # fmt: skip
    rules = [
        {
            "name": rule.name, "rule": rule.id, "title": rule.title, "severity": rule.severity, "version": rule.version,
            "sql_sha256": rule.sql_sha256, "status": rule.status, "source": looked.source if looked else "",
            "looked": looked.status if looked else "", "in_scope": looked.in_scope if looked else 0,
            "baseline_days": looked.baseline_days if looked else None, "why_not": looked.why if looked else "",
            "parameters": {one.name: one.value for one in rule.parameters}, "findings": rule.findings, "why": rule.why,
            "false_positives": rule.false_positives, "next_steps": "; ".join(rule.next_steps),
            "controls": {frame: list(ids) for frame, ids in rule.controls},
        }
        for rule in report.rules
        for looked in rule.looked or (None,)
    ]  # fmt: skip
    texts = "\n\n".join(f"-- {rule.name} {rule.id}\n{rule.sql.strip()}" for rule in report.rules if rule.sql)
    made = [
        *of_records("rules", "The rules, and what each looked at", rules),
        Attached("rules.sql", "The rules, statement by statement", texts + "\n"),
        *of_records("findings", "Findings", findings),
        *of_records("evidence", "The lines behind the findings", report.behind),
        *of_records("ledger", "The ledger, file by file", files),
    ]
    cover = report.cover
    return with_manifest(
        made, report_id=cover.report_id, kind="review", head=cover.head, as_of=cover.as_of.iso,
        since=cover.period.since.iso, until=cover.period.until.iso,
    )  # fmt: skip


def of_document(doc: Document) -> list[Attached]:
    """The rows behind each section of another document, all of them up to a limit."""
    made = [
        one
        for section in doc.sections
        if section.rows is not None
        for one in of_rows(section.id, section.title, section.rows.limit(ATTACHED))
    ]
    return with_manifest(
        made, report_id=doc.report_id, kind=doc.kind.name, target=doc.target, head=doc.head, as_of=doc.as_of.iso,
        most_rows=ATTACHED,
    )  # fmt: skip


def printed_of_review(report: Report) -> Annex | None:
    """The lines behind the findings, finding by finding; none when all of them stand with their findings."""
    if not report.printed:
        return None
    cover = report.cover
    return Annex(
        columns=("Finding", *COLUMNS), rows=map(_behind, report.printed), paper=cover.looks.paper,
        running=running(
            cover.organization, "Audit-log review", cover.looks, f"{cover.report_id} · {cover.status}", cover.head
        ),
    )  # fmt: skip


def _behind(row: dict[str, Any]) -> tuple[str, ...]:
    what = (
        row["action"] if row["outcome"] in ("unknown", "success") else f"{row['action']} · {row['outcome']}"
    )
    thing = " ".join(part for part in (words(row["entity_type"] or ""), row["entity_id"]) if part)
    at, place = row["occurred_at"][:19].replace("T", " "), f"{row['file']}:{row['line']}"
    return tuple(map(cell, (row["name"], at, row["source"], row["actor"] or "", what or "", thing, place)))


def printed_of_document(doc: Document) -> Annex | None:
    """Every entry of a document that tells only the first of them."""
    section = doc.long
    if section is None:
        return None
    return Annex(
        columns=COLUMNS, rows=tuple(lines(section.rows.limit(PRINTED))), paper=doc.looks.paper,
        running=running(doc.organization, doc.kind.title, doc.looks, doc.report_id, doc.head),
    )  # fmt: skip


def with_manifest(attached: list[Attached], **facts: object) -> list[Attached]:
    """The files, and before them what they are: which report and head they belong to, and the hash of each."""
    files = [
        {
            "name": one.name,
            "what": one.description,
            "bytes": len(one.text.encode()),
            "sha256": _hash(one.text),
        }
        for one in attached
    ]
    text = json.dumps({**facts, "files": files}, ensure_ascii=False, indent=1) + "\n"
    return [Attached(MANIFEST, "What is attached, with its hashes", text), *attached]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
