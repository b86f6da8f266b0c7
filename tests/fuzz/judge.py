"""The judge of lines, fuzzed against another one: `python -m tests.fuzz.judge FOLDER -max_total_time=60`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.modules["_json"] = None  # type: ignore[assignment]  # the reader in Python shows the fuzzer what it has reached

import atheris

with atheris.instrument_imports(include=["json", "pipeline.lines", "tests.oracle"]):
    from tests.oracle import agrees

from tests.test_json import CASES


def seed(folder: Path) -> None:
    """The cases that the tests hold the judge against, as files to begin from."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, raw in enumerate(CASES):
        if len(raw) < 1000:
            (folder / f"case-{number:03d}").write_bytes(raw)


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
    atheris.Setup(sys.argv, agrees)
    atheris.Fuzz()
