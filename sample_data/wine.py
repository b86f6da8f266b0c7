"""OnCloudWine's things: products, club members, and how one entry of its activity log is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sample_data.dice import Dice
from sample_data.lines import Record, Row
from sample_data.people import Person

ORGANIZATION = "org_fernhollow"
PRODUCTS = (
    "2024 Estate Riesling|2023 Cabernet Franc|2022 Blaufrankisch|NV Sparkling Brut|2024 Dry Rose|2023 Chardonnay"
    "|2021 Reserve Red|Late Harvest Vidal|Engraved Tumbler|Oak Tap Handle"
)
CELLAR = PRODUCTS.split("|")
ON_HOLD = "ON_HOLD"


class Memory:
    """What contacts and stock were before an entry, so that the entries of one of them tell one story."""

    def __init__(self) -> None:
        self._known: dict[str, Record] = {}

    def fulfil(self, record: Record) -> Record:
        """The entry with its before and after, if it wishes for a change."""
        wish = record.pop("wish", None)
        if wish is None:
            return record
        before = self._known.get(record["entityId"], _unchanged(record["entityId"]))
        after = self._known[record["entityId"]] = _changed(before, wish)
        return record | {"before": before, "after": after}


def _unchanged(entity_id: str) -> Record:
    number = int(entity_id[4:])
    if entity_id.startswith("prd_"):
        return {"stock": 40 + number * 37 % 120}
    return {"tags": [("Red Club", "White Club")[number % 2]], "status": "ACTIVE"}


def _changed(before: Record, wish: str | int) -> Record:
    """A tag is put on or taken off, a contact held or released, bottles taken; an empty shelf is filled."""
    if isinstance(wish, int):
        return {"stock": before["stock"] - wish if before["stock"] > 20 else before["stock"] + 120}
    if wish == ON_HOLD:
        return before | {"status": "ACTIVE" if before["status"] == ON_HOLD else ON_HOLD}
    tags = before["tags"]
    return before | {"tags": [tag for tag in tags if tag != wish] if wish in tags else [*tags, wish]}


def contact_id(place: int) -> str:
    """The id of a club member."""
    return f"cnt_{1001 + place}"


def product_id(name: str) -> str:
    """The id of a product."""
    return f"prd_{CELLAR.index(name) + 201}"


def act(
    moment: datetime,
    who: Person | str,
    action: str,
    event: str,
    entity: tuple[str, str] | None = None,
    **more: Any,
) -> Row:
    """One entry: of a person, of a background job ("system"), or of a counterparty such as Stripe."""
    kind, status = more.pop("type", _family(who)), more.pop("status", "SUCCESS")
    record: Record = {
        "organizationId": ORGANIZATION,
        # Whole milliseconds by integer division: a float would round differently for some instants.
        "timestamp": (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1),
        "type": kind,
        "status": status,
        "actor": who.name if isinstance(who, Person) else who,
        "userId": f"usr_{who.key}" if isinstance(who, Person) else None,
        "action": action,
        "event": event,
        "entityType": entity[0] if entity else None,
        "entityId": entity[1] if entity else None,
        "before": None,
        "after": None,
        "metadata": None,
    }
    return moment, record | more


def _family(who: Person | str) -> str:
    if isinstance(who, Person):
        return "USER_ACTION"
    return "BACKGROUND_JOB" if who == "system" else "WEBHOOK"


def webhook(moment: datetime, who: str, name: str, body: Record, status: str = "SUCCESS") -> Row:
    """What a counterparty told the shop."""
    metadata = {"direction": "incoming", "request": body, "response": {"status": 200}}
    return act(moment, who, name, name, status=status, metadata=metadata)


def stripe(dice: Dice, moment: datetime, cents: int, declined: bool = False) -> Row:
    """A payment that went through, or one that the bank declined."""
    paid: Record = {"id": f"pi_{dice.text(14)}", "amount": cents, "currency": "usd"}
    if declined:
        paid["last_payment_error"] = {"code": "card_declined"}
    name = f"payment_intent.{'payment_failed' if declined else 'succeeded'}"
    body = {"id": f"evt_{dice.text(14)}", "data": {"object": paid}}
    return webhook(moment, "Stripe", name, body, "WARNING" if declined else "SUCCESS")
