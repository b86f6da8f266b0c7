"""OnCloudWine: the tasting room and its wine club. Epoch milliseconds, oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from sample_data import wine, wine_club
from sample_data.dice import Dice
from sample_data.lines import Record, Row, in_order, line
from sample_data.month import NEW_YORK, at, days, on_duty, works_on
from sample_data.people import CALEB, GRETA, LENA, MARTA, THEO, Person
from sample_data.plan import FIRST_NAMES, LAST_NAMES, members
from sample_data.story import ACCESS_WITHDRAWN, FAILING_NIGHTS, SYNC_MENDED
from sample_data.wine import CELLAR, act, contact_id, product_id, stripe

Rows = Iterator[Row]

NIGHTLY = (("SYNC_SQUARE_STOCK", 0), ("SYNC_SQUARE_CONTACTS", 20), ("SYNC_WOOCOMMERCE_PRODUCTS", 40))
LOCATION_GONE = {
    "recordsProcessed": 0,
    "error": "403 Forbidden: location LQ7TQ2 is not accessible with these credentials",
    "stack": "SquareApiError: 403 Forbidden\n    at counts (jobs/square.ts:142:13)\n    at sync (jobs/square.ts:88:11)",
    "retryable": False,
}
# Failures that happen once and mend themselves the next night: day of October, job -> what it says.
ONCE = {
    (3, "SYNC_WOOCOMMERCE_PRODUCTS"): "504 Gateway Timeout",
    (22, "SYNC_SQUARE_CONTACTS"): "429 Too Many Requests",
}


def lines() -> list[str]:
    """The export."""
    dice = Dice("oncloudwine ids")
    rows = in_order([*_days(), *wine_club.rows(), *_planted(Dice("oncloudwine planted"))])
    cellar = wine.Memory()
    return [line({"id": f"act_{dice.text(9)}"} | cellar.fulfil(entry)) for _, entry in rows]


def _days() -> Rows:
    for day in days():
        dice = Dice(f"oncloudwine {day}")
        for job, minute in NIGHTLY:
            yield from _sync(dice, job, _clock(day, 1, minute) + dice.seconds(0, 4))
        if day.weekday() == 6:
            yield act(_clock(day, 4), "system", "cache_cleared", "Cache cleared", type="SYSTEM_EVENT")
        for _ in range(dice.whole(4, 7) if day.weekday() < 6 else 2):
            yield stripe(dice, _clock(day, 10) + dice.minutes(0, 600), dice.whole(18, 190) * 100)
        for who, share in ((GRETA, 9), (LENA, 6), (MARTA, 1)):
            if works_on(who, day):
                yield from _desk(dice, day, who, share)
    yield act(
        at(6, "03:15"),
        "system",
        "migrated",
        "Schema migration applied · 20261006_club_tiers",
        type="SYSTEM_EVENT",
    )
    yield act(
        at(20, "03:15"),
        "system",
        "migrated",
        "Schema migration applied · 20261020_gifts",
        type="SYSTEM_EVENT",
    )


def _sync(dice: Dice, job: str, begins: datetime) -> Rows:
    """The start of a nightly job and its end."""
    run: Record = {"trigger": "scheduled", "jobRunId": f"run_{dice.text(8)}"}
    yield act(begins, "system", job, job, status="IN_PROGRESS", metadata=run | {"progress": 0})
    done: Record = {"recordsProcessed": dice.whole(96, 131)}
    status = "WARNING" if dice.chance(0.04) else "SUCCESS"
    if status == "WARNING":
        done["error"] = "3 records were skipped: no SKU"
    if job == "SYNC_SQUARE_STOCK" and begins.date() in FAILING_NIGHTS:
        done, status = LOCATION_GONE, "FAILED"
    elif fault := ONCE.get((begins.day, job)):
        done, status = {"recordsProcessed": 40, "error": fault, "retryable": True}, "FAILED"
    yield act(begins + dice.seconds(25, 170), "system", job, job, status=status, metadata=run | done)


def _desk(dice: Dice, day: date, who: Person, count: int) -> Rows:
    acts = (_tagged, _tagged, _held, _adjusted, _adjusted, _joined)
    for _ in range(dice.whole(count - 1, count + 2)):
        moment = on_duty(who, _clock(day, 9) + dice.minutes(0, 480))
        if moment.date() == day:
            yield from dice.pick(acts)(dice, moment, who)


def _tagged(dice: Dice, moment: datetime, who: Person) -> Rows:
    yield from _contact(dice, moment, who, dice.pick(("VIP", "Pickup", "Allergy", "Gift buyer", "Local")))


def _held(dice: Dice, moment: datetime, who: Person) -> Rows:
    yield from _contact(dice, moment, who, wine.ON_HOLD)


def _contact(dice: Dice, moment: datetime, who: Person, wish: str) -> Rows:
    """The change, and often what is told to the newsletter."""
    place = dice.whole(0, len(members()) - 1)
    entity = ("CONTACT", contact_id(place))
    yield act(moment, who, "updated", f"Contact updated · {members()[place]}", entity, wish=wish)
    if dice.chance(0.4):
        told = {
            "direction": "outgoing",
            "request": {"contactId": contact_id(place)},
            "response": {"status": 202},
        }
        later = moment + timedelta(seconds=2)
        yield act(later, "Newsletter", "CONTACT_UPDATED", "CONTACT_UPDATED", metadata=told)


def _adjusted(dice: Dice, moment: datetime, who: Person) -> Rows:
    product = dice.pick(CELLAR)
    why = {"reason": dice.pick(("tasting", "breakage", "count", "gift shop")), "origin": "Square"}
    entity = ("PRODUCT", product_id(product))
    label = f"Product stock adjusted · {product}"
    yield act(moment, who, "stock_adjusted", label, entity, metadata=why, wish=dice.whole(1, 12))


def _joined(dice: Dice, moment: datetime, who: Person) -> Rows:
    name = f"{dice.pick(FIRST_NAMES)} {dice.pick(LAST_NAMES)}"
    new = {"name": name, "status": "ACTIVE", "tags": ["Tasting room"]}
    entity = ("CONTACT", f"cnt_{dice.whole(2000, 8999)}")
    yield act(moment, who, "created", f"Contact created · {name}", entity, after=new)


def _planted(dice: Dice) -> Rows:
    """The end of the failing sync, and the departure of a member of the team."""
    square, why = (
        ("INTEGRATION", "int_square"),
        {"reason": "support case 48213: Square had replaced the location"},
    )
    old, new = {"locationId": "LQ7TQ2"}, {"locationId": "LX9B4M"}
    yield act(
        SYNC_MENDED,
        THEO,
        "updated",
        "Integration updated · Square",
        square,
        before=old,
        after=new,
        metadata=why,
    )
    run = {"trigger": "triggered", "jobRunId": f"run_{dice.text(8)}"}
    again = SYNC_MENDED + timedelta(minutes=3)
    yield act(
        again, "system", NIGHTLY[0][0], NIGHTLY[0][0], status="IN_PROGRESS", metadata=run | {"progress": 0}
    )
    done = run | {"recordsProcessed": 124}
    yield act(again + timedelta(seconds=94), "system", NIGHTLY[0][0], NIGHTLY[0][0], metadata=done)
    left = ("TEAM_MEMBER", f"usr_{CALEB.key}")
    yield act(
        ACCESS_WITHDRAWN + timedelta(minutes=2),
        THEO,
        "removed",
        f"Team member removed · {CALEB.name}",
        left,
        before={"role": "MEMBER"},
    )


def _clock(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=NEW_YORK)
