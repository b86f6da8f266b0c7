"""What the products promise their users is shown by tests that exist, or said to be answered otherwise, or open."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FEATURES: dict[str, dict[str, Any]] = {
    f"{product}.{number}": line
    for product, lines in tomllib.loads((ROOT / "tests" / "features.toml").read_text("utf-8")).items()
    for number, line in lines.items()
}
COUNTED = {"S0": 28, "S1": 57, "S2": 76, "S3": 36, "S4": 43}


@cache
def functions_of(module: str) -> set[str]:
    path = ROOT / "tests" / f"{module}.py"
    tree = ast.parse(path.read_text("utf-8")) if path.exists() else ast.Module([], [])
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}


def test_every_line_is_there() -> None:
    numbered = [f"{product}.{n}" for product, count in COUNTED.items() for n in range(1, count + 1)]
    assert sorted(FEATURES) == sorted([*numbered, *(f"S2.X{n}" for n in range(1, 9))])


@pytest.mark.parametrize("name", FEATURES)
def test_a_line_is_shown_or_explained_or_open(name: str) -> None:
    line = FEATURES[name]
    assert line.keys() <= {"says", "tests", "otherwise", "open"} and line["says"]
    assert line.get("tests") or line.get("otherwise") or line.get("open")
    for shown in line.get("tests", []):
        if shown.startswith("rule:"):
            assert (ROOT / "pipeline" / "detectors" / f"{shown.removeprefix('rule:')}.cases.toml").exists(), (
                shown
            )
            continue
        place, _, case = shown.partition("[")
        module, _, function = place.partition("::")
        assert function in functions_of(module), shown
        assert (
            not case or (ROOT / "tests" / "sources" / f"{case.removesuffix(']')}.expected.jsonl").exists()
        ), shown


def test_what_is_open_can_be_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.features"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    waiting = sum("open" in line for line in FEATURES.values())
    assert done.stdout.splitlines()[-1] == f"{waiting} of {len(FEATURES)} lines are open"
