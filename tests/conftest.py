"""What tests share: a store's place, the installed command as a process of its own, and the rule about skips."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).with_name("auditbook")

Auditbook = Callable[..., subprocess.CompletedProcess[str]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """With AUDITBOOK_REQUIRE=all nothing may be left out: a skip is a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("AUDITBOOK_REQUIRE") == "all":
        report.outcome = "failed"
        report.longrepr = f"skipped although AUDITBOOK_REQUIRE=all: {call.excinfo and call.excinfo.value}"
    return report


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where a test's store goes; nothing is there yet."""
    return tmp_path / "store"


@pytest.fixture
def auditbook(tmp_path: Path) -> Auditbook:
    """The installed command, run as people run it; `cwd` is the test's own empty folder."""

    def run(
        *arguments: object, cwd: Path = tmp_path, env: dict[str, str] | None = None, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("AUDITBOOK_")}
        return subprocess.run(
            [str(COMMAND), *map(str, arguments)],
            cwd=cwd,
            env={**clean, **(env or {})},
            input=input,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command inside this process: quicker, for what needs no process of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUDITBOOK_STORE", raising=False)

    def run(*arguments: object, input: str | None = None) -> Result:
        from pipeline.cli import cli

        return CliRunner().invoke(cli, [str(a) for a in arguments], input=input)

    return run


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the hand-written lines of two products, loaded by the command; for tests that only read."""
    place = tmp_path_factory.mktemp("small") / "store"
    files = [ROOT / "tests" / "sources" / f"{source}.jsonl" for source in ("printago", "hoops")]
    for arguments in (["load", *files], ["detect"]):
        subprocess.run(
            [str(COMMAND), *map(str, arguments), "--store", str(place), "-q"],
            cwd=place.parent,
            check=True,
            timeout=120,
        )
    return place


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the sample month under its own settings, loaded by the command; for tests that only read."""
    place = tmp_path_factory.mktemp("sample") / "store"
    subprocess.run(
        [str(COMMAND), "load", str(ROOT / "sample_data"), "--config", str(ROOT / "sample_data" / "auditbook.toml"),
         "--store", str(place), "-q"],
        cwd=place.parent, check=True, timeout=120, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return place
