"""What everybody does all day: which work each team has, and what runs by itself around the clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.simulate import bswagic, craftstage, hoops, oncloudwine, operators, places, printago, wine_jobs
from bench.simulate.diary import DAY, HOUR, MINUTE, Seat, Session
from bench.simulate.staff import Person
from bench.simulate.world import World

Work = Callable[[World, int, Seat, Person], None]
KEYS = {"qb7k2m9x4c1v8n3z5l0j6h2g": "queue-builder/1.8", "st0r3fr0nt5ync8d2f4g6h1j": "storefront-sync/4.2"}
WINE_KEY = "ock_7hQ2mZx4Lr9d"
KEY_ADDRESS = {name: f"198.51.100.{60 + n}" for n, name in enumerate(KEYS)}


def _craft(w: World, t: int, seat: Seat, body: Person) -> None:
    craftstage.craft(w, t, seat, body.number)


def _sell(w: World, t: int, seat: Seat, body: Person) -> None:
    hoops.sell(w, t, seat, body.number)


def plain(work: Callable[[World, int, Seat], None]) -> Work:
    return lambda w, t, seat, body: work(w, t, seat)


MENUS: dict[str, tuple[tuple[float, Work], ...]] = {
    "sales": ((8, _sell), (1, plain(bswagic.view)), (1, plain(bswagic.answer))),
    "sales_de": ((9, _sell), (1, plain(bswagic.view))),
    "prepress": ((1, _craft),),
    "prepress_de": ((1, _craft),),
    "farm": ((1, plain(operators.tend)),),
    "farm_late": ((1, plain(operators.tend)),),
    "farm_night": ((1, plain(operators.tend)),),
    "cellar": ((1, plain(oncloudwine.serve)),),
    "desk": ((1, plain(bswagic.answer)),),
    "desk_late": ((1, plain(bswagic.answer)),),
    "books": ((1, plain(hoops.bill)),),
    "marketing": ((4, plain(bswagic.view)), (2, plain(bswagic.update)), (2, plain(oncloudwine.serve))),
    "stewards": ((5, plain(bswagic.update)), (3, plain(bswagic.view)), (1, plain(oncloudwine.serve))),
    "admins": ((3, plain(bswagic.view)), (2, plain(operators.pack)), (2, plain(bswagic.update))),
    "managers": ((5, plain(bswagic.view)), (2, plain(operators.pack)), (2, plain(bswagic.update))),
}


def open_for_business(w: World, scale: float) -> None:
    """The state before the first day, in proportion to the number of people."""
    people = len(w.staff)
    w.state["farm"] = printago.Farm(w, max(8, int(people * 0.7)))
    w.state["desk"] = bswagic.Desk(w, people * 60)
    w.state["club"] = oncloudwine.Club(w, people * 40)
    w.state["shop"] = craftstage.Shop()
    w.state["counter"] = hoops.Counter()
    w.state["scale"] = scale


def season(w: World, day: int) -> float:
    """October is the busy season: it comes slowly, to a third more."""
    return 1 + 0.33 * max(0.0, (day / w.diary.days - 0.6) / 0.4)


def morning(w: World, day: int) -> None:
    """Everything that this day brings, each thing at its time."""
    for person in w.staff:
        for session in w.diary.sessions.get((person.number, day), ()):
            work_through(w, day, person, session)
    _machines(w, day)


def work_through(w: World, day: int, person: Person, session: Session) -> None:
    rng = w.rng
    mean = person.rate * session.share * season(w, day) * w.state["scale"]
    menu = MENUS[person.team.name]
    weights = [weight for weight, _ in menu]
    for _ in range(max(1, round(mean * rng.lognormvariate(0, 0.2)))):
        work = rng.choices(menu, weights)[0][1] if len(menu) > 1 else menu[0][1]
        t = rng.uniform(session.start, session.end)
        w.at(t, lambda w, t, work=work: work(w, t, session.seat, person))
    if session.share == 0.5:
        _sign_in(w, person, session)


def _sign_in(w: World, person: Person, session: Session) -> None:
    if person.team.name in ("desk", "desk_late", "marketing", "stewards", "managers"):
        w.at(session.start - MINUTE, lambda w, t: bswagic.log_in(w, t, session.seat))
        if w.rng.random() < 0.4:
            w.at(session.end + MINUTE, lambda w, t: bswagic.log_out(w, t, session.seat))
    elif person.team.name.startswith("farm"):
        w.at(session.start - MINUTE, lambda w, t: operators.log_in(w, t, session.seat))


def _machines(w: World, day: int) -> None:
    rng, begin = w.rng, w.begin + day * DAY
    scale, people = w.state["scale"], len(w.staff)
    weekend = 0.55 if (w.diary.begin.weekday() + day) % 7 >= 5 else 1.0
    busy = season(w, day) * weekend * scale * people / 200

    def spread(count: float, deed: Callable[[World, int], None], first: float = 0, last: float = 24) -> None:
        for _ in range(int(count * rng.lognormvariate(0, 0.05) + rng.random())):
            w.at(begin + rng.triangular(first, last) * HOUR, deed)

    spread(1050 * busy, printago.order_arrives)
    spread(len(printago.farm(w).printers) * 0.6, printago.blink)
    spread(1900 * busy, bswagic.receive, 3, 20)
    spread(340 * busy, wine_jobs.tracking, 12, 24)
    w.at(begin + 6 * HOUR, printago.night_watch)
    for key, agent in KEYS.items():
        line = places.Line(KEY_ADDRESS[key], agent)
        spread(260 * busy, partial(_by_key, key=key, line=line))
    spread(150 * busy, _stock_by_key)
    for name, (every, _, _) in wine_jobs.JOBS.items():
        for n in range(24 * 60 // every):
            w.at(begin + (n * every + 3) * MINUTE, lambda w, t, name=name: wine_jobs.job(w, t, name))


def _by_key(w: World, t: int, key: str, line: places.Line) -> None:
    printago.by_key(w, t, key, line)


def _stock_by_key(w: World, t: int) -> None:
    oncloudwine.adjust(w, t, WINE_KEY, f"prd_{w.rng.randrange(140)}", w.rng.randrange(-3, 4), automatic=True)
