"""One simulation from its seed: people, diary, plants, the course of the days, and the files that come of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

from bench.simulate import atlas, benign, plants, routine, staff
from bench.simulate.diary import DAY, keep
from bench.simulate.plants import trail
from bench.simulate.staff import Person
from bench.simulate.world import Label, World

BEGIN = date(2026, 8, 3)


@dataclass(frozen=True)
class Size:
    """How large a simulation is: `each` is the number of plants of each kind, `swaps` of pairs who swap accounts."""

    people: int = 200
    days: int = 90
    scale: float = 1.0
    each: int = 8
    swaps: int = 0


def simulate(folder: Path, seed: int, size: Size) -> dict[str, int]:
    """Write exports, auditbook.toml, places.mmdb, labels.jsonl and swaps.json; how many records of each product."""
    exports = folder / "exports"
    exports.mkdir(parents=True, exist_ok=True)
    rng = Random(seed)
    people = staff.hire(rng, size.people, size.days)
    swaps = _swaps(Random(seed + 1), people, size)
    diary = keep(rng, people, BEGIN, size.days, swaps)
    w = World(rng, people, diary, exports)
    routine.open_for_business(w, size.scale)
    _remark(w)
    benign.arrange(w)
    plants.arrange(w, size.each)
    _aftermath(w)
    w.run(lambda day: routine.morning(w, day))
    atlas.write(folder / "places.mmdb")
    (folder / "auditbook.toml").write_text(staff.settings(w.staff, BEGIN, size.days), "utf-8")
    with (folder / "labels.jsonl").open("w", encoding="utf-8") as file:
        for label in w.labels:
            file.write(json.dumps(_label(label), ensure_ascii=False) + "\n")
    (folder / "swaps.json").write_text(json.dumps(_told(w, swaps), indent=1), "utf-8")
    return w.counts


def _remark(w: World) -> None:
    """Label what is unusual about a day's work and nobody's fault: a journey, a moved office, a line dialled anew."""
    for session in (one for found in w.diary.sessions.values() for one in found if one.remark):
        start, end = session.start, session.end
        w.labels.append(Label(session.remark, "benign", start, end, [session.seat.who.email]))


AFTERMATH = (
    "state_conflict",
    "illegal_transition",
    "missing_approval",
    "ready_with_errors",
    "superseded_approval_link",
    "edit_after_approval",
    "invoice_never_sent",
    "stale_in_progress",
)


def _aftermath(w: World) -> None:
    """For two weeks after a silence, what went on unlogged rightly looks like steps that were left out."""
    for product, start, end, _ in w.silences:
        w.labels += [Label(kind, "ordinary", start, end + 14 * DAY, source=product) for kind in AFTERMATH]


def _label(label: Label) -> dict[str, object]:
    records = [{"source": one.product, "id": one.id} for one in label.entries if one.id]
    if any(one.lost for one in label.entries) and label.kind not in trail.SILENT:
        label.sort = "unlogged"  # a silence of the log took a part of it
    return {
        "kind": label.kind,
        "sort": label.sort,
        "who": label.who,
        "from": _time(label.start),
        "until": _time(label.end),
        "source": label.source,
        "strength": label.strength,
        "records": records,
    }


def _time(t: int) -> str:
    return datetime.fromtimestamp(t / 1000, UTC).isoformat().replace("+00:00", "Z")


def _swaps(rng: Random, people: list[Person], size: Size) -> dict[int, tuple[Person, int]]:
    """Pairs drawn from everybody who is there all the time, and the day from which each uses the other's account."""
    there = [one for one in people if one.first_day == 0 and one.last_day == size.days]
    rng.shuffle(there)
    found: dict[int, tuple[Person, int]] = {}
    for first, second in zip(there[: size.swaps], there[size.swaps : 2 * size.swaps], strict=True):
        day = rng.randrange(size.days * 2 // 3, size.days - 8)
        found |= {first.number: (second, day), second.number: (first, day)}
    return found


def _told(w: World, swaps: dict[int, tuple[Person, int]]) -> list[dict[str, object]]:
    return [
        {
            "who": [w.staff[number].email, other.email],
            "from": _time(w.begin + day * DAY),
            "teams": [w.staff[number].team.name, other.team.name],
        }
        for number, (other, day) in swaps.items()
        if number < other.number
    ]
