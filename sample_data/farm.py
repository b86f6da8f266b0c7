"""Printago's things: printers, parts, materials, people's ids, and how one entry of its log is written."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sample_data.dice import Dice
from sample_data.lines import Record, Row, iso
from sample_data.month import address
from sample_data.people import Person

STORE = Dice("store").cuid()
QUEUE_KEY = Dice("api key of the queue builder").cuid()
WEB_SHOP = Dice("web shop").cuid()
SUPPORT = {"id": Dice("support").cuid(), "email": "support@printago-support.example"}
PRINTERS = [(f"Bay {bay}", Dice(f"printer {bay}").cuid()) for bay in range(1, 7)]
PARTS = [Dice(f"part {number}").cuid() for number in range(1, 141)]
SKUS = [Dice(f"sku {number}").cuid() for number in range(1, 81)]
COLOURS = ("CE4406FF", "F5547CFF", "161616FF", "F4F4F4FF", "0A5C36FF", "7A1FA2FF")
MATERIALS = ("PLA", "PLA", "PLA", "PETG", "ASA")

# Where requests of machines come from, and what they call themselves.
MACHINES: dict[str, tuple[str | None, str | None, str | None]] = {
    "system": (None, None, None),
    "scheduler": (None, None, None),
    "webhook": (WEB_SHOP, "198.51.100.12", "ExampleShop-Webhooks/3.1"),
    "api_key": (QUEUE_KEY, "198.51.100.40", "python-requests/2.32"),
}


def member_id(person: Person) -> str:
    """The person's id in the store."""
    return Dice(f"member {person.key}").cuid()


def entry(
    moment: datetime,
    who: Person | str,
    action: str | None,
    detail: str,
    entity: tuple[str, str | list[str] | None],
    **more: Any,
) -> Row:
    """One log entry; `entity` is its type and its id, or the ids of a bulk operation."""
    kind, ids = entity
    dice = Dice(f"{detail} of {ids} {iso(moment)}")
    record: Record = {"id": dice.cuid(), "storeId": STORE, "createdAt": iso(moment)}
    record |= _actor(who, moment)
    record |= {
        "action": action,
        "detailedAction": detail,
        "entityType": kind,
        "entityId": None if isinstance(ids, list) else ids,
        "entityIds": ids if isinstance(ids, list) else None,
        "ipAddress": record.pop("ip"),
        "userAgent": record.pop("browser"),
        "correlationId": dice.cuid(),
        "reason": None,
        "changes": None,
        "metadata": None,
    }
    return moment, record | more


def _actor(who: Person | str, moment: datetime) -> Record:
    if isinstance(who, Person):
        actor: Record = {"actorType": "user", "actorId": member_id(who), "actorEmail": who.email}
        return actor | {
            "impersonatedBy": None,
            "apiKeyId": None,
            "ip": address(who, moment),
            "browser": who.browser,
        }
    name, ip, browser = MACHINES[who]
    key = f"{QUEUE_KEY[:4]}****" if who == "api_key" else None
    actor = {"actorType": who, "actorId": name, "actorEmail": None, "impersonatedBy": None, "apiKeyId": key}
    return actor | {"ip": ip, "browser": browser}


def became(**fields: tuple[object, object]) -> Record:
    """What an update changed: field=(old, new)."""
    return {field: {"old": old, "new": new} for field, (old, new) in fields.items()}


def new(**fields: object) -> Record:
    """What a create brought: there are no old values."""
    return {field: {"new": value} for field, value in fields.items()}


def gone(**fields: object) -> Record:
    """What a delete removed: there are no new values."""
    return {field: {"old": value} for field, value in fields.items()}
