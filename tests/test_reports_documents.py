"""The review's two documents: inert, sound, and the same wherever they are made."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import pipeline
import reports
from pipeline import decide, query
from pipeline.errors import AuditbookError
from pipeline.progress import Progress
from reports import html, pdf
from reports.model import Report
from tests.conftest import ROOT
from tests.reviews import AS_OF, HOSTILE, SETTINGS, make


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[query.Log]:
    with query.open(make(tmp_path_factory.mktemp("review")), SETTINGS) as opened:
        yield opened


@pytest.fixture(scope="module")
def review(log: query.Log) -> reports.Review:
    return reports.review(log, as_of=AS_OF)


def text_of(document: bytes, tmp_path: Path) -> str:
    path = tmp_path / "review.pdf"
    path.write_bytes(document)
    return subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True
    ).stdout


def test_html_needs_nothing_and_runs_nothing(review: reports.Review) -> None:
    page = review.html().decode()
    assert "<script" not in page
    assert not re.search(r"(?:src|href)\s*=\s*\"(?!#|log\.html[#\"])", page), "only the log page beside it"
    assert "url(" not in page
    assert " style=" not in page
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert policy and style
    digest = hashlib.sha256(style.group(1).encode()).digest()
    assert (
        policy.group(1)
        .replace("&#39;", "'")
        .startswith(f"default-src 'none'; style-src 'sha256-{base64.b64encode(digest).decode()}'")
    )


def test_every_link_has_a_target(review: reports.Review) -> None:
    page = review.html().decode()
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    assert len(ids) == len(re.findall(r'\bid="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids


def test_hostile_values_are_text(log: query.Log) -> None:
    model = reports.review(log, as_of=AS_OF).model
    page = html.render(_with_subject(model, HOSTILE)).decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;‹U+202E›evil‹U+0000›" in page
    assert "<img" not in page
    assert "{{ 7*7 }}" in page
    assert "\u202e" not in page


def _with_subject(model: Report, subject: str) -> Report:
    full = tuple(replace(f, subject=subject, observed=subject) for f in model.findings.full)
    return replace(model, findings=replace(model.findings, full=full))


def test_a_name_that_a_template_misses_is_an_error(review: reports.Review) -> None:
    with pytest.raises(UndefinedError):
        html.environment().from_string("{{ report.cover.no_such_thing }}").render(report=review.model)


@pytest.fixture(scope="module")
def document(review: reports.Review) -> bytes:
    if lack := pdf.missing():
        pytest.skip(lack)
    return review.pdf()


def test_pdf_says_what_the_report_says(review: reports.Review, document: bytes, tmp_path: Path) -> None:
    text = text_of(document, tmp_path)
    assert review.model.cover.head in text.replace("\n", "").replace(" ", "")
    assert review.model.cover.report_id in text
    assert "printago.jsonl:8" in text
    assert "page 2 of" in text
    assert re.search(r"12\s+=\s+8\s+\+\s+1\s+\+\s+1\s+\+\s+2", text)
    assert "North & Sons · Audit-log review" in text


def test_pdf_is_sound_tagged_and_has_its_own_fonts(document: bytes, tmp_path: Path) -> None:
    path = tmp_path / "review.pdf"
    path.write_bytes(document)
    checked = subprocess.run(["qpdf", "--check", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    info = subprocess.run(["pdfinfo", str(path)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Tagged:\s+yes", info)
    assert re.search(r"Title:\s+Audit-log review · North & Sons", info)
    assert "A4" in info
    fonts = subprocess.run(["pdffonts", str(path)], capture_output=True, text=True, check=True).stdout
    names = {line.split()[0].split("+")[1] for line in fonts.splitlines()[2:]}
    assert names
    assert all(name.startswith("Plex-") for name in names)


def test_what_the_fonts_lack_is_written_as_a_number(tmp_path: Path) -> None:
    if lack := pdf.missing():
        pytest.skip(lack)
    page = '<html lang="en"><title>t</title><p>漢 → A</p></html>'
    text = text_of(pdf.press(page.encode(), as_of=AS_OF, identifier="x"), tmp_path)
    assert "‹U+6F22› → A" in text


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ('<p><img src="http://127.0.0.1:9/x.png" alt="x"></p>', "is not one of the report's fonts"),
        ('<p><img src="file:///etc/hostname" alt="x"></p>', "is not one of the report's fonts"),
        ("<style>p{colour:red}</style><p>x</p>", "Ignored `colour:red`"),
    ],
)
def test_a_warning_of_the_renderer_is_an_error(page: str, reason: str) -> None:
    if lack := pdf.missing():
        pytest.skip(lack)
    whole = f'<html lang="en"><title>t</title>{page}</html>'
    with pytest.raises(AuditbookError) as error:
        pdf.press(whole.encode(), as_of=AS_OF, identifier="x")
    assert reason in str(error.value)
    assert str(error.value).endswith("The HTML is complete.")


def test_a_renderer_that_takes_too_long_is_ended() -> None:
    if lack := pdf.missing():
        pytest.skip(lack)
    with pytest.raises(
        AuditbookError, match=r"not done after 0\.05 seconds and was given up; the HTML is complete"
    ):
        pdf.press(b"<html lang=en><title>t</title>x</html>", as_of=AS_OF, identifier="x", seconds=0.05)


def test_a_renderer_that_needs_too_much_memory_is_ended() -> None:
    if lack := pdf.missing():
        pytest.skip(lack)
    page = b"<html lang=en><title>t</title>" + b"<p>one more paragraph</p>" * 20_000 + b"</html>"
    with pytest.raises(
        AuditbookError, match=r"more memory than it may use; the HTML is complete|want of memory"
    ):
        pdf.press(page, as_of=AS_OF, identifier="x", memory=150 * 1024**2)


def test_nothing_is_rendered_for_somebody_who_is_no_more() -> None:
    order = json.dumps({"parent": os.getpid() + 1, "memory": pdf.MEMORY_BYTES, "seconds": 60})
    done = subprocess.run(
        [sys.executable, ROOT / "reports/press.py"], input=order, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_renderer_that_is_killed_leaves_the_html_and_says_where(
    log: query.Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lack := pdf.missing():
        pytest.skip(lack)
    heard = pdf._heard

    def killed(child: subprocess.Popen[str], order: str, progress: Progress) -> tuple[str, str]:
        child.kill()
        return heard(child, order, progress)

    monkeypatch.setattr(pdf, "_heard", killed)
    with pytest.raises(AuditbookError) as error:
        reports.digest(log, as_of=AS_OF).write(tmp_path / "out")
    [left] = (tmp_path / "out").rglob("*.*ml")
    assert str(error.value) == (
        "The PDF's process was ended by SIGKILL, perhaps for want of memory; the HTML is complete. "
        f"Written: {left}."
    )
    assert left.read_bytes() == reports.digest(log, as_of=AS_OF).html()


def test_the_same_bytes_anywhere(
    review: reports.Review, document: bytes, tmp_path: Path, log: query.Log
) -> None:
    """Another process, folder, zone, language and hash seed; and folders there that are called like ours."""
    for decoy in ("pipeline", "reports", "weasyprint"):
        (tmp_path / decoy).mkdir()
        (tmp_path / decoy / "__init__.py").write_text("raise SystemExit('the wrong package')")
    code = (
        "import sys, datetime, pipeline, reports\n"
        "with pipeline.open(sys.argv[1]) as log:\n"
        "    reports.review(log, as_of=datetime.datetime(2026, 10, 9, 6, tzinfo=datetime.UTC)).write('out')\n"
    )
    elsewhere = {"TZ": "Asia/Kolkata", "LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, "-P", "-c", code, str(log.store)],
        cwd=tmp_path,
        env={**os.environ, **elsewhere},
        check=True,
    )
    assert (tmp_path / "out" / "2026-10-09" / "review.html").read_bytes() == review.html()
    assert (tmp_path / "out" / "2026-10-09" / "review.pdf").read_bytes() == document
    assert (tmp_path / "out" / "2026-10-09" / "log.html").read_bytes() == review.log.html()


def test_what_is_there_is_never_overwritten(review: reports.Review, document: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = review.write(out)
    names = ("review.html", "review.pdf", "log.html")
    assert first == [out / "2026-10-09" / name for name in names]
    assert [path.stat().st_mode & 0o777 for path in (*first, first[0].parent)] == [0o600, 0o600, 0o600, 0o700]
    assert review.write(out) == first
    first[0].write_text("somebody's notes")
    assert review.write(out) == [out / "2026-10-09-2" / name for name in names]
    assert first[0].read_text() == "somebody's notes"
    assert sorted(path.name for path in out.rglob("*")) == [
        "2026-10-09", "2026-10-09-2", "log.html", "log.html", "review.html", "review.html", "review.pdf", "review.pdf",
    ]  # fmt: skip
    assert (out / "2026-10-09-2" / "review.pdf").read_bytes() == document


def test_without_pango_there_is_html_and_one_sentence(log: query.Log, tmp_path: Path) -> None:
    """Pango is hidden from a process of its own, by hiding every shared library of that name from cffi."""
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "sitecustomize.py").write_text(
        "import cffi\n"
        "real = cffi.FFI.dlopen\n"
        "def dlopen(self, name, flags=0):\n"
        "    if 'pango' in str(name).lower():\n"
        "        raise OSError(f'cannot load library {name!r}')\n"
        "    return real(self, name, flags)\n"
        "cffi.FFI.dlopen = dlopen\n"
    )
    code = (
        "import sys, json, datetime, pipeline, reports, reports.pdf\n"
        "with pipeline.open(sys.argv[1]) as log:\n"
        "    review = reports.review(log, as_of=datetime.datetime(2026, 10, 9, 6, tzinfo=datetime.UTC))\n"
        "    written = review.write('out')\n"
        "    try:\n"
        "        review.pdf()\n"
        "    except pipeline.AuditbookError as error:\n"
        "        print(json.dumps([[str(path) for path in written], str(error), review.without_pdf]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(log.store)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "hide")}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    sentence = (
        "PDFs need Pango, which is not on this machine: "
        "on Debian, apt-get install libpango-1.0-0 libpangoft2-1.0-0."
    )
    assert json.loads(done.stdout) == [
        ["out/2026-10-09/review.html", "out/2026-10-09/log.html"], f"{sentence} The HTML is complete.", sentence
    ]  # fmt: skip
    assert (tmp_path / "out" / "2026-10-09" / "review.html").read_bytes().startswith(b"<!DOCTYPE html>")
    assert not (tmp_path / "out" / "2026-10-09" / "review.pdf").exists()


def test_a_review_names_the_one_before_it_and_the_time_between(tmp_path: Path) -> None:
    """What is reported is taken into the next commit's record, and only from there into a later report."""
    store = make(tmp_path)
    early = datetime(2026, 10, 9, 6, tzinfo=UTC)
    with pipeline.open(store) as log:
        first = reports.review(log, "2026-10-05", "2026-10-06", early, "Ana Silva", "Dana Ruiz")
        assert first.model.cover.status == "FINAL"
        first.write(tmp_path / "out")
        again = reports.review(log, "2026-10-05", "2026-10-06", early, "Ana Silva", "Dana Ruiz")
        assert again.html() == first.html(), "no record tells of it yet: made again it is the same"
        [finding] = log.findings(detector="logging_disabled").limit(1).pl()["finding_id"].to_list()
    decide.decide(store, finding, status="accepted", by="Dana Ruiz", reason="Maintenance.")

    with pipeline.open(store) as log:
        previous = reports.review(log, "2026-10-08", "2026-10-08", early).model.cover.previous
        since_then = reports.review(log, as_of=early).model.cover.period
    assert previous is not None
    assert (previous.report_id, previous.status) == (first.model.cover.report_id, "FINAL")
    assert previous.gap == "1 day 0 hours between the two, in no review"
    assert since_then.since.iso == first.model.cover.period.until.iso, (
        "by default since the last signed review"
    )
