"""The documents beside the review: what each says, its two forms, its attachments, and the standards it claims."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import pipeline
import reports
from pipeline import detect
from pipeline import load as loading
from pipeline.config import from_dict
from pipeline.errors import UsageError
from reports import document, evidence, pdf, sections
from tests import standards
from tests.conftest import ROOT, Auditbook

AS_OF = datetime(2026, 11, 2, 6, tzinfo=UTC)
LOGO = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSI0MCIgaGVpZ2h0PSIyMCI+PHJlY3Qgd2lkdGg9IjQwIiBoZWlnaHQ9IjIwIi8+PC9zdmc+"  # fmt: skip  # noqa: E501
SETTINGS = from_dict({
    "organization": {"name": "North & Sons", "timezone": "America/New_York"},
    "report": {"classification": "Confidential", "logo": LOGO, "accent": "#7a1f5c", "paper": "Letter"},
})  # fmt: skip
KINDS = set(
    "access accounting activity actor communications digest entity failures incident integrity".split()
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("papers") / "store"
    files = [
        str(ROOT / "tests" / "sources" / f"{name}.jsonl") for name in ("craftstage", "hoops", "oncloudwine")
    ]
    loading.load(files, store=place, config=SETTINGS)
    detect.detect(place, config=SETTINGS)
    return place


@pytest.fixture(scope="module")
def log(store: Path) -> Iterator[pipeline.Log]:
    with pipeline.open(store, SETTINGS) as opened:
        yield opened


def test_every_kind_is_a_file_and_a_function() -> None:
    assert set(document.kinds()) == KINDS
    assert set(reports.__all__) >= KINDS
    for path in sorted((ROOT / "reports" / "kinds").glob("*.toml")):
        assert tomllib.loads(path.read_text())["sections"], path.name


def test_a_dossier_says_what_was_sent_word_for_word(log: pipeline.Log) -> None:
    made = reports.entity(log, "sales_doc:Q-7001", AS_OF)
    page = made.html().decode()
    assert "Your quote Q-7001 – 3,000 shirts" in page
    assert "hana@kavarna.example, office@kavarna.example" in page
    assert (
        "&lt;img src=&#34;https://track.example/o.gif&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in page
    )
    assert "<script" not in page
    assert "hoops.jsonl:2" in page
    assert "auditbook report entity sales_doc:Q-7001 --as-of 2026-11-02T06:00:00Z" in page
    assert "hoops: the log reaches from" in page, "what was looked at is said"


def test_a_kind_says_what_it_needs(log: pipeline.Log) -> None:
    with pytest.raises(
        UsageError,
        match=r"^a report of the kind entity needs a target\. auditbook report entity job:job_2041$",
    ):
        reports.entity(log)
    with pytest.raises(UsageError, match=r"^a report of the kind access takes no target\. "):
        reports.access(log, "ana")
    with pytest.raises(UsageError, match=r"^an incident needs a finding, or filters\. "):
        reports.incident(log)


def test_the_command_writes_both_forms(auditbook: Auditbook, store: Path, tmp_path: Path) -> None:
    done = auditbook(
        "report",
        "communications",
        "--source",
        "hoops",
        "--store",
        store,
        "--as-of",
        "2026-11-02T06:00Z",
        "--out",
        "out",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    names = [Path(path).name for path in json.loads(done.stdout)["reports"]]
    assert names in (["communications.html", "communications.pdf"], ["communications.html"])
    filtered = auditbook(
        "report", "entity", "--entity", "sales_doc:Q-7001", "--store", store, "-q", "--out", "out2"
    )
    assert filtered.returncode == 0, filtered.stderr
    assert {path.name for path in (tmp_path / "out2").rglob("*.html")} == {"entity-sales_doc-Q-7001.html"}


def test_what_is_attached_is_read_when_the_log_is_closed_too(store: Path) -> None:
    with pipeline.open(store, SETTINGS) as log:
        made = reports.communications(log, as_of=AS_OF, source="hoops")
        while_open = made.attached()
    assert made.attached() == while_open


def test_it_is_said_which_section_is_being_made(log: pipeline.Log) -> None:
    said: list[str] = []
    reports.paper(log, "failures", None, AS_OF, lambda text, *_: said.append(text)).html()
    assert said[0] == "asking for the failures · failed-jobs"
    assert "writing the failures · Recurring causes" in said


def test_an_incident_is_called_by_what_was_found(log: pipeline.Log) -> None:
    [finding] = log.findings(detector="failed_job").limit(1).pl().to_dicts()
    doc = reports.incident(log, finding["finding_id"], AS_OF)
    assert doc.model.about.startswith(f"{finding['title']}: {finding['subject']}")
    assert f"<title>Incident · {finding['title']}: {finding['subject']}" in doc.html().decode()
    assert doc.model.sections[0].findings[0].id == finding["finding_id"]


@pytest.fixture(scope="module")
def paper(log: pipeline.Log) -> bytes:
    if lack := pdf.missing():
        pytest.skip(lack)
    return reports.communications(log, as_of=AS_OF, source="hoops").pdf()


def test_the_logo_the_paper_and_the_classification_are_those_of_the_configuration(
    paper: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "paper.pdf"
    path.write_bytes(paper)
    told = subprocess.run(["pdfinfo", str(path)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Page size:\s+612 x 792 pts \(letter\)", told)
    text = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout
    assert "North & Sons · Communications · Confidential" in text


def test_what_is_attached_is_what_the_manifest_says(paper: bytes, tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    path.write_bytes(paper)
    subprocess.run(["pdfdetach", "-saveall", "-o", str(tmp_path), str(path)], check=True)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["kind"] == "communications"
    for one in manifest["files"]:
        content = (tmp_path / one["name"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (one["sha256"], one["bytes"])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "communication-evidence.csv").read_text())))
    assert rows[0]["body"].startswith("<p>Dobrý den Hano,</p>")
    assert hashlib.sha256(rows[0]["body"].encode()).hexdigest() == rows[0]["body_sha256"]


def test_the_same_document_is_the_same_bytes(log: pipeline.Log, paper: bytes) -> None:
    assert reports.communications(log, as_of=AS_OF, source="hoops").pdf() == paper


def _words(content: bytes, folder: Path) -> list[str]:
    path = folder / "words.pdf"
    path.write_bytes(content)
    done = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_entries_that_a_document_does_not_tell_are_printed_behind_it(
    log: pipeline.Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lack := pdf.missing():
        pytest.skip(lack)
    monkeypatch.setattr(sections, "ENTRIES", 3)
    made = reports.incident(log, as_of=AS_OF, source="hoops")
    words = _words(made.pdf(), tmp_path)
    annex = words[len(words) - words[::-1].index("Annex:") :]
    lines = sorted(log.events(source="hoops").line.arrow()["line"].to_pylist())
    told = [int(word.split(":")[1]) for word in annex if word.startswith("hoops.jsonl:")]
    assert sorted(told) == lines
    assert "Annex" not in made.html().decode(), "a screen has the log page for them"


def test_lines_that_a_finding_does_not_tell_are_printed_behind_the_review(
    log: pipeline.Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lack := pdf.missing():
        pytest.skip(lack)
    assert reports.review(log, as_of=AS_OF).model.printed == (), "they are all told"
    monkeypatch.setattr(evidence, "ENTRIES_SHOWN", 1)
    made = reports.review(log, as_of=AS_OF)
    behind = [(row["name"], f"{row['file']}:{row['line']}") for row in made.model.printed]
    assert len(behind) == made.model.lines_behind > len(made.model.findings.full)
    words = _words(made.pdf(), tmp_path)
    annex = words[len(words) - words[::-1].index("Annex:") :]
    assert [word for word in annex if ".jsonl:" in word] == [place for _, place in behind]
    assert [word for word in annex if word.startswith("F-")] == [name for name, _ in behind]


def _every_kind(log: pipeline.Log, since: str | None = None) -> dict[str, bytes]:
    """A PDF of each kind; of nothing, when it is asked for a time before everything of those that need no target."""
    [(person,)] = log.con.execute(
        "SELECT actor_name FROM events WHERE actor_name IS NOT NULL "
        "GROUP BY ALL ORDER BY count(*) DESC, actor_name LIMIT 1"
    ).fetchall()
    [(finding,)] = log.con.execute("SELECT min(finding_id) FROM findings").fetchall()
    targets = {"entity": "sales_doc:Q-7001", "actor": str(person), "incident": str(finding)}
    period = {"since": since, "until": since} if since else {}
    made = {
        kind: reports.paper(log, kind, targets.get(kind), AS_OF, **period).pdf()
        for kind in sorted(KINDS - set(targets) if since else KINDS)
    }
    return {"review": reports.review(log, as_of=AS_OF, **period).pdf(), **made}


def test_every_kind_meets_the_standards_that_it_names(
    store: Path, log: pipeline.Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Letter, with a logo and attachments; on A4, with pseudonyms; and of a day on which nothing happened."""
    standards.need()
    monkeypatch.setenv("AUDITBOOK_TEST_KEY", "a key of sixteen characters or more")
    settings = from_dict({"privacy": {"key_env": "AUDITBOOK_TEST_KEY"}})
    made = {"": _every_kind(log)}
    with pipeline.open(store, settings, "external") as others:
        made |= {"-others": _every_kind(others), "-nothing": _every_kind(others, "2020-01-01")}
    files = {kind + more: content for more, kinds in made.items() for kind, content in kinds.items()}
    assert len(files) == 30
    standards.must_be_met(files, tmp_path)
