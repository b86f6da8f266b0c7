"""The annex of a PDF: its rows, its pages, what a screen reader is told of them, and that it takes no more memory."""

from __future__ import annotations

import io
import json
import subprocess
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pikepdf
import pytest

import pipeline
from pipeline import load as loading
from pipeline.config import from_dict
from reports import binding, pdf, selection, sheets
from tests import standards
from tests.conftest import ROOT

PAGE = (
    b"<html lang='en'><head><title>Rows</title><style>@page{size:A4;@bottom-right{content:'page ' counter(page) ' of ' "
    b"counter(pages)}} h2{break-before:page}</style></head><body><h1>Rows</h1><h2>All rows</h2></body></html>"
)
AS_OF = datetime(2026, 11, 2, 6, tzinfo=UTC)
COLUMNS = ("When", "What")


@pytest.fixture(scope="module", autouse=True)
def _pango() -> None:
    if lack := pdf.missing():
        pytest.skip(lack)


def printed(rows: list[tuple[str, str]], paper: str = "A4") -> bytes:
    annex = pdf.Annex(COLUMNS, iter(rows), ("left", "right", "below"), paper)
    return pdf.press(PAGE, as_of=AS_OF, identifier="AB-1", annex=annex)


def texts(content: bytes, folder: Path, *options: str) -> list[str]:
    """What stands on each page."""
    path = folder / "one.pdf"
    path.write_bytes(content)
    done = subprocess.run(["pdftotext", *options, str(path), "-"], capture_output=True, text=True, check=True)
    return done.stdout.split("\f")[:-1]


def elements(content: bytes) -> Iterator[tuple[str, int]]:
    """Each element of the structure: its kind, and how many others it has."""
    with pikepdf.open(io.BytesIO(content)) as document:

        def below(one: Any) -> Iterator[tuple[str, int]]:
            kids = one.get("/K", [])
            inner = [kid for kid in (kids if isinstance(kids, pikepdf.Array) else []) if hasattr(kid, "keys")]
            yield str(one.S), len(inner)
            for kid in inner:
                yield from below(kid)

        yield from below(document.Root.StructTreeRoot.K[0])


def test_every_row_stands_on_a_page_and_the_pages_are_counted(tmp_path: Path) -> None:
    rows = [(f"2026-10-{1 + n // 100:02d} 08:00:{n % 60:02d}", f"entry-{n}") for n in range(250)]
    cover, last, *pages = texts(printed(rows), tmp_path)
    assert "page" not in cover, "a cover has no number"
    assert "page 2 of 6" in last, "the document's own pages are counted with those behind"
    assert [word for page in pages for word in page.split() if word.startswith("entry-")] == [
        one for _, one in rows
    ]
    assert [f"page {n} of 6" in page for n, page in enumerate(pages, 3)] == [True] * 4
    assert all(page.count("left") == page.count("What") == 1 for page in pages), "heads on every page"


def test_a_screen_reader_is_told_of_one_table(tmp_path: Path) -> None:
    rows = [("2026-10-01 08:00:00", f"entry {n}") for n in range(250)]
    found = list(elements(printed(rows)))
    assert [kind for kind, _ in found].count("/Table") == 1
    assert [kind for kind, _ in found].count("/TH") == 2, (
        "what stands above the other pages is not read again"
    )
    assert [number for kind, number in found if kind == "/TR"] == [2] * 251
    assert sum(number for kind, number in found if kind == "/TBody") == 250


def test_days_are_bookmarks_and_lead_to_their_first_row() -> None:
    rows = [(f"2026-10-{1 + n // 100:02d} 08:00:00", "x") for n in range(250)]
    with pikepdf.open(io.BytesIO(printed(rows))) as document, document.open_outline() as outline:
        [last] = outline.root[0].children
        assert (last.title, [one.title for one in last.children]) == (
            "All rows", ["2026-10-01", "2026-10-02", "2026-10-03"]
        )  # fmt: skip
        places = [document.pages.index(pikepdf.Page(one.destination[0])) + 1 for one in last.children]
        assert places == sorted(places)
        assert places[0] == 3


def test_long_and_foreign_texts_are_all_there(tmp_path: Path) -> None:
    """Broken where a column ends; a letter of another alphabet from the other face, or by its number."""
    long = "a" * 300
    told = texts(
        printed([("2026-10-01", "Ωμέγα Привет"), ("2026-10-02", "漢<b>é"), ("2026-10-03", long)]), tmp_path
    )
    said = "".join(told[2].split())
    assert "ΩμέγαПривет" in said
    assert "‹U+6F22›<b>é" in said
    assert long in said


def test_the_same_rows_are_the_same_bytes_and_letter_is_letter(tmp_path: Path) -> None:
    rows = [("2026-10-01", f"entry {n}") for n in range(80)]
    assert printed(rows) == printed(rows)
    with pikepdf.open(io.BytesIO(printed(rows, "Letter"))) as document:
        assert [float(side) for side in document.pages[2].MediaBox] == [0, 0, 612, 792]


def test_the_standards_are_met_with_an_annex_too(tmp_path: Path) -> None:
    rows = [(f"2026-10-{1 + n // 40:02d}", "Ωμέγα ✓ 漢" if n % 2 else "") for n in range(120)]
    page = PAGE.replace(b"@page", b"h1,h2{font-family:'Plex Sans'}@page")
    annex = pdf.Annex(COLUMNS, iter(rows), ("left", "right", "below"))
    standards.must_be_met({"annex": pdf.press(page, as_of=AS_OF, identifier="AB-1", annex=annex)}, tmp_path)


def test_no_row_is_no_annex(tmp_path: Path) -> None:
    _, last = texts(printed([]), tmp_path)
    assert "page 2 of 2" in last


def test_what_a_row_needs_is_what_it_gets() -> None:
    assert sheets.wrapped("print job 6995ad7c463e", 12) == ("print job ", "6995ad7c463e")
    assert sheets.wrapped("no-blank-anywhere", 9) == ("no-blank-", "anywhere")
    assert sheets.wrapped("x" * 10, 4) == ("xxxx", "xxxx", "xx")
    assert sheets.wrapped("one\ntwo", 9) == ("one", "two")


@pytest.mark.parametrize("number", [2000, 8000])
def test_memory_does_not_grow_with_the_rows(number: int, tmp_path: Path) -> None:
    """Four times the rows: what is held at once stays below the same bound."""
    rows = tmp_path / "rows.jsonl"
    with rows.open("w") as file:
        file.writelines(
            json.dumps([f"2026-10-01 08:00:{n % 60:02d}", f"entry {n} {'x' * 60}"]) + "\n"
            for n in range(number)
        )
    order = {
        "rows": str(rows), "columns": COLUMNS, "paper": "A4", "title": "t", "note": "n", "running": ["a", "b", "c"],
        "marked": 10,
    }  # fmt: skip
    faces = {name: binding.Face(name, str(ROOT / ".." / path)) for name, path in _faces().items()}
    sheets.wrapped.cache_clear()
    tracemalloc.start()
    with (tmp_path / "drawn").open("wb") as output:
        file = binding.File(output, count(10))
        drawn = sheets.draw(sheets.plan(order), file, sheets.Pen(faces), 1, 1, 1)
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(drawn.pages) > number / 100
    assert peak < 3_000_000


def _faces() -> dict[str, str]:
    from importlib.resources import files

    names = {
        "S": ("fontpkg_ibm_plex_sans", "IBMPlexSans[wdth,wght].ttf"),
        "M": ("fontpkg_ibm_plex_mono", "IBMPlexMono-Regular.ttf"),
    }
    return {name: str(files(package) / "files" / file) for name, (package, file) in names.items()}


def test_a_cell_is_of_one_line_and_not_longer_than_a_page() -> None:
    assert selection.cell("one\ntwo\t\u202e") == "one‹U+000A›two‹U+0009›‹U+202E›"
    assert selection.cell("x" * 1000) == "x" * 400 + "… (600 more)"


def test_an_export_beyond_so_many_entries_has_a_row_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading.load(
        [str(ROOT / "tests" / "sources" / "hoops.jsonl")], store=tmp_path / "store", config=from_dict({})
    )
    monkeypatch.setattr(selection, "IN_FULL", 10)
    with pipeline.open(tmp_path / "store") as log:
        rows = log.events(source="hoops")
        lines = [f"hoops.jsonl:{line}" for line in sorted(rows.line.arrow()["line"].to_pylist())]
        content = rows.write(tmp_path / "all.pdf").read_bytes()
        newest = log.events(source="hoops", limit=12)
        newest_lines = set(newest.select("line").arrow()["line"].to_pylist())
        some = newest.write(tmp_path / "some.pdf").read_bytes()
    first, *pages = texts(content, tmp_path)
    assert "The entries stand on the next pages" in " ".join(first.split())
    found = [word for page in pages for word in page.split() if word.startswith("hoops.jsonl:")]
    assert sorted(found, key=lambda one: int(one.split(":")[1])) == lines
    _, *pages = texts(some, tmp_path)
    assert {
        int(word.split(":")[1]) for page in pages for word in page.split() if word.startswith("hoops.jsonl:")
    } == newest_lines
