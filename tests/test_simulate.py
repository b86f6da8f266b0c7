"""The simulated organization: the same seed gives the same bytes, all of it loads, and its labels point at records."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.detecting import write
from bench.judging import Found, Label, Run, judge, matches, noticed
from bench.simulate.course import Size, simulate
from bench.simulate.plants import KINDS
from pipeline.config import read
from pipeline.load import load
from tests.conftest import ROOT

SMALL = Size(people=30, days=62, scale=0.05, each=1)
IDS = {"craftstage": "id", "oncloudwine": "id", "printago": "id", "bswagic": "ID", "hoops": "activity_id"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    simulate(folder, 11, SMALL)
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def labels(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "labels.jsonl").read_text("utf-8").splitlines()]


def records(folder: Path, product: str) -> list[dict[str, Any]]:
    path = folder / "exports" / f"{product}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_same_seed_writes_the_same_bytes_in_another_process(small: Path, tmp_path: Path) -> None:
    size = ["--people", "30", "--days", "62", "--scale", "0.05", "--each", "1"]
    for seed in ("11", "12"):
        command = [sys.executable, "-m", "bench.simulate", str(tmp_path / seed), "--seed", seed, *size]
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo"}, check=True
        )
    assert set(digests(small)) == {f"{product}.jsonl" for product in IDS} | {
        "auditbook.toml",
        "labels.jsonl",
        "places.mmdb",
        "swaps.json",
    }
    assert digests(tmp_path / "11") == digests(small)
    assert digests(tmp_path / "12")["printago.jsonl"] != digests(small)["printago.jsonl"]


def test_every_record_loads(small: Path, store: Path) -> None:
    done = load([str(small / "exports")], store=store, config=read(small / "auditbook.toml")).as_json()
    assert done["lines"]["rejects"] == 0
    assert done["lines"]["blank"] == 0
    assert set(done["sources"]) == set(IDS)
    assert min(one["events"] for one in done["sources"].values()) > 100


def test_labels_point_at_records_that_exist(small: Path) -> None:
    known = {(product, str(one[key])) for product, key in IDS.items() for one in records(small, product)}
    pointed = {(one["source"], one["id"]) for label in labels(small) for one in label["records"]}
    assert pointed - known == set()
    assert len(pointed) > 500


def test_every_kind_is_planted_and_what_is_not_an_absence_left_records(small: Path) -> None:
    planted = {label["kind"]: label for label in labels(small) if label["sort"] in ("planted", "unlogged")}
    assert set(KINDS) - set(planted) == {"dormant_return", "retention_breach"}  # they need more days
    absences = {"id_gap", "source_silence"}
    assert {
        label["kind"] for label in planted.values() if label["sort"] == "planted" and not label["records"]
    } == absences
    assert all(label["from"] <= label["until"] for label in planted.values())


def test_what_is_numbered_has_gaps_only_where_they_are_planted(small: Path) -> None:
    gaps = [label for label in labels(small) if label["kind"] == "id_gap"]
    assert [label["source"] for label in gaps] == ["bswagic"]
    for product, missing in (("bswagic", 1), ("hoops", 0)):
        numbers = sorted({int(one[IDS[product]]) for one in records(small, product)})
        assert sum(after - before > 1 for before, after in pairwise(numbers)) == missing


def test_swapped_accounts_change_who_and_nothing_else(small: Path, tmp_path: Path) -> None:
    simulate(tmp_path, 11, Size(people=30, days=62, scale=0.05, each=1, swaps=2))
    swaps = json.loads((tmp_path / "swaps.json").read_text("utf-8"))
    assert len(swaps) == 2
    differing = Counter(
        key
        for before, after in zip(records(small, "printago"), records(tmp_path, "printago"), strict=True)
        for key in before
        if before[key] != after[key]
    )
    assert set(differing) <= {"actorId", "actorEmail", "entityId"}  # a login's entity is who logs in


NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def label(kind: str, sort: str = "planted", who: str = "ana", hours: int = 1, record: str = "r1") -> Label:
    key = frozenset({("hoops", record)}) if record else frozenset()
    return Label(
        kind, sort, frozenset({who}) if who else frozenset(), NOON, NOON + hours * HOUR, "hoops", key
    )


def finding(detector: str, record: str, who: str = "ana", at: datetime = NOON) -> Found:
    return Found(
        detector, who, at, at, frozenset({("hoops", record)}), frozenset({who}), frozenset({"hoops"})
    )


def test_a_finding_matches_by_a_record_or_by_person_and_time() -> None:
    assert matches(label("off_hours", who="ana"), finding("off_hours", "r1", who="bo", at=NOON + 90 * HOUR))
    assert matches(label("off_hours"), finding("off_hours", "r2", at=NOON + 2 * HOUR))
    assert not matches(label("off_hours"), finding("off_hours", "r2", at=NOON + 3 * HOUR))
    assert not matches(label("off_hours"), finding("off_hours", "r2", who="bo"))
    assert not matches(
        label("invoice_never_sent", hours=72), finding("off_hours", "r2")
    )  # a long time proves little
    assert matches(label("invoice_never_sent", hours=72), finding("invoice_never_sent", "r2"))
    assert matches(label("id_gap", who="", record=""), finding("source_silence", "r2"))
    assert not matches(label("id_gap", who="", record=""), finding("off_hours", "r2"))


def test_findings_are_of_their_kind_ordinary_of_another_kind_or_false() -> None:
    found = (
        finding("off_hours", "r1"),
        finding("bulk_delete", "r1"),
        finding("failed_job", "r8", who="robot"),
        finding("bulk_delete", "r9", who="cleaner"),
    )
    told = (
        label("off_hours"),
        label("four_eyes", who="eve", record="r7"),
        label("failed_job", "ordinary", who="robot", record="r8"),
        label("spring cleaning", "benign", who="cleaner", record="r9"),
    )
    judged = judge(Run(told, found, 400, {"off_hours": {"evaluated"}, "four_eyes": {"not_evaluable"}}))
    assert judged.kinds == {"off_hours": (1, 1, 1), "four_eyes": (1, 0, 0)}
    assert judged.detectors == {
        "off_hours": Counter(all=1, own=1),
        "bulk_delete": Counter(all=2, other=1, false=1),
        "failed_job": Counter(all=1, ordinary=1),
        "four_eyes": Counter(),
    }
    assert judged.about == {"bulk_delete": Counter({"spring cleaning": 1})}
    assert judged.silent == {"four_eyes": "not evaluable"}
    assert [one.kind for one in judged.missed] == ["four_eyes"]


def test_a_swap_is_noticed_by_what_was_not_said_without_it() -> None:
    before = Run((), (finding("new_ip_for_actor", "r1"),), 1, {})
    swaps = [
        {"who": ["ana", "bo"], "from": "2026-09-01T00:00:00Z"},
        {"who": ["cy", "di"], "from": "2026-09-01T00:00:00Z"},
    ]
    again = Run(
        (),
        (finding("new_ip_for_actor", "r1"), finding("off_hours", "r5", who="cy", at=NOON - 24 * HOUR)),
        1,
        {},
    )
    assert noticed(before, again, swaps) == (0, 2)
    also = Run((), (*again.found, finding("off_hours", "r6", who="di")), 1, {})
    assert noticed(before, also, swaps) == (1, 2)


def test_the_table_stands_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "detection.md"
    page.write_text(
        "# Detection\n\nwords\n<!-- measured after: begin -->\nold\n<!-- measured after: end -->\nmore\n",
        "utf-8",
    )
    write(page, "after", ["new"])
    assert page.read_text("utf-8") == (
        "# Detection\n\nwords\n<!-- measured after: begin -->\nnew\n<!-- measured after: end -->\nmore\n"
    )
