"""Who may do what."""

from __future__ import annotations

from bench.simulate import bswagic, craftstage, oncloudwine, operators, printago
from bench.simulate.diary import Seat
from bench.simulate.plants.planter import Planter, minutes
from bench.simulate.staff import Person
from bench.simulate.world import Entry, World, cuid

PRODUCTS = ("craftstage", "oncloudwine", "printago", "bswagic")


def grant(
    w: World, t: float, seat: Seat, whom: Person, product: str, new: str = "Admin", old: str = ""
) -> Entry:
    """A role is given in one of the products."""
    if product == "craftstage":
        return craftstage.role_changed(w, t, seat, whom, old or "Member", new)
    if product == "oncloudwine":
        return oncloudwine.member(
            w,
            t,
            seat,
            "role changed",
            whom.name,
            whom.ids["oncloudwine"],
            {"role": (old or "Member").upper()},
            {"role": new.upper()},
        )
    if product == "printago":
        return printago.record(
            w,
            t,
            seat,
            "update",
            "member.update",
            "Members",
            whom.ids["printago"],
            changes={"role": {"old": (old or "Member").lower(), "new": new.lower()}},
        )
    return bswagic.record(
        w,
        t,
        seat,
        "Staff Updated",
        f"Role of {whom.name} changed",
        f"Staff #{whom.ids['bswagic']}",
        {"role": old or "Agent"},
        {"role": new if new == "Admin" else "Agent"},
    )


def _colleague(p: Planter, teams: tuple[str, ...], not_this: Person) -> Person:
    return p.rng.choice(
        [one for one in p.w.staff if one.team.name in teams and one.number != not_this.number]
    )


def permission_change(p: Planter) -> None:
    """What a role allows is widened."""
    person, _, seat, start = p.admin()
    product = p.turn("bswagic", "printago", "bswagic setting")
    label = p.label(start, start, person)

    def act(w: World, t: int) -> None:
        if product == "printago":
            printago.record(
                w,
                t,
                seat,
                "update",
                "role.update",
                "Roles",
                cuid(w.rng),
                changes={"permissions": {"old": ["order.view"], "new": ["order.view", "order.delete"]}},
            )
        elif product == "bswagic":
            bswagic.record(
                w,
                t,
                seat,
                "Role Updated",
                "Role Agent changed",
                "Role #2",
                {"admin.Staff.delete": False},
                {"admin.Staff.delete": True},
            )
        else:
            bswagic.record(
                w,
                t,
                seat,
                "Setting Updated",
                "Role permissions changed for Agent",
                "Setting roles.agent",
                {"admin.roles.edit": False},
                {"admin.roles.edit": True},
            )

    p.w.at(start, act, label)


def admin_granted(p: Planter) -> None:
    """Somebody is made an administrator."""
    person, _, seat, start = p.admin()
    whom, product = _colleague(p, ("sales", "prepress", "desk", "farm"), person), p.turn(*PRODUCTS)
    p.w.at(start, lambda w, t: grant(w, t, seat, whom, product), p.label(start, start, person))


def self_grant(p: Planter) -> None:
    """Somebody gives a role to themselves."""
    person, day = p.someone(("sales", "prepress", "desk", "cellar", "managers"))
    seat, start, product = p.seat(person, day), p.within(person, day), p.turn(*PRODUCTS)
    p.w.at(start, lambda w, t: grant(w, t, seat, seat.who, product), p.label(start, start, person))


def grant_use_revoke(p: Planter) -> None:
    """A right is given, used at once and taken away again before anybody looks."""
    person, day, seat, start = p.admin()
    user, product = (
        _colleague(p, ("desk", "cellar", "prepress"), person),
        p.turn("oncloudwine", "bswagic", "printago"),
    )
    theirs = p.own(user, day)
    used, revoked = start + minutes(p.size(70, 25, 8)), start + minutes(p.size(170, 60, 19))
    label = p.label(start, revoked, person, user)
    p.w.at(start, lambda w, t: grant(w, t, seat, user, product), label)

    def use(w: World, t: int) -> None:
        if product == "oncloudwine":
            oncloudwine.export(w, t, theirs)
            oncloudwine.setting(
                w, t + 60_000, theirs, "Payout account", {"iban": "[REDACTED]"}, {"iban": "[REDACTED]"}
            )
        elif product == "bswagic":
            bswagic.export(w, t, theirs)
            bswagic.record(
                w,
                t + 60_000,
                theirs,
                "Setting Updated",
                "Webhook address changed",
                "Setting webhooks.orders",
                {"url": "https://hooks.partner.example"},
                {"url": "https://elsewhere.example"},
            )
        else:
            operators.export(w, t, theirs)

    p.w.at(used, use, label)
    p.w.at(revoked, lambda w, t: grant(w, t, seat, user, product, "Member", "Admin"), label)


PLANTS = (permission_change, admin_granted, self_grant, grant_use_revoke)
