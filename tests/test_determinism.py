"""The same inputs give the same head and the same bytes, wherever and whenever they are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LOAD = """
import hashlib, sys
from pathlib import Path
import duckdb

connect = duckdb.connect
def with_threads(*places, **settings):
    connection = connect(*places, **settings)
    connection.execute(f"SET threads = {sys.argv[1]}")
    return connection
duckdb.connect = with_threads

from pipeline import config, detect, load
settings = config.read(Path(sys.argv[2]) / "sample_data/auditbook.toml")
load.load(["sample_data"], store="store", config=settings)
detect.detect("store", config=settings)
found = load.load(["again.jsonl"], store="store", config=settings)
print(found.head, found.counts.as_tuple())
for path in sorted(Path("store").glob("commits/*/*.parquet")):
    print(path, hashlib.sha256(path.read_bytes()).hexdigest())
"""
WAYS = {
    "as it is": ("2", {}),
    "one thread, other zone, language and hash seed": (
        "1", {"TZ": "Asia/Kolkata", "LANG": "de_DE.UTF-8", "LC_ALL": "C", "PYTHONHASHSEED": "1"}
    ),
    "three threads, another zone and hash seed": (
        "3", {"TZ": "America/St_Johns", "LANG": "C", "PYTHONHASHSEED": "4294967295", "USER": "somebody"}
    ),
}  # fmt: skip


def outcome(folder: Path, threads: str, environment: dict[str, str]) -> str:
    (folder / "sample_data").mkdir(parents=True)
    for export in (ROOT / "sample_data").glob("*.jsonl"):
        (folder / "sample_data" / export.name).write_bytes(export.read_bytes())
    old = (ROOT / "sample_data/printago.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "again.jsonl").write_bytes(b"".join(old[100:300]).replace(b'"update"', b'"create"', 40))
    done = subprocess.run(
        [sys.executable, "-c", LOAD, threads, ROOT], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    return outcome(tmp_path_factory.mktemp("reference") / "here", *WAYS["as it is"])


@pytest.mark.parametrize("way", list(WAYS)[1:])
def test_the_same_inputs_give_the_same_bytes(reference: str, tmp_path: Path, way: str) -> None:
    assert "(200, 40, 160, 0, 0)" in reference, "duplicates and conflicts are part of it"
    names = [line.split()[0].partition("/commits/")[2] for line in reference.splitlines()[1:]]
    assert len([name for name in names if "/lines" in name]) == 5 + 1, (
        "a part for each source, and the second load"
    )

    assert outcome(tmp_path / "another folder", *WAYS[way]) == reference
