"""The log page in a real browser: filters, opening, history, files, keyboard, and nothing that leaves the page."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import pipeline
import reports
from pipeline import load as loading
from pipeline.config import from_dict
from tests import exports
from tests.browsing import Tab, chromium, tab
from tests.hostile import ATTACKS

AS_OF = datetime(2026, 10, 6, 6, tzinfo=UTC)
SETTINGS = from_dict({"organization": {"name": "North & Sons", "timezone": "America/New_York"}})
HOOPS = Path(__file__).parent / "sources" / "hoops.jsonl"
SPECIAL = {
    10: {"actorType": "system", "actorId": None, "actorEmail": None, "detailedAction": "printer.online"},
    50: {"correlationId": "op1", "detailedAction": "printerSlot.assign", "entityType": "PrinterSlots",
         "entityId": "slot1", "changes": {"material": {"old": "PLA", "new": "PETG"},
         "apiSecret": {"old": "[REDACTED]", "new": "[REDACTED]"}}},
    51: {"correlationId": "op1", "detailedAction": "printJob.update", "entityId": "job9",
         "changes": {"slot": {"old": None, "new": 12345678901234567890}}},
    60: {"action": "bulk_delete", "detailedAction": "printJob.bulk-delete", "entityId": None,
         "entityIds": ["job1", "job2", "job77"]},
    70: {"impersonatedBy": {"id": "adm1", "email": "root@example.com"}, "metadata": {"n": 1.0, "=1+1": "a,b"},
         "reason": "=HYPERLINK(\"x\")", "ipAddress": "203.0.113.9"},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 hours of one product: the entry of hour 119 is the newest."""
    place = tmp_path_factory.mktemp("log-page")
    content = b"".join(exports.line(n, **SPECIAL.get(n, {})) for n in range(120))
    exports.put(place / "in" / "printago.jsonl", content)
    loading.load([str(place / "in")], store=place / "store", config=SETTINGS)
    with pipeline.open(place / "store", SETTINGS) as log:
        reports.log(log, AS_OF).write(place / "out")
        log.events().write(place / "all.json")
        log.events().write(place / "all.csv")
    loading.load([str(HOOPS)], store=place / "store", config=SETTINGS)
    with pipeline.open(place / "store", SETTINGS) as log:
        reports.log(log, AS_OF, source="hoops").write(place / "hoops")
    return place


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def shown(browser: Any, folder: Path) -> Iterator[Tab]:
    with tab(browser, folder / "out" / "2026-10-06" / "log.html") as opened:
        yield opened


def test_newest_first_fifty_a_page_and_what_the_product_hides(shown: Tab) -> None:
    assert shown.status() == "119 entries of 120 in 118 rows"
    assert shown.page.inner_text("#hidden") == (
        "1 entry of kind system hidden, as this product does. Show them"
    )
    assert shown.column("time")[:2] == ["2026-10-05 19:00:00", "2026-10-05 18:00:00"]
    assert shown.page.locator("#rows .row .c-time").first.inner_text().split("\n")[1] == "7 hrs ago"
    assert shown.page.inner_text("#where") == "1–50 of 118"
    shown.page.click("text=Older")
    assert shown.page.inner_text("#where") == "51–100 of 118"
    shown.page.click("text=Newer")
    assert shown.page.inner_text("#where") == "1–50 of 118"
    shown.page.click("text=Show them")
    assert shown.status() == "120 entries in 119 rows"


def test_a_column_is_sorted_by_its_head(shown: Tab) -> None:
    shown.page.click("th .sort >> text=Entity type")
    assert shown.column("type")[0] == "print job"
    assert shown.page.get_attribute("th.c-type", "aria-sort") == "ascending"
    shown.page.click("th .sort >> text=Entity type")
    assert shown.column("type")[0] == "printer slot"
    assert shown.page.inner_text("#before") == "Previous"


def test_texts_apply_on_enter_or_when_left_and_choices_at_once(shown: Tab) -> None:
    shown.page.click("#toggle-filters")
    shown.page.fill("#f-entity", "job2")
    assert shown.status() == "119 entries of 120 in 118 rows"
    shown.page.press("#f-entity", "Enter")
    # job2 of hours 2, 9, 16, … without 51 (another job), and the bulk entry that names it
    assert shown.status() == "17 entries of 120"
    assert shown.page.inner_text("#badge") == "1"
    shown.page.fill("#f-detail", "printJob.bulk*")
    shown.page.focus("#f-actor")
    assert shown.status() == "1 entry of 120"
    shown.page.click("#clear")
    assert shown.status() == "119 entries of 120 in 118 rows"
    assert shown.page.is_hidden("#clear")
    shown.page.click("details.menu summary >> text=Action")
    shown.page.check("details.menu label:has-text('delete')")
    assert shown.status() == "1 entry of 120"
    assert "action=delete" in shown.page.url


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("#since=2026-10-02&until=2026-10-02", "24 entries of 120 in 23 rows"),
        ("#since=2026-10-02+08:00&until=2026-10-02+10:00", "2 entries of 120"),
        ("#actor=ANA%40example", "119 entries of 120 in 118 rows"),
        ("#ip=203.0.113.0/24", "1 entry of 120"),
        ("#text=hyperlink", "1 entry of 120"),
        ("#correlation=op1", "2 entries of 120 in 1 row"),
        ("#actor_type=system", "1 entry of 120"),
        ("#entity=print_job:job77", "1 entry of 120"),
        ("#entity=printer_slot:job77", "0 entries of 120"),
        ("#outcome=nonsense&sort=nonsense&page=-3&__proto__=x", "0 entries of 120"),
    ],
)
def test_a_view_can_be_sent(browser: Any, folder: Path, address: str, status: str) -> None:
    with tab(browser, folder / "out" / "2026-10-06" / "log.html", address) as shown:
        assert shown.status() == status


def test_related_entries_stand_in_one_row_and_open_with_their_own_changes(shown: Tab) -> None:
    shown.at("#correlation=op1")
    assert shown.column("action") == ["printerSlot.assign (2)"]
    shown.page.click(".toggle")
    shown.page.wait_for_selector("tr.detail[data-ready]")
    text = shown.page.inner_text("tr.detail[data-ready]")
    assert "1 related entry of one operation" in text
    assert "2026-10-02 23:00:00 printJob.update · print job job9 · ana@example.com" in text
    first, second = shown.page.locator("tr.detail table.diff").all()
    assert [row.locator("th, td").all_text_contents() for row in first.locator("tr").all()] == [
        ["Field", "Before", "After"], ["material", "−removed:  PLA", "+added:  PETG"], ["apiSecret", "[REDACTED]"]
    ]  # fmt: skip
    assert "12345678901234567890" in str(second.text_content()), "no digit is lost"
    shown.page.uncheck("#apart")
    assert shown.column("action") == ["printJob.update", "printerSlot.assign"]


def test_bulk_ids_and_who_stood_behind_somebody(shown: Tab) -> None:
    shown.at("#action=delete")
    assert shown.column("entity") == ["3 entities"]
    shown.page.click("#rows .row")
    shown.page.wait_for_selector("tr.detail[data-ready]")
    assert shown.page.locator("tr.detail .ids li").all_inner_texts() == [
        "print job job1",
        "print job job2",
        "print job job77",
    ]
    shown.at("#ip=203.0.113.9")
    assert shown.column("actor") == ["root@example.com as ana@example.com"]


def test_the_history_of_a_thing_is_a_link(shown: Tab) -> None:
    shown.page.click("#rows .row .c-entity a >> nth=0")
    assert shown.page.inner_text("#history h2") == "History of print job job0"
    assert "entity=print_job%3Ajob0" in shown.page.url
    assert shown.page.locator("#rows .row .c-entity a").count() == 0
    shown.page.go_back()
    assert shown.page.is_hidden("#history")


def test_one_event_is_a_link_that_opens_it(shown: Tab, folder: Path) -> None:
    oldest = json.loads((folder / "all.json").read_text())[-1]["event_uid"]
    shown.at(f"#event={oldest[:12]}")
    assert shown.page.inner_text("#where") == "101–118 of 118"
    assert oldest in shown.page.inner_text("tr.detail[data-ready]")


def test_a_message_is_text_and_its_body_exact(browser: Any, folder: Path) -> None:
    with tab(
        browser, folder / "hoops" / "2026-10-06" / "log.html", "#text=Your quote Q-7001&detail=Email sent"
    ) as shown:
        shown.at("#detail=Email sent")
        for toggle in shown.page.locator(".toggle").all():
            toggle.click()
        shown.page.wait_for_function(
            "document.querySelectorAll('tr.detail:not([hidden]):not([data-ready])').length === 0"
        )
        bodies = shown.page.locator("tr.detail pre").all_inner_texts()
        assert any(
            '<img src="https://track.example/o.gif"><script>alert(1)</script></p>' in body for body in bodies
        )
        assert "hana@kavarna.example, office@kavarna.example" in shown.page.inner_text("#rows")
        assert "archive@teehaus.example, petra@teehaus.example" in shown.page.inner_text("#rows")


def test_files_hold_what_export_writes(shown: Tab, folder: Path, tmp_path: Path) -> None:
    everything = json.loads((folder / "all.json").read_text())
    shown.at("#actor_type=all")
    assert json.loads(_saved(shown, "json", tmp_path).read_text()) == everything
    assert '"new":12345678901234567890}' in (tmp_path / "log-2026-10-06-120-entries.json").read_text()
    with (
        _saved(shown, "csv", tmp_path).open(newline="") as ours,
        (folder / "all.csv").open(newline="") as theirs,
    ):
        assert list(csv.reader(ours)) == list(csv.reader(theirs))
    shown.at("#entity=job77")
    shown.page.check("[data-pick]")
    assert shown.page.inner_text("#saving") == "Save 1 selected:"
    assert [one["action_detail"] for one in json.loads(_saved(shown, "json", tmp_path).read_text())] == [
        "printJob.bulk-delete"
    ]
    shown.at("#correlation=op1")
    shown.page.check("#all")
    assert len(_saved(shown, "txt", tmp_path).read_text().split()) == 3, (
        "the group counts whole, and the one before stays"
    )


def _saved(shown: Tab, kind: str, folder: Path) -> Path:
    with shown.page.expect_download() as waiting:
        shown.page.click(f"#save-{kind}")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_all_of_it_by_keyboard(shown: Tab) -> None:
    keys = shown.page.keyboard
    shown.page.focus("#toggle-filters")
    keys.press("Enter")
    keys.press("Tab")
    assert shown.page.evaluate("document.activeElement.id") == "apart"
    keys.press("Tab")
    assert shown.page.evaluate("document.activeElement.id") == "save-csv"
    shown.page.focus("#f-text")
    keys.type("hyperlink")
    keys.press("Enter")
    assert shown.status() == "1 entry of 120"
    shown.page.focus("#clear")
    keys.press("Enter")
    assert shown.page.evaluate("document.activeElement.id") == "toggle-filters"
    shown.page.locator("details.menu summary", has_text="Action").last.focus()
    keys.press("Enter")
    keys.press("Tab")
    keys.press("Space")
    assert shown.page.locator("details.menu[open] input:checked").count() == 1
    keys.press("Escape")
    assert shown.page.locator("details.menu[open]").count() == 0
    shown.page.locator(".toggle").first.focus()
    keys.press("Enter")
    shown.page.wait_for_selector("tr.detail[data-ready]")
    assert shown.page.get_attribute(".toggle", "aria-expanded") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barrier(browser: Any, folder: Path, scheme: str) -> None:
    from axe_core_python.sync_playwright import Axe

    # Each by itself: the checker is put into the page, which the page's own policy would forbid.
    with tab(browser, folder / "out" / "2026-10-06" / "log.html", color_scheme=scheme) as shown:
        shown.page.click("#toggle-filters")
        shown.page.click(".toggle")
        shown.page.wait_for_selector("tr.detail[data-ready]")
        found = Axe().run(shown.page)["violations"]
        assert [
            (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
        ] == []


def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser: Any, folder: Path) -> None:
    with tab(
        browser, folder / "out" / "2026-10-06" / "log.html", viewport={"width": 360, "height": 740}
    ) as shown:
        shown.page.click(".toggle")
        shown.page.wait_for_selector("tr.detail[data-ready]")
        assert shown.page.evaluate("document.documentElement.scrollWidth") == 360


def test_paper_has_every_filtered_row(shown: Tab) -> None:
    shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert shown.page.locator("#rows .row").count() == 118
    shown.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert shown.page.locator("#rows .row").count() == 50


def test_what_is_left_out_is_said(folder: Path) -> None:
    from reports import logpage

    with pipeline.open(folder / "store", SETTINGS) as log:
        page = logpage.render(log.events(source="printago"), AS_OF, most=100).decode()
    assert "20 older events are not in this page" in page
    assert "the newest 100 of 120" in page
    assert "auditbook export --output log.csv" in page


def test_the_same_bytes_again(folder: Path) -> None:
    with pipeline.open(folder / "store", SETTINGS) as log:
        first, second = (reports.log(log, AS_OF, source="printago").html() for _ in range(2))
    assert first == second


def _attacked(place: Path, values: tuple[str, ...]) -> Path:
    """Every field of a line that takes text, with one value after the other."""
    made = []
    for n, value in enumerate(values):
        given = {
            "detailedAction": value, "entityType": value, "entityId": f"{value}{n}", "actorId": value,
            "actorEmail": value, "userAgent": value, "reason": value, "entityIds": [value, "b"],
            "correlationId": f"{value}{n}", "ipAddress": value, "impersonatedBy": {"id": value, "email": value},
            "changes": {value: {"old": value, "new": [value]}}, "metadata": {value: value, "n": {value: value}},
            "unknownField": {value: value},
        }  # fmt: skip
        made += [exports.line(2 * n, **given), exports.line(2 * n + 1, **given)]
    exports.put(place / "in" / "printago.jsonl", b"".join(made))
    loading.load([str(place / "in")], store=place / "store", config=SETTINGS)
    with pipeline.open(place / "store", SETTINGS) as log:
        [path] = reports.log(log, AS_OF).write(place / "out")
    return path


def _skeleton(browser: Any, path: Path) -> list[str]:
    """Every element with the names of its attributes, all rows opened: what markup there is, whatever the texts."""
    with tab(browser, path, "#sort=time:asc") as shown:
        shown.page.click("#toggle-filters")
        for toggle in shown.page.locator(".toggle").all():
            toggle.click()
        shown.page.wait_for_function(
            "document.querySelectorAll('tr.detail:not([hidden]):not([data-ready])').length === 0"
        )
        assert shown.page.evaluate("window.hit") is None
        found: list[str] = shown.page.evaluate(
            "[...document.querySelectorAll('*')].filter(one => !one.closest('datalist, details.menu')).map("
            "one => [one.tagName, ...[...one.attributes].map(a => a.name).sort()].join(' '))"
        )
        return found


def test_no_value_becomes_markup(browser: Any, tmp_path: Path) -> None:
    """The elements of a page full of attacks are those of a page whose values are harmless and as long."""
    harmless = tuple("a" * len(value) for value in ATTACKS)
    assert _skeleton(browser, _attacked(tmp_path / "hostile", ATTACKS)) == _skeleton(
        browser, _attacked(tmp_path / "control", harmless)
    )
