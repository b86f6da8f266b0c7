"""Findings held against the labels of a simulation. A finding and a label match when they share a record, or a person
and a time; for what is missing (a silence, a gap, a quiet day), when they share a product and a time."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pipeline
from bench.simulate.world import PRODUCTS
from pipeline.config import read as read_config

SLACK = timedelta(hours=1)
SHORT = timedelta(days=2)
ABSENCES = {"source_silence", "org_trend_break", "logging_disabled", "id_gap"}
ANY_RULE = {"vendor_setting"}
Key = tuple[str, str]


@dataclass(frozen=True)
class Label:
    kind: str
    sort: str
    who: frozenset[str]
    start: datetime
    end: datetime
    source: str
    records: frozenset[Key]
    strength: str = ""


@dataclass(frozen=True)
class Found:
    """A finding, with the records, people and products behind it."""

    detector: str
    subject: str
    start: datetime
    end: datetime
    records: frozenset[Key]
    who: frozenset[str]
    sources: frozenset[str]
    observed: str = ""


@dataclass(frozen=True)
class Run:
    labels: tuple[Label, ...]
    found: tuple[Found, ...]
    actor_days: int
    coverage: dict[str, set[str]]
    events: int = 0


@dataclass
class Judgement:
    """By kind: planted, found by its own rule, found by any. By rule: its findings, and of what sort they are."""

    kinds: dict[str, tuple[int, int, int]]
    detectors: dict[str, Counter[str]] = field(default_factory=dict)
    about: dict[str, Counter[str]] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)
    missed: list[Label] = field(default_factory=list)
    false: list[Found] = field(default_factory=list)


FINDINGS = """SELECT f.finding_id, f.detector, f.subject, f.window_start, f.window_end,
    f.observed, list(DISTINCT {'source': e.source, 'id': e.source_event_id}) AS records,
    list(DISTINCT a.person) FILTER (e.actor_type = 'user' OR NOT a.is_service) AS who
  FROM findings f LEFT JOIN finding_events fe ON fe.finding_id = f.finding_id
    LEFT JOIN events e ON e.event_uid = fe.event_uid
    LEFT JOIN actors a ON a.actor_key = e.actor_key
  WHERE f.state <> 'withdrawn' GROUP BY f.finding_id, f.detector, f.subject, f.window_start, f.window_end, f.observed
  ORDER BY f.detector, f.window_start, f.finding_id"""
ACTOR_DAYS = """SELECT count(*) FROM (SELECT DISTINCT a.person, e.occurred_at::DATE FROM events e
  JOIN actors a USING (actor_key) WHERE e.actor_type = 'user')"""


def read(folder: Path) -> Run:
    """What was planted and what was found in the folder of a simulation."""
    with (folder / "labels.jsonl").open(encoding="utf-8") as file:
        labels = tuple(_label(json.loads(line)) for line in file)
    log = pipeline.open(folder / "store", read_config(folder / "auditbook.toml"))
    coverage: dict[str, set[str]] = defaultdict(set)
    for name, status in _rows(log, "SELECT detector, status FROM detector_coverage WHERE newest"):
        coverage[name].add(status)
    found = tuple(_found(*row) for row in _rows(log, FINDINGS))
    events = _rows(log, "SELECT count(*) FROM events")[0][0]
    return Run(labels, found, _rows(log, ACTOR_DAYS)[0][0], dict(coverage), events)


def _rows(log: Any, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in log.sql(query).arrow().to_pylist()]


def _label(said: Mapping[str, Any]) -> Label:
    return Label(
        said["kind"],
        said["sort"],
        frozenset(said["who"]),
        datetime.fromisoformat(said["from"]),
        datetime.fromisoformat(said["until"]),
        said["source"],
        frozenset((one["source"], one["id"]) for one in said["records"]),
        said["strength"],
    )


def _found(
    _: str,
    detector: str,
    subject: str,
    start: datetime,
    end: datetime,
    observed: str,
    records: list[dict[str, str]],
    who: list[str] | None,
) -> Found:
    keys = frozenset((one["source"], one["id"]) for one in records if one["source"])
    sources = {source for source, _ in keys} | {word for word in PRODUCTS if word in subject}
    return Found(detector, subject, start, end, keys, frozenset(who or ()), frozenset(sources), observed)


def matches(label: Label, one: Found) -> bool:
    """Whether the finding is about what the label is about."""
    if label.records & one.records:
        return True
    if one.start > label.end + SLACK or one.end < label.start - SLACK:
        return False
    own = one.detector == label.kind
    if label.who & one.who:
        return own or label.end - label.start <= SHORT
    missing = label.kind in ABSENCES or not label.records
    return missing and label.source in one.sources and (own or {label.kind, one.detector} <= ABSENCES)


def judge(run: Run) -> Judgement:
    """Each label found or missed, each finding of its kind, ordinary, of another kind, or false."""
    hits = _hits(run)
    planted = [n for n, label in enumerate(run.labels) if label.sort == "planted"]
    judged = Judgement({})
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for n in planted:
        label = run.labels[n]
        rules = {one.detector for one in hits.get(n, ())}
        own = label.kind in rules or (label.kind in ANY_RULE and bool(rules))
        for place, yes in enumerate((True, own, bool(rules))):
            counts[label.kind][place] += yes
        if not own:
            judged.missed.append(label)
    judged.kinds = {kind: (a, b, c) for kind, (a, b, c) in counts.items()}
    _sort_findings(run, hits, judged)
    for name, states in run.coverage.items():
        judged.detectors.setdefault(name, Counter())
        if not states & {"evaluated", "partly"}:
            judged.silent[name] = ", ".join(sorted(states)).replace("_", " ")
    return judged


def _hits(run: Run) -> dict[int, list[Found]]:
    by_record: dict[Key, list[int]] = defaultdict(list)
    by_person: dict[str, list[int]] = defaultdict(list)
    by_source: dict[str, list[int]] = defaultdict(list)
    for n, label in enumerate(run.labels):
        for key in label.records:
            by_record[key].append(n)
        for person in label.who:
            by_person[person].append(n)
        by_source[label.source].append(n)
    hits: dict[int, list[Found]] = defaultdict(list)
    for one in run.found:
        near = {n for key in one.records for n in by_record.get(key, ())}
        near.update(n for person in one.who for n in by_person.get(person, ()))
        near.update(n for source in one.sources for n in by_source.get(source, ()))
        for n in sorted(near):
            if matches(run.labels[n], one):
                hits[n].append(one)
    return hits


def _sort_findings(run: Run, hits: Mapping[int, Sequence[Found]], judged: Judgement) -> None:
    labels_of: dict[int, list[Label]] = defaultdict(list)
    for n, found in hits.items():
        for one in found:
            labels_of[id(one)].append(run.labels[n])
    for one in run.found:
        labels = labels_of.get(id(one), [])
        sort = _sort(one, labels)
        judged.detectors.setdefault(one.detector, Counter()).update(("all", sort))
        if sort == "false":
            judged.false.append(one)
            benign = [label for label in labels if label.sort == "benign"]
            benign.sort(key=lambda label: (not label.records & one.records, label.kind))
            about = [label.kind for label in benign] or ["nothing planned"]
            judged.about.setdefault(one.detector, Counter()).update(about[:1])


def _sort(one: Found, labels: Iterable[Label]) -> str:
    sorts = {(label.sort, label.kind == one.detector) for label in labels}
    if ("planted", True) in sorts:
        return "own"
    if {("ordinary", True), ("unlogged", True)} & sorts:
        return "ordinary"
    if {("planted", False), ("unlogged", False)} & sorts:
        return "other"
    return "ordinary" if ("ordinary", False) in sorts else "false"


def noticed(plain: Run, swapped: Run, swaps: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Of the pairs whose accounts were swapped: about how many a finding within a week says what none said before."""
    known: dict[str, set[Key]] = defaultdict(set)
    for one in plain.found:
        known[one.detector] |= one.records
    count = 0
    for swap in swaps:
        pair, since = set(swap["who"]), datetime.fromisoformat(swap["from"])
        count += any(
            pair & one.who
            and since <= one.end < since + timedelta(days=7)
            and not one.records & known[one.detector]
            for one in swapped.found
        )
    return count, len(swaps)
