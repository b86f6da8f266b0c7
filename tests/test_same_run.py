"""Promise 2 on the whole command: one run, made twice under other circumstances, is the same to the byte."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import COMMAND, ROOT

AS_OF = "2026-11-02T14:00:00Z"
# Another user who may still read this checkout, which the tests' own user may keep to itself.
OTHER_USER = [
    "setpriv",
    "--reuid",
    "65534",
    "--inh-caps",
    "+dac_read_search",
    "--ambient-caps",
    "+dac_read_search",
]
HERE = {"TZ": "UTC", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
ELSEWHERE = {"TZ": "Asia/Kolkata", "LANG": "de_DE.UTF-8", "LC_ALL": "C", "PYTHONHASHSEED": "4242"}


def run(folder: Path, environment: dict[str, str], *before: str) -> tuple[str, dict[str, str], str]:
    """Head, the hash of each document, and who the record says did it."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [
        "run",
        ROOT / "sample_data",
        "--config",
        ROOT / "sample_data" / "auditbook.toml",
        "--as-of",
        AS_OF,
    ]
    done = subprocess.run(
        [*before, COMMAND, *arguments, "--json"], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": str(folder), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    documents = {Path(path).name: folder / path for path in told["reports"]}
    record = json.loads((folder / "store" / "commits" / "000001" / "record.json").read_text("utf-8"))
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in documents.items()}
    return told["head"], hashes, record["run"]["user"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str], str]:
    return run(tmp_path_factory.mktemp("here"), HERE)


def test_the_same_run_elsewhere(here: tuple[str, dict[str, str], str], tmp_path: Path) -> None:
    """Another folder, zone, language, hash seed, one processor instead of all, and, for root, another user."""
    folder = tmp_path / "another place"
    folder.mkdir()
    one_processor = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if sys.platform == "linux" else []
    other_user = OTHER_USER if os.geteuid() == 0 else []
    if other_user:
        for path in (folder, tmp_path, tmp_path.parent):
            path.chmod(0o755)
        os.chown(folder, 65534, -1)
        assert pwd.getpwuid(65534).pw_name == "nobody"

    head, hashes, user = run(folder, {**ELSEWHERE, "LOGNAME": "nobody"}, *one_processor, *other_user)

    assert set(hashes) == {"log.html", "review.html", "review.pdf"}
    assert (head, hashes) == here[:2]
    assert user == "nobody"
