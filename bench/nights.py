"""How fast the rules are: all of them over what is new, and the same night upon a small and a large store.

`make bench-nights` writes the table into docs/detection.md. BENCH_EVENTS=100000 for a tenth of it, only printed.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import made
from bench.detecting import PAGE, write

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
NIGHT, TIMES = max(1, 3 * EVENTS // 100), 10
COMMAND = Path(sys.executable).with_name("auditbook")
DETECT = (str(COMMAND), "detect", "-q", "--store")
CALIBRATION = (str(COMMAND), "sql", "SELECT count(DISTINCT event_uid) FROM events", "--store")
Measured = tuple[float, float, float]  # seconds, CPU seconds, peak MB


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = (_store(folder, times) for times in (1, TIMES))
    ratio = [a / b for a, b in zip(large["night"], small["night"], strict=True)]
    first = [a / b for a, b in zip(small["first"], small["calibration"], strict=True)]
    lines = [
        "| what | seconds | CPU seconds | peak MB |",
        "|---|---|---|---|",
        _row(f"all rules over {EVENTS:,} new events", small["first"]),
        _row("`SELECT count(DISTINCT event_uid)` over them", small["calibration"]),
        f"| the first against the second | {first[0]:.1f} | {first[1]:.1f} | {first[2]:.1f} |",
        _row(f"all rules over {EVENTS * TIMES:,} new events", large["first"]),
        _row(f"a night of {NIGHT:,} upon {EVENTS:,}", small["night"]),
        _row(f"a night of {NIGHT:,} upon {EVENTS * TIMES:,}", large["night"]),
        f"| the second night against the first | {ratio[0]:.2f} | {ratio[1]:.2f} | {ratio[2]:.2f} |",
    ]
    print("\n".join(lines))
    if EVENTS >= 1_000_000:
        write(PAGE, "speed", lines)


def _store(folder: Path, times: int) -> dict[str, Measured]:
    """Evaluate a store that was loaded, then a night upon it; what each evaluation took."""
    store = folder / f"store-{times}"
    made.make(store, EVENTS * times)
    found = {"calibration": _measure(*CALIBRATION, str(store)), "first": _measure(*DETECT, str(store))}
    made.make(store, NIGHT, first=EVENTS * times)
    return {**found, "night": _measure(*DETECT, str(store))}


def _measure(*command: str) -> Measured:
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _row(what: str, measured: Measured) -> str:
    return f"| {what} | {measured[0]:.1f} | {measured[1]:.1f} | {measured[2]:.0f} |"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
