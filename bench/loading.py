"""Loads beside what a data engineer would type, and beside each other: spaces, packing, a store that knows, nights.

BENCH_NIGHTS_ON=n,n loads stores of so many events for the nights; BENCH_STORE=folder is one more, which is there.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from backports import zstd

import pipeline
from bench import export
from bench.turns import Row, in_turns, ratio

LINES = int(os.environ.get("BENCH_LINES", "1000000"))
NIGHT = 30_000
NIGHTS_ON = [int(text) for text in os.environ.get("BENCH_NIGHTS_ON", "1000000").split(",")]
SMALL_FILES = 10_000
READ_JSON = """import duckdb, sys
duckdb.connect(sys.argv[2]).execute(f"CREATE TABLE t AS SELECT * FROM read_json('{sys.argv[1]}')")"""
LOAD = """import sys, time
from pipeline.config import read
from pipeline.load import load
began = time.perf_counter()
load(sys.argv[2:], store=sys.argv[1], config=read(None))
print(time.perf_counter() - began)"""


def rows(folder: Path) -> Iterator[Row]:
    """Every comparison, one after another."""
    plain = folder / "printago.jsonl"
    export.write(plain, LINES)
    size = plain.stat().st_size / 1e6
    yield from _beside_duckdb(f"load {LINES:,} lines ({size:.0f} MB), compact", folder, plain, memory=True)
    spaced = folder / "spaced.jsonl"
    with plain.open("rb") as source, spaced.open("wb") as target:
        target.writelines(
            json.dumps(json.loads(line), ensure_ascii=False).encode() + b"\n" for line in source
        )
    yield from _beside_duckdb("the same, spaced as Python's json writes", folder, spaced)
    for packed, pack in ((folder / "p.jsonl.gz", _gzipped), (folder / "p.jsonl.zst", _zstandard)):
        pack(plain, packed)
        yield _beside_plain(f"the same as {packed.suffix}", folder, [str(packed)], plain)
        packed.unlink()
    yield _half_known(folder, plain)
    yield _small_files(folder, plain)
    for events in NIGHTS_ON:
        yield _night(folder, _loaded(folder, events))
    if "BENCH_STORE" in os.environ:
        yield _night(folder, Path(os.environ["BENCH_STORE"]))


def _beside_duckdb(what: str, folder: Path, source: Path, *, memory: bool = False) -> Iterator[Row]:
    ours, theirs = in_turns(
        lambda turn: [sys.executable, "-c", LOAD, _new(folder / f"store-{turn}"), str(source)],
        lambda turn: [sys.executable, "-c", READ_JSON, str(source), _new(folder / f"plain-{turn}.duckdb")],
    )
    yield ratio(
        what, f"{ours[0]:.2f} s", f"{theirs[0]:.2f} s, CREATE TABLE AS read_json", ours[0] / theirs[0]
    )
    if memory:
        told = "peak memory of the largest process of that load"
        yield ratio(told, f"{ours[1]:.0f} MB", f"{theirs[1]:.0f} MB", ours[1] / theirs[1])


def _beside_plain(what: str, folder: Path, sources: list[str], plain: Path) -> Row:
    ours, theirs = in_turns(
        lambda turn: [sys.executable, "-c", LOAD, _new(folder / f"store-{turn}"), *sources],
        lambda turn: [sys.executable, "-c", LOAD, _new(folder / f"other-{turn}"), str(plain)],
    )
    return ratio(what, f"{ours[0]:.2f} s", f"{theirs[0]:.2f} s, the plain file", ours[0] / theirs[0])


def _half_known(folder: Path, plain: Path) -> Row:
    """A second export of which every other line is in the store already."""
    other = folder / "other.jsonl"
    export.write(other, LINES, first=LINES // 2)
    known = folder / "known"
    _load(known, str(plain))
    ours, theirs = in_turns(
        lambda turn: [sys.executable, "-c", LOAD, _copied(known, folder / f"store-{turn}"), str(other)],
        lambda turn: [sys.executable, "-c", READ_JSON, str(other), _new(folder / f"plain-{turn}.duckdb")],
    )
    shutil.rmtree(known)
    what = f"load {LINES:,} lines into a store of as many, half of them known"
    return ratio(
        what, f"{ours[0]:.2f} s", f"{theirs[0]:.2f} s, CREATE TABLE AS read_json", ours[0] / theirs[0]
    )


def _small_files(folder: Path, plain: Path) -> Row:
    some = folder / "some"
    some.mkdir()
    one = folder / "one.jsonl"
    with plain.open("rb") as source:
        lines = [line for _, line in zip(range(SMALL_FILES * 20), source, strict=False)]
    one.write_bytes(b"".join(lines))
    for n in range(SMALL_FILES):
        (some / f"{n:05d}.jsonl").write_bytes(b"".join(lines[n * 20 : n * 20 + 20]))
    return _beside_plain(
        f"{len(lines):,} lines in {SMALL_FILES:,} files, beside one", folder, [str(some)], one
    )


def _loaded(folder: Path, events: int) -> Path:
    store, before = folder / "large", folder / "before.jsonl"
    export.write(before, events)
    _load(_fresh(store), str(before))
    before.unlink()
    return store


def _night(folder: Path, store: Path) -> Row:
    """What a night costs on a large store; measured inside the process, so without its start."""
    night = folder / "night.jsonl"
    export.write(night, NIGHT, seed=2)
    large, empty = [], []
    for turn in range(3):
        large.append(_load(Path(_copied(store, folder / f"store-{turn}")), str(night)))
        empty.append(_load(_fresh(folder / f"other-{turn}"), str(night)))
    first, second = statistics.median(large), statistics.median(empty)
    with pipeline.open(store) as log:
        events = log.events().count()
    what = f"a night of {NIGHT:,} lines on a store of {events:,} events, start-up excluded"
    return ratio(what, f"{first:.2f} s", f"{second:.2f} s, on an empty store", first / second)


def _load(store: Path, *sources: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(store), *sources], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def _new(path: Path) -> str:
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    return str(path)


def _fresh(path: Path) -> Path:
    return Path(_new(path))


def _copied(store: Path, to: Path) -> str:
    """Links to files that never change take no time."""
    shutil.copytree(store, _new(to), copy_function=os.link)
    return str(to)


def _gzipped(source: Path, target: Path) -> None:
    with source.open("rb") as plain, gzip.open(target, "wb", 6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)


def _zstandard(source: Path, target: Path) -> None:
    with source.open("rb") as plain, zstd.open(target, "wb") as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
