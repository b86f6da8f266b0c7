"""Bswagic: the WhatsApp desk. The tenant's clock is Pune's, where the desk is staffed: "21/10/2026 07:12 PM"."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from sample_data.dice import Dice
from sample_data.lines import Record, Row, in_order, line
from sample_data.month import NEW_YORK, PUNE, address, at, awake, days, on_duty, works_on
from sample_data.people import CALEB, LENA, MARTA, PRIYA, ROSA, THEO, Person
from sample_data.plan import FIRST_NAMES, LAST_NAMES
from sample_data.story import (
    CALEB_UNKNOWN_ADDRESS,
    CONTACTS_DELETED,
    CONTACTS_EXPORTED,
    PERMISSION_REVERTED,
    PERMISSION_WIDENED,
    THEO_UNKNOWN_ADDRESS,
)

Rows = Iterator[Row]

ROLES = {PRIYA: "Agent", CALEB: "Agent", LENA: "Agent", ROSA: "Manager", THEO: "Admin", MARTA: "Admin"}
# Who opens the desk on which of the working days, if they work at all.
OPENS_ON = {PRIYA: range(5), CALEB: range(5), LENA: range(5), ROSA: range(5), THEO: range(5), MARTA: (1, 4)}
TEMPLATES = ("order_update", "pickup_ready", "proof_waiting", "tasting_confirmed")
CAMPAIGNS = ("Harvest weekend", "Wine club open day", "Holiday gift sets", "Engraving week")
# The contacts that the desk talks to; those from 5201 to 5274 are deleted in the night.
TALKED_TO = range(5101, 5201)
DELETED_SINGLY = range(5244, 5275)
ASSIGNABLE_UNTIL = at(22, "12:00")


def lines() -> list[str]:
    """The export, oldest first: IDs run on, messages have numbers of their own."""
    written, message = [], 88100
    for number, (moment, record) in enumerate(in_order([*_days(), *_night(), *_permissions()]), start=10482):
        if record["Related"] == "Message":
            message += 1
            record["Related"] = f"Message #{message}"
        stamp = f"{moment.astimezone(PUNE):%d/%m/%Y %I:%M %p}"
        text = line({"ID": str(number), "Date": stamp} | record)
        # The last column of the screen is called Action, like the fifth; rows of the system are exported with it.
        written.append(text[:-1] + ',"Action":"View"}' if record["User"] == "System" else text)
    return written


def _days() -> Rows:
    arrived = 5301
    for day in days():
        dice = Dice(f"bswagic {day}")
        busy = works_on(ROSA, day)
        for who, weekdays in OPENS_ON.items():
            if works_on(who, day) and day.weekday() in weekdays:
                begins = datetime.combine(
                    day, time.fromisoformat(who.begins), tzinfo=PUNE if who.abroad else NEW_YORK
                )
                yield _did(begins + dice.minutes(2, 14), who, "Staff Logged In", f"{who.name} logged in")
        for _ in range(dice.whole(11, 16) if busy else dice.whole(2, 3)):
            yield from _chat(dice, _clock(day, 6) + dice.minutes(0, 840), dice.pick(TALKED_TO), busy)
        for _ in range(dice.whole(1, 2)):
            asked = awake(_clock(day, 9) + dice.minutes(0, 600))
            yield _did(
                asked,
                None,
                "Contact Created",
                f"{_name(arrived)} wrote for the first time",
                f"Contact #{arrived}",
            )
            arrived += 1
        if busy and day.weekday() in (1, 2):
            yield from _campaign(dice, day)


def _chat(dice: Dice, asked: datetime, contact: int, busy: bool) -> Rows:
    """A question, who takes it, the answer, and what is noted down."""
    name = _name(contact)
    yield _did(asked, None, "Message Received", f"Message from {name}", "Message")
    if not busy:
        away = "Template away_message sent to " + name
        yield _did(asked + timedelta(seconds=20), None, "Message Sent", away, "Message")
        return
    desk = (PRIYA, PRIYA, LENA, ROSA, CALEB) if asked < ASSIGNABLE_UNTIL else (PRIYA, PRIYA, LENA, ROSA)
    who = dice.pick(desk)
    answered = on_duty(who, asked + dice.minutes(2, 50))
    if dice.chance(0.35):
        yield _did(
            answered, who, "Chat Assigned", f"Chat with {name} taken by {who.name}", f"Contact #{contact}"
        )
        answered += dice.seconds(30, 240)
    text = f"Template {dice.pick(TEMPLATES)} sent to {name}" if dice.chance(0.5) else f"Reply sent to {name}"
    yield _did(answered, who, "Message Sent", text, "Message")
    if dice.chance(0.4):
        field, old, new = dice.pick(
            (("stage", "lead", "customer"), ("optIn", False, True), ("tag", None, "tasting"))
        )
        noted = answered + dice.seconds(40, 300)
        moved = _change({field: old}, {field: new})
        yield _did(noted, who, "Contact Updated", f"{field} of {name} changed", f"Contact #{contact}", moved)


def _campaign(dice: Dice, day: date) -> Rows:
    name = dice.pick(CAMPAIGNS)
    made = _clock(day, 10) + dice.minutes(0, 200)
    related = f"Campaign #{300 + day.day}"
    yield _did(
        made - timedelta(minutes=9),
        ROSA,
        "Template Updated",
        f"Wording of {name}",
        f"Template #{40 + day.day}",
    )
    yield _did(
        made, ROSA, "Campaign Created", f"Campaign {name} for {dice.whole(180, 420)} contacts", related
    )
    yield _did(
        made + dice.minutes(3, 9), ROSA, "Campaign Scheduled", f"Campaign {name} for this evening", related
    )
    yield _did(
        _clock(day, 17) + dice.minutes(0, 3), None, "Campaign Sent", f"Campaign {name} went out", related
    )


def _night() -> Rows:
    """Caleb Whitaker takes the contacts along and then deletes them; days later the desk imports a copy."""
    dice = Dice("bswagic night")

    def acted(moment: datetime, action: str, text: str, related: str = "") -> Row:
        _, record = _did(moment, CALEB, action, text, related)
        return moment, record | {"IP Address": CALEB_UNKNOWN_ADDRESS}

    yield acted(CONTACTS_EXPORTED - timedelta(minutes=2), "Staff Logged In", f"{CALEB.name} logged in")
    yield acted(CONTACTS_EXPORTED, "Contact Exported", "Exported 1,386 contacts to CSV")
    yield acted(CONTACTS_DELETED, "Contact Bulk Deleted", "Bulk delete of 43 contacts")
    moment = CONTACTS_DELETED + timedelta(minutes=2)
    for contact in DELETED_SINGLY:
        yield acted(moment, "Contact Deleted", f"{_name(contact)} deleted", f"Contact #{contact}")
        moment += dice.seconds(6, 19)
    restored = "Imported contact, bulk import of 74"
    yield _did(at(26, "11:32"), None, "Contact Created", restored, "Contact #5201")


def _permissions() -> Rows:
    """One setting that matters to nobody, one that was widened at night, and the day when that was undone."""
    greeting = _change(
        {"chat.awayMessage": "Back at nine."}, {"chat.awayMessage": "Back at nine, Eastern time."}
    )
    yield _did(at(14, "10:32"), THEO, "Setting Updated", "Away message changed", "Setting chat", greeting)
    allowed = _change({"admin.Staff.delete": False}, {"admin.Staff.delete": True})
    text, role = "Role permissions changed for Agent", "Setting roles.agent"
    for moment, action, description, related, more in (
        (PERMISSION_WIDENED - timedelta(minutes=3), "Staff Logged In", f"{THEO.name} logged in", "", {}),
        (PERMISSION_WIDENED, "Setting Updated", text, role, allowed),
    ):
        _, record = _did(moment, THEO, action, description, related, more)
        yield moment, record | {"IP Address": THEO_UNKNOWN_ADDRESS}
    refused = _change({"admin.Staff.delete": True}, {"admin.Staff.delete": False})
    yield _did(PERMISSION_REVERTED, MARTA, "Setting Updated", text, role, refused)


def _did(
    moment: datetime,
    who: Person | None,
    action: str,
    text: str,
    related: str = "",
    change: Record | None = None,
) -> Row:
    record = {
        "User": who.name if who else "System",
        "Role": ROLES[who] if who else "",
        "Action": action,
        "Description": text,
        "IP Address": address(who, moment) if who else "",
    }
    return moment, record | (change or {}) | {"Related": related}


def _change(before: Record, after: Record) -> Record:
    return {
        "Before": json.dumps(before, separators=(",", ":")),
        "After": json.dumps(after, separators=(",", ":")),
    }


def _name(contact: int) -> str:
    return f"{FIRST_NAMES[contact % len(FIRST_NAMES)]} {LAST_NAMES[contact * 3 % len(LAST_NAMES)]}"


def _clock(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=NEW_YORK)
