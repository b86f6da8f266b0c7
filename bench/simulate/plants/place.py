"""From where nobody ever came."""

from __future__ import annotations

from collections.abc import Callable

from bench.simulate import oncloudwine, places, printago, routine
from bench.simulate.places import Line
from bench.simulate.plants.planter import HOUR, Planter, minutes
from bench.simulate.staff import Person

WITH_ADDRESS = ("prepress", "prepress_de", "farm", "farm_late", "cellar", "desk", "desk_late")
WITH_AGENT = ("prepress", "prepress_de", "farm", "farm_late")


def settled(person: Person) -> bool:
    """Somebody whose addresses hardly ever change."""
    return person.phone is None and not person.home.daily


def _visit(p: Planter, where: Callable[[Person], str]) -> None:
    person, day = p.someone(WITH_ADDRESS, also=settled)
    start = p.within(person, day, HOUR)
    end = start + minutes(p.size(12, 30, 70))
    seat = p.elsewhere(person, day, where(person))
    p.usual_work(p.label(start, end, person), person, seat, start, end, p.size(5, 11, 26))


def new_ip_for_actor(p: Planter) -> None:
    """An account is used from an address that was never its own, in a network that others work from."""
    _visit(p, lambda person: places.home(p.rng, p.rng.randrange(20), person.city).address)


def new_network(p: Planter) -> None:
    """An account is used from a rented machine in a network that nobody here ever came from."""
    _visit(p, lambda _: places.strange(p.rng))


def impossible_travel(p: Planter) -> None:
    """Within the hour an account is used in the office and on another continent."""
    person, day = p.someone(WITH_ADDRESS, also=settled)
    start = p.within(person, day, 2 * HOUR)
    far = p.elsewhere(person, day, places.far(p.rng))
    label = p.label(start - HOUR, start + HOUR, person)
    p.usual_work(label, person, far, start, start + minutes(15), p.size(3, 6, 12))


def ip_hopping(p: Planter) -> None:
    """An account changes its address every few minutes."""
    person, day = p.someone(WITH_ADDRESS, also=settled)
    start, count = p.within(person, day, HOUR), p.size(7, 13, 26)
    label = p.label(start, start + minutes(50), person)
    for n in range(count):
        seat = p.elsewhere(person, day, places.strange(p.rng))
        t = start + minutes(50) * n / count
        p.usual_work(label, person, seat, t, t + minutes(2), 2)


def shared_ip(p: Planter) -> None:
    """One strange machine uses the accounts of several people, one after the other."""
    ip, agent = places.strange(p.rng), p.rng.choice(places.STRANGERS_AGENTS)
    first, day = p.someone(("desk",), also=settled)
    others = [
        one
        for one in p.w.staff
        if one.number != first.number
        and (one.number, day) in p.w.diary.sessions
        and one.team.name in WITH_ADDRESS
        and settled(one)
    ]
    victims = [first, *p.rng.sample(others, min(len(others), p.size(4, 6, 9)))]
    start = p.within(first, day)
    label = p.label(start, start + 3 * HOUR, *victims)
    for n, person in enumerate(victims):
        p.taken.add((person.number, day))
        t = start + minutes(15 * n)
        p.usual_work(label, person, p.elsewhere(person, day, ip, agent), t, t + minutes(9), 4)


def new_user_agent(p: Planter) -> None:
    """An account is used with a program instead of its owner's browser, from the usual address."""
    person, day = p.someone(WITH_AGENT, also=settled)
    start = p.within(person, day, HOUR)
    end = start + minutes(p.size(10, 25, 60))
    seat = p.elsewhere(person, day, None, p.rng.choice(places.STRANGERS_AGENTS))
    p.usual_work(p.label(start, end, person), person, seat, start, end, p.size(4, 9, 22))


def api_key_new_ip(p: Planter) -> None:
    """A key of an integration is used from somewhere else."""
    day = p.rng.randrange(p.first, p.days - 3)
    start = p.w.begin + int((day + p.rng.random()) * 24 * HOUR)
    line, count = Line(places.strange(p.rng), p.rng.choice(places.STRANGERS_AGENTS)), p.size(4, 14, 45)
    key = p.turn(*routine.KEYS, routine.WINE_KEY)
    label = p.label(start, start + HOUR, source="oncloudwine" if key == routine.WINE_KEY else "printago")
    if key == routine.WINE_KEY:
        p.spread(
            label,
            start,
            start + HOUR,
            count,
            lambda w, t: oncloudwine.adjust(
                w,
                t,
                key,
                f"prd_{w.rng.randrange(140)}",
                w.rng.choice((-2, -1, 1, 2)),
                automatic=True,
                ip=line.ip,
            ),
        )
    else:
        p.spread(label, start, start + HOUR, count, lambda w, t: printago.by_key(w, t, key, line))


PLANTS = (
    new_ip_for_actor,
    new_network,
    impossible_travel,
    ip_hopping,
    shared_ip,
    new_user_agent,
    api_key_new_ip,
)
