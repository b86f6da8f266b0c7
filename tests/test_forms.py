"""Which form a file has, told by its name and its first bytes; every form, packed or not, is the same export."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import inputs
from pipeline.config import from_dict
from pipeline.forms import first_records, splitter
from pipeline.forms.csv import Csv
from pipeline.forms.document import Document
from pipeline.inputs import Input
from pipeline.lines import Splitter
from pipeline.load import load
from pipeline.mapping import shipped
from pipeline.query import open as open_store
from pipeline.recognise import source_of
from pipeline.unpack import zstd
from tests.conftest import COMMAND, Auditbook
from tests.exports import line

PRINTAGO = shipped()["printago"]
RECORDS: list[dict[str, Any]] = [json.loads(line(n)) for n in range(1, 31)]


def written(name: str, records: list[dict[str, Any]]) -> bytes:
    """The same records as a file of this name would have them."""
    if name.endswith(".csv"):
        text = io.StringIO()
        rows = csv.DictWriter(text, list(records[0]))
        rows.writeheader()
        rows.writerows(records)
        return text.getvalue().encode()
    return {
        "compact.json": json.dumps(records, separators=(",", ":")),
        "pretty.json": json.dumps(records, indent=2),
        "document.json": json.dumps({"exportedAt": "2026-11-01", "entries": records}, indent=1),
        "lines.json": "".join(json.dumps(record) + "\n" for record in records),
        "a.jsonl": "".join(json.dumps(record) + "\n" for record in records),
    }[name].encode()


NAMES = ["a.jsonl", "lines.json", "compact.json", "pretty.json", "document.json", "a.csv"]
PACK = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def put(path: Path, content: bytes) -> Input:
    path.write_bytes(content)
    return Input(path.name, path)


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("name", NAMES)
def test_every_form_is_the_same_export(name: str, packed: str, tmp_path: Path) -> None:
    one = put(tmp_path / (name + packed), PACK[packed](written(name, RECORDS)))
    chosen, why = source_of(one, None, shipped())
    assert (chosen, why) == (PRINTAGO, None)

    form = splitter(one, chosen)
    with one.open() as stream:
        records = [
            json.loads(text)
            for block in form.blocks(stream)
            for text in block.column("record").to_pylist()
            if text is not None
        ]

    assert records == RECORDS
    assert form.offset == len(written(name, RECORDS))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.jsonl", b'[{"a":1}]', Splitter),
        ("a.json", b'{"a":1}\n{"a":2}\n', Splitter),
        ("a.json", b'\n\xef\xbb\xbf{"a":1}', Document),
        ("a.json", b'\xef\xbb\xbf\n {"a":1}\n', Splitter),
        ("a.json", line(1, parts=[{"id": 1}]), Splitter),
        ("a.json", b'{"a":[{"b":1}]}', Document),
        ("a.json", b'{"a":[\n{"b":1}\n]}', Document),
        ("a.json", b'{"a":\n1}', Document),
        ("a.json", b'{"exportedAt":"2026-11-01","entries":[]}\n', Document),
        ("a.json", b"", Document),
        ("a.csv", b'{"a":1}', Csv),
        ("stdin", line(1), Splitter),
        ("stdin", b" [" + line(1).strip() + b"]", Document),
        ("stdin", b"storeId;createdAt;actorType;detailedAction\n1;2;3;4", Csv),
        ("stdin", b"a,b\n1,2\n", Splitter),
        ("stdin", b"", Splitter),
    ],
)
def test_what_a_file_is_cut_by(name: str, content: bytes, kind: type, tmp_path: Path) -> None:
    assert type(splitter(put(tmp_path / name, content), PRINTAGO)) is kind


@pytest.mark.parametrize(
    ("name", "content", "records", "says"),
    [
        ("a.jsonl", b'{"a":1}\nx\n{"b":2', [{"a": 1}], True),
        ("a.jsonl", b"\xef\xbb\xbf \n", [], False),
        ("a.json", b" [\n]\n", [], False),
        ("a.json", b'[{"a":1},{"b":2},{"c":', [{"a": 1}, {"b": 2}, {}], True),
        (
            "a.json",
            b'{"n":1,"entries":[{"a":1},{"b"',
            [{"n": 1, "entries": [{"a": 1}, {}]}, {"a": 1}, {}],
            True,
        ),
        ("a.json", b"x", [], True),
        ("a.csv", b"a;b\n1;2\n3;4", [{"a": "", "b": ""}, {"a": "1", "b": "2"}, {"a": "3", "b": "4"}], True),
        ("a.csv", b"a,b\n", [{"a": "", "b": ""}], True),
        ("a.csv", b'"', [], True),
        ("a.csv", b"[ ]\n[]\n", [{"[ ]": ""}, {"[ ]": "[]"}], True),
    ],
)
def test_the_first_records_of_a_file(
    name: str, content: bytes, records: list[object], says: bool, tmp_path: Path
) -> None:
    assert first_records(put(tmp_path / name, content)) == (records, says)


def test_a_large_file_is_recognised_by_its_beginning(tmp_path: Path) -> None:
    pad = "x" * 70_000
    contents = {
        "a.json": json.dumps([{**RECORDS[0], "pad": pad}, *RECORDS]),
        "b.json": json.dumps({"entries": [{**RECORDS[0], "pad": pad}]}, indent=1),
        "c.csv": written("a.csv", [{**RECORDS[0], "pad": pad}]).decode(),
    }

    for name, content in contents.items():
        assert source_of(put(tmp_path / name, content.encode()), None, shipped()) == (PRINTAGO, None)


def test_a_line_longer_than_what_is_looked_at_is_recognised_by_its_beginning(tmp_path: Path) -> None:
    long = json.dumps({**RECORDS[0], "reason": "x" * 16_000_000}).encode()

    for name in ("a.jsonl", "a.json"):
        assert source_of(put(tmp_path / name, long + b"\n" + long), None, shipped()) == (PRINTAGO, None)


@pytest.mark.parametrize(
    ("name", "packed"),
    [("a.jsonl", ""), ("pretty.json", ""), ("a.csv", ""), ("a.jsonl", ".gz"), ("pretty.json", ".zst"),
     ("a.csv", ".bz2"), ("a.jsonl", ".xz")],
)  # fmt: skip
def test_standard_input_may_have_any_form(name: str, packed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, "load", "-", "-", "--source", "printago", "--json"], cwd=tmp_path, capture_output=True, check=True,
        input=PACK[packed](written(name, RECORDS)),
    )  # fmt: skip
    assert json.loads(done.stdout)["files"] == 1

    assert json.loads(done.stdout)["lines"]["events"] == 30


def test_a_folder_of_every_form_and_odd_names(tmp_path: Path, auditbook: Auditbook) -> None:
    folder = tmp_path / "in put"
    (folder / "näch'tlich; $(x)").mkdir(parents=True)
    for n, name in enumerate(NAMES):
        (folder / "näch'tlich; $(x)" / f"[{n}] {name}").write_bytes(written(name, RECORDS[n * 5 : n * 5 + 5]))
    (folder / "link.csv").symlink_to(folder / "näch'tlich; $(x)" / "[5] a.csv")

    done = auditbook("load", "in put", "in put/*", "--json")

    facts = json.loads(done.stdout)
    assert (done.returncode, facts["files"], facts["lines"]["events"], facts["lines"]["rejects"]) == (
        0,
        6,
        30,
        0,
    )
    assert json.loads(auditbook("load", "in put", "--json").stdout)["already_loaded"] == 6
    names = [row["file"] for row in json.loads(auditbook("ledger", "--format", "json").stdout)]
    assert sorted(names) == sorted(
        ["link.csv", *(f"näch'tlich; $(x)/[{n}] {name}" for n, name in enumerate(NAMES) if n < 5)]
    )


def test_the_same_export_in_every_form_is_the_same_events(tmp_path: Path, auditbook: Auditbook) -> None:
    for name in NAMES[:5]:
        (tmp_path / name).write_bytes(written(name, RECORDS))

    facts = json.loads(auditbook("load", *NAMES[:5], "--json").stdout)

    assert (facts["lines"]["events"], facts["lines"]["duplicates"], facts["lines"]["rejects"]) == (30, 120, 0)
    assert auditbook("verify").returncode == 0


def test_sources_check_reads_every_form(tmp_path: Path, auditbook: Auditbook) -> None:
    for name in ("pretty.json", "a.csv"):
        (tmp_path / name).write_bytes(written(name, RECORDS))
        facts = json.loads(auditbook("sources", "check", name, "--json").stdout)
        assert (facts["source"], facts["events"], facts["rejects"]) == ("printago", 30, 0)


def test_a_file_is_opened_once_to_recognise_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(written(name, RECORDS))
    opened: list[str] = []
    monkeypatch.setattr(Input, "_file", lambda one: opened.append(one.name) or one.path.open("rb"))

    found = inputs.find([str(tmp_path)])

    assert opened == []
    assert [source_of(one, None, shipped())[0] for one in found] == [PRINTAGO] * len(NAMES)
    assert opened == sorted(NAMES)


WITHOUT_IDS = [{key: value for key, value in record.items() if key != "id"} for record in RECORDS]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "lines.json"])
def test_without_ids_an_overlapping_export_adds_what_is_new(name: str, store: Path, tmp_path: Path) -> None:
    """Whatever else stands on a record's line, and however equal its first line is to others."""
    counts = []
    for folder, records in (
        ("monday", WITHOUT_IDS[:20]),
        ("tuesday", [*WITHOUT_IDS[10:25], WITHOUT_IDS[24]]),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(written(name, records))
        result = load([str(tmp_path / folder / name)], store=store, config=from_dict({}), source="printago")
        counts.append((result.counts.events, result.counts.duplicates, result.counts.rejects))

    assert counts == [(20, 0, 0), (6, 10, 0)], "the last record came twice: those are two"
    with open_store(store) as log:
        assert log.sql("SELECT count(*) FROM events WHERE conflicts_with IS NOT NULL").pl().item() == 0


CSV_HEADER = b"id,createdAt,note\n"
FRAGMENTS = [b"[", b"]", b",", b",\n", b"\n", b'{"entries":[', b"]}", b'"', b"\xef\xbb\xbf", b"\xff", b"{",
             CSV_HEADER, b'1,2026-10-01T00:00:00Z,"a\nb"\n', b'1,2026-10-01T00:00:00Z,"a\nc"\n']  # fmt: skip
RECORD = st.integers(1, 4).map(lambda number: line(number).strip())
CONTENT = st.lists(st.one_of(RECORD, st.sampled_from(FRAGMENTS)), max_size=12).map(b"".join)
QUOTED = [
    (CSV_HEADER + b"1,2026-10-01T00:00:00Z,a\n", "csv"),
    (CSV_HEADER + b'"1",2026-10-01T00:00:00Z,a', "csv"),
]
SPACED = [(b"[" + line(1)[:-1] + b"," + line(1)[:-1] + b"]", "json"), (b"[ " + line(1) + b"]", "json")]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(CONTENT, st.sampled_from(["csv", "json"])), min_size=2, max_size=4))
@example(QUOTED)
@example(SPACED)
def test_after_overlapping_loads_the_lines_are_still_the_files(files: list[tuple[bytes, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        for number, (content, kind) in enumerate(files):
            put(Path(folder) / f"{number}.{kind}", content)
            export = str(Path(folder) / f"{number}.{kind}")
            one = load([export], store=store, config=from_dict({}), source="printago").counts
            assert one.read == one.events + one.duplicates + one.rejects + one.blank
        with open_store(store) as log:
            kept = log.sql("SELECT file, raw, raw_bytes, newline FROM lines ORDER BY file, line").pl().rows()
    for number, (content, kind) in enumerate(files):
        own = [
            (raw.encode() if raw_bytes is None else raw_bytes) + b"\n" * newline
            for file, raw, raw_bytes, newline in kept
            if file == f"{number}.{kind}"
        ]
        assert hashlib.sha256(b"".join(own)).hexdigest() == hashlib.sha256(content).hexdigest()
