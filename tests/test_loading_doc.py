"""docs/loading.md: each example's lines become, when they are loaded, what the page says."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from pipeline.config import Config, from_dict
from pipeline.load import load
from pipeline.query import open as open_store

PAGE = (Path(__file__).parent.parent / "docs" / "loading.md").read_text("utf-8")
EXAMPLES = [
    (f"{number:02d}", kind, how, body)
    for number, (kind, how, body) in enumerate(
        re.findall(r"^```(\w+) ?(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    )
]
REASONS = set(re.findall(r"`([a-z_0-9]+)`", PAGE.partition("## Reasons")[2]))
MAPPING = """title = "Example"
version = 1
about = { documentation = "", retention = "", logging = "", permissions = "", entry_url = "" }
[recognise]
keys = ["at"]
[record]
id = "id"
%s
[time]
path = "at"
format = "iso"
[columns]
"""
SCHEMA = re.search(r"`(schema = \{.*\})`", PAGE)


@pytest.mark.parametrize(
    ("number", "kind", "how", "body"), EXAMPLES, ids=[" ".join(part[1:3]) for part in EXAMPLES]
)
def test_the_example_is_true(number: str, kind: str, how: str, body: str, tmp_path: Path) -> None:
    pieces, wanted = _read(body)
    config = _config(tmp_path, how)
    path = _written(tmp_path, kind, how, pieces)

    load([str(path)], store=tmp_path / "store", config=config, source="example")

    with open_store(tmp_path / "store") as log:
        told = log.sql("SELECT fate, reason, message FROM lines ORDER BY line").pl().rows()
    for (fate, reason, message), line in zip(told, wanted, strict=True):
        said = " ".join(part for part in (fate, reason) if part) + (f": {message}" if message else "")
        assert re.fullmatch(".*".join(map(re.escape, line.split("…"))), said), (said, line)


def test_every_reason_has_an_example_or_a_test_of_its_own() -> None:
    shown = set(re.findall(r"^→ (?:reject|blank) (\w+)", PAGE, re.MULTILINE))

    assert REASONS - shown == {"too_deep", "too_long"}
    assert shown <= REASONS


def _read(body: str) -> tuple[list[str], list[str]]:
    texts = body.splitlines()
    assert [text.startswith("→ ") for text in texts] == [False, True] * (len(texts) // 2)
    return texts[::2], [text.removeprefix("→ ") for text in texts[1::2]]


def _written(folder: Path, kind: str, how: str, pieces: list[str]) -> Path:
    content = "".join(f"{piece}\n" for piece in pieces).encode()
    if how == "escaped":
        content = re.sub(rb"\\x(..)", lambda m: bytes.fromhex(m[1].decode()), content).replace(b"\\r", b"\r")
    if how == "cut":
        path, content = folder / f"x.{kind}.gz", gzip.compress(content.removesuffix(b"\n"))[:-8]
    elif how == "bomb":
        path, content = (
            folder / f"x.{kind}.gz",
            gzip.compress(content.removesuffix(b"\n")) + gzip.compress(bytes(9999)),
        )
    else:
        path = folder / f"x.{kind}"
    path.write_bytes(content)
    return path


def _config(folder: Path, how: str) -> Config:
    (folder / "mappings").mkdir()
    assert SCHEMA is not None
    (folder / "mappings/example.toml").write_text(MAPPING % (SCHEMA[1] if how == "schema" else ""))
    limits = {"load": {"max_expanded": 5000}} if how == "bomb" else {}
    return from_dict({"sources": {"path": str(folder / "mappings")}, **limits})
