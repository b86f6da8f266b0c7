"""Night after night, with what arrives late, gives the findings of one evaluation over everything."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline import chain, detect, detector, evaluation
from pipeline.config import Config, from_dict, read
from pipeline.load import load
from tests.conftest import ROOT
from tests.exports import put

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
PEOPLE = ("ana", "ben", "cho", "dia", "eva")
SETTINGS = {
    "organization": {"timezone": "America/New_York", "holidays": ["2026-01-19"]},
    "actors": {"cho@example.com": {"timezone": "Asia/Kolkata"}, "dia@example.com": {"role": "admin"}},
}


def record(number: int, at: datetime, person: str, action: str, entity: str, address: str) -> dict[str, Any]:
    return {
        "id": f"event{number:019d}", "storeId": "s1", "createdAt": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "actorType": "user", "actorId": f"id of {person}", "actorEmail": f"{person}@example.com",
        "action": action, "detailedAction": f"{entity}.{action}", "entityType": entity,
        "entityId": f"{entity}{number % 40}", "entityIds": None, "ipAddress": address, "userAgent": "test",
        "correlationId": None, "changes": None, "metadata": None,
    }  # fmt: skip


def month(seed: int) -> list[dict[str, Any]]:
    """Five weeks of ordinary days, and days with something unusual in them."""
    dice = random.Random(seed)
    made = []
    for day in range(35):
        for person in PEOPLE:
            if day % 7 >= 5 and dice.random() < 0.9:
                continue
            for _ in range(dice.randrange(3, 8)):
                minute = dice.randrange(14 * 60, 22 * 60) if dice.random() < 0.97 else dice.randrange(24 * 60)
                at = BEGIN + timedelta(days=day, minutes=minute)
                action = dice.choice(["update", "create", "update", "delete"])
                home = f"198.51.100.{PEOPLE.index(person) + 1}"
                address = home if dice.random() < 0.985 else f"203.0.113.{dice.randrange(250)}"
                made.append(record(len(made), at, person, action, "part", address))
        if dice.random() < 0.3:
            person, at = dice.choice(PEOPLE), BEGIN + timedelta(days=day, minutes=dice.randrange(24 * 60))
            for n in range(40):
                late = at + timedelta(minutes=n / 2)
                made.append(record(len(made), late, person, "delete", "part", "198.51.100.9"))
        if dice.random() < 0.2:
            at = BEGIN + timedelta(days=day, hours=15)
            made.append(record(len(made), at, dice.choice(PEOPLE), "update", "role", "198.51.100.1"))
    return made


def jobs(seed: int) -> list[dict[str, Any]]:
    """Another product in the same weeks: jobs day and night, of which some fail, some hang, and some nobody ends; and
    nine days in which it says nothing."""
    dice, made = random.Random(f"jobs {seed}"), []
    for hour in range(35 * 24):
        if 22 * 24 <= hour < 31 * 24:
            continue
        begun = BEGIN + timedelta(hours=hour, minutes=dice.randrange(50))
        job = dice.choice(["SYNC_STOCK", "SYNC_CONTACTS"])
        entries = [("IN_PROGRESS", begun)]
        if dice.random() < 0.97:
            took = timedelta(minutes=dice.randrange(1, 9)) if dice.random() < 0.97 else timedelta(hours=9)
            entries.append(("FAILED" if dice.random() < 0.05 else "SUCCESS", begun + took))
        for status, at in entries:
            made.append({
                "id": f"act_{len(made)}", "organizationId": "org1", "timestamp": int(at.timestamp() * 1000),
                "type": "BACKGROUND_JOB", "status": status, "actor": "system", "userId": None, "action": job,
                "event": job, "entityType": None, "entityId": None, "before": None, "after": None,
                "metadata": {"jobRunId": f"run_{hour}", "error": "HTTP 500"},
            })  # fmt: skip
    return made


def at(one: dict[str, Any]) -> datetime:
    if "timestamp" in one:
        return datetime.fromtimestamp(one["timestamp"] / 1000, UTC)
    return datetime.fromisoformat(one["createdAt"])


def nights(records: Sequence[dict[str, Any]], seed: int) -> list[list[dict[str, Any]]]:
    """Five exports; one event in twelve arrives one or two exports late."""
    dice = random.Random(seed)
    made: list[list[dict[str, Any]]] = [[] for _ in range(5)]
    for one in records:
        day = (at(one) - BEGIN).days
        late = dice.randrange(1, 3) if dice.random() < 1 / 12 else 0
        made[min(4, day // 7 + late)].append(one)
    return made


def add(store: Path, folder: Path, name: str, records: Sequence[dict[str, Any]], config: Config) -> None:
    """Load an export of each product, and evaluate."""
    folder.mkdir(exist_ok=True)
    for source, key in (("printago", "createdAt"), ("oncloudwine", "timestamp")):
        lines = "".join(json.dumps(one) + "\n" for one in records if key in one)
        if lines:
            (folder / f"{source}.{name}").write_text(lines, "utf-8")
            load([str(folder / f"{source}.{name}")], store=store, config=config, source=source)
    detect.detect(store, config=config)


def standing(store: Path) -> list[tuple[Any, ...]]:
    """What was found; what is told of an order within files is another thing when the files are others."""
    with pipeline.open(store) as log:
        return (
            log.sql(
                """SELECT detector, key, severity, subject, window_start, window_end, observed, expected, reason,
              cleared_by, events, actor_key, actor_keys, sources, local_date
            FROM current_findings WHERE base_state <> 'withdrawn' AND detector <> 'clock_skew'
            ORDER BY detector, key"""
            )
            .pl()
            .rows()
        )


def seen(store: Path) -> list[tuple[Any, ...]]:
    with pipeline.open(store) as log:
        return (
            log.sql(
                """SELECT detector, source, status, in_scope, missing, why, baseline_days, baseline_needed,
              baseline_events, error, counts FROM detector_coverage WHERE newest ORDER BY ALL"""
            )
            .pl()
            .rows()
        )


@pytest.mark.parametrize("seed", [1, 2])
def test_nights_add_up_to_one_evaluation(tmp_path: Path, seed: int) -> None:
    config, records = from_dict(SETTINGS), [*month(seed), *jobs(seed)]
    add(tmp_path / "once", tmp_path / "all", "all.jsonl", records, config)
    for number, night in enumerate(nights(records, seed)):
        add(tmp_path / "nightly", tmp_path / "exports", f"{number}.jsonl", night, config)

    found = standing(tmp_path / "once")
    assert len({row[0] for row in found}) >= 8, "the month must have something to find"
    assert {"stale_in_progress", "failed_job", "source_silence", "bulk_delete"} <= {row[0] for row in found}
    assert standing(tmp_path / "nightly") == found
    assert seen(tmp_path / "nightly") == seen(tmp_path / "once")
    assert chain.verify(tmp_path / "nightly").ok

    again = detect.stretch_of("2026-01-05", "2026-01-06", config)
    detect.detect(tmp_path / "nightly", config=config, stretch=again)
    assert seen(tmp_path / "nightly") == seen(tmp_path / "once"), "a stretch's people are not all people"


def test_a_source_that_was_away_while_another_went_on(tmp_path: Path) -> None:
    """Its silence is found by the night that brings it back, though the log as a whole never stopped."""
    config = from_dict(SETTINGS)

    def every_hour(source: str, first: int, last: int) -> tuple[str, list[dict[str, Any]]]:
        hours = (BEGIN + timedelta(hours=n) for n in range(first * 24, last * 24))
        made = [
            record(n, at, "ana", "update", "part", "198.51.100.1") for n, at in enumerate(hours, first * 24)
        ]
        return source, made if source == "printago" else [
            {"event_id": one["id"], "occurred_at": one["createdAt"], "actor_name": "Ben", "action": "update"}
            for one in made
        ]  # fmt: skip

    exports = [
        [every_hour("printago", 0, 30), every_hour("generic", 0, 30)],
        [every_hour("generic", 30, 38)],
        [every_hour("printago", 38, 40), every_hour("generic", 38, 40)],
    ]
    for number, night in enumerate(exports):
        for source, records in night:
            content = "".join(json.dumps(one) + "\n" for one in records).encode()
            load([put(tmp_path / f"{number}.{source}.jsonl", content)], store=tmp_path / "nightly", config=config,
                 source=source)  # fmt: skip
        detect.detect(tmp_path / "nightly", config=config)

    with pipeline.open(tmp_path / "nightly") as log:
        silent = log.sql("SELECT key FROM current_findings WHERE detector = 'source_silence'").pl().rows()
    assert silent == [("printago|2026-02-03T23:00",)]


def test_a_tenant_that_was_away_while_another_went_on(tmp_path: Path) -> None:
    """A shop's silence is found though the other one speaks; a job is not stuck before its own shop's log goes on."""
    config = from_dict(SETTINGS)

    def told(first: int, last: int) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        for hour in range(first * 24, last * 24):
            begun, day = BEGIN + timedelta(hours=hour), hour // 24
            for shop, person in (("s1", "ana"), *([("s2", "ben")] if day < 30 else [])):
                one = record(hour * 2 + (shop == "s2"), begun, person, "update", "part", "198.51.100.1")
                made.append({**one, "storeId": shop})
            for org in ("org1", *(["org2"] if not 25 <= day < 38 else [])):
                ends = org == "org1" or hour != 25 * 24 - 1
                for status, minute in (("IN_PROGRESS", 0), *([("SUCCESS", 4)] if ends else [])):
                    made.append({
                        "id": f"{org}_{hour}_{minute}", "organizationId": org, "type": "BACKGROUND_JOB",
                        "timestamp": int((begun + timedelta(minutes=minute)).timestamp() * 1000), "status": status,
                        "actor": "system", "userId": None, "action": "SYNC", "event": "SYNC", "entityType": None,
                        "entityId": None, "before": None, "after": None, "metadata": {"jobRunId": f"{org} {hour}"},
                    })  # fmt: skip
        return made

    rules = ("source_silence", "stale_in_progress")
    silent = [(rules[0], "oncloudwine|org2|2026-01-29T23:00"), (rules[0], "printago|s2|2026-02-03T23:00")]
    expected: list[list[tuple[str, str]]] = [silent[:1], silent, silent]
    for number, (first, last) in enumerate(((0, 30), (30, 38), (38, 40))):
        add(tmp_path / "nightly", tmp_path / "exports", f"{number}.jsonl", told(first, last), config)
        found = [row[:2] for row in standing(tmp_path / "nightly") if row[0] in rules]
        assert [one for one in found if one[0] == rules[0]] == expected[number]
        stuck = [key.rpartition("|")[0] for rule, key in found if rule == rules[1]]
        assert stuck == (["oncloudwine|org2|SYNC"] if number == 2 else [])

    add(tmp_path / "once", tmp_path / "all", "all.jsonl", told(0, 40), config)
    assert standing(tmp_path / "nightly") == standing(tmp_path / "once")
    assert seen(tmp_path / "nightly") == seen(tmp_path / "once")


def shop(name: str, first: str, last: str, off: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Ten half hours a day, 08:00 to 12:30 UTC, Monday to Friday, of one shop."""
    day, made = datetime.fromisoformat(f"{first}T08:00:00+00:00"), []
    while day.date().isoformat() <= last:
        if day.weekday() < 5 and day.date().isoformat() not in off:
            for n in range(10):
                at = day + timedelta(minutes=30 * n)
                made.append({
                    **record(0, at, "ana", "update", "part", "198.51.100.1"), "storeId": name,
                    "id": f"{name}{at:%Y%m%d%H%M}".rjust(24, "0"),
                })  # fmt: skip
        day += timedelta(days=1)
    return made


def silences(store: Path) -> list[tuple[Any, ...]]:
    return [(row[1], f"{row[5]:%m-%d %H:%M}") for row in standing(store) if row[0] == "source_silence"]


OTHERS = {one: {"enabled": False} for one in detector.shipped() if one != "source_silence"}
MARCH = {"organization": {"holidays": ["2026-03-23"]}, "detectors": OTHERS}


@pytest.mark.parametrize("known", [True, False])
def test_a_silence_that_begins_before_a_long_weekend(tmp_path: Path, known: bool) -> None:
    """A shop never comes back after a Monday on which all were away, be that day known or not; night after night."""
    config = from_dict(MARCH if known else {"detectors": OTHERS})
    records = [*shop("a", "2026-03-02", "2026-03-20"), *shop("b", "2026-03-02", "2026-04-03", ["2026-03-23"])]
    for night, since in enumerate(("2026-03-01", "2026-03-23", "2026-03-24", "2026-03-25")):
        until = ("2026-03-23", "2026-03-24", "2026-03-25", "2026-04-04")[night]
        some = [one for one in records if since <= one["createdAt"] < until]
        if some:
            add(tmp_path / "nightly", tmp_path / "exports", f"{night}.jsonl", some, config)
    add(tmp_path / "once", tmp_path / "all", "all.jsonl", records, config)

    of_all = [] if known else [("printago|2026-03-20T12:30", "03-23 12:00")]
    assert silences(tmp_path / "once") == [*of_all, ("printago|a|2026-03-20T12:30", "03-24 12:00")]
    assert standing(tmp_path / "nightly") == standing(tmp_path / "once")
    assert seen(tmp_path / "nightly") == seen(tmp_path / "once")


def test_a_log_that_stays_silent_after_a_long_weekend(tmp_path: Path) -> None:
    config = from_dict(MARCH)
    exports = [shop("a", "2026-03-02", "2026-03-20"), shop("a", "2026-03-27", "2026-03-27")]
    for night, records in enumerate(exports):
        add(tmp_path / "nightly", tmp_path / "exports", f"{night}.jsonl", records, config)
    assert silences(tmp_path / "nightly") == [("printago|2026-03-20T12:30", "03-24 12:00")]


@pytest.mark.parametrize("with_another", [True, False])
def test_entries_of_long_ago_that_come_late_change_no_silence(tmp_path: Path, with_another: bool) -> None:
    """Which weeks are known is a matter of the five weeks before, for a product as for a shop."""
    config = from_dict({"detectors": OTHERS})
    away = [] if with_another else ["2026-03-23"]
    now = shop("a", "2026-03-02", "2026-03-20" if with_another else "2026-04-03", away)
    beside = shop("b", "2025-12-01", "2026-04-03") if with_another else []
    late = shop("a", "2025-12-01", "2025-12-10")
    add(tmp_path / "nightly", tmp_path / "exports", "1.jsonl", [*now, *beside], config)
    add(tmp_path / "nightly", tmp_path / "exports", "2.jsonl", late, config)
    add(tmp_path / "once", tmp_path / "all", "all.jsonl", [*now, *beside, *late], config)

    whose = "printago|a" if with_another else "printago"
    assert (f"{whose}|2026-03-20T12:30", "03-23 12:00") in silences(tmp_path / "once")
    assert standing(tmp_path / "nightly") == standing(tmp_path / "once")
    assert seen(tmp_path / "nightly") == seen(tmp_path / "once")


def test_the_entry_after_a_silence_is_told_though_a_stretch_ends_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, records = from_dict({"detectors": OTHERS}), shop("a", "2026-03-02", "2026-04-03", ["2026-03-23"])
    add(tmp_path / "whole", tmp_path / "all", "all.jsonl", records, config)
    monkeypatch.setattr(evaluation, "MOST", 150)
    add(tmp_path / "pieces", tmp_path / "all", "all.jsonl", records, config)

    assert silences(tmp_path / "whole") == [("printago|2026-03-20T12:30", "03-23 12:00")]
    assert standing(tmp_path / "pieces") == standing(tmp_path / "whole")


def test_a_long_stretch_is_evaluated_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, records = from_dict(SETTINGS), [*month(3), *jobs(3)]
    add(tmp_path / "whole", tmp_path / "all", "all.jsonl", records, config)
    monkeypatch.setattr(evaluation, "MOST", 150)
    add(tmp_path / "pieces", tmp_path / "all", "all.jsonl", records, config)

    assert standing(tmp_path / "pieces") == standing(tmp_path / "whole")
    assert seen(tmp_path / "pieces") == seen(tmp_path / "whole")


def test_every_shipped_rule_says_how_far_it_looks() -> None:
    assert [one.id for one in detector.shipped().values() if one.lookback == "all"] == []


def test_the_sample_month_in_three_nights(tmp_path: Path) -> None:
    """Five products at once, and what most rules are about: a third of each file a night, one line in twenty late."""
    config, dice = read(ROOT / "sample_data" / "auditbook.toml"), random.Random(5)
    made: list[dict[str, list[str]]] = [{}, {}, {}]
    for file in sorted((ROOT / "sample_data").glob("*.jsonl")):
        lines = file.read_text("utf-8").splitlines(keepends=True)
        for n, line in enumerate(lines):
            night = min(2, n * 3 // len(lines) + (dice.random() < 1 / 20))
            made[night].setdefault(file.name, []).append(line)
    for night, files in enumerate(made):
        (tmp_path / str(night)).mkdir()
        for name, lines in files.items():
            (tmp_path / str(night) / name).write_text("".join(lines), "utf-8")
        load([str(tmp_path / str(night))], store=tmp_path / "nightly", config=config)
        detect.detect(tmp_path / "nightly", config=config)
    load([str(tmp_path / str(night)) for night in range(3)], store=tmp_path / "once", config=config)
    detect.detect(tmp_path / "once", config=config)

    found = standing(tmp_path / "once")
    assert len({row[0] for row in found}) >= 19
    assert standing(tmp_path / "nightly") == found
    assert seen(tmp_path / "nightly") == seen(tmp_path / "once")
