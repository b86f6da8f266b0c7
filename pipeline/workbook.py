"""Rows -> an Excel workbook, row by row: texts stay texts, whatever they look like. Used by formats."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline import rowtext, scratch
from pipeline.batches import batches

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

    from pipeline.formats import Stream
    from pipeline.rows import Rows

MOST_ROWS = 1_048_576  # of a sheet, the header among them
LONGEST = 32_767  # characters of a cell
WIDTH = 22
CUT = "… (cut)"
FIRST_YEAR, MOST_DIGITS = 1900, 10**15
MADE = datetime(1980, 1, 1)  # noqa: DTZ001 - the same rows make the same workbook; the manifest has the time
SETTINGS = {
    "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
    "default_date_format": "yyyy-mm-dd hh:mm:ss.000",
}  # fmt: skip


def write(rows: Rows, stream: Stream, done: Callable[[int], None], most: int = MOST_ROWS) -> dict[str, Any]:
    """Write a workbook of as many sheets as it takes; says how many, and how many texts were too long for a cell."""
    import xlsxwriter

    names, kinds = rows.shape()
    kept = [name for name in names if name not in rowtext.NOT_FOR_PEOPLE]
    count = cut = 0
    with scratch.folder("xlsx") as folder:
        book = xlsxwriter.Workbook(stream, {**SETTINGS, "tmpdir": str(folder)})
        book.set_properties({"created": MADE})
        sheet = _sheet(book, kept)
        for batch in batches(rows, lambda part: rowtext.cells(part.sql, names, kinds)):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if count and count % (most - 1) == 0:
                    sheet = _sheet(book, kept)
                cut += _row(sheet, 1 + count % (most - 1), row)
                count += 1
            done(count)
        book.use_zip64()
        book.close()
        sheets = len(book.worksheets())
    return {"rows": count, "sheets": sheets, "cut_cells": cut}


def _sheet(book: Any, names: list[str]) -> Worksheet:
    number = len(book.worksheets()) + 1
    sheet = book.add_worksheet("rows" if number == 1 else f"rows {number}")
    sheet.set_column(0, max(len(names) - 1, 0), WIDTH)
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(names):
        sheet.write_string(0, place, name[:LONGEST])
    return sheet


def _row(sheet: Worksheet, number: int, row: tuple[Any, ...]) -> int:
    """Write the cells of a row; gives how many texts were cut. Spreadsheets know no day before 1900, and 15 digits."""
    cut = 0
    for place, value in enumerate(row):
        if value is None:
            continue
        if isinstance(value, bool):
            sheet.write_boolean(number, place, value)
        elif isinstance(value, datetime) and value.year >= FIRST_YEAR:
            sheet.write_datetime(number, place, value)
        elif isinstance(value, int | float) and abs(value) < MOST_DIGITS:
            sheet.write_number(number, place, value)
        else:
            text = value if isinstance(value, str) else str(value)
            cut += len(text) > LONGEST
            sheet.write_string(
                number, place, text if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT
            )
    return cut
