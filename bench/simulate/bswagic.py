"""The WhatsApp desk: customers write, agents answer and keep the contacts. In Bswagic's shape, in local time."""

from __future__ import annotations

import json
from typing import Any

from bench.simulate.diary import MINUTE, Seat
from bench.simulate.world import Entry, World

ROLE = {"admins": "Admin", "managers": "Manager", "marketing": "Manager", "stewards": "Manager"}
CITIES = ("Kochi", "Pune", "Austin", "Leipzig", "Porto", "Delhi", "Oakland", "Bremen")


def record(
    w: World,
    t: float,
    seat: Seat | None,
    action: str,
    description: str,
    related: str | None = None,
    before: dict[str, Any] | str | None = None,
    after: dict[str, Any] | str | None = None,
    clock_error: int = 0,
) -> Entry:
    """One entry; without a seat, by the system."""
    made: dict[str, Any] = {
        "ID": None,
        "Date": None,
        "User": seat.who.name if seat else "System",
        "Role": ROLE.get(seat.who.team.name, "Agent") if seat else "",
        "Action": action,
        "Description": description,
        "IP Address": (seat.line.ip if seat else None) or "",
        "Related": related or "",
    }
    if before is not None:
        made["Before"] = _text(before)
    if after is not None:
        made["After"] = _text(after)
    return w.emit("bswagic", t, made, clock_error)


def _text(value: dict[str, Any] | str) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Desk:
    """Contacts as they stand."""

    def __init__(self, w: World, contacts: int) -> None:
        self.contacts: dict[int, dict[str, Any]] = {
            number: {"city": w.rng.choice(CITIES), "score": w.rng.randrange(9), "status": "active"}
            for number in range(7000, 7000 + contacts)
        }
        self.numbers = list(self.contacts)
        self.message = 91_000
        self.fresh = 7000 + contacts


def desk(w: World) -> Desk:
    return w.state["desk"]  # type: ignore[no-any-return]


def next_message(w: World) -> str:
    """The name of a message that comes after all others."""
    desk(w).message += 1
    return f"Message #{desk(w).message}"


def _contact(w: World) -> int:
    numbers = desk(w).numbers
    return numbers[int(len(numbers) * w.rng.random() ** 1.7)]


def receive(w: World, t: int) -> None:
    record(w, t, None, "Message Received", f"Message received from contact {_contact(w)}", next_message(w))


def answer(w: World, t: int, seat: Seat) -> None:
    """One thing that an agent does."""
    rng = w.rng
    dice = rng.random()
    if dice < 0.60:
        record(
            w,
            t,
            seat,
            "Message Sent",
            rng.choice(("Reply sent", "Template order_update sent", "Reply sent with a picture")),
            next_message(w),
        )
    elif dice < 0.82:
        view(w, t, seat)
    elif dice < 0.94:
        update(w, t, seat)
    elif dice < 0.985:
        create(w, t, seat)
    elif dice < 0.995:
        record(w, t, seat, "Chat Assigned", "Chat handed over", f"Contact #{_contact(w)}")
    else:
        delete(w, t, seat)


def view(w: World, t: int, seat: Seat) -> None:
    record(w, t, seat, "Contact Viewed", "Contact opened", f"Contact #{_contact(w)}")


def update(w: World, t: int, seat: Seat, field: str = "", value: Any = None) -> None:
    number = _contact(w)
    contact = desk(w).contacts[number]
    field = field or w.rng.choice(("city", "score"))
    if value is None:
        value = w.rng.choice(CITIES) if field == "city" else w.rng.randrange(9)
    if contact[field] != value:
        record(
            w,
            t,
            seat,
            "Contact Updated",
            f"{field.capitalize()} changed",
            f"Contact #{number}",
            {field: contact[field]},
            {field: value},
        )
        contact[field] = value


def create(w: World, t: int, seat: Seat) -> None:
    d = desk(w)
    d.fresh += 1
    d.contacts[d.fresh] = {"city": w.rng.choice(CITIES), "score": 0, "status": "active"}
    d.numbers.append(d.fresh)
    record(w, t, seat, "Contact Created", "Contact created", f"Contact #{d.fresh}", after=d.contacts[d.fresh])


def delete(w: World, t: int, seat: Seat) -> None:
    d = desk(w)
    number = d.numbers.pop(w.rng.randrange(len(d.numbers)))
    record(w, t, seat, "Contact Deleted", "Contact deleted", f"Contact #{number}", d.contacts.pop(number), "")


def bulk_delete(w: World, t: int, seat: Seat, count: int) -> Entry:
    d = desk(w)
    for _ in range(min(count, len(d.numbers) - 500)):
        d.contacts.pop(d.numbers.pop(w.rng.randrange(len(d.numbers))))
    return record(w, t, seat, "Contact Bulk Deleted", f"Bulk delete of {count} contacts")


def export(w: World, t: int, seat: Seat) -> Entry:
    return record(w, t, seat, "Contact Exported", f"{w.rng.randrange(40, 900)} contacts exported to CSV")


def log_in(w: World, t: int, seat: Seat) -> None:
    """Signing in; one time in thirty the password is mistyped first."""
    if w.rng.random() < 0.033:
        record(w, t - MINUTE, seat, "Staff Login Failed", "Wrong password")
    record(w, t, seat, "Staff Logged In", "Logged in", f"Staff #{seat.who.ids['bswagic']}")


def log_out(w: World, t: int, seat: Seat) -> None:
    record(w, t, seat, "Staff Logged Out", "Logged out", f"Staff #{seat.who.ids['bswagic']}")
