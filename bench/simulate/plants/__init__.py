"""What is planted: each kind of anomaly of the catalogue, by its plain meaning, in varied strengths."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from bench.simulate.plants import hours, identity, operations, place, process, rights, trail, volume
from bench.simulate.plants.planter import Planter
from bench.simulate.world import World

KINDS: dict[str, Callable[[Planter], None]] = {
    function.__name__: function
    for room in (hours, volume, place, rights, identity, process, operations, trail)
    for function in room.PLANTS
}


def arrange(w: World, each: int) -> None:
    """Plant every kind `each` times; those that need many days, or silence a whole product, less often."""
    p = Planter(w)
    for kind, plant in sorted(KINDS.items(), key=lambda item: item[0] not in FIRST):
        p.kind = kind
        for p.n in range(min(each, MOST.get(kind, each))):
            if w.diary.days >= DAYS.get(kind, 0):
                plant(copy(p))


# These need people for weeks on end, so they choose before the others.
FIRST = ("dormant_return", "departed_actor_active", "peer_outlier")
MOST = {
    "logging_disabled": 4,
    "source_silence": 6,
    "org_trend_break": 6,
    "retention_breach": 1,
    "dormant_return": 5,
    "departed_actor_active": 5,
}
DAYS = {"dormant_return": 75, "invoice_never_sent": 60, "retention_breach": 70}
