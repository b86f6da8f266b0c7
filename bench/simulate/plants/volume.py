"""Too much, too many, too often."""

from __future__ import annotations

from bench.simulate import bswagic, oncloudwine, operators, printago, wine_jobs
from bench.simulate.diary import Seat
from bench.simulate.plants.planter import DAY, HOUR, Planter, minutes
from bench.simulate.staff import Person
from bench.simulate.world import World, cuid

DESK = ("desk", "desk_late")
FARM = ("farm", "farm_late")


def bulk_delete(p: Planter) -> None:
    """Many things are deleted: in one bulk entry, or one after the other."""
    way = p.turn("parts", "contacts", "members", "bulk contacts")
    person, day = p.someone({"parts": FARM, "members": ("cellar",)}.get(way, DESK))
    seat, count, start = p.seat(person, day), p.size(52, 110, 290), p.within(person, day, HOUR)
    label = p.label(start, start + HOUR, person)
    if way == "parts":
        operators.refill(p.w, count)
        p.w.at(start, lambda w, t: operators.bulk_delete_parts(w, t, seat, count), label)
    elif way == "bulk contacts":
        p.w.at(start, lambda w, t: bswagic.bulk_delete(w, t, seat, count), label)
    else:
        delete = bswagic.delete if way == "contacts" else oncloudwine.delete_contact
        p.spread(label, start, start + minutes(p.size(40, 30, 25)), count, lambda w, t: delete(w, t, seat))


def first_bulk_action(p: Planter) -> None:
    """Somebody who never did anything in bulk does so."""
    way = p.turn("jobs", "contacts")
    person, day = p.someone(("managers", "admins") if way == "jobs" else DESK)
    seat, count, start = p.seat(person, day), p.size(7, 16, 33), p.within(person, day)
    label = p.label(start, start, person)

    def act(w: World, t: int) -> None:
        if way == "jobs":
            queue = printago.farm(w).queue
            printago.record(
                w,
                t,
                seat,
                "bulk_update",
                "printJob.updatePriority",
                "PrintJobs",
                None,
                [*queue[:count], *(cuid(w.rng) for _ in range(count - len(queue)))],
            )
        else:
            bswagic.record(w, t, seat, "Contact Bulk Updated", f"Bulk update of {count} contacts")

    p.w.at(start, act, label)


def mass_same_change(p: Planter) -> None:
    """The same change is made to one thing after the other."""
    way = p.turn("desk", "cellar", "prices")
    person, day = p.someone(DESK if way == "desk" else ("cellar",))
    seat, start, count = p.seat(person, day), p.within(person, day, HOUR), p.size(42, 85, 130)
    label = p.label(start, start + HOUR, person)
    if way == "prices":
        for n in range(min(count, 138)):
            product = f"prd_{n}"
            p.w.at(
                start + n * 15_000, lambda w, t, one=product: oncloudwine.reprice(w, t, seat, one, 1), label
            )
            p.w.at(start + DAY + n, lambda w, t, one=product: oncloudwine.club(w).price.__setitem__(one, 1))
    elif way == "cellar":
        p.spread(
            label,
            start,
            start + minutes(35),
            count,
            lambda w, t: oncloudwine.change_contact(w, t, seat, "status", "CANCELLED"),
        )
    else:
        p.spread(
            label,
            start,
            start + minutes(35),
            count,
            lambda w, t: bswagic.update(w, t, seat, "status", "blocked"),
        )


def actor_volume_spike(p: Planter) -> None:
    """Somebody does of one thing many times what they ever did in such a time."""
    way = p.turn("views", "parts", "shipments")
    person, day = p.someone({"views": DESK, "parts": FARM, "shipments": ("cellar",)}[way])
    seat, start = p.seat(person, day), p.within(person, day, 2 * HOUR)
    label = p.label(start, start + minutes(80), person)

    def act(w: World, t: int) -> None:
        if way == "views":
            bswagic.view(w, t, seat)
        elif way == "parts":
            part = cuid(w.rng)
            printago.record(
                w,
                t,
                seat,
                "create",
                "part.create",
                "Parts",
                part,
                changes={"name": {"new": f"copy_{part[:4]}.stl"}},
            )
        else:
            one = f"ful_{cuid(w.rng)[:8]}"
            oncloudwine.record(
                w,
                t,
                seat,
                "shipment created",
                f"Fulfillment shipment created · #{one[4:]}",
                "FULFILLMENT",
                one,
            )

    p.spread(label, start, start + minutes(80), p.size(150, 330, 800), act)


def peer_outlier(p: Planter) -> None:
    """Somebody looks at far more customers than colleagues in the same role do, for some days."""
    length = p.size(3, 4, 5)
    person, day = p.someone(DESK, last=length + 3, span=length)
    label = p.label(p.session(person, day).start, p.session(person, day).end, person)
    for one in range(day, day + length):
        for session in p.w.diary.sessions.get((person.number, one), ())[:2]:
            label.end = session.end
            p.spread(
                label,
                session.start,
                session.end,
                p.size(40, 75, 140),
                lambda w, t, seat=session.seat: bswagic.view(w, t, seat),
            )


def org_trend_break(p: Planter) -> None:
    """For a day a whole product is far busier, or far quieter, than on any such weekday."""
    product = p.turn("printago", "bswagic", "oncloudwine")
    day = p.rng.randrange(p.first + p.n * 9 % max(1, p.days - p.first - 3), p.days - 2)
    while (p.w.diary.begin.weekday() + day) % 7 > 3 or (-1, day) in p.taken:
        day = p.rng.randrange(p.first, p.days - 2)
    p.taken.update({(-1, day), (-1, day + 1)})
    start = p.w.begin + day * DAY
    label = p.label(start, start + DAY, source=product)
    if p.n % 2:
        p.w.silences.append((product, start, start + DAY, (0.72, 0.8, 0.92)[p.n % 3]))
        return
    deed = {
        "printago": printago.order_arrives,
        "bswagic": bswagic.receive,
        "oncloudwine": wine_jobs.tracking,
    }[product]
    usual = (
        {"printago": 1500, "bswagic": 9000, "oncloudwine": 6500}[product]
        * len(p.w.staff)
        / 200
        * p.w.state["scale"]
    )
    p.spread(label, start + 9 * HOUR, start + 23 * HOUR, int(usual * p.size(15, 22, 40) / 10), deed)


def _export(w: World, t: int, seat: Seat, person: Person) -> None:
    if person.team.name in FARM:
        operators.export(w, t, seat)
    elif person.team.name == "cellar":
        oncloudwine.export(w, t, seat)
    else:
        bswagic.export(w, t, seat)


def export_burst(p: Planter) -> None:
    """Somebody who does not export takes one list after the other."""
    person, day = p.someone((*DESK, *FARM, "cellar"))
    seat, start = p.seat(person, day), p.within(person, day, HOUR)
    label = p.label(start, start + minutes(45), person)
    p.spread(label, start, start + minutes(45), p.size(9, 16, 34), lambda w, t: _export(w, t, seat, person))


def export_then_delete(p: Planter) -> None:
    """A list is taken, and hours later what was in it is deleted."""
    person, day = p.someone((*DESK, "cellar"))
    seat, start = p.seat(person, day), p.within(person, day)
    label = p.label(start, start + 8 * HOUR, person)
    p.spread(label, start, start + minutes(4), p.size(1, 2, 2), lambda w, t: _export(w, t, seat, person))
    delete = oncloudwine.delete_contact if person.team.name == "cellar" else bswagic.delete
    later = start + minutes(p.rng.uniform(40, 240))
    p.spread(label, later, later + minutes(25), p.size(8, 14, 31), lambda w, t: delete(w, t, seat))


PLANTS = (
    bulk_delete,
    first_bulk_action,
    mass_same_change,
    actor_volume_spike,
    peer_outlier,
    org_trend_break,
    export_burst,
    export_then_delete,
)
