"""Who is who: accounts that are new, asleep, gone, guessed, or not what they say."""

from __future__ import annotations

from dataclasses import replace

from bench.simulate import bswagic, craftstage, oncloudwine, places, printago
from bench.simulate.diary import Seat
from bench.simulate.places import Line
from bench.simulate.plants.planter import HOUR, Planter, minutes
from bench.simulate.staff import Person
from bench.simulate.world import Entry, World, cuid


def stranger(p: Planter) -> Person:
    """An account that nobody has seen before."""
    number = p.rng.randrange(1000, 9999)
    model = p.w.staff[0]
    return replace(
        model,
        number=model.number,
        name=f"Temp Account {number}",
        email=f"temp{number}@harborfinch.example",
        ids={
            "craftstage": f"usr_{number}",
            "oncloudwine": f"usr_temp{number}",
            "printago": cuid(p.rng),
            "bswagic": str(number),
        },
    )


def new_actor_sensitive(p: Planter) -> None:
    """An account that was never seen does something sensitive within its first hours."""
    who, product = stranger(p), p.turn("bswagic", "printago", "oncloudwine")
    day = p.rng.randrange(p.first, p.days - 3)
    start = p.w.diary.moment("America/New_York", day, p.rng.uniform(600, 900))
    seat = Seat(
        who,
        Line(places.OFFICES["harbor"][0], places.browser("Chrome", "Windows NT 10.0; Win64; x64", day, 1)),
    )
    label = p.label(start, start + HOUR, who)

    def act(w: World, t: int) -> None:
        if product == "bswagic":
            bswagic.record(
                w,
                t,
                seat,
                "Role Updated",
                "Role Agent changed",
                "Role #2",
                {"admin.Staff.view": False},
                {"admin.Staff.view": True},
            )
        elif product == "printago":
            printago.record(
                w,
                t,
                seat,
                "update",
                "integration.update",
                "Integrations",
                cuid(w.rng),
                changes={"url": {"old": "https://a.example", "new": "https://b.example"}},
            )
        else:
            oncloudwine.setting(
                w, t, seat, "Payout account", {"bank": "First"}, {"bank": f"Bank {w.rng.randrange(99)}"}
            )

    p.spread(label, start, start + HOUR, p.size(1, 2, 4), act)


def dormant_return(p: Planter) -> None:
    """An account that was quiet for many weeks is used again."""
    candidates = [
        one
        for one in p.w.staff
        if one.first_day == 0
        and one.last_day == p.days
        and one.team.name in ("sales", "prepress", "cellar", "desk", "farm")
        and (one.number, 0) not in p.taken
    ]
    person = p.rng.choice(candidates)
    away = p.rng.randrange(12, 18)
    back = away + p.size(52, 58, 64)
    p.absent(person, range(away, back))
    p.absent(person, range(back, p.days))
    p.taken.update((person.number, day) for day in range(p.days + 1))
    start = p.w.diary.moment(person.team.zone, back, p.rng.uniform(660, 900))
    label = p.label(start, start + HOUR, person)
    p.usual_work(label, person, p.own(person, back), start, start + HOUR, p.size(4, 9, 20))


def impersonation(p: Planter) -> None:
    """The vendor's support acts in somebody's name."""
    person, day = p.someone(("farm", "farm_late"))
    seat = p.elsewhere(
        person, day, "198.51.100.230", places.browser("Chrome", "Windows NT 10.0; Win64; x64", day, 0)
    )
    start = p.within(person, day)
    label = p.label(start, start + minutes(25), person)
    support = {"id": "sv3nsupport9printago1k6l", "email": "support@printago.example"}
    p.spread(
        label,
        start,
        start + minutes(25),
        p.size(1, 4, 9),
        lambda w, t: printago.record(
            w,
            t,
            seat,
            "update",
            "printerSlot.unassign",
            "PrinterSlots",
            cuid(w.rng),
            behind=support,
        ),
    )


def mfa_weakened(p: Planter) -> None:
    """The second factor is no longer asked for."""
    person, _, seat, start = p.admin()
    product = p.turn("bswagic", "printago", "oncloudwine")

    def act(w: World, t: int) -> None:
        if product == "bswagic":
            bswagic.record(
                w,
                t,
                seat,
                "Setting Updated",
                "Two-factor authentication switched off",
                "Setting security.two_factor",
                {"two_factor_required": True},
                {"two_factor_required": False},
            )
        elif product == "printago":
            printago.record(
                w,
                t,
                seat,
                "update",
                "member.update",
                "Members",
                w.staff[1].ids["printago"],
                changes={"mfaRequired": {"old": True, "new": False}},
            )
        else:
            oncloudwine.setting(
                w,
                t,
                seat,
                "Two-factor authentication",
                {"twoFactorRequired": True},
                {"twoFactorRequired": False},
            )

    p.w.at(start, act, p.label(start, start, person))


def token_created(p: Planter) -> None:
    """A key for programs is made."""
    person, _, seat, start = p.admin()
    label = p.label(start, start, person)
    p.w.at(start, lambda w, t: make_key(w, t, seat, p.turn("oncloudwine", "printago")), label)


def make_key(w: World, t: float, seat: Seat, product: str) -> Entry:
    if product == "oncloudwine":
        number = w.rng.randrange(10_000)
        return oncloudwine.record(
            w,
            t,
            seat,
            "created",
            f"API key created · Reporting {number}",
            "API_KEY",
            f"key_{number}",
            None,
            {"scopes": ["read", "write"]},
        )
    return printago.record(
        w,
        t,
        seat,
        "create",
        "apiKey.create",
        "ApiKeys",
        cuid(w.rng),
        changes={"name": {"new": "reporting"}, "secret": {"new": "[REDACTED]"}},
    )


def fail_then_success(p: Planter) -> None:
    """Somebody tries passwords until one fits."""
    person, day = p.someone(("desk", "desk_late", "stewards"))
    seat = p.elsewhere(person, day, places.strange(p.rng))
    count, start = p.size(7, 14, 30), p.within(person, day, HOUR)
    end = start + minutes(p.size(9, 8, 7))
    label = p.label(start, end + minutes(2), person)
    p.spread(
        label,
        start,
        end,
        count,
        lambda w, t: bswagic.record(w, t, seat, "Staff Login Failed", "Wrong password"),
    )
    p.w.at(
        end + minutes(2),
        lambda w, t: bswagic.record(
            w,
            t,
            seat,
            "Staff Logged In",
            "Logged in from a new device",
            f"Staff #{person.ids['bswagic']}",
        ),
        label,
    )


def failure_ratio_shift(p: Planter) -> None:
    """Of what somebody charges, suddenly a large part fails: stolen cards are being tried."""
    person, day = p.someone(("cellar",))
    seat, start, share = p.seat(person, day), p.within(person, day, 2 * HOUR), (0.4, 0.6, 0.85)[p.n % 3]
    label = p.label(start, start + minutes(100), person)
    p.spread(
        label,
        start,
        start + minutes(100),
        p.size(36, 60, 90),
        lambda w, t: oncloudwine.charge(w, t, seat, share),
    )


def system_with_user_context(p: Planter) -> None:
    """What the product says it did itself came from somebody's browser."""
    person, day = p.someone(("farm", "prepress"))
    seat, start = p.seat(person, day), p.within(person, day)
    label = p.label(
        start, start + minutes(20), source="printago" if person.team.name == "farm" else "craftstage"
    )

    def act(w: World, t: int) -> None:
        if person.team.name == "farm":
            printago.record(w, t, seat, "update", "setting.sync", "Stores", printago.STORE, actor="system")
        else:
            job = f"job_{w.rng.randrange(4100, 4190)}"
            craftstage.record(
                w, t, None, "items_parsed", job, {"itemCount": 0, "itemIds": [], "automated": True}, seat.line
            )

    p.spread(label, start, start + minutes(20), p.size(1, 4, 8), act)


def departed_actor_active(p: Planter) -> None:
    """The account of somebody who left is still used."""
    person, day = p.someone(("sales", "prepress", "cellar", "desk", "farm"), last=14, span=13)
    gone = p.dismiss(person, day)
    p.taken.update((person.number, one) for one in range(day, p.days + 1))
    start = p.w.diary.moment(person.team.zone, day + p.size(4, 6, 9), p.rng.uniform(660, 960))
    label = p.label(start, start + HOUR, gone)
    p.usual_work(label, gone, p.own(gone, day), start, start + HOUR, p.size(3, 8, 20))


PLANTS = (
    new_actor_sensitive,
    dormant_return,
    impersonation,
    mfa_weakened,
    token_created,
    fail_then_success,
    failure_ratio_shift,
    system_with_user_context,
    departed_actor_active,
)
