"""Lines judged in bulk: what is passed over quickly is what the judge of record says of it, and no line ends a load."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import compiled
from pipeline.block import CODES
from pipeline.lines import judge
from pipeline.scan import CHUNK, Scanner
from tests.exports import lines, without_id
from tests.test_json import CASES

ONES = [raw for raw in CASES if b"\n" not in raw]
COMPACT = lines(1, CHUNK // 200)  # more than is looked at in one go
SPACED = b"".join(without_id(n) for n in range(CHUNK // 200))


@pytest.fixture(params=["compiled", "python"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        monkeypatch.setattr(compiled, "library", lambda: None)
    elif compiled.library() is None:
        pytest.skip("no compiler was there when auditbook was installed")
    return str(request.param)


def said(data: bytes) -> list[tuple[int, str | None, str | None]]:
    """Fate, reason and message of each line."""
    block = Scanner().scan(data, first=False)
    told = [block.told.get(row) for row in range(block.lines)]
    return [
        (int(fate), one and one.reason, one and one.message)
        for fate, one in zip(block.fate, told, strict=True)
    ]


def judged(raw: bytes) -> tuple[int, str | None, str | None]:
    verdict = judge(raw)
    return CODES[verdict.fate], verdict.reason, verdict.message


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "around", [COMPACT, SPACED, b""], ids=["among compact lines", "among spaced", "alone"]
)
def test_each_case_is_what_the_judge_says(around: bytes) -> None:
    for raw in ONES:
        found = said(around + raw + b"\n" + around)

        assert found[len(found) // 2] == judged(raw), raw[:100]
        assert {fate for fate, _, _ in found[: len(found) // 2]} <= {CODES["event"]}


@pytest.mark.usefixtures("way")
@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(ONES), min_size=1, max_size=30), st.integers(0, 3))
def test_so_are_cases_in_any_order(cases: list[bytes], rounds: int) -> None:
    found = said(b"".join(raw + b"\n" for raw in cases) + COMPACT * rounds + b"\n".join(cases))

    assert found[: len(cases)] == [judged(raw) for raw in cases]
