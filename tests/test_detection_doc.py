"""docs/detection.md lists every rule, as its header says it; `make accept` writes the list again."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline import detector

PAGE = Path(__file__).resolve().parent.parent / "docs" / "detection.md"
PART = re.compile(r"(<!-- rules: begin -->\n).*?(<!-- rules: end -->)", re.DOTALL)


def listed() -> str:
    rows = [
        f"| `{one.id}` | {one.title} | {one.severity} | {told} |"
        for one in detector.shipped().values()
        for told in [", ".join(f"{name} {said.default}" for name, said in one.parameters.items())]
    ]
    return "\n".join(["| rule | finds | severity | parameters |", "|---|---|---|---|", *rows]) + "\n"


def test_the_rules_are_documented() -> None:
    text = PAGE.read_text("utf-8")
    made = PART.sub(lambda found: found[1] + listed() + found[2], text)
    if os.environ.get("AUDITBOOK_ACCEPT"):
        PAGE.write_text(made, "utf-8")
    assert PAGE.read_text("utf-8") == made
    assert "| `bulk_delete` | Many records deleted in a short time | high | threshold 25," in made
