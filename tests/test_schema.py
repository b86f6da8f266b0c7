"""A mapping's record schema: what is not so is a reject in jsonschema's words; without one nothing is validated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import mapping
from pipeline.errors import AuditbookError
from pipeline.forms import splitter
from pipeline.inputs import Input
from pipeline.mapping import Mapping, shipped
from tests.forms import rows, told
from tests.test_mappings_doc import whole

SCHEMA = {"required": ["id"], "properties": {"id": {"type": "string", "pattern": "^[0-9]+$"}}}
REJECTS = [
    ("event", None, None),
    ("reject", "schema", "$.id: 'x' does not match '^[0-9]+$'."),
    ("reject", "schema", "$: 'id' is a required property."),
]


def with_schema(schema: dict[str, Any]) -> Mapping:
    one = shipped()["printago"]
    return replace(one, rules={**one.rules, "record": {**one.rules["record"], "schema": schema}})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b'{"id":"1"}\n{"id":"x"}\n{"n":1}\n'),
        ("a.json", b'[\n{"id":"1"},\n{"id":"x"},\n{"n":1}\n]'),
        ("a.csv", b"id,n\n1,2\nx,2\n"),
    ],
)
def test_what_is_not_so_is_a_reject(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)

    found = rows(splitter(Input(name, tmp_path / name), with_schema(SCHEMA)), content)

    judged = told([row for row in found if row["fate"] != "blank"], "fate", "reason", "message")
    assert judged == REJECTS[: 2 if name.endswith("csv") else 3]
    assert not [row for row in found if row["fate"] == "reject" and row["record"] is not None]


def test_a_long_message_is_cut(tmp_path: Path) -> None:
    content = b'{"id":"' + b"x" * 5000 + b'"}\n'
    (tmp_path / "a.jsonl").write_bytes(content)

    [row] = rows(splitter(Input("a.jsonl", tmp_path / "a.jsonl"), with_schema(SCHEMA)), content)

    assert row["message"].startswith("$.id: 'xxx")
    assert len(row["message"]) < 320


def test_what_is_no_json_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"{\n")

    [row] = rows(splitter(Input("a.jsonl", tmp_path / "a.jsonl"), with_schema(SCHEMA)), b"{\n")

    assert row["reason"] == "not_json"


def test_a_schema_that_is_none_is_an_error_of_the_mapping() -> None:
    rules = whole('[record]\nschema = { properties = { id = { type = "strnig" } } }\n')

    with pytest.raises(AuditbookError) as told:
        mapping.read("acme", rules, where="acme.toml")

    assert str(told.value) == (
        "acme.toml record.schema.properties.id.type: 'strnig' is not valid under any of the given schemas."
    )
