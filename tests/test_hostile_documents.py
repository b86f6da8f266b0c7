"""Every document of a log in which every typed field is an attack: nothing of it becomes markup, nothing is fetched."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import pipeline
import reports
from pipeline import detect
from pipeline import load as loading
from pipeline.config import from_dict
from reports import pdf
from tests import hostile, standards
from tests.browsing import chromium

AS_OF = datetime(2026, 11, 2, 6, tzinfo=UTC)
SETTINGS = from_dict({"organization": {"name": "North & Sons", "timezone": "America/New_York"}})
SOURCES = ("hoops", "oncloudwine", "printago")
Made = Callable[[pipeline.Log], Any]
DOCUMENTS: dict[str, Made] = {
    "review": lambda log: reports.review(log, as_of=AS_OF),
    "entity": lambda log: reports.entity(log, "sales_doc:Q-7001", AS_OF),
    "actor": lambda log: reports.actor(log, _somebody(log), AS_OF),
    "incident": lambda log: reports.incident(log, as_of=AS_OF, source="hoops"),
    "failures": lambda log: reports.failures(log, as_of=AS_OF),
    "communications": lambda log: reports.communications(log, as_of=AS_OF),
    "accounting": lambda log: reports.accounting(log, as_of=AS_OF),
    "access": lambda log: reports.access(log, as_of=AS_OF),
    "integrity": lambda log: reports.integrity(log, as_of=AS_OF),
    "activity": lambda log: reports.activity(log, as_of=AS_OF),
    "digest": lambda log: reports.digest(log, as_of=AS_OF),
}  # fmt: skip


def _somebody(log: pipeline.Log) -> str:
    """Whoever did most: under attack, a name that is one."""
    [(name,)] = log.con.execute(
        "SELECT actor_name FROM events WHERE actor_name IS NOT NULL AND len(actor_name) < 100 "
        "GROUP BY ALL ORDER BY count(*) DESC, actor_name LIMIT 1"
    ).fetchall()
    return str(name)


def _store(place: Path, values: tuple[str, ...]) -> Path:
    for source in SOURCES:
        hostile.put(place / "in", source, values)
    loading.load([str(place / "in")], store=place / "store", config=SETTINGS)
    detect.detect(place / "store", config=SETTINGS)
    return place / "store"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[pipeline.Log, pipeline.Log]]:
    """The log under attack, and the one whose values are harmless."""
    place = tmp_path_factory.mktemp("hostile")
    attacked = _store(place / "attacked", hostile.ATTACKS)
    control = _store(place / "control", hostile.harmless(hostile.ATTACKS))
    with pipeline.open(attacked, SETTINGS) as one, pipeline.open(control, SETTINGS) as other:
        assert one.events().count() == other.events().count() > 100
        yield one, other


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


def _markup(browser: Any, path: Path) -> set[str]:
    """Each kind of element with the names of its attributes; the page asks for itself and says nothing."""
    context = browser.new_context(offline=True)
    try:
        page, said, asked = context.new_page(), [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        assert page.evaluate("window.hit") is None
        found = page.evaluate(
            "[...document.querySelectorAll('*')].map("
            "one => [one.tagName, ...[...one.attributes].map(a => a.name).sort()].join(' '))"
        )
        assert (said, asked) == ([], [path.as_uri()])
        return set(found)
    finally:
        context.close()


def test_no_value_becomes_markup(
    browser: Any, logs: tuple[pipeline.Log, pipeline.Log], tmp_path: Path
) -> None:
    """One test for all kinds: the two logs are dear, and every process that runs a test of its own makes them."""
    found = {}
    for kind, made in DOCUMENTS.items():
        seen = []
        for name, log in zip(("attacked", "control"), logs, strict=True):
            path = tmp_path / f"{kind}-{name}.html"
            path.write_bytes(made(log).html())
            seen.append(_markup(browser, path))
        page = (tmp_path / f"{kind}-attacked.html").read_text("utf-8")
        hidden = sorted(set(re.findall("[\u202e\u200b\u0000]", page)))
        found[kind] = (seen[0] - seen[1], hidden, len(page) < 3_000_000)
    assert found == dict.fromkeys(DOCUMENTS, (set(), [], True)), "markup, hidden characters, values cut"


def test_paper_fetches_nothing_and_leads_nowhere(
    logs: tuple[pipeline.Log, pipeline.Log], tmp_path: Path
) -> None:
    """The renderer's fetcher refuses everything but the fonts, and a refusal is an error: there was none."""
    if lack := pdf.missing():
        pytest.skip(lack)
    made = {}
    for kind in ("communications", "failures"):
        path = tmp_path / f"{kind}.pdf"
        made[kind] = DOCUMENTS[kind](logs[0]).pdf()
        path.write_bytes(made[kind])
        urls = subprocess.run(["pdfinfo", "-url", str(path)], capture_output=True, text=True, check=True)
        assert [one for one in urls.stdout.splitlines() if "://" in one or "javascript:" in one] == [], kind
        text = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True)
        assert "window.hit=1" in text.stdout, kind
    standards.must_be_met(made, tmp_path)
