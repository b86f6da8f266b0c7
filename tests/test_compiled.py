"""The compiled judge beside the judge of record: what it lets through is right, and what it takes out the same."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import compiled, compiling, extract, iso, mojibake, times, uids
from pipeline.coding import Different, coded, different
from pipeline.distinct import Values
from pipeline.doctor import examine
from pipeline.expressions import Expressions
from pipeline.leftover import leftover
from pipeline.lines import judge
from pipeline.records import spelled_sql, unwrapped_sql
from pipeline.scan import Scanner
from pipeline.unnamed import of_records
from pipeline.work import connect
from tests.conftest import ROOT, Auditbook
from tests.exports import put
from tests.test_json import CASES

PLACES = extract.places(
    ["/a", "/b", "/é", "/n", "/k/x", "/k/y/deep", "/list/0", "/list/1/x", "/k~1~0"],
    ["/j", "/k/x", "/list/1", "/e"],
    ["/e"],
)  # fmt: skip
NAMED = {name: place for name, (place, _) in PLACES.wanted.items()}
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "y", "deep", "0"]) | st.text(max_size=4), inner, max_size=3)
    ),
)
RECORDS = st.dictionaries(
    st.sampled_from(["a", "b", "é", "n", "j", "k", "list", "k/~", "e", "A", "other"]) | st.text(max_size=3),
    VALUES,
)
PIECES = [b'"', b"\\", b"\\u", b"{", b"}", b",", b":", b"-", b"0", b"e", b"\xed\xa0\x80"]
QUICK = settings(
    max_examples=400, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip


@pytest.fixture(autouse=True)
def there() -> None:
    if compiled.library() is None:
        pytest.skip("no compiler was there when auditbook was installed")


def scanned(lines: list[bytes]) -> compiled.Scanned:
    text = b"".join(line + b"\n" for line in lines)
    ends = np.cumsum([len(line) + 1 for line in lines])
    found = compiled.scan(text, ends.astype(np.int64), PLACES.wanted)
    assert found is not None
    return found


def written(record: dict[str, Any], style: int) -> bytes:
    """A record in one of the ways in which products write."""
    text = json.dumps(
        record, ensure_ascii=bool(style & 1), separators=(", ", ": ") if style & 2 else (",", ":")
    )
    return (f" \t{text}\r" if style & 4 else text).encode("utf-8", "surrogatepass")


def let_through_is_right(line: bytes) -> None:
    if b"\n" in line or scanned([line]).asked[0]:
        return
    verdict = judge(line)
    assert (verdict.fate, verdict.record) == ("event", line.decode()), line


@pytest.mark.parametrize("line", [case for case in CASES if len(case) < 100_000])
def test_a_case_that_is_let_through_is_right(line: bytes) -> None:
    let_through_is_right(line)


@QUICK
@given(RECORDS, st.integers(0, 7), st.data())
def test_a_line_with_something_changed_is_let_through_only_when_it_is_right(
    record: dict[str, Any], style: int, data: st.DataObject
) -> None:
    line = bytearray(written(record, style))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(line)))
        line[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=3) | st.sampled_from(PIECES)
        )
    let_through_is_right(bytes(line))


@QUICK
@given(st.lists(st.tuples(RECORDS, st.integers(0, 7)), min_size=1, max_size=6))
def test_members_are_what_the_engine_takes_out(made: list[tuple[dict[str, Any], int]]) -> None:
    lines = [written(record, style) for record, style in made]
    found = scanned(lines)
    right = [line.decode() for line, asked in zip(lines, found.asked, strict=True) if not asked]
    records = pa.array(right, pa.string())

    wanted = Values.of(PLACES.values, PLACES.columns)

    def taken(members: dict[str, pa.Array]) -> dict[str, list[str | None]]:
        with duckdb.connect() as connection:
            rows = extract.rows(connection, PLACES, records, members)
            names = [name for name in PLACES.values if name[0] in "tj"]
            made = rows.make(wanted, [name for name in names if name not in rows.columns])
            return {name: (rows.columns | made)[name].to_pylist() for name in names}

    assert taken(found.members) == taken({})
    assert found.keys == {key for text in right for key in json.loads(text)}


def texts_of(values: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[str]:
    return st.builds(lambda made, style: written(made, style).decode(), values, st.integers(0, 7))


INSIDE = st.dictionaries(st.sampled_from(["a", "Id", "id", "envelope"]), VALUES, max_size=3)
EITHER_WAY = INSIDE | texts_of(INSIDE) | st.sampled_from(["{", "{}", " { }\n", "[]", "{1}"]) | SCALARS
ENVELOPES = st.dictionaries(
    st.sampled_from(["data", "detail", "a", "z"]),
    EITHER_WAY | st.dictionaries(st.sampled_from(["x", "data", "y"]), EITHER_WAY, max_size=3),
    max_size=4,
)


@QUICK
@given(st.lists(texts_of(ENVELOPES), min_size=1, max_size=4))
def test_an_envelope_is_opened_as_the_engine_does(made: list[str]) -> None:
    records = pa.array(made, pa.string())
    found = compiled.opened(records, [("detail", "data"), ("data",)])
    if found is not None:
        assert found.to_pylist() == by_engine(unwrapped_sql("block", ["detail.data", "data"]), records)


KEYS = ["Id", "ID", "id", "iD", "Name", "NAME", "other"]
NAMED_IN_MANY_WAYS = st.dictionaries(
    st.sampled_from(KEYS), st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=2) | VALUES
)


@QUICK
@given(st.lists(texts_of(NAMED_IN_MANY_WAYS), min_size=1, max_size=4))
def test_keys_are_spelled_as_the_engine_does(made: list[str]) -> None:
    records = pa.array(made, pa.string())
    found = compiled.spelled(records, ["Id", "Name", "name"])
    if found is not None:
        spelled = spelled_sql("block", ["Id", "Name", "name"], ["ID", "iD", "id", *KEYS])
        assert found.to_pylist() == by_engine(spelled, records)


EMPTIES = st.recursive(
    st.sampled_from(
        [{}, [], [{}], None, 1, 1.5, "x", "x,", ":{}", "é", "\u001f", {"a": {}}, {"z{": {}, ":{}": {}}]
    ),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", "c", "B", "é", "a,"]), inner, max_size=3),
    max_leaves=12,
)
LEFT = st.dictionaries(st.sampled_from(["a", "b", "c", "B", "é", "", "a,", ":{}"]), EMPTIES, max_size=5)
READ = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "é"]), min_size=1, max_size=6).map(".".join), max_size=6
)


@settings(QUICK, max_examples=100)
@given(made=st.lists(texts_of(LEFT), min_size=1, max_size=4), read=READ)
def test_what_is_left_is_what_the_engine_leaves(
    monkeypatch: pytest.MonkeyPatch, made: list[str], read: list[str]
) -> None:
    records = pa.array(made, pa.string())
    with closing(connect()) as connection:
        ours = leftover(connection, read, None, records)
        theirs = without_library(monkeypatch, lambda: leftover(connection, read, None, records))
    assert ours.to_pylist() == theirs.to_pylist()


def test_what_is_left() -> None:
    records = [
        '{"z": 1, "a": {"x": [{"e":{}}, "é"], "b": 2}, "c": 3, "d": {"e": {"f": 1}}, "B": null, "o": {}}',
        '{"a": {"b": 1}, "p": {"q": {"r": {}}}, "d": {"e": 5}}',
        '{"a": ["b"], "d": null, "p": {"1": {"2": {"3": {"4": {}}}}}}',
        '{"d": {"n": 1.0, "e": {"g": 7}, "o": "e"}}',
        '{"d": {"n": "\\u00e9"}}',
        '{"p": [",", ":{}"]}',
        '{"p": {":{}": 1}}',
        '{"f": {"x": 1}}',
        '{"p": {"a\\n": 1}}',
        "{}",
    ]
    patch = {
        "a": {"b": None},
        "c": None,
        "d": {"e": {"f": None}},
        "f": {"1": {"2": {"3": {"4": {"5": None}}}}},
    }
    found = compiled.leftover(pa.array(records), patch)

    assert found is not None
    assert found[0].to_pylist() == [
        '{"B":null,"a":{"x":[{},"é"]},"z":1}',
        None,
        '{"a":["b"],"p":{"1":{}}}',
        '{"d":{"n":1.0,"o":"e","e":{"g":7}}}',
        *[None] * 6,
    ]
    assert found[1].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]


def test_members_that_the_first_lines_have_not_are_found() -> None:
    """A mapping that reads more members than are looked for at once."""
    wanted = {f"k{n}": (f"/{n}", "VARCHAR") for n in range(compiled.MOST_TOP + 1)}
    lines = [b'{"1":"one","x":2}\n'] * (compiled.MOST_FIRST + 1) + [b'{"7":"seven"}\n', b'{"1":"last"}\n']
    text = b"".join(lines)
    found = compiled.scan(text, np.cumsum([len(line) for line in lines]).astype(np.int64), wanted)

    assert found is not None
    assert {name for name, column in found.members.items() if column.null_count < len(lines)} == {"k1", "k7"}
    assert found.members["k1"].to_pylist()[-3:] == ["one", None, "last"]
    assert found.members["k7"].to_pylist()[-3:] == [None, "seven", None]
    assert (found.keys, found.members.keys()) == ({"1", "7", "x"}, wanted.keys())


def by_engine(relation: str, records: pa.Array) -> list[str]:
    with duckdb.connect() as connection:
        connection.register("block", pa.table({"record": records}))
        return [text for (text,) in connection.execute(f"SELECT record FROM {relation}").fetchall()]


def test_what_products_wrap_is_opened() -> None:
    records = [
        '{"id":1,"detail":{"kind":"log","data":{"type":"s","n":[1, 2]},"more":null},"z":"é"}',
        '{"data":"{\\"type\\": \\"\\\\u00e9\\"}\\n","at":2}',
        '{"data":" { }","at":3}',
        '{"type":"flat", "data":[]}',
    ]
    assert compiled.opened(pa.array(records), [("detail", "data"), ("data",)]).to_pylist() == [
        '{"type":"s","n":[1,2],"envelope":{"id":1,"z":"é","detail":{"kind":"log","more":null}}}',
        '{"type": "\\u00e9","envelope":{"at":2}}',
        '{ "envelope":{"at":3}}',
        '{"type":"flat", "data":[]}',
    ]
    assert compiled.opened(pa.array(records), [("list", "0")]) is None
    assert compiled.opened(pa.array(['{"data":{"n":1.50}}']), [("data",)]) is None


def test_keys_are_spelled_as_the_mapping_has_them() -> None:
    records = pa.array(
        ['{"ID" :1,"in":[{"userId":"ID: 2"}]}', '{"id":1,"ID":2}', '{"UserID":{"iD":0},"ID":"id"}']
    )
    found = compiled.spelled(records, ["id", "userid", "USERID"])

    assert found is not None
    assert found.to_pylist() == [
        '{"id":1,"in":[{"userid":"ID: 2"}]}', '{"id":1,"ID":2}', '{"userid":{"iD":0},"id":"id"}'
    ]  # fmt: skip
    assert compiled.spelled(records, ["in"]) is records
    assert compiled.spelled(records, ["é"]) is None
    assert compiled.spelled(pa.array(['{"\u212aey":1}']), ["key"]) is None


MOMENTS = st.datetimes(datetime(1965, 1, 1), datetime(2205, 1, 1)) | st.sampled_from(  # noqa: DTZ001
    [datetime(2024, 2, 29), datetime(2100, 2, 28, 23, 59, 59), datetime(1999, 12, 31, 23, 59, 59, 999999)]  # noqa: DTZ001
)
ZONES = [
    "",
    "Z",
    "+00:00",
    "-00:00",
    "+05:30",
    "-11:00",
    "+15:00",
    "+0100",
    "-0330",
    "+1500",
    "+02",
    "-3",
    "+02:3",
    " UTC",
]
WRITTEN = st.builds(
    lambda moment, shape, digits, zone: f"{moment.strftime(shape)}{digits}{zone}",
    MOMENTS,
    st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-31T24:00:60"]),
    st.sampled_from(["", ".1", ".120", ".123456", ".1234567", ".999999999", ".", ",5"]),
    st.sampled_from(ZONES),
) | st.integers(0, 10**14).map(str)  # fmt: skip
WRITTEN |= st.builds("{}.{}".format, st.integers(10**7, 10**13), st.integers(0, 10**8))


@pytest.mark.parametrize("forms", [["iso"], ["iso", "epoch"], ["iso", "epoch", "epoch_ms"]])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Bangkok"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.none() | WRITTEN, min_size=1, max_size=12))
def test_times_are_read_as_the_engine_reads_them(forms: list[str], zone: str, made: list[str | None]) -> None:
    clock = times.columns(
        Expressions({}), {"path": "at", "format": forms}, zone, zone_configured=False, day_first=None
    )
    texts = pa.array(made + ["2026-03-02T15:04:05Z"] * len(made), pa.string())
    records = pa.array([json.dumps({"at": text}) for text in texts.to_pylist()])
    read = []
    with closing(connect()) as connection:
        for raw, usual in ((texts, True), (texts.dictionary_encode(), True), (texts, False)):
            found = times.read(connection, clock if usual else replace(clock, iso=False), raw, records)
            read.append({name: column.to_pylist() for name, column in found.items()})
    assert read[0] == read[2]
    assert read[1] == read[2]


def test_usual_times_are_read_at_once() -> None:
    written = [
        "2026-03-02T15:04:05.120Z", "2026-03-02 15:04:05+01:00", "1772463845", "1772463845120", "2026-03-02T15:04:05",
        "2026-02-30T15:04:05Z", None,
    ]  # fmt: skip
    found = iso.usual(pa.array(written), epoch=True, local="configured")

    assert found is not None
    assert found.others.tolist() == [5, 6]
    told = {name: column.to_pylist()[:5] for name, column in found.columns.items()}
    assert [moment.isoformat() for moment in told["occurred_at"]] == [
        "2026-03-02T15:04:05.120000+00:00", "2026-03-02T14:04:05+00:00", "2026-03-02T15:04:05+00:00",
        "2026-03-02T15:04:05.120000+00:00", "2026-03-02T15:04:05+00:00",
    ]  # fmt: skip
    assert told["time_precision"] == ["ms", "s", "s", "ms", "s"]
    assert told["tz_source"] == ["in_value", "in_value", "epoch", "epoch", "configured"]


def test_what_products_write_is_let_through_and_taken_out() -> None:
    line = (
        '{"a": "Zoë said \\"no\\"\\n", "b": 12, "é": "🍷", "n": true, "j": {"old": [1, 2.5, null], "new": "x\\ty"},'
        ' "k": {"x": "in", "y": {"deep": [1, {}]}}, "list": [1.5, {"x": false}], "k/~": "odd", "e": null}'
    )
    found = scanned([line.encode(), b'{"a":"","j":null,"k":[],"list":[null]}'])

    assert found.asked.tolist() == [False, False]
    assert found.keys == {"a", "b", "é", "n", "j", "k", "list", "k/~", "e"}
    taken = {
        (NAMED[name], PLACES.wanted[name][1]): array.to_pylist() for name, array in found.members.items()
    }
    assert taken == {
        ("/a", "VARCHAR"): ['Zoë said "no"\n', None],
        ("/b", "VARCHAR"): ["12", None],
        ("/é", "VARCHAR"): ["🍷", None],
        ("/n", "VARCHAR"): ["true", None],
        ("/j", "JSON"): ['{"old":[1,2.5,null],"new":"x\\ty"}', None],
        ("/k~1~0", "VARCHAR"): ["odd", None],
        ("/e", "json"): ["null", None],
        ("/k/x", "text"): ["in", None],
        ("/k/x", "json"): ['"in"', None],
        ("/k/y/deep", "text"): ["[1,{}]", None],
        ("/list/0", "text"): ["1.5", None],
        ("/list/1", "json"): ['{"x":false}', None],
        ("/list/1/x", "text"): ["false", None],
    }


@pytest.mark.parametrize(
    ("line", "doubtful"),
    [
        (b'{"a":1.50}', "/a"),
        (b'{"a":{"x":1}}', "/a"),
        (b'{"a":"\\u0000"}', "/a"),
        (b'{"j":"\\u00e9"}', "/j"),
        (b'{"j":[1.0e0]}', None),
        (b'{"j":0.00001}', "/j"),
        (b'{"j":1234567890123456789}', "/j"),
    ],
)
def test_what_the_engine_would_write_otherwise_is_left_to_it(line: bytes, doubtful: str | None) -> None:
    found = scanned([line, b'{"a":"x","j":[]}'])

    assert found.asked[0] == (doubtful is None)
    assert {NAMED[name] for name in PLACES.wanted.keys() - found.members.keys()} == (
        {doubtful} if doubtful else set()
    )


def test_lines_that_are_asked_about_leave_nothing_behind() -> None:
    lines = [b'{"a":"one"}', b'{"a":"two","new":1,"a":"again"}', b"", b'{"a":"three"', b'{"a":"four"}']
    found = scanned(lines)

    assert found.asked.tolist() == [False, True, True, True, False]
    assert found.members["k1"].to_pylist() == ["one", "four"]
    assert found.keys == {"a"}


def test_a_block_with_rejects_keeps_what_was_taken_out() -> None:
    good = [f'{{"a":"{n}","j":{n}}}'.encode() for n in range(30)]
    block = Scanner().scan(b"\n".join([*good, b'{"a":NaN}', b""]), True, PLACES.wanted)

    assert (block.lines, len(block.records)) == (31, 30)
    assert block.members["k1"].to_pylist() == [str(n) for n in range(30)]
    assert block.told[30].reason == "not_finite_number"


@pytest.mark.parametrize("tenant", ["shop", "", None])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(st.none() | st.text(max_size=70), min_size=1, max_size=20))
def test_identities_are_those_of_the_engine(
    monkeypatch: pytest.MonkeyPatch, tenant: str | None, made: list[str | None]
) -> None:
    ids, tenants = (
        pa.array(made, pa.string()),
        pa.array([tenant, "other"] * len(made), pa.string())[: len(made)],
    )
    with closing(connect()) as connection:
        ours: pa.Array = uids.of(connection, "printago", tenants, ids)
        theirs = without_library(
            monkeypatch, lambda: uids.of(connection, "printago", tenants.dictionary_encode(), ids)
        )
    assert theirs.equals(ours)
    expected = [
        one
        if one is None
        else hashlib.sha256(f"printago\x1f{name or ''}\x1fid\x1f{one}".encode()).hexdigest()[:32]
        for name, one in zip(tenants.to_pylist(), made, strict=True)
    ]
    assert ours.to_pylist() == expected


TEXTS = st.lists(
    st.none() | st.sampled_from(["", "a", "b", "a longer text", "a longer texts"]) | st.text(), max_size=40
)


def without_library(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(compiled, "library", lambda: None)
        return make()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=TEXTS, first=st.integers(0, 9), most=st.integers(1, 12))
def test_texts_are_numbered_as_arrow_does(
    monkeypatch: pytest.MonkeyPatch, made: list[str | None], first: int, most: int
) -> None:
    column: pa.Array = pa.array(made, pa.string())[first:]
    ours = coded(column, most)
    theirs = without_library(monkeypatch, lambda: coded(column, most))

    if len({text for text in made[first:] if text is not None}) > most:
        assert (ours, theirs) == (None, None)
        return
    assert ours is not None
    assert ours.column.to_pylist() == made[first:]
    assert (ours.numbers.tolist(), ours.different) == (theirs.numbers.tolist(), theirs.different)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(st.tuples(*[st.sampled_from(["a", "b", "c", None])] * 3), min_size=1, max_size=40),
    again=st.integers(0, 30),
    repeated=st.integers(1, 8),
    most=st.integers(1, 30),
)
def test_combinations_are_numbered_in_their_order(
    monkeypatch: pytest.MonkeyPatch, made: list[tuple[str | None, ...]], again: int, repeated: int, most: int
) -> None:
    """Columns that could have more combinations than there are numbers, and more rows than are looked at at once."""
    rows = made * repeated

    def found() -> Different | None:
        columns = [coded(pa.array(texts, pa.string()), 100) for texts in zip(*rows, strict=True)]
        two = different([*columns[:2], *columns[:2] * again], len(rows), most)
        return None if two is None else different([two, *columns[2:]], len(rows), most)

    known = list(dict.fromkeys(made))
    for ours in (found(), without_library(monkeypatch, found)):
        assert (ours is None) == (len(known) > most)
        if ours is not None:
            assert ours.numbers.tolist() == [known.index(row) for row in rows]
            assert ours.first.tolist() == [made.index(row) for row in known]
            assert ours.different == len(known)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(
        st.lists(
            st.sampled_from(
                ["Ã", "©", "à¸", "ส", "é", "ยท", "😀", "\\u00c3\\u00a9", "\\u0e22", "\\u00b7", "\\", "a", "abcdefg"]
            )
            | st.text(max_size=3),
            max_size=8,
        ).map("".join)
        | st.none(),
        max_size=20,
    ),
    first=st.integers(0, 3),
)  # fmt: skip
def test_what_looks_mangled_is_found_as_by_the_engine(
    monkeypatch: pytest.MonkeyPatch, made: list[str | None], first: int
) -> None:
    texts: pa.Array = pa.array(made, pa.string())[first:]
    assert mojibake.find(texts) == without_library(monkeypatch, lambda: mojibake.find(texts))


def test_no_rows_have_no_combinations() -> None:
    nothing = coded(pa.array([], pa.string()), 1)
    found = different([nothing, nothing], 0, 1)
    assert found is not None
    assert (found.numbers.tolist(), found.first.tolist()) == ([], [])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=30))
def test_equal_records_are_told_apart_as_the_engine_does(
    monkeypatch: pytest.MonkeyPatch, made: list[tuple[str, int]]
) -> None:
    pieces = np.sort(np.array([piece for _, piece in made]))
    records: pa.Array = pa.array(["{}", *(text for text, _ in made)])
    tenants: pa.Array = pa.array([None, "shop"] * len(records))[: len(records)]
    chosen = np.arange(1, len(records))

    def found() -> list[Any]:
        with closing(connect()) as connection:
            unnamed, uids = of_records(
                connection, "hoops", records, tenants, np.concatenate(([0], pieces)), chosen
            )
        return [unnamed.digests.to_pylist(), unnamed.place.tolist(), uids.to_pylist()]

    assert found() == without_library(monkeypatch, found)


def test_a_store_is_the_same_with_and_without(auditbook: Auditbook, tmp_path: Path) -> None:
    heads = []
    for name, switch in (("with", "1"), ("without", "0")):
        done = auditbook(
            "load", ROOT / "sample_data", "--config", ROOT / "sample_data" / "auditbook.toml",
            "--store", tmp_path / name, "--json", env={"AUDITBOOK_COMPILED": switch},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        heads.append(json.loads(done.stdout)["head"])
    assert heads[0] == heads[1]


def test_without_a_compiler_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "pipeline" / "scanning", tmp_path / "scanning")
    made = compiling.compiled(tmp_path)
    assert made == tmp_path / "scanning.so"
    ask = f"import ctypes; ctypes.CDLL({str(made)!r}).auditbook_scan"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0

    monkeypatch.setenv("CC", "no-such-compiler")
    assert compiling.compiled(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["scanning"], "the old one would be another version"


def test_a_source_that_does_not_compile_is_no_failure(tmp_path: Path) -> None:
    put(tmp_path / "scanning" / "judge.c", b"this is not C")
    assert compiling.compiled(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["scanning"]


def test_doctor_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> tuple[str, str]:
        compiled.library.cache_clear()
        [check] = [check for check in examine(tmp_path / "store") if check.what == "judge of lines"]
        return check.state, check.found

    assert said() == ("ok", "compiled")
    monkeypatch.setenv("AUDITBOOK_COMPILED", "0")
    assert said() == ("note", "in Python: the compiled one does not work here or is switched off")
    monkeypatch.setattr(compiled, "LIBRARY", tmp_path / "scanning.so")
    assert said() == ("note", "in Python, which loads slower")
    compiled.library.cache_clear()
