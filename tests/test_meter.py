"""What a run says while it works: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli.meter import Meter, amount
from pipeline.errors import UsageError
from pipeline.memory import read
from tests.conftest import Auditbook
from tests.exports import lines, put


def test_a_bar_shows_the_share_the_rate_and_the_time_left() -> None:
    assert (
        amount(150_000_000, 600_000_000, 50_000_000.0) == "━━━━━━──────────────────  25%  50 MB/s  0:09 left"
    )
    assert amount(600, 600, 60.0) == "━━━━━━━━━━━━━━━━━━━━━━━━ 100%  0 MB/s  0:00 left"


def test_the_bar_comes_after_two_seconds_and_fits_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 1.9, 4.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    say = Meter()
    for done in (0, 10_000_000, 40_000_000):
        say("loading x", done, 80_000_000)
    told = capsys.readouterr().err.split("\r\x1b[2K")
    assert told == ["", "loading x", "loading x", "loading x  ━━━━━━━━━━━━────────────  50%"[:39]]


def test_a_pipe_gets_each_stage_once_and_its_steps_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    for say in (Meter(), Meter(verbose=True)):
        for text in ("evaluating · a done", "evaluating · b done", "writing it", "writing it · Scope"):
            say(text)
    told = [line.partition("] ")[2] or line for line in capsys.readouterr().err.splitlines()]
    assert told == [
        "evaluating", "writing it",
        "evaluating · a done", "evaluating · b done", "writing it", "writing it · Scope",
    ]  # fmt: skip


def test_a_pipe_gets_each_text_once(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "x.jsonl", lines(1, 5))
    assert auditbook("load", "x.jsonl").stderr == "loading x.jsonl\n"
    put(tmp_path / "y.jsonl", lines(6, 9))
    assert auditbook("load", "y.jsonl", "-q").stderr == ""


def test_where_a_loads_time_went_is_told_when_asked(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "x.jsonl", lines(1, 5))
    told = json.loads(auditbook("load", "x.jsonl", "--json", "-v").stdout)
    assert set(told["profile"]) == {"judge", "normalize", "compare", "write"}
    put(tmp_path / "y.jsonl", lines(6, 9))
    assert "profile" not in json.loads(auditbook("load", "y.jsonl", "--json").stdout)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2_000_000_000), ("1.5G", 1_500_000_000), ("512MiB", 536_870_912), ("400000000", 400_000_000)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert read(text) == size


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lots", '--memory-limit: "lots" is no size. Write 2GB, 1.5G or 800MiB.'),
        ("10MB", "--memory-limit: 10MB is too little. Give 400MB or more."),
    ],
)
def test_what_is_no_limit(text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        read(text)
    assert str(error.value) == told


def test_too_little_memory_is_an_error_and_nothing_is_committed(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "x.jsonl", lines(1, 5))
    assert auditbook("load", "x.jsonl").returncode == 0
    put(tmp_path / "big.jsonl", b"".join(lines(n, n + 99) for n in range(100, 150_000, 100)))
    full = auditbook("load", "big.jsonl", "--memory-limit", "400MB", "-q")
    assert (full.returncode, full.stdout) == (1, "")
    assert full.stderr == (
        "auditbook: not enough memory, or --memory-limit is too low; what was committed stays, nothing else was "
        "committed.\n"
    )
    assert json.loads(auditbook("verify", "--json").stdout)["commits"] == 1
    assert auditbook("load", "big.jsonl", "--memory-limit", "2GB", "-q").returncode == 0
