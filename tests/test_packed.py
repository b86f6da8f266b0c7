"""Packed files: whole ones are read to the byte, of others what can be had, and the last line says why no more."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
from pathlib import Path

import pytest

from pipeline.config import from_dict
from pipeline.inputs import Input
from pipeline.limits import DEFAULT, Limits
from pipeline.load import load
from pipeline.query import open as open_store
from pipeline.unpack import CODECS, Unpacked, zstd
from tests.conftest import Auditbook
from tests.exports import line

KINDS = sorted(CODECS)


def lines(first: int, last: int) -> bytes:
    """Lines that do not pack to nothing: each has something of its own."""
    dice = random.Random(7)
    return b"".join(line(n, reason=dice.randbytes(20).hex()) for n in range(first, last + 1))


WHOLE = lines(1, 3000)


def pack(kind: str, content: bytes) -> bytes:
    if kind == ".zst":  # with a checksum, as the zstd command does
        return zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1})
    return {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[kind](content)


def unpack(
    kind: str, packed: bytes, limits: Limits = DEFAULT, size: int = 100_000
) -> tuple[bytes, str | None]:
    stream = Unpacked(io.BytesIO(packed), CODECS[kind], limits)
    parts = []
    while chunk := stream.read(size):
        parts.append(chunk)
    return b"".join(parts), f"{stream.stopped.reason}: {stream.stopped.message}" if stream.stopped else None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [999, 1 << 20, 1 << 24])
def test_members_one_behind_another_are_one_file(kind: str, size: int) -> None:
    packed = (
        pack(kind, b"") + pack(kind, WHOLE[:9]) + pack(kind, b"") + pack(kind, WHOLE[9:]) + pack(kind, b"")
    )

    assert unpack(kind, packed, size=size) == (WHOLE, None)


@pytest.mark.parametrize("kind", [".gz", ".xz"])
def test_zeros_may_fill_up_the_end(kind: str) -> None:
    assert unpack(kind, pack(kind, WHOLE) + bytes(100_000)) == (WHOLE, None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("garbage", [b"x", b"garbage" * 20_000])
def test_what_is_no_member_is_said(kind: str, garbage: bytes) -> None:
    packed = pack(kind, WHOLE)

    assert unpack(kind, packed + garbage) == (
        WHOLE,
        f"truncated: the file has something that is not {CODECS[kind].name} after byte {len(packed):,} of the packed "
        "file; nothing behind it was read.",
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("less", [1, 9, 40_000])
def test_of_a_file_that_is_cut_off_the_good_part_is_read(kind: str, less: int) -> None:
    packed = pack(kind, WHOLE)[:-less]

    got, why = unpack(kind, packed)

    assert WHOLE.startswith(got)
    assert len(got) > 0 or kind == ".bz2", "a block of bzip2 is all or nothing"
    name = CODECS[kind].name
    assert (
        why == f"truncated: the {name} file is cut off at byte {len(packed):,}: what came before it was read."
    )


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_damaged_file_what_comes_before_the_damage_is_read(kind: str) -> None:
    good = pack(kind, WHOLE)
    bad = bytearray(pack(kind, WHOLE))
    bad[len(bad) // 2] ^= 0xFF

    got, why = unpack(kind, good + bytes(bad))

    assert got.startswith(WHOLE)
    assert why is not None
    assert why.startswith(f"truncated: the {CODECS[kind].name} file is damaged after byte ")


def test_a_wrong_checksum_is_said_and_costs_nothing_that_was_read() -> None:
    bad = bytearray(gzip.compress(WHOLE))
    bad[-6] ^= 1

    got, why = unpack(".gz", bytes(bad))

    assert got == WHOLE
    assert why is not None
    assert why.endswith("(Error -6 Incorrect checksum found): what came before it was read.")


@pytest.mark.parametrize("kind", KINDS)
def test_what_expands_beyond_the_limits_is_a_bomb(kind: str) -> None:
    packed = pack(kind, bytes(5_000_000))

    for size in (1000, 1 << 22):
        got, why = unpack(kind, packed, Limits(max_ratio=100, ratio_from=1_500_000), size)
        assert len(got) <= 1_500_000
        assert got == bytes(len(got))
        assert why == (
            "bomb: the file expands to more than 100 times its size ([load] max_ratio); "
            f"nothing after byte {len(got):,} was read."
        )
    got, why = unpack(kind, packed, Limits(max_expanded=3_000_000))
    assert len(got) <= 3_000_000
    assert why is not None
    assert why.startswith(
        "bomb: the file expands to more than 3,000,000 bytes ([load] max_expanded); nothing after "
    )


def test_what_is_under_the_limits_is_none() -> None:
    packed = pack(".zst", bytes(5_000_000))

    assert unpack(".zst", packed, Limits(max_ratio=10)) == (bytes(5_000_000), None), (
        "under 64 MB no ratio is too large"
    )
    assert unpack(".gz", gzip.compress(WHOLE), Limits(max_ratio=100, ratio_from=0)) == (WHOLE, None)


@pytest.mark.parametrize(("name", "kind"), [
    ("a.jsonl", "lines"), ("a.NDJSON.Gz", "lines"), ("a.json.zst", "json"), ("a.csv.xz", "csv"), ("a.csv.bz2", "csv"),
    ("a.b.csv", "csv"), ("a.csv.lz4", None), ("a.gz", None), ("csv", None), ("stdin", "any"),
])  # fmt: skip
def test_a_name_says_what_a_file_holds(name: str, kind: str | None) -> None:
    assert Input(name, Path(name)).kind == kind


def test_the_good_part_loads_and_the_repaired_file_resolves_what_was_missing(
    tmp_path: Path, auditbook: Auditbook
) -> None:
    packed = gzip.compress(lines(1, 40))
    (tmp_path / "night.jsonl.gz").write_bytes(packed[:-300])

    done = auditbook("load", "night.jsonl.gz")

    assert done.returncode == 4
    cut = f"the gzip file is cut off at byte {len(packed) - 300:,}: what came before it was read."
    assert f"auditbook: night.jsonl.gz: {cut}\n" in done.stderr
    with open_store(tmp_path / "store") as log:
        kept = log.sql("SELECT raw, newline FROM lines ORDER BY line").pl().rows()
        reject = log.sql("SELECT line, reason, message FROM rejects").pl().rows()
        assert log.sql("SELECT count(*) FROM events").pl().item() == len(kept) - 1
    assert lines(1, 40).startswith(b"".join(raw.encode() + b"\n" * newline for raw, newline in kept))
    assert reject == [(len(kept), "truncated", cut)]

    (tmp_path / "night.jsonl.gz").write_bytes(packed)
    assert auditbook("load", "night.jsonl.gz").returncode == 0
    with open_store(tmp_path / "store") as log:
        assert log.sql("SELECT count(*) FROM events").pl().item() == 40


@pytest.mark.parametrize("less", [8, 1])
def test_a_file_that_lacks_only_its_checksum_is_another_than_the_whole_one(
    store: Path, tmp_path: Path, less: int
) -> None:
    packed, export = gzip.compress(lines(1, 9)), tmp_path / "x.jsonl.gz"
    export.write_bytes(packed[:-less])
    first = load([str(export)], store=store, config=from_dict({}))
    again = load([str(export)], store=store, config=from_dict({}))
    export.write_bytes(packed)
    whole = load([str(export)], store=store, config=from_dict({}))

    assert first.counts.as_tuple() == (10, 9, 0, 1, 0)
    assert again.commit is None
    assert whole.counts.as_tuple() == (9, 0, 9, 0, 0)


def test_a_bomb_ends_its_file_and_no_other(tmp_path: Path, auditbook: Auditbook) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl.gz").write_bytes(gzip.compress(lines(1, 5) + b" " * 20_000_000))
    (tmp_path / "in/b.jsonl").write_bytes(lines(6, 7))
    (tmp_path / "auditbook.toml").write_text("[load]\nmax_expanded = 10_000_000\n")

    done = auditbook("load", "in")

    assert done.returncode == 4
    assert "a.jsonl.gz: the file expands to more than 10,000,000 bytes ([load] max_expanded)" in done.stderr
    assert "7 events" in done.stdout
    with open_store(tmp_path / "store") as log:
        assert log.sql("SELECT file, reason FROM rejects").pl().rows() == [("a.jsonl.gz", "bomb")]
