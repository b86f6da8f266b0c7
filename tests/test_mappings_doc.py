"""docs/mappings.md: each example's lines become, under its rules, what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline import mapping
from pipeline.draft import events as made_of
from pipeline.draft import sparse

PAGE = Path(__file__).parent.parent / "docs" / "mappings.md"
EXAMPLES = re.findall(
    r"^```toml\n(.*?)^```\n\n```jsonl\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)
NESTED = ("changes", "related_entities", "communications")
AT = "2026-03-02T15:04:05Z"
HEAD = """title = "Example"
version = 1
about = { documentation = "", retention = "", logging = "", permissions = "", entry_url = "" }
"""


def test_every_block_of_rules_has_its_lines() -> None:
    assert len(EXAMPLES) == PAGE.read_text("utf-8").count("```toml") > 10


@pytest.mark.parametrize(("rules", "lines"), EXAMPLES, ids=[rules.split("\n")[0] for rules, _ in EXAMPLES])
def test_the_example_is_true(rules: str, lines: str) -> None:
    given, wanted = read(lines)
    told = events(whole(rules), given)

    assert [{name: event[name] for name in one} for event, one in zip(told, wanted, strict=True)] == wanted


def read(lines: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What goes in, and what must come out."""
    texts = lines.splitlines()
    assert [text.startswith("→ ") for text in texts] == [False, True] * (len(texts) // 2)
    return [json.loads(t) for t in texts[::2]], [json.loads(t.removeprefix("→ ")) for t in texts[1::2]]


def whole(rules: str) -> str:
    """The example with what it leaves out."""
    if rules.startswith(("title", "extends")):
        return rules
    missing = {
        "[recognise]": '[recognise]\nkeys = ["at"]\n',
        "[time]": '[time]\npath = "at"\nformat = "iso"\n',
        "[columns]": "[columns]\n",
    }
    return HEAD + "".join(text for table, text in missing.items() if table not in rules) + rules


def events(rules: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records as events, in columns as people compare them."""
    made = mapping.read("example", rules, where="docs/mappings.md", base=mapping.shipped().get)
    timed = [
        record if "at" not in str(made.rules["time"]["path"]) else {"at": AT, **record} for record in records
    ]
    rows = made_of(made, "".join(json.dumps(record) + "\n" for record in timed).encode())
    assert [row["reject_message"] for row in rows] == [None] * len(rows)
    return [{**row, **{n: sparse(row).get(n, []) for n in NESTED}} for row in rows]
