"""Answers in a notebook: they show themselves, in light and dark, and complete; asking changes nothing."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import pipeline
from pipeline.errors import AuditbookError, UsageError
from pipeline.load import load
from pipeline.query import Event, Log, Rows
from pipeline.trial import Trial
from reports.html import css
from reports.notebook import Plot
from tests.browsing import chromium
from tests.conftest import COMMAND, ROOT
from tests.exports import CONFIG, line, put

SAMPLE = ROOT / "sample_data"


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """The sample month, loaded and evaluated."""
    store = tmp_path_factory.mktemp("month") / "store"
    for command in (["load", SAMPLE], ["detect"]):
        subprocess.run(
            [COMMAND, *command, "--store", store, "--config", SAMPLE / "auditbook.toml", "-q"],
            cwd=store.parent, check=True, timeout=120, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    with pipeline.open(store) as log:
        yield log


# --- how things look


def test_a_store_says_what_is_in_it(month: Log) -> None:
    shown = month._repr_html_()
    assert "5,495 events" in shown and f"<code>{month.head[:12]}</code>" in shown
    assert '<span class="severity critical"><i></i>1 critical</span>' in shown
    assert 'log.history("job:…")' in shown.replace("&#34;", '"')


# What Jupyter says of cells of every table in an output.
LAB = """.lab td, .lab th { padding: .5em } .lab:not(.markdown) td, .lab:not(.markdown) th { text-align: right }
.lab tbody tr:nth-child(even) { background: rgb(255, 0, 0) } .lab :not(pre) > code { background: rgb(255, 0, 0) }"""
STANDS = """([...document.querySelectorAll('td, th, tr, code')].map((one) => {
  const style = getComputedStyle(one);
  return [one.tagName, one.className, style.textAlign, style.whiteSpace, style.backgroundColor].join(' ');
}))"""


def test_a_table_stands_as_it_is_meant_among_jupyters_own_rules(month: Log) -> None:
    shown = month.events(source="hoops").limit(2)._repr_html_()
    with chromium() as running:
        page = running.new_page()
        page.set_content(f"<style>{LAB}</style><div class=lab>{shown}</div>")
        stands = set(page.evaluate(STANDS))
        page.set_content(f"<style>{LAB}</style><div class=lab>{month._repr_html_()}</div>")
        stands |= set(page.evaluate(STANDS))
    clear = "rgba(0, 0, 0, 0)"
    assert {one for one in stands if not one.endswith(clear)} == set(), "nothing is striped or coloured"
    assert f"TD  left normal {clear}" in stands and f"TD time left nowrap {clear}" in stands
    assert f"TD number right normal {clear}" in stands


def test_a_table_shows_what_changed_beside_what_was(month: Log) -> None:
    shown = month.events(source="hoops", entity="sales_doc:Q-10472")._repr_html_()
    assert re.search(
        r'<span class="old"><b>−</b> \$?4,?500[^<]*</span>.*<span class="new"><b>\+</b> \$?45,?000', shown
    )
    assert '<th scope="col">changes</th>' in shown and '<th scope="col">actor</th>' in shown
    assert '<th scope="col">source_ip</th>' not in shown, "this product's log does not say from where"


def test_a_table_says_from_where_and_in_whose_name(month: Log) -> None:
    shown = month.events(
        actor="nkechi@fernhollow.example", on="2026-10-16", detail="printJob.retry"
    )._repr_html_()
    assert '<th scope="col">source_ip</th>' in shown
    assert "support@printago-support.example as nkechi@fernhollow.example" in shown


def test_a_long_table_says_that_it_is_cut(month: Log) -> None:
    shown = month.events()._repr_html_()
    assert shown.count("<tr>") == 51
    assert "50 of 5,495 rows · <code>.pl()</code> has all" in shown
    assert "no rows" in month.events(detail="nothing like it")._repr_html_()
    assert "3 rows" in month.events(limit=3)._repr_html_()


def test_redacted_values_are_marked(month: Log) -> None:
    assert (
        '<span class="soft">[REDACTED]</span>'
        in month.events(source="printago", since="2026-10-15", until="2026-10-15")._repr_html_()
    )


def test_findings_have_a_shape_and_a_word(month: Log) -> None:
    shown = month.findings()._repr_html_()
    assert (
        '<td class="severity critical"><i></i>critical</td>' in shown
        and f"{month.findings().count()} rows" in shown
    )


def test_one_event_in_full(month: Log) -> None:
    uid = month.events(source="printago", action="delete", since="2026-10-22").pl()["event_uid"][0]
    event = month.event(uid)
    shown = event._repr_html_()
    assert isinstance(event, Event) and event["event_uid"] == uid
    assert all(identity in shown for identity in event["entity_ids"])
    assert f"raw line: {event['file']}, line {event['line']}, byte {event['byte_offset']}" in shown
    assert "impersonator" not in shown


def test_stored_text_is_text_and_nothing_else(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\u202e"
    said = {
        "changes": {hostile: {"old": hostile, "new": hostile}},
        "metadata": {hostile: 1},
        "entityId": hostile,
    }
    entry = line(1, actorEmail=hostile, detailedAction=hostile, ipAddress="198.51.100.1", **said)
    put(tmp_path / "in" / "a.jsonl", entry)
    load([str(tmp_path / "in")], store=tmp_path / "store", config=CONFIG)
    with pipeline.open(tmp_path / "store") as log:
        rows = log.events()
        shown = [
            rows, log.event(rows.pl()["event_uid"][0]), log.sql("SELECT ? AS x", [hostile]), rows.heatmap(),
            rows.timeline("actor_email"), rows.matrix("action_detail", "entity_id"), rows.shared_ips(),
        ]  # fmt: skip
        for one in shown:
            page = one._repr_html_()  # type: ignore[attr-defined]
            assert "<script" not in page and "\u202e" not in page


@pytest.mark.parametrize(
    ("kind", "columns", "words"),
    [
        ("timeline", (), ["hoops, 1 Oct: 46 events", "Events by day and source"]),
        ("timeline", ("actor",), ["Rosa Dimitriou", "others"]),
        ("heatmap", (), ["5,495 events, "]),
        ("matrix", (), ["Rosa Dimitriou, update: 181 events", "Events by actor and action"]),
        ("matrix", ("source", "outcome"), ["hoops, unknown: "]),
        ("shared_ips", (), ["Nkechi Obi from 203.0.113.10: ", "1 address used by more than one person"]),
    ],
)
def test_a_picture_says_its_numbers(
    month: Log, kind: str, columns: tuple[str, ...], words: list[str]
) -> None:
    plot = getattr(month.events(), kind)(*columns)
    shown = plot._repr_html_()
    for word in words:
        assert word in shown
    assert re.search(r"<title>[^<]+</title>\s*<desc>[^<]+</desc>", plot.svg)


def test_the_numbers_of_a_picture_are_the_store_s(month: Log) -> None:
    rows = month.events(source="craftstage", since="2026-10-05", until="2026-10-09")
    drawn = [int(n.replace(",", "")) for n in re.findall(r": ([\d,]+) events?</title>", rows.timeline().svg)]
    assert sum(drawn) == rows.count() > 0
    cells = [int(n.replace(",", "")) for n in re.findall(r": ([\d,]+) events?</title>", rows.matrix().svg)]
    assert sum(cells) == rows.count()


def test_a_long_name_stays_beside_its_lane(month: Log) -> None:
    drawn = month.events(source="hoops").timeline("actor").svg
    assert "<title>Tell the uploader about the proof</title>Tell the uploader…</text>" in drawn
    assert ">Rosa Dimitriou</text>" in drawn


@pytest.mark.parametrize(
    ("since", "until", "unit"),
    [("2026-10-22T03:30Z", "2026-10-22T05:00Z", "5 minutes"), ("2026-10-21", "2026-10-22", "hour")],
)
def test_a_timeline_is_as_fine_as_its_span(month: Log, since: str, until: str, unit: str) -> None:
    assert month.events(since=since, until=until).timeline().caption == f"Events by {unit} and source"


def test_nothing_to_draw_is_said(month: Log) -> None:
    assert month.events(detail="nothing like it").timeline().caption == "no events"
    with pytest.raises(
        UsageError, match=r"these rows have no column occurred_at and no column source\. They have: one\."
    ):
        month.sql("SELECT 1 AS one").timeline()


def test_every_colour_of_a_picture_follows_the_page(month: Log) -> None:
    """Colours in attributes are for paper; on a screen each class takes its colour from the text around it."""
    rules = set(re.findall(r"\.auditbook svg \.(\w+)", css("notebook.css").replace(", ", "\n")))
    rows = month.events()
    for plot in (rows.timeline(), rows.heatmap(), rows.matrix(), rows.shared_ips()):
        coloured = re.findall(r'<\w+ class="(\w+)"[^>]*(?:fill|stroke)="#', plot.svg)
        assert coloured and set(coloured) <= rules
        assert re.findall(r'<(?!svg)\w+ (?!class)[^>]*(?:fill|stroke)="#', plot.svg) == []
    assert "color: inherit" in css("notebook.css") and "currentColor" in css("notebook.css")


def test_a_picture_can_be_kept(month: Log, tmp_path: Path) -> None:
    path = month.events().heatmap().write(tmp_path / "hours.svg")
    assert path.read_text("utf-8").startswith("<svg ") and repr(month.events().heatmap()).startswith(
        "heatmap: 5,495"
    )


# --- what it is like to type


def test_tab_knows_methods_columns_and_filters(month: Log) -> None:
    rows = month.events()
    assert {"timeline", "write", "actor_email", "source_ip"} <= set(dir(rows))
    assert rows._ipython_key_completions_() == rows.columns
    assert {"actor", "since", "entity", "limit"} <= set(inspect.signature(month.events).parameters)
    shell = InteractiveShell()
    shell.user_ns.update(rows=rows, log=month)

    def offered(typed: str) -> set[str]:
        with provisionalcompleter():
            return {found.text.lstrip(".") for found in shell.Completer.completions(typed, len(typed))}

    assert "actor_email" in offered("rows.actor_e") and "timeline" in offered("rows.timel")
    assert "outcome=" in offered("log.events(outc")


def test_columns_are_taken_by_name(month: Log) -> None:
    rows = month.events(source="hoops").limit(3)
    assert rows["action"].columns == rows.action.columns == ["action"]
    assert rows[["source", "action"]].pl().shape == (3, 2)
    with pytest.raises(AttributeError, match=r"no column and no method 'timelin'. Did you mean \.timeline\?"):
        _ = rows.timelin
    with pytest.raises(UsageError, match=r'"acton" is not a column\. Did you mean action\?'):
        _ = rows["acton"]


@pytest.mark.parametrize("kind", [Log, Rows, Trial, Plot])
def test_everything_public_is_explained(kind: type) -> None:
    public = [name for name in vars(kind) if not name.startswith("_") and callable(getattr(kind, name))]
    assert [name for name in public if not (getattr(kind, name).__doc__ or "").strip()] == [] != public


def test_an_error_is_a_sentence_in_a_notebook(month: Log, capsys: pytest.CaptureFixture[str]) -> None:
    shell = InteractiveShell()
    shell.user_ns["log"] = month
    shell.run_cell("log.events(acton='delete')")
    assert capsys.readouterr().out.strip() == '"acton" is not a filter. Did you mean action?'


# --- nothing changes


def test_no_operation_changes_the_question(month: Log, tmp_path: Path) -> None:
    rows = month.events(source="hoops")

    def told() -> tuple[object, ...]:
        limit = month.sql("SELECT current_setting('memory_limit')").pl().item()
        return rows.sql, [*rows.values], rows.most, dict(rows.asked), limit

    before = told()
    files = {path: path.read_bytes() for path in month.store.rglob("*") if path.is_file()}

    for ask in (
        rows.pl, rows.df, rows.arrow, rows.count, rows.timeline, rows.heatmap, rows._repr_html_,
        lambda: rows.limit(3), lambda: rows.select("action"), lambda: rows.by("action"),
        lambda: rows.write(tmp_path / "x.csv"), lambda: rows.write(tmp_path / "x.xlsx"),
        lambda: month.evaluate("bulk_delete", threshold=2),
    ):  # fmt: skip
        ask()
    assert told() == before
    assert {path: path.read_bytes() for path in month.store.rglob("*") if path.is_file()} == files
    with pytest.raises(FrozenInstanceError):
        rows.most = 1  # type: ignore[misc]


# --- trying a rule


def test_a_rule_is_tried_and_nothing_is_committed(month: Log) -> None:
    head, found = month.head, month.findings().count()
    looser = month.evaluate("failed_job", min_failures=2)

    assert (looser.count(), looser.before, looser.changed, looser.parameters["min_failures"]) == (
        1,
        3,
        {"min_failures": 1},
        2,
    )
    assert looser.findings.pl()["state"].to_list() == ["both"]
    assert looser.gone.pl()["subject"].to_list() == [
        "SYNC_WOOCOMMERCE_PRODUCTS (oncloudwine, org_fernhollow)",
        "SYNC_SQUARE_CONTACTS (oncloudwine, org_fernhollow)",
    ]
    assert month.refresh().head == head and month.findings().count() == found


def test_a_trial_counts_what_would_be_new(month: Log) -> None:
    tried = month.evaluate("bulk_delete", threshold=2)
    assert sorted(tried.pl()["state"].to_list()) == ["both", "only here"]
    assert "looked at 669 events of bswagic" in tried.sight
    assert '<code class="changed">threshold = 2</code>' in tried._repr_html_()
    assert repr(tried).startswith(
        "bulk_delete(threshold=2, window_minutes=60, day_begins=5, baseline_days=60, usual_days=2, usual_times=3, "
    )


def test_a_finding_that_only_a_trial_has_leads_to_its_events(month: Log) -> None:
    [new] = [
        row
        for row in month.evaluate("bulk_delete", threshold=2).pl().to_dicts()
        if row["state"] == "only here"
    ]
    assert month.events(uids=new["events"]).count() == len(new["events"]) > 0


@pytest.mark.parametrize(
    ("detector", "parameters", "sentence"),
    [
        ("bulk_delet", {}, '"bulk_delet" is not a detector. Did you mean bulk_delete?'),
        (
            "bulk_delete",
            {"treshold": 1},
            "treshold: no such parameter. Known are: threshold, window_minutes, day_begins, ",
        ),
        ("bulk_delete", {"threshold": "x"}, 'threshold: "x" is not a whole number (deleted records).'),
        (
            "bulk_delete",
            {"threshold": 1},
            "threshold: 1 is out of range. Expected at least 2 and at most 1,000,000",
        ),
    ],
)
def test_a_trial_says_what_it_does_not_know(
    month: Log, detector: str, parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AuditbookError) as refused:
        month.evaluate(detector, **parameters)
    assert str(refused.value).startswith(sentence)


# --- marimo, on the file and on the library; JupySQL: test_readers.py

APP = """import marimo

app = marimo.App()


@app.cell
def _():
    import sys

    import duckdb
    import marimo as mo
    import pipeline

    folder = "{store}"
    store = duckdb.connect(f"{{folder}}/auditbook.duckdb", read_only=True)
    log = pipeline.open(folder)
    return log, mo, store


@app.cell
def _(log, mo, store):
    counted = mo.sql("SELECT count(*) AS n FROM events", engine=store, output=False)
    print(counted["n"][0], log.events().count())
    return


@app.cell
def _(log):
    log.events().heatmap()
    return


if __name__ == "__main__":
    app.run()
"""


def test_marimo_works_on_the_file_and_on_the_library(month: Log, tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(APP.format(store=month.store), "utf-8")

    ran = subprocess.run([sys.executable, app], capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stdout) == (0, "5495 5495\n"), ran.stderr

    page = tmp_path / "app.html"
    command = [
        Path(sys.executable).with_name("marimo"),
        "export",
        "html",
        app,
        "-o",
        page,
        "--no-include-code",
    ]
    made = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert made.returncode == 0, made.stderr
    assert "outside working hours" in page.read_text("utf-8")
