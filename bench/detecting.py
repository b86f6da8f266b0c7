"""How well the rules find what a simulation planted, and how often they cry wolf: `make bench-detect`.

The figures go into docs/detection.md, between its markers. BENCH_SMALL=1 for a small simulation that is only printed,
BENCH_SEED=n for another one, BENCH_PART=before for the page's other table, BENCH_FOLDER=… to keep what was simulated,
BENCH_EXPLAIN=1 to print each anomaly that was missed and some false findings of each rule.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.judging import Judgement, Run, judge, noticed, read
from bench.simulate.course import Size, simulate

FULL = Size(people=200, days=90, scale=0.6, each=8)
SMALL = Size(people=70, days=60, scale=0.25, each=3)
PAIRS = 20
PAGE = Path(__file__).parent.parent / "docs" / "detection.md"


def main() -> None:
    size = SMALL if os.environ.get("BENCH_SMALL") else FULL
    seed = int(os.environ.get("BENCH_SEED", "7"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.environ.get("BENCH_FOLDER", name))
        plain, seconds = _run(folder / "plain", seed, size)
        small = plain if size is SMALL else _run(folder / "small", seed, SMALL)[0]
        swapped, _ = _run(folder / "swapped", seed, replace(SMALL, swaps=PAIRS))
        swaps = json.loads((folder / "swapped" / "swaps.json").read_text("utf-8"))
    judged = judge(plain)
    lines = [
        *_summary(seed, size, plain, judged, seconds, noticed(small, swapped, swaps)),
        "",
        *_table(judged),
    ]
    print("\n".join(lines))
    if os.environ.get("BENCH_EXPLAIN"):
        print("\n".join(["", *_missed_and_false(judged)]))
    if size is FULL:
        write(PAGE, os.environ.get("BENCH_PART", "after"), lines)


def _run(folder: Path, seed: int, size: Size) -> tuple[Run, list[str]]:
    """Simulate, load and detect; what was found, and how long each took."""
    began = time.perf_counter()
    records = sum(simulate(folder, seed, size).values())
    told = [f"{records:,} records were simulated in {time.perf_counter() - began:.0f} s"]
    command = str(Path(sys.executable).with_name("auditbook"))
    common = ["--store", str(folder / "store"), "--config", str(folder / "auditbook.toml"), "-q"]
    for step in (["load", str(folder / "exports")], ["detect"]):
        began = time.perf_counter()
        done = subprocess.run([command, *step, *common], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"auditbook {step[0]} ended with {done.returncode}: {done.stderr.strip()}", file=sys.stderr)
        told.append(f"{step[0]} took {time.perf_counter() - began:.0f} s")
    return read(folder), told


def _summary(
    seed: int, size: Size, run: Run, judged: Judgement, seconds: list[str], swaps: tuple[int, int]
) -> list[str]:
    planted, own, anyone = (sum(row[n] for row in judged.kinds.values()) for n in range(3))
    false = sum(row["false"] for row in judged.detectors.values())
    swapped = (
        f"| pairs of swapped accounts noticed within a week, among {SMALL.people} people in {SMALL.days} days "
        f"| {swaps[0]} of {swaps[1]} | 0.8 |"
    )
    return [
        f"Seed {seed}, {size.people} people, {size.days} days, {run.events:,} events, every rule with its defaults; "
        f"measured on {datetime.now(UTC):%Y-%m-%d}: {', '.join(seconds)}.",
        "",
        "| measure | value | target |",
        "|---|---|---|",
        f"| planted anomalies found by the rule of their kind | {own} of {planted} ({own / planted:.3f}) | 0.95 |",
        f"| found by any rule | {anyone} of {planted} ({anyone / planted:.3f}) | |",
        f"| false findings | {false} in {run.actor_days:,} actor-days "
        f"({false * 200 / max(1, run.actor_days):.2f} per 200) | 1 per 200 |",
        *([swapped] if swaps[1] else []),
    ]


def _table(judged: Judgement) -> list[str]:
    lines = [
        "| rule | planted | found by it | found by any | findings | its kind | ordinary | another kind | false "
        "| false ones were about |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted({*judged.kinds, *judged.detectors}):
        planted, own, anyone = judged.kinds.get(name, (0, 0, 0))
        row = judged.detectors.get(name)
        found = (
            [row[key] for key in ("all", "own", "ordinary", "other", "false")]
            if row is not None
            else [""] * 5
        )
        about = ", ".join(f"{what} {n}" for what, n in judged.about.get(name, {}).items())
        note = about or judged.silent.get(name, "" if row is not None else "no such rule")
        lines.append(f"| {name} | {planted} | {own} | {anyone} | {' | '.join(map(str, found))} | {note} |")
    return lines


def _missed_and_false(judged: Judgement, some: int = 6) -> list[str]:
    """What to look into: each label without a finding, and the first false findings of each rule."""
    lines = [
        f"missed {one.kind} ({one.strength}): {', '.join(sorted(one.who)) or one.source}, {one.start:%d %b %H:%M} to "
        f"{one.end:%d %b %H:%M} UTC, {len(one.records)} records, as {next(iter(sorted(one.records)), '')}"
        for one in sorted(judged.missed, key=lambda one: one.kind)
    ]
    for name in sorted({one.detector for one in judged.false}):
        false = [one for one in judged.false if one.detector == name]
        lines += [
            f"false {name}: {one.subject}, {one.start:%d %b %H:%M} to {one.end:%d %b %H:%M} UTC: {one.observed}"
            for one in false[:: max(1, len(false) // some)][:some]
        ]
    return lines


def write(page: Path, part: str, lines: list[str]) -> None:
    """Put the lines between the page's markers of that part."""
    text = page.read_text("utf-8") if page.exists() else "# Detection\n"
    first, last = f"<!-- measured {part}: begin -->", f"<!-- measured {part}: end -->"
    if first not in text:
        text += f"\n{first}\n{last}\n"
    before, _, rest = text.partition(first)
    page.write_text(f"{before}{first}\n{chr(10).join(lines)}\n{last}{rest.partition(last)[2]}", "utf-8")


if __name__ == "__main__":
    main()
