"""JSON of any layout: lists, documents that hold one, objects in a row; what is broken costs no more than it must."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import lines
from pipeline.forms import document
from pipeline.forms.document import Document
from pipeline.mapping import shipped
from tests.forms import Cut, Row, must_be_whole, put_together, rows, told

PRINTAGO = shipped()["printago"]
FATE = ("fate", "reason", "raw")


def record(number: int, **more: Any) -> dict[str, Any]:
    return {
        "storeId": "s",
        "createdAt": "t",
        "actorType": "user",
        "detailedAction": "a",
        "id": number,
        **more,
    }


def text(number: int, **more: Any) -> str:
    return json.dumps(record(number, **more))


def read(content: str | bytes, block_bytes: int = 5) -> list[Row]:
    raw = content.encode() if isinstance(content, str) else content
    form = Document(mapping=PRINTAGO)
    found = rows(form, raw, block_bytes)
    must_be_whole(form, found, raw)
    return found


def ids(found: list[Row]) -> list[int]:
    return [json.loads(row["record"])["id"] for row in found if row["record"]]


def test_one_record_a_line() -> None:
    found = read(f"[\n  {text(1)},\n\n  {text(2)}\n]\n")

    assert told(found, *FATE) == [
        ("blank", "bracket", "["),
        ("event", None, f"  {text(1)},"),
        ("blank", "empty", ""),
        ("event", None, f"  {text(2)}"),
        ("blank", "bracket", "]"),
    ]
    assert found[1]["record"] == text(1)


def test_a_record_over_several_lines_is_counted_at_its_first() -> None:
    found = read('[\n {\n  "a": 1.50,\n\n  "b": "x  y"\n }\n]')

    assert told(found, *FATE) == [
        ("blank", "bracket", "["),
        ("event", None, " {"),
        ("blank", "continued", '  "a": 1.50,'),
        ("blank", "continued", ""),
        ("blank", "continued", '  "b": "x  y"'),
        ("blank", "continued", " }"),
        ("blank", "bracket", "]"),
    ]
    assert found[1]["record"] == '{"a":1.50,"b":"x  y"}'


def test_records_on_one_line_are_pieces_of_it() -> None:
    found = read('[{"a":1}, {"a":2},{"a":3}]\n')

    assert told(found, "line", "byte_offset", "raw", "newline", "record") == [
        (1, 0, "[", False, None),
        (2, 1, '{"a":1}, ', False, '{"a":1}'),
        (3, 10, '{"a":2},', False, '{"a":2}'),
        (4, 18, '{"a":3}]', True, '{"a":3}'),
    ]


@pytest.mark.parametrize(
    "envelope",
    [
        '{"exportedAt": "x", "filter": {"tags": ["a"]}, "entries": %s, "total": 2}',
        '{"data": {"page": 1, "items": %s}, "next": null}',
        '\ufeff{"Records":%s}',
    ],
)
@pytest.mark.parametrize("indent", [None, 1, 4])
def test_a_document_that_holds_the_list(envelope: str, indent: int | None) -> None:
    found = read(envelope % json.dumps([record(1), record(2)], indent=indent))

    assert ids(found) == [1, 2]
    assert {row["reason"] for row in found if row["fate"] != "event"} <= {"bracket", "continued", "empty"}


@pytest.mark.parametrize("indent", [None, 2])
def test_one_record_is_a_record_even_when_a_list_of_objects_is_in_it(indent: int | None) -> None:
    found = read(json.dumps(record(7, parts=[{"id": 1}, {"id": 2}]), indent=indent))

    assert ids(found) == [7]


def test_lines_of_json_in_a_file_of_another_name_are_lines_of_json() -> None:
    found = read(f"{text(1)}\n{{broken\n{text(2, parts=[{'id': 9}])}\n")

    assert told(found, "fate", "reason", "message") == [
        ("event", None, None),
        ("reject", "not_json", "key must be a string at byte 2 of the record."),
        ("event", None, None),
    ]


def test_documents_one_behind_another() -> None:
    assert ids(read(f"[{text(1)}]\n[{text(2)}][{text(3)}]" + f'{{"entries":[{text(4)}]}}')) == [1, 2, 3, 4]


def test_a_list_of_nothing_is_no_record() -> None:
    assert told(read("[]\n"), *FATE) == [("blank", "bracket", "[]")]
    assert told(read('{"entries": []}'), *FATE) == [("blank", "bracket", '{"entries": []}')]


def test_another_list_of_objects_beside_the_records_is_not_passed_over() -> None:
    [reject] = [
        row for row in read(f'{{"users":[{{"id":3}}],"entries":[{text(1)}]}}') if row["fate"] == "reject"
    ]

    assert (reject["raw"], reject["reason"], reject["message"]) == (
        '[{"id":3}],"entries":[', "not_document", 'the list "users" stands beside the records and is not read.'
    )  # fmt: skip


ELEMENTS = {
    "a number": ("12", "not_object", "a record is a JSON object, this is a number."),
    "a list": ("[1]", "not_object", "a record is a JSON object, this is a list."),
    "a key twice": (
        '{"a":1,"a":2}', "duplicate_key",
        'the key "a" comes twice, at byte 12 of the record; which of the two is meant is not known.',
    ),
    "NaN": ('{"a":\nNaN}', "not_finite_number", "NaN and Infinity are not JSON numbers, at byte 7 of the record."),
    "half a surrogate pair": (
        '{"a":"\\ud800"}', "lone_surrogate", "half of a surrogate pair at byte 13 of the record is not text."
    ),
    "300 deep": ('{"a":' + "[" * 300 + "]" * 300 + "}", "too_deep", "nested more than 200 deep."),
    "5,000 deep": ('{"a":' + "[" * 5000 + "]" * 5000 + "}", "too_deep", "nested more than 200 deep."),
}  # fmt: skip


@pytest.mark.parametrize("case", ELEMENTS)
@pytest.mark.parametrize("layout", ["[%s,%s,%s]", "[\n%s,\n%s,\n%s\n]"])
def test_what_is_json_and_no_record_costs_itself(case: str, layout: str) -> None:
    raw, reason, message = ELEMENTS[case]

    found = read(layout % (text(1), raw, text(2)))

    assert ids(found) == [1, 2]
    assert told([row for row in found if row["fate"] == "reject"], "reason", "message") == [(reason, message)]


BROKEN = {
    "no end": '{"id":5,"a":[1,2}',
    "a bracket too few": '{"id":5,"a":{"b":1}',
    "a bracket too many": '{"id":5}}',
    "a quotation mark too many": '{"id":5,"a":"x"y"}',
    "a quotation mark too few": '{"id":5,"a":"x}',
    "a trailing comma": '{"id":5,}',
    "a word": "undefined",
    "not UTF-8 outside of texts": '{"id":\xff}',
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("layout", ["[\n%s,\n%s,\n%s,\n%s\n]", "[%s,%s,%s,\n%s]", "%s\n%s\n%s\n%s\n"])
def test_what_is_broken_costs_itself(case: str, layout: str) -> None:
    found = read((layout % (text(1), BROKEN[case], text(2), text(3))).encode("latin-1"))

    assert [n for n in ids(found) if n != 5] == [1, 2, 3]
    assert [row["fate"] for row in found].count("reject") == 1


def test_what_is_broken_in_a_pretty_list_costs_itself() -> None:
    pretty = json.dumps([record(1, inner=[{"id": 8}]), record(2, inner=[{"id": 9}]), record(3)], indent=2)
    lacking = pretty.replace('"id": 9\n      }', '"id": 9\n')

    found = read(lacking)

    assert lacking != pretty
    assert ids(found) == [1, 3]
    [reject] = [row for row in found if row["fate"] == "reject"]
    assert (reject["raw"], reject["reason"]) == ("  {", "not_json")
    assert reject["message"].startswith("expected `,` or `}` at byte ")


SEPARATORS = {
    "no comma": (f"[{text(1)} {text(2)}]", [1], "no comma stands before this record."),
    "two commas": (f"[{text(1)},,{text(2)}]", [1, 2], "a record is missing before this comma."),
    "a comma at the end": (f"[{text(1)},{text(2)},]", [1, 2], "a comma stands before the end of the list."),
    "a word between": (f"[{text(1)} und {text(2)}]", [1], "a comma, or the end of the list, belongs here."),
    "a comma too many in the envelope": (
        f'{{"a":[{text(1)}],}}',
        [1],
        "a comma stands before the end of the object.",
    ),
}


@pytest.mark.parametrize("case", SEPARATORS)
def test_what_stands_between_records_is_judged_too(case: str) -> None:
    content, good, message = SEPARATORS[case]

    found = read(content)

    assert ids(found) == good
    assert told(found, "reason", "message").count(("not_document", message)) == 1


@pytest.mark.parametrize(
    ("content", "good", "last"),
    [
        (f"[{text(1)},\n{text(2)[:20]}", [1], text(2)[:20]),
        (f"[{text(1)},\n", [1], ""),
        (f"[{text(1)}", [1], ""),
        (f'{{"entries":[{text(1)}]', [1], ""),
        ('{"entries":', [], '{"entries":'),
    ],
)
def test_a_file_that_ends_early_says_so_in_its_last_line(content: str, good: list[int], last: str) -> None:
    found = read(content)

    assert ids(found) == good
    assert told(found[-1:], "fate", "reason", "message", "raw") == [
        ("reject", "truncated", "the file ends before its JSON does.", last)
    ]
    packed = rows(Document(mapping=PRINTAGO), Cut(content.encode()))
    assert (packed[-1]["reason"], packed[-1]["message"]) == (Cut.stopped.reason, Cut.stopped.message)


def test_where_nothing_more_can_be_read_it_is_said() -> None:
    found = read('[{"a":1},{"b":[1,2},{"c":3}]')

    assert told(found[-2:], "reason", "message") == [
        ("not_json", "expected `,` or `]` at byte 10 of the record."),
        ("not_document", "nothing from byte 9 to the end of the file could be read."),
    ]


def test_equal_are_records_that_say_the_same() -> None:
    found = read('[{"a":1},{"a":1} ,\n{"a":\n1},{"b":\n1},\n{"a":1}]')

    assert [row["ordinal"] for row in found if row["record"]] == [0, 1, 2, 0, 3]


def test_memory_is_that_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        """A list of 40 MB, a block at a time."""

        given = 0

        def read(self, size: int, /) -> bytes:
            self.given += 1
            one = (text(self.given) + ",").encode()
            return b"[" + one if self.given == 1 else one * 1000 if self.given < 400 else b""

    form = Document(mapping=PRINTAGO)
    largest = 0
    for block in form.blocks(Endless(), 1 << 20):
        largest = max(largest, block.num_rows)

    assert form.line > 390_000
    assert largest < 2 * document.ROWS


def test_a_record_over_the_limit_is_kept_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 200)
    content = f"[\n{text(1)},\n{text(2, more='x' * 900)},\n{text(3)}\n]".encode()

    found = rows(Document(mapping=PRINTAGO), content, 7)

    assert put_together(found) == content
    assert ids(found) == [1, 3]
    assert told(found[2:8], "reason") == [("too_long",), *[("continued",)] * 4, (None,)]


ALPHABET = st.sampled_from(
    [b"[", b"]", b"{", b"}", b",", b":", b"\n", b"\r\n", b" ", b'"', b"\\", b'"a"', b"1", b'{"a":1}', b"\xff", b"\0",
     b'\n  {"a":1},\n', b'{"entries":[', b"]}", b"\xef\xbb\xbf", b"NaN", b'{"a":[{"b":2}]}', text(1).encode()]
)  # fmt: skip
HOSTILE = st.lists(st.one_of(ALPHABET, st.binary(max_size=5)), max_size=25).map(b"".join)


@settings(deadline=None)
@given(HOSTILE, st.integers(1, 40))
@example(b'[{"a":1}', 1)
def test_put_together_the_pieces_are_the_file(content: bytes, block_bytes: int) -> None:
    found = read(content, block_bytes)

    assert found == read(content, 1 << 20), "whatever the size of the blocks"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
LAYOUTS = st.sampled_from(["%s", '{"entries":%s}', '{"meta":{"n":1},"data":{"items":%s,"more":[]}}\n'])


@settings(deadline=None)
@given(
    st.lists(VALUES, max_size=8), LAYOUTS, st.sampled_from([None, 0, 1, 3]), st.booleans(), st.integers(1, 99)
)
def test_whatever_json_writes_is_read(
    values: list[Any], layout: str, indent: int | None, ascii_only: bool, block_bytes: int
) -> None:
    wanted = [record(n, more=value) for n, value in enumerate(values)]

    found = read(layout % json.dumps(wanted, indent=indent, ensure_ascii=ascii_only), block_bytes)

    assert [json.loads(row["record"]) for row in found if row["record"]] == wanted
    assert not [row for row in found if row["fate"] == "reject"]
