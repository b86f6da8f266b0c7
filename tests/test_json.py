"""The judge of lines, held against cases of our own (tests/json): one strict JSON object loads, nothing else does."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.lines import judge
from tests.oracle import agrees

HERE = Path(__file__).parent / "json"


def _line(written: str | dict[str, Any], in_hex: bool) -> bytes:
    if isinstance(written, str):
        return bytes.fromhex(written) if in_hex else written.encode()
    times, inner = written["times"], written.get("inner", "")
    middle = written.get("open", "") * times + inner + written.get("close", "") * times
    return (
        written.get("before", "") + written.get("open_each", "") * times + middle + written.get("after", "")
    ).encode()


def _valid() -> Iterator[Any]:
    for group, cases in tomllib.loads((HERE / "valid.toml").read_text("utf-8")).items():
        for name, written in cases.items():
            yield pytest.param(_line(written, False), id=f"{group}: {name}")


def _invalid() -> Iterator[Any]:
    for reason, groups in tomllib.loads((HERE / "invalid.toml").read_text("utf-8")).items():
        for group, cases in groups.items():
            for name, written in cases.items():
                yield pytest.param(reason, _line(written, group == "bytes"), id=f"{reason}: {group}: {name}")


def test_there_are_cases() -> None:
    assert len(list(_valid())) >= 90
    assert len(list(_invalid())) >= 150


@pytest.mark.parametrize("raw", list(_valid()))
def test_what_is_one_json_object_loads_as_what_it_says(raw: bytes) -> None:
    verdict = judge(raw)

    assert (verdict.fate, verdict.reason, verdict.record) == ("event", None, raw.decode())
    assert isinstance(json.loads(raw), dict)


@pytest.mark.parametrize(("reason", "raw"), list(_invalid()))
def test_what_is_none_never_loads(reason: str, raw: bytes) -> None:
    verdict = judge(raw)

    assert (verdict.fate, verdict.reason, verdict.record) == ("reject", reason, None)
    assert verdict.message


@pytest.mark.parametrize("raw", [b"", b" ", b"\t", b"\r", b" \r\t "])
def test_white_space_is_no_record(raw: bytes) -> None:
    assert judge(raw) == judge(b"")
    assert (judge(raw).fate, judge(raw).reason) == ("blank", "empty")


CASES = [case.values[0] for case in _valid()] + [case.values[1] for case in _invalid()]
SHORT = st.sampled_from([raw for raw in CASES if len(raw) < 200])


@pytest.mark.parametrize("raw", [raw for raw in CASES if len(raw) < 2000])
def test_another_judge_agrees(raw: bytes) -> None:
    agrees(raw)


@settings(deadline=None, max_examples=300)
@given(SHORT, SHORT, st.integers(0, 60), st.integers(0, 60), st.binary(max_size=2))
def test_another_judge_agrees_on_pieces_of_cases(
    one: bytes, other: bytes, cut: int, go_on: int, put: bytes
) -> None:
    agrees(one[:cut] + put + other[go_on:])
    agrees(b'{"a":' + one + b',"b":' + other + b"}")
