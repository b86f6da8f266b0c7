"""What is a record and what is not: every reason with its sentence, and no byte lost on the way."""

from __future__ import annotations

import hashlib
import io
import json

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import lines
from pipeline.lines import BLOCK_SCHEMA, Splitter, judge


def split(content: bytes, block_bytes: int = 1 << 20, repeated: tuple[str, ...] = ()) -> pa.Table:
    return pa.concat_tables(
        [BLOCK_SCHEMA.empty_table(), *Splitter(repeated).blocks(io.BytesIO(content), block_bytes)]
    )


def put_together(table: pa.Table) -> bytes:
    """The file again, from what the lines table keeps of it."""
    parts = [
        (row["raw"].encode() if row["raw_bytes"] is None else row["raw_bytes"]) + b"\n" * row["newline"]
        for row in table.to_pylist()
    ]
    return b"".join(parts)


REJECTS = {
    "not UTF-8": (b'{"a":"\xff"}', "not_utf8", "byte 7 of the line is not UTF-8."),
    "a surrogate as bytes": (b'{"a":"\xed\xa0\x80"}', "not_utf8", "byte 7 of the line is not UTF-8."),
    "broken": (b"{broken", "not_json", "key must be a string at byte 2 of the line."),
    "cut off": (b'{"a":"unclos', "not_json", "EOF while parsing a string at byte 12 of the line."),
    "two records": (b'{"a":1}{"b":2}', "not_json", "trailing characters at byte 8 of the line."),
    "trailing comma": (b'{"a":1,}', "not_json", "trailing comma at byte 8 of the line."),
    "single quotes": (b"{'a':1}", "not_json", "key must be a string at byte 2 of the line."),
    "leading zero": (b'{"a":01}', "not_json", "invalid number at byte 7 of the line."),
    "bad escape": (b'{"a":"\\x"}', "not_json", "invalid escape at byte 8 of the line."),
    "a NUL byte": (
        b'{"a":"x\0"}', "not_json",
        "control character (\\u0000-\\u001F) found while parsing a string at byte 8 of the line.",
    ),
    "NUL bytes only": (b"\0\0\0\0", "not_json", "expected value at byte 1 of the line."),
    "a list": (b"[1]", "not_object", "a record is a JSON object, this is a list."),
    "a text": (b'"x"', "not_object", "a record is a JSON object, this is a text."),
    "a number": (b"12", "not_object", "a record is a JSON object, this is a number."),
    "null": (b"null", "not_object", "a record is a JSON object, this is null."),
    "true": (b"true", "not_object", "a record is a JSON object, this is true or false."),
    "a key twice": (
        b'{"a":1,"a":2}', "duplicate_key",
        'the key "a" comes twice, at byte 12 of the line; which of the two is meant is not known.',
    ),
    "a key twice, spelled otherwise": (
        b'{"a":1,"\\u0061":2}', "duplicate_key",
        'the key "a" comes twice, at byte 17 of the line; which of the two is meant is not known.',
    ),
    "a nested key twice": (
        b'{"a":{"b":1,"b":2}}', "duplicate_key",
        'the key "b" comes twice, at byte 17 of the line; which of the two is meant is not known.',
    ),
    "a key with a quotation mark twice": (
        b'{"a\\"b":1,"a\\"b":2}', "duplicate_key",
        'the key "a\\"b" comes twice, at byte 18 of the line; which of the two is meant is not known.',
    ),
    "NaN": (b'{"a":NaN}', "not_finite_number", "NaN and Infinity are not JSON numbers, at byte 6 of the line."),
    "Infinity": (
        b'{"a": [1, Infinity]}', "not_finite_number",
        "NaN and Infinity are not JSON numbers, at byte 11 of the line.",
    ),
    "minus Infinity": (
        b'{"a":-Infinity}', "not_finite_number", "NaN and Infinity are not JSON numbers, at byte 7 of the line."
    ),
    "1e400": (b'{"a":1e400}', "not_finite_number", "a number is too large to be kept exactly."),
    "many digits and a small exponent": (
        b'{"a":' + b"9" * 250 + b"e99}", "not_finite_number", "a number is too large to be kept exactly."
    ),
    "400 digits before the point": (
        b'{"a":' + b"9" * 400 + b".5}", "not_finite_number", "a number is too large to be kept exactly."
    ),
    "5,000 digits": (
        b'{"a":' + b"9" * 5000 + b"}", "not_finite_number", "a number is too large to be kept exactly."
    ),
    "half a surrogate pair": (
        b'{"a":"\\ud800"}', "lone_surrogate", "half of a surrogate pair at byte 13 of the line is not text."
    ),
    "the other half, in a key": (
        b'{"\\udc00":1}', "lone_surrogate", "half of a surrogate pair at byte 8 of the line is not text."
    ),
    "300 deep": (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "too_deep", "nested more than 200 deep."),
}  # fmt: skip


@pytest.mark.parametrize("case", REJECTS)
def test_a_reject_says_why_and_where(case: str) -> None:
    raw, reason, message = REJECTS[case]

    verdict = judge(raw)

    assert (verdict.fate, verdict.reason, verdict.message, verdict.record) == (
        "reject",
        reason,
        message,
        None,
    )


def test_a_line_over_the_limit_is_kept_but_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1000)
    longest = b'{"a":"' + b"x" * 992 + b'"}'

    assert judge(longest).fate == "event"
    verdict = judge(longest + b" ")

    assert (verdict.reason, verdict.message) == (
        "too_long",
        "at most 1,000 bytes are read as one record, this one has more.",
    )
    assert put_together(split(longest + b" \n")) == longest + b" \n"


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b' {"a" : 1}\t',
        b'{"a":1}\r',
        b'{"a":"\\u0000"}',
        b'{"A":1,"a":2}',
        b'{"a":"NaN, Infinity"}',
        b'{"a":"\\ud83d\\ude00"}',
        b'{"a":18446744073709551616}',
        b'{"a":' + b"9" * 400 + b"}",
        b'{"a":1e-400}',
        b'{"a":1.7976931348623157e308}',
        b'{"a":"3e99"}',
        b'{"a":' + b"[" * 150 + b"]" * 150 + b"}",
        b'{"a":"' + b"x" * 16_000_000 + b'"}',
    ],
    ids=lambda raw: raw[:24].decode() + ("…" if len(raw) > 24 else ""),
)
def test_what_is_json_is_a_record(raw: bytes) -> None:
    verdict = judge(raw)

    assert (verdict.fate, verdict.reason, verdict.record) == ("event", None, raw.decode())


def test_keys_that_differ_only_in_case_are_two_keys() -> None:
    verdict = judge(b'{"Action":"View","action":"view"}')

    assert verdict.record is not None
    assert json.loads(verdict.record) == {"Action": "View", "action": "view"}


def test_a_declared_key_that_comes_again_is_numbered() -> None:
    verdict = judge(b'{"Action":"Contact Deleted","ID":1,"Action":"View","Action":"Open"}', ("Action",))

    assert verdict.record is not None
    assert json.loads(verdict.record) == {
        "Action": "Contact Deleted", "ID": 1, "Action__2": "View", "Action__3": "Open"
    }  # fmt: skip


def test_another_key_that_comes_again_stays_a_reject() -> None:
    verdict = judge(b'{"Action":"a","ID":1,"Action":"b","ID":2}', ("Action",))

    assert verdict.reason == "duplicate_key"


def test_content_is_the_same_whatever_the_order_and_the_spaces() -> None:
    one, other = judge(b'{"a":1,"b":[1,{"c":null}]}'), judge(b'{ "b": [1, {"c": null}], "a": 1 }\r')

    assert one.content == other.content
    assert one.content != judge(b'{"a":"1","b":[1,{"c":null}]}').content
    assert judge(b'{"a":' + b"9" * 400 + b"}").content != judge(b'{"a":null}').content


def test_a_byte_order_mark_belongs_to_the_file_and_not_to_the_record() -> None:
    table = split(b'\xef\xbb\xbf{"a":1}\n{broken\n').to_pylist()

    assert [row["fate"] for row in table] == ["event", "reject"]
    assert table[0]["raw"] == '\ufeff{"a":1}'
    assert json.loads(table[0]["record"]) == {"a": 1}
    assert split(b'\xef\xbb\xbf{"a":\xff}\n').to_pylist()[0]["message"] == "byte 9 of the line is not UTF-8."
    assert split(b'{"a":1}\n\xef\xbb\xbf{"a":1}\n').to_pylist()[1]["reason"] == "not_json", (
        "only at the beginning"
    )
    assert split(b"\xef\xbb\xbf").to_pylist()[0]["reason"] == "empty"


REPEATED = ("Action",)


@pytest.mark.parametrize(
    "line", ['{"Action":"é","AGAIN":@}', '{"Action":1,"AGAIN":[],"x":@}', '{"x":@,"Action":1,"AGAIN":2}']
)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NaN", "not_finite_number"), ("-Infinity", "not_finite_number"), ("1e400", "not_finite_number"),
        ('"\\ud83d"', "lone_surrogate"), ('{"\\udc00":1}', "lone_surrogate"), ("01", "not_json"), ("[1,]", "not_json"),
        ('{"b":1,"b":2}', "duplicate_key"), ('{"Action":1,"Action":2}', "duplicate_key"),
        ("[" * 300 + "]" * 300, "too_deep"), ("[" * 5000 + "]" * 5000, "too_deep"),
    ],
)  # fmt: skip
def test_a_key_that_may_come_twice_excuses_nothing_else(line: str, value: str, reason: str) -> None:
    """What is wrong is said as it is of a record without such a key, at its place in the line."""
    written = line.replace("@", value)

    verdict = judge(written.replace("AGAIN", "Action").encode(), REPEATED)

    assert (verdict.fate, verdict.reason, verdict.record) == ("reject", reason, None)
    assert verdict.message == judge(written.replace("AGAIN", "Bction").encode()).message


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ('{"Action":1.10,"Action":"b" , "Action" :{"Action":3}}',
         '{"Action":1.10,"Action__2":"b" , "Action__3" :{"Action":3}}'),
        ('{"Action":"Action","\\u0041ction":"Action:"}', '{"Action":"Action","\\u0041ction__2":"Action:"}'),
        ('{"x":{"Action":1},"Action":[{"Action":1},{"Action":2}],"Action":1e2}',
         '{"x":{"Action":1},"Action":[{"Action":1},{"Action":2}],"Action__2":1e2}'),
    ],
)  # fmt: skip
def test_a_key_that_may_come_twice_is_numbered_and_all_else_stays_as_written(line: str, record: str) -> None:
    verdict = judge(line.encode(), REPEATED)

    assert (verdict.fate, verdict.record) == ("event", record)
    assert verdict.content == judge(record.encode()).content


def test_a_number_that_is_taken_is_no_number() -> None:
    verdict = judge(b'{"Action":1,"Action__2":2,"Action":3}', REPEATED)

    assert (verdict.reason, verdict.message) == (
        "duplicate_key",
        'the key "Action__2" comes twice, at byte 36 of the line; which of the two is meant is not known.',
    )


def test_lines_have_numbers_offsets_and_endings() -> None:
    table = split(b'{"a":1}\r\n\n \t\r\n{"a":1}\r\n{broken')

    shown = ["line", "byte_offset", "fate", "reason", "raw", "newline", "ordinal"]
    assert [list(row.values()) for row in table.select(shown).to_pylist()] == [
        [1, 0, "event", None, '{"a":1}\r', True, 0],
        [2, 9, "blank", "empty", "", True, 0],
        [3, 10, "blank", "empty", " \t\r", True, 0],
        [4, 14, "event", None, '{"a":1}\r', True, 1],
        [5, 23, "reject", "not_json", "{broken", False, 0],
    ]
    assert table.column("line_sha256")[4].as_py() == hashlib.sha256(b"{broken").hexdigest()


def test_an_empty_file_has_no_lines_and_one_newline_is_one() -> None:
    assert split(b"").num_rows == 0
    assert split(b"\n").select(["line", "raw", "newline"]).to_pylist() == [
        {"line": 1, "raw": "", "newline": True}
    ]


FRAGMENTS = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\xef\xbb\xbf",
        b"\0",
        b"\xff",
        b" ",
        b"{}",
        b'{"a":1}',
        b'{"a":1,"a":2}',
        b"[",
        b"NaN",
    ]
)
HOSTILE = st.lists(st.one_of(FRAGMENTS, st.binary(max_size=8)), max_size=30).map(b"".join)


def test_a_table_has_no_more_rows_than_memory_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_ROWS", 4)

    tables = list(Splitter().blocks(io.BytesIO(b"\n" * 10 + b"{")))

    assert [table.num_rows for table in tables] == [4, 4, 2, 1]
    assert put_together(pa.concat_tables(tables)) == b"\n" * 10 + b"{"


@settings(deadline=None)
@given(HOSTILE, st.integers(1, 40))
@example(b"\n", 1)
@example(b"a\xff", 2)
def test_put_together_the_lines_are_the_file(content: bytes, block_bytes: int) -> None:
    table = split(content, block_bytes, repeated=("a",))

    assert hashlib.sha256(put_together(table)).hexdigest() == hashlib.sha256(content).hexdigest()
    assert table.num_rows == content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
    assert set(table.column("fate").to_pylist()) <= {"event", "reject", "blank"}
    assert table.drop(["record_sha256"]).equals(split(content, repeated=("a",)).drop(["record_sha256"]))
    for row in table.to_pylist():
        assert (row["raw"] is None) != (row["raw_bytes"] is None)
        assert (row["fate"] == "event") == (row["record"] is not None) == (row["reason"] is None)
        assert (row["fate"] == "reject") == (row["message"] is not None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), VALUES), st.booleans())
def test_whatever_json_writes_is_read(record: dict[str, object], ascii_only: bool) -> None:
    verdict = judge(json.dumps(record, ensure_ascii=ascii_only).encode())

    assert (verdict.fate, verdict.reason) == ("event", None)
    assert verdict.record is not None
    assert json.loads(verdict.record) == record
