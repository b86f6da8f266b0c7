"""Each source: its lines must become exactly the events written beside them. A source without both is a failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import from_dict
from pipeline.export import rows_as_json
from pipeline.load import load
from pipeline.mapping import shipped
from pipeline.query import open as open_store

HERE = Path(__file__).parent / "sources"
SOURCES = sorted(
    path.name.removesuffix(".jsonl") for path in HERE.glob("*.jsonl") if ".expected" not in path.name
)
NOT_COMPARED = frozenset(
    {"event_uid", "file", "file_sha256", "mapping_version", "schema_version", "conflicts_with", "actor_key"}
)
CONFIG = from_dict(
    {
        "organization": {"timezone": "UTC"},
        "sources": {"bswagic": {"timezone": "Asia/Kolkata", "day_first": True}},
    }
)


def test_every_mapping_has_lines_and_expected_events() -> None:
    assert SOURCES
    assert set(SOURCES) == set(shipped())
    assert all((HERE / f"{source}.expected.jsonl").exists() for source in SOURCES)


@pytest.mark.parametrize("source", SOURCES)
def test_lines_become_the_expected_events(source: str, store: Path) -> None:
    become(f"{source}.jsonl", source, f"{source}.expected.jsonl", store)


@pytest.mark.parametrize("source", ["bswagic", "oncloudwine", "salesforce"])
def test_what_a_product_exports_as_csv_becomes_the_expected_events(source: str, store: Path) -> None:
    become(f"{source}.csv", source, f"{source}.csv.expected.jsonl", store)


def become(export: str, source: str, expected: str, store: Path) -> None:
    result = load([str(HERE / export)], store=store, config=CONFIG)

    assert result.loaded[0].source == source, "recognised from its content"
    assert result.counts.rejects == 0
    assert result.counts.read == (HERE / export).read_bytes().count(b"\n")
    with open_store(store, audience="full") as log:
        got = [sparse(event) for event in rows_as_json(log.sql("SELECT * FROM events ORDER BY line"))]
    wanted = [json.loads(line) for line in (HERE / expected).read_text("utf-8").splitlines()]
    assert [event["line"] for event in got] == [event["line"] for event in wanted]
    for event, other in zip(got, wanted, strict=True):
        assert event == other


def sparse(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what is null, empty or false: small enough to read."""
    return {
        name: _sparse(name, value)
        for name, value in event.items()
        if name not in NOT_COMPARED and _says(value)
    }


def _sparse(name: str, value: Any) -> Any:
    if name not in ("changes", "related_entities", "communications"):
        return value
    return [
        {key: inner for key, inner in one.items() if key in ("old", "new") or _says(inner)} for one in value
    ]


def _says(value: Any) -> bool:
    return value is not None and value != [] and value is not False


def test_a_time_without_a_zone_is_read_in_the_zone_that_the_product_documents(
    store: Path, tmp_path: Path
) -> None:
    """Microsoft documents UTC; the organization's own zone is for products that write local time."""
    record = {"CreationTime": "2026-03-02T10:01:07", "Id": "1", "Operation": "FileAccessed", "RecordType": 6,
              "Workload": "SharePoint", "UserId": "ana@example.com", "OrganizationId": "o"}  # fmt: skip
    (tmp_path / "m365.jsonl").write_text(json.dumps(record) + "\n")
    load(
        [str(tmp_path / "m365.jsonl")], store=store, source="microsoft365",
        config=from_dict({"organization": {"timezone": "America/New_York"}}),
    )  # fmt: skip

    with open_store(store, audience="full") as log:
        [event] = rows_as_json(log.events())
    assert (event["occurred_at"], event["tz_source"]) == ("2026-03-02T10:01:07.000Z", "configured")
