"""Text read in the wrong code page is told; text that only looks foreign is not."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.lines import Splitter
from pipeline.mojibake import Seen, find
from pipeline.mojibake import seen as seen_in
from tests.conftest import Auditbook
from tests.exports import line


def told(*texts: str | None) -> list[tuple[int, str, str, str]]:
    return [(one.row, one.page, one.stands, one.meant) for one in find(pa.array(texts, pa.string()))]


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("Contact updated · Alex Chen", "cp874"),
        ("a — b", "cp874"),
        ("Contact updated · Alex Chen", "cp1252"),
        ("Élodie", "cp1252"),
        ("it’s “here”", "cp1252"),
        ("Пётр", "cp1252"),
        ("東京", "cp1252"),
        ("สวัสดี", "cp1252"),
        ("10 °C and é", "cp1252"),
    ],
)
def test_utf8_read_as_another_page_is_found(text: str, page: str) -> None:
    mangled = "".join(bytes([byte]).decode(page, "ignore") or chr(byte) for byte in text.encode())

    [(row, told_page, stands, meant)] = told("plain", json.dumps({"a": mangled}, ensure_ascii=False))

    assert (row, told_page) == (1, page.upper())
    assert stands in mangled
    assert meant in text
    [(_, escaped_page, *_)] = told(json.dumps({"a": mangled}))
    assert escaped_page == page.upper(), "written as escapes it is the same"


def test_the_proof_of_a_thai_page() -> None:
    assert told("ยท") == [(0, "CP874", "ยท", "·")]


@pytest.mark.parametrize(
    "text",
    ["plain", "", None, "Contact updated · Alex Chen", "Élodie à côté", "»Spaß«", "Ça va? Où?", "naïve café",
     "Ångström", "สวัสดีครับ", "รถ 5 คัน", "ยท และ อื่นๆ", "Пётр", "東京", "😀", "50 €", "Â", "ยท and ·", "© ® ™",
     "\\u0e22 คน"],
)  # fmt: skip
def test_what_only_looks_foreign_is_not(text: str | None) -> None:
    assert told(text) == []


def test_what_is_said_of_a_file() -> None:
    [block] = Splitter().blocks(io.BytesIO("plain\nCafÃ©\n".encode()))

    [seen] = seen_in(block.column("raw").combine_chunks(), [2])

    assert Seen().message("x.jsonl") is None
    assert seen.message("x.jsonl") == (
        'x.jsonl: 1 line looks like UTF-8 read as CP1252: "Ã©" for "é", first in line 2. '
        "Nothing was changed; export it again as UTF-8."
    )


def test_a_load_warns_and_keeps_what_was_written(tmp_path: Path, auditbook: Auditbook) -> None:
    content = line(1) + line(2, reason="CafÃ© ยท") + "".join(
        json.dumps(json.loads(line(n, reason="Contact updated ยท Alex")), ensure_ascii=False) + "\n" for n in (3, 4)
    ).encode()  # fmt: skip
    (tmp_path / "x.jsonl").write_bytes(content)

    done = auditbook("load", "x.jsonl")

    assert done.returncode == 0
    assert (
        'auditbook: x.jsonl: 2 lines look like UTF-8 read as CP874: "ยท" for "·", first in line 3. '
        "Nothing was changed; export it again as UTF-8.\n"
    ) in done.stderr
    assert "ยท" in auditbook("sql", "SELECT raw->>'reason' AS reason FROM lines WHERE line = 3").stdout
