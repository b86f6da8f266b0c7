"""The wheel, installed into an empty environment and used outside the checkout, beside a folder of the same name."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once, however many processes test: two builds at a time would compile into one place."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list((shared / "wheel").glob("auditbook-*.whl")):
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "build",
                    "--wheel",
                    "--no-isolation",
                    "--outdir",
                    str(shared / "wheel"),
                    str(ROOT),
                ],
                check=True,
                capture_output=True,
                timeout=300,
            )
    return next((shared / "wheel").glob("auditbook-*.whl"))


def test_the_wheel_holds_every_data_file_of_the_checkout(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    kept = {
        path.relative_to(ROOT).as_posix()
        for package in ("pipeline", "reports", "schemas", "sample_data")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert kept - packed == set()
    assert {"pipeline/auditbook.toml", "schemas/config.schema.json", "sample_data/printago.jsonl"} <= packed


def test_the_demo_works_from_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", wheel], check=True, capture_output=True, timeout=600
    )
    work = tmp_path / "work"
    (work / "pipeline").mkdir(parents=True)
    (work / "pipeline" / "__init__.py").write_text("raise SystemExit('the wrong pipeline')")
    done = subprocess.run(
        [tmp_path / "env" / "bin" / "auditbook", "demo", "--json"],
        cwd=work,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["sources"]) == 5 and told["findings"]["open"] > 0
    assert {Path(report).suffix for report in told["reports"]} == {".html", ".pdf"}
