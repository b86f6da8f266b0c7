"""CSV: what is a record and what is not, every reason with its sentence, and no byte lost on the way."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import lines
from pipeline.forms.csv import Csv
from pipeline.mapping import shipped
from tests.forms import Cut, must_be_whole, put_together, rows, told

FATE = ("line", "fate", "reason", "raw")


def records(content: bytes, form: Csv | None = None) -> list[dict[str, str]]:
    return [json.loads(row["record"]) for row in rows(form or Csv(), content) if row["record"]]


def test_a_header_names_the_cells_of_the_records() -> None:
    found = rows(Csv(), b'\xef\xbb\xbfID,Name\r\n1,"A ""B"", C"\r\n\r\n2,\r\n')

    assert told(found, *FATE) == [
        (1, "blank", "header", "\ufeffID,Name\r"),
        (2, "event", None, '1,"A ""B"", C"\r'),
        (3, "blank", "empty", "\r"),
        (4, "event", None, "2,\r"),
    ]
    assert [row["record"] for row in found if row["record"]] == [
        '{"ID":"1","Name":"A \\"B\\", C"}', '{"ID":"2","Name":""}'
    ]  # fmt: skip


def test_a_record_over_several_lines_is_counted_at_its_first() -> None:
    found = rows(Csv(), b'ID,"Long\nname"\n1,"two\nlines"\n2,x\n')

    assert told(found, *FATE) == [
        (1, "blank", "header", 'ID,"Long'),
        (2, "blank", "continued", 'name"'),
        (3, "event", None, '1,"two'),
        (4, "blank", "continued", 'lines"'),
        (5, "event", None, "2,x"),
    ]
    assert json.loads(found[2]["record"]) == {"ID": "1", "Long\nname": "two\nlines"}


def test_a_name_that_comes_again_is_numbered_and_overwrites_nothing() -> None:
    assert records(b"Action,ID,Action,Action__2,Action\na,1,b,c,d\n") == [
        {"Action": "a", "ID": "1", "Action__2": "b", "Action__2__2": "c", "Action__3": "d"}
    ]
    assert records(b",,\n1,2,3\n", Csv()) == [], "a header that says nothing is none"
    assert records(b"a,,\n1,2,3\n") == [{"a": "1", "": "2", "__2": "3"}]


@pytest.mark.parametrize(("delimiter", "cell"), [(",", "x; y\t"), (";", "x, y\t"), ("\t", "x, y; z")])
def test_the_delimiter_is_that_of_the_header(delimiter: str, cell: str) -> None:
    content = f"a{delimiter}b\n{cell}{delimiter}3\n{delimiter.join('123')}\n"

    found = rows(Csv(), content.encode())

    assert json.loads(found[1]["record"]) == {"a": cell, "b": "3"}
    assert found[2]["message"] == "3 cells where the header has 2."


def test_a_spreadsheets_own_word_for_the_delimiter_is_heard() -> None:
    found = rows(Csv(), b"sep=;\r\na,b;c\r\n1,2;3\r\n")

    assert told(found, "fate", "reason", "record") == [
        ("blank", "header", None), ("blank", "header", None), ("event", None, '{"a,b":"1,2","c":"3"}')
    ]  # fmt: skip


def test_of_two_readings_of_a_header_the_one_with_the_sources_marks_is_taken() -> None:
    header = b"ID;Date;User, or system;Action;User;Description;IP Address, v4, v6, all, of, them;IP Address\n"

    assert records(header + b"1;2;3;4;5;6;7;8\n", Csv(mapping=shipped()["bswagic"]))[0]["IP Address"] == "8"


def test_a_header_again_is_a_header() -> None:
    """Exports put one behind another, each with its own."""
    found = rows(Csv(), b"a,b\n1,2\n\xef\xbb\xbfa,b\n3,4\n")

    assert told(found, "fate", "reason") == [
        ("blank", "header"), ("event", None), ("blank", "header"), ("event", None)
    ]  # fmt: skip


def test_cells_without_anything_in_them_are_no_record() -> None:
    assert told(rows(Csv(), b'a,b\n,\n"",""\n'), "fate", "reason")[1:] == [
        ("blank", "empty"),
        ("blank", "empty"),
    ]


REJECTS = {
    "too few cells": (b"1", "not_csv", "1 cell where the header has 2."),
    "too many cells": (b"1,2,3", "not_csv", "3 cells where the header has 2."),
    "a quotation mark in a cell": (
        b'5" pipe,2', "not_csv",
        "a quotation mark at byte 2 of the record stands inside a cell that is not in quotation marks.",
    ),
    "text behind a quoted cell": (
        b'"a" b,2', "not_csv",
        "what stands at byte 4 of the record, behind a closed quotation mark, belongs to no cell.",
    ),
    "a quotation mark that is never closed": (
        b'1,"open', "not_csv", "the quotation mark at byte 3 of the record is never closed."
    ),
    "a carriage return alone": (
        b"1\r2,3", "not_csv", "a carriage return without a line feed at byte 2 of the record."
    ),
    "a NUL byte": (b"1,\0", "not_csv", "a NUL byte at byte 3 of the record."),
    "another code page": (b"1,caf\xe9", "not_utf8", "byte 6 of the record is not UTF-8."),
    "another code page, and a quotation mark in a cell": (
        b'1,caf\xe9 5" pipe', "not_utf8", "byte 6 of the record is not UTF-8."
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REJECTS)
def test_a_reject_says_why_and_where_and_costs_no_other_record(case: str) -> None:
    raw, reason, message = REJECTS[case]

    found = rows(Csv(), b"a,b\n0,0\n" + raw + b"\n8,8\n9,9\n", 3)

    assert told(found[2:3], "byte_offset", "fate", "reason", "message") == [(8, "reject", reason, message)]
    assert [row["record"] for row in found if row["record"]] == [
        '{"a":"0","b":"0"}', '{"a":"8","b":"8"}', '{"a":"9","b":"9"}'
    ]  # fmt: skip


def test_lines_that_end_in_carriage_returns_only_are_one_line_that_is_no_header() -> None:
    assert told(rows(Csv(), b"a,b\r1,2\r"), "fate", "reason", "message") == [
        ("reject", "not_csv", "a carriage return without a line feed at byte 4 of the record.")
    ]


def test_without_a_header_nothing_is_read() -> None:
    found = rows(Csv(), b'"a,b\n1,2\n\n')

    assert told(found, "fate", "reason", "message") == [
        ("reject", "not_csv", "the quotation mark at byte 1 of the record is never closed."),
        ("reject", "not_csv", "the header on line 1 could not be read: nothing says what is what."),
        ("blank", "empty", None),
    ]


def test_json_in_a_cell_is_read_where_the_mapping_says_so() -> None:
    header = "id,organizationId,timestamp,type,status,event,before,after,metadata\n"
    cells = """1,o,2,t,s,e,"{""a"":1.50}","{""a"":1,""a"":2}",[1"""

    [record] = [row["record"] for row in rows(Csv(mapping=shipped()["oncloudwine"]), (header + cells).encode())
                if row["record"]]  # fmt: skip

    assert record.endswith('"before":{"a":1.50},"after":"{\\"a\\":1,\\"a\\":2}","metadata":"[1"}')


def test_equal_are_records_that_say_the_same() -> None:
    """Not those whose first lines are equal, and not only those whose cells are quoted alike."""
    found = rows(Csv(), b'a,b\n1,"x\ny"\n1,"x\nz"\n1,2\n"1","2"\n')

    assert [row["ordinal"] for row in found if row["record"]] == [0, 0, 0, 1]


def test_of_a_file_that_was_cut_off_the_last_record_is_not_trusted() -> None:
    assert told(rows(Csv(), Cut(b"a,b\n1,20\n2,3")), "fate", "reason", "raw") == [
        ("blank", "header", "a,b"), ("event", None, "1,20"), ("reject", "truncated", "2,3")
    ]  # fmt: skip
    assert told(rows(Csv(), Cut(b"a,b\n1,20\n")), "fate", "reason", "raw") == [
        ("blank", "header", "a,b"), ("event", None, "1,20"), ("reject", "truncated", "")
    ]  # fmt: skip
    assert told(rows(Csv(), Cut(b'a,b\n1,"2\n3"')), "fate", "reason", "raw")[1:] == [
        ("reject", "truncated", '1,"2'), ("blank", "continued", '3"')
    ]  # fmt: skip


def test_a_table_has_no_more_rows_than_memory_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a,b\n" + b"1,2\n" * 10 + b"\n" * 10 + b'3,"4\n5"'
    monkeypatch.setattr("pipeline.forms.csv.BLOCK_ROWS", 4)

    tables = list(Csv().blocks(io.BytesIO(content)))

    assert [table.num_rows for table in tables] == [4, 4, 4, 4, 4, 1, 2]
    assert put_together([row for table in tables for row in table.to_pylist()]) == content


def test_a_line_over_the_limit_is_kept_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    content = b"a,b\n1," + b"x" * 30 + b'\n2,3\n4,"' + b"y\n" * 10 + b'"\n'

    found = rows(Csv(), content, 3)

    assert put_together(found) == content
    assert told(found[1:5], "fate", "reason") == [("reject", "too_long"), *[("blank", "continued")] * 3]
    assert found[5]["record"] == '{"a":"2","b":"3"}'
    assert found[6]["message"] == "the quotation mark at byte 3 of the record is never closed."


FRAGMENTS = st.sampled_from(
    [b"a", b",", b";", b'"', b'""', b"\n", b"\r", b"\r\n", b"x,y\n", b"\xef\xbb\xbf", b"\0", b"\xff"]
)
HOSTILE = st.lists(st.one_of(FRAGMENTS, st.binary(max_size=5)), max_size=30).map(b"".join)


@settings(deadline=None)
@given(HOSTILE, st.integers(1, 30))
@example(b'a,b\n"1,2\n', 1)
def test_put_together_the_pieces_are_the_file(content: bytes, block_bytes: int) -> None:
    form = Csv()

    found = rows(form, content, block_bytes)

    must_be_whole(form, found, content)
    assert found == rows(Csv(), content), "whatever the size of the blocks"


# Without a carriage return, which that writer leaves unquoted, and without a byte order mark, which is the file's.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"), max_size=6)


@settings(deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_whatever_another_writer_writes_is_read(
    cells: list[list[str]], delimiter: str, newline: str, quoting: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting)
    writer.writerows([["one", "two", "three"], *cells])

    form = Csv()
    content = text.getvalue().encode()
    found = rows(form, content)

    must_be_whole(form, found, content)
    assert [list(json.loads(row["record"]).values()) for row in found if row["record"]] == [
        row for row in cells if any(row)
    ]
    assert not [row for row in found if row["fate"] == "reject"]
