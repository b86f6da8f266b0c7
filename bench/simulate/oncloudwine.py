"""The wine club: contacts, stock, payments, and the jobs and webhooks behind them. Records in OnCloudWine's shape."""

from __future__ import annotations

from typing import Any

from bench.simulate.diary import MINUTE, Seat
from bench.simulate.world import Entry, World, cuid

ORGANIZATION = "org_hf_wine"
KEY_ADDRESS = "198.51.100.80"
TAGS = ("VIP", "Rosé Club", "Trade", "Local", "Press")


def record(
    w: World,
    t: float,
    actor: Seat | str | None,
    action: str | None,
    event: str,
    kind: str | None = None,
    entity: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    *,
    family: str = "USER_ACTION",
    status: str = "SUCCESS",
) -> Entry:
    """One entry; the actor is a person, or the name of a program."""
    if isinstance(actor, Seat):
        name, user = actor.who.name, actor.who.ids["oncloudwine"]
        metadata = {**(metadata or {}), "ip": actor.line.ip}
    else:
        name, user = actor, None  # type: ignore[assignment]
    return w.emit(
        "oncloudwine",
        t,
        {
            "id": None,
            "organizationId": ORGANIZATION,
            "timestamp": None,
            "type": family,
            "status": status,
            "actor": name,
            "userId": user,
            "action": action,
            "event": event,
            "entityType": kind,
            "entityId": entity,
            "before": before,
            "after": after,
            "metadata": metadata,
        },
    )


class Club:
    def __init__(self, w: World, members: int) -> None:
        rng = w.rng
        self.contacts: dict[str, dict[str, Any]] = {
            f"cnt_{n}": {"status": "ACTIVE", "tags": [], "phone": f"+1 707 555 {n % 10000:04d}"}
            for n in range(members)
        }
        self.names = list(self.contacts)
        self.stock = {f"prd_{n}": rng.randrange(40, 400) for n in range(140)}
        self.price = {f"prd_{n}": rng.randrange(14, 90) for n in range(140)}
        self.fulfilments: list[str] = []
        self.run = 2_000


def club(w: World) -> Club:
    return w.state["club"]  # type: ignore[no-any-return]


def some(w: World) -> str:
    names = club(w).names
    return names[int(len(names) * w.rng.random() ** 1.5)]


def serve(w: World, t: int, seat: Seat) -> None:
    """One thing that somebody of the club's staff does."""
    rng, c = w.rng, club(w)
    dice = rng.random()
    if dice < 0.3:
        change_contact(w, t, seat, "phone", f"+1 707 555 {rng.randrange(10_000):04d}")
    elif dice < 0.45:
        _tag(w, t, seat)
    elif dice < 0.53:
        name = some(w)
        change_contact(
            w, t, seat, "status", "ON_HOLD" if c.contacts[name]["status"] == "ACTIVE" else "ACTIVE", name
        )
    elif dice < 0.63:
        adjust(w, t, seat, rng.choice(list(c.stock)), rng.randrange(-6, 7))
    elif dice < 0.82:
        _fulfil(w, t, seat)
    elif dice < 0.985:
        charge(w, t, seat)
    elif dice < 0.992:
        create_contact(w, t, seat)
    else:
        delete_contact(w, t, seat)


def change_contact(w: World, t: int, seat: Seat, field: str, value: Any, name: str = "") -> None:
    c = club(w)
    name = name or some(w)
    old = c.contacts[name][field]
    if old == value:
        return
    action = "status changed" if field == "status" else "updated"
    record(
        w,
        t,
        seat,
        action,
        f"Contact {action} · Member {name[4:]}",
        "CONTACT",
        name,
        {field: old},
        {field: value},
    )
    c.contacts[name][field] = value
    if w.rng.random() < 0.15:
        webhook_out(w, t + 1500, "CONTACT_UPDATED", name)


def _tag(w: World, t: int, seat: Seat) -> None:
    name = some(w)
    contact = club(w).contacts[name]
    tag = w.rng.choice(TAGS)
    new = (
        [one for one in contact["tags"] if one != tag] if tag in contact["tags"] else [*contact["tags"], tag]
    )
    action = "tags removed" if tag in contact["tags"] else "tags added"
    record(
        w,
        t,
        seat,
        action,
        f"Contact {action} · Member {name[4:]}",
        "CONTACT",
        name,
        {"tags": contact["tags"]},
        {"tags": new},
    )
    contact["tags"] = new


def create_contact(w: World, t: int, seat: Seat) -> None:
    c = club(w)
    name = f"cnt_{len(c.names) + 50_000}{w.rng.randrange(100)}"
    if name not in c.contacts:
        c.contacts[name] = {"status": "ACTIVE", "tags": [], "phone": "+1 707 555 0000"}
        c.names.append(name)
        record(
            w,
            t,
            seat,
            "created",
            f"Contact created · Member {name[4:]}",
            "CONTACT",
            name,
            None,
            dict(c.contacts[name]),
        )


def delete_contact(w: World, t: int, seat: Seat) -> None:
    c = club(w)
    name = c.names.pop(w.rng.randrange(len(c.names)))
    record(
        w,
        t,
        seat,
        "deleted",
        f"Contact deleted · Member {name[4:]}",
        "CONTACT",
        name,
        c.contacts.pop(name),
        None,
    )


def adjust(
    w: World,
    t: float,
    actor: Seat | str,
    product: str,
    by: int,
    *,
    automatic: bool = False,
    ip: str | None = KEY_ADDRESS,
) -> None:
    c = club(w)
    old, new = c.stock[product], max(0, c.stock[product] + by)
    if old == new:
        return
    c.stock[product] = new
    action = "updated" if automatic else "stock adjusted"
    record(
        w,
        t,
        actor,
        action,
        f"Product {action} · Wine {product[4:]}",
        "PRODUCT",
        product,
        {"stock": old},
        {"stock": new},
        {"ip": ip} if automatic else {"reason": "Count"},
    )


def reprice(w: World, t: int, seat: Seat, product: str, value: int) -> None:
    c = club(w)
    if c.price[product] != value:
        record(
            w,
            t,
            seat,
            "updated",
            f"Product updated · Wine {product[4:]}",
            "PRODUCT",
            product,
            {"price": c.price[product]},
            {"price": value},
        )
        c.price[product] = value


def _fulfil(w: World, t: int, seat: Seat) -> None:
    c, rng = club(w), w.rng
    if c.fulfilments and rng.random() < 0.55:
        one = c.fulfilments.pop(rng.randrange(len(c.fulfilments)))
        record(
            w,
            t,
            seat,
            "status changed",
            f"Fulfillment status changed · #{one[4:]}",
            "FULFILLMENT",
            one,
            {"status": "PENDING"},
            {"status": "COMPLETED"},
        )
        return
    one = f"ful_{cuid(rng)[:8]}"
    c.fulfilments.append(one)
    record(
        w,
        t,
        seat,
        "shipment created",
        f"Fulfillment shipment created · #{one[4:]}",
        "FULFILLMENT",
        one,
        None,
        None,
        {
            "carrier": "FedEx",
            "trackingNumber": f"7700 {rng.randrange(10_000):04d} {rng.randrange(10_000):04d}",
        },
    )


def charge(w: World, t: int, seat: Seat, fails: float = 0.04) -> None:
    """A charge, its result, and the payment provider's webhook."""
    rng = w.rng
    payment, member, amount = f"pay_{cuid(rng)[:10]}", some(w), rng.randrange(3000, 42_000)
    money = {"amount": amount, "currency": "usd"}
    record(
        w,
        t,
        seat,
        "charge attempted",
        f"Payment charge attempted · Member {member[4:]}",
        "PAYMENT",
        payment,
        {"status": "PENDING"},
        {"status": "PROCESSING"},
        money,
        status="IN_PROGRESS",
    )
    bad = rng.random() < fails
    result, end = ("charge failed", "FAILED") if bad else ("charge succeeded", "COMPLETED")
    extra = {"error": "card_declined", "retryable": True, "reason": "card_declined"} if bad else {}
    record(
        w,
        t + 2600,
        seat,
        result,
        f"Payment {result} · Member {member[4:]}",
        "PAYMENT",
        payment,
        {"status": "PROCESSING"},
        {"status": end},
        {**money, **extra},
        status="FAILED" if bad else "SUCCESS",
    )
    name = "payment_intent.payment_failed" if bad else "payment_intent.succeeded"
    record(
        w,
        t + 4100,
        "Stripe",
        name,
        name,
        None,
        None,
        None,
        None,
        {
            "direction": "incoming",
            "request": {"id": f"evt_{cuid(rng)[:12]}", "data": {"object": money}},
            "response": {"status": 200},
        },
        family="WEBHOOK",
        status="WARNING" if bad else "SUCCESS",
    )


def webhook_out(w: World, t: float, name: str, entity: str, fails: bool | None = None) -> Entry:
    bad = w.rng.random() < 0.004 if fails is None else fails
    entry = record(
        w,
        t,
        "OnCloudWine",
        name,
        f"{name} · Member {entity[4:]}",
        "CONTACT",
        entity,
        None,
        None,
        {
            "direction": "outgoing",
            "request": {"url": "https://hooks.partner.example/wine", "body": {"contactId": entity}},
            "response": {"status": 503 if bad else 200},
            **({"error": "503 Service Unavailable", "retryable": True} if bad else {}),
        },
        family="WEBHOOK",
        status="FAILED" if bad else "SUCCESS",
    )
    if bad and fails is None:
        w.at(t + 5 * MINUTE, lambda w, t: webhook_out(w, t, name, entity, fails=False))
    return entry


def member(
    w: World,
    t: float,
    seat: Seat,
    action: str,
    whom: str,
    entity: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> Entry:
    return record(w, t, seat, action, f"Team member {action} · {whom}", "TEAM_MEMBER", entity, before, after)


def setting(
    w: World, t: float, seat: Seat, what: str, before: dict[str, Any], after: dict[str, Any]
) -> Entry:
    return record(
        w,
        t,
        seat,
        "updated",
        f"Settings updated · {what}",
        "SETTINGS",
        what.lower().replace(" ", "_"),
        before,
        after,
    )


def export(w: World, t: float, seat: Seat, what: str = "Contacts") -> Entry:
    return record(
        w,
        t,
        seat,
        "exported",
        f"{what} exported",
        None,
        None,
        None,
        None,
        {"recordsProcessed": w.rng.randrange(80, 3000)},
    )
