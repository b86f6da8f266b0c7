"""OnCloudWine's releases: drafted, promoted, charged, packed and shipped; one of them cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sample_data.dice import Dice
from sample_data.lines import Record, Row
from sample_data.month import at, awake, on_duty
from sample_data.people import GRETA, LENA
from sample_data.plan import members
from sample_data.wine import CELLAR, act, contact_id, product_id, stripe, webhook

Rows = Iterator[Row]
JOB = "PROCESS_RELEASE_PAYMENTS"


@dataclass(frozen=True)
class Release:
    """One shipment to a part of the club."""

    key: str
    name: str
    drafted: datetime
    promoted: datetime
    charged: datetime
    club: range
    cents: int

    @property
    def entity(self) -> tuple[str, str]:
        """What its entries concern."""
        return "RELEASE", self.key


RELEASES = (
    Release("rel_31", "Fall 2026 Reds", at(2, "11:20"), at(8, "15:05"), at(14, "14:10"), range(44), 16800),
    Release(
        "rel_32", "Fall 2026 Whites", at(7, "10:40"), at(15, "16:20"), at(21, "14:05"), range(44, 84), 12600
    ),
)


def rows() -> Rows:
    """All that happens to the releases in the month."""
    for release in RELEASES:
        dice = Dice(f"release {release.key}")
        yield from _plan(dice, release)
        yield from _charge(dice, release)
        yield from _ship(dice, release)
    yield from _cancelled()


def _plan(dice: Dice, release: Release) -> Rows:
    draft, pending = {"stage": "DRAFT"}, {"stage": "PENDING"}
    label = f"Release created · {release.name}"
    yield act(
        release.drafted, GRETA, "created", label, release.entity, after=draft | {"priceCents": release.cents}
    )
    for place in dice.some(release.club, 6):
        moment = on_duty(GRETA, release.drafted + dice.minutes(60, 6000))
        wish: Record = {"contactId": contact_id(place), "add": product_id(dice.pick(CELLAR)), "quantity": 1}
        label = f"Release modification added · {release.name}"
        yield act(moment, GRETA, "modification_added", label, release.entity, metadata=wish)
    label = f"Release promoted to PENDING · {release.name}"
    yield act(release.promoted, GRETA, "promoted", label, release.entity, before=draft, after=pending)


def _charge(dice: Dice, release: Release) -> Rows:
    """One job with its progress; a declined card is a warning and is charged again the next morning."""
    run: Record = {"trigger": "triggered", "jobRunId": f"run_{dice.text(8)}"}
    label, moment = f"{JOB} · {release.name}", release.charged
    yield act(
        moment, "system", JOB, label, release.entity, status="IN_PROGRESS", metadata=run | {"progress": 0}
    )
    declined = dice.some(release.club, 3)
    for done, place in enumerate(release.club, start=1):
        moment += dice.seconds(3, 9)
        yield from _payment(dice, moment, release, place, place in declined)
        if done % 15 == 0:
            progress = run | {"progress": done * 100 // len(release.club)}
            later = moment + timedelta(seconds=2)
            yield act(later, "system", JOB, label, release.entity, status="IN_PROGRESS", metadata=progress)
    ended = run | {"recordsProcessed": len(release.club), "error": f"{len(declined)} cards were declined"}
    moment += timedelta(seconds=4)
    yield act(moment, "system", JOB, label, release.entity, status="WARNING", metadata=ended)
    for place in declined:
        yield from _payment(dice, awake(moment + dice.minutes(1080, 1300)), release, place, False)


def _payment(dice: Dice, moment: datetime, release: Release, place: int, declined: bool) -> Rows:
    verb = "failed" if declined else "succeeded"
    money: Record = {"amount": f"{release.cents / 100:.2f}", "currency": "USD"}
    if declined:
        money |= {"error": "card_declined", "retryable": True}
    yield act(
        moment,
        "system",
        f"charge_{verb}",
        f"Payment {verb} · {members()[place]}",
        ("PAYMENT", f"pay_{release.key[4:]}_{place}"),
        status="WARNING" if declined else "SUCCESS",
        metadata=money,
    )
    yield stripe(dice, moment + dice.seconds(1, 2), release.cents, declined)


def _ship(dice: Dice, release: Release) -> Rows:
    moment = release.charged + timedelta(hours=20)
    for place in release.club:
        who = dice.pick((GRETA, GRETA, LENA))
        packed = on_duty(who, moment + dice.minutes(0, 420))
        moment += timedelta(minutes=65)
        parcel = ("FULFILLMENT", f"ful_{release.key[4:]}_{place}")
        if dice.chance(0.12):
            old, new = dice.some(CELLAR[:8], 2)
            swap = {"from": product_id(old), "to": product_id(new)}
            label = f"Swap applied · {members()[place]}"
            yield act(packed - timedelta(seconds=50), who, "swap_applied", label, parcel, metadata=swap)
        label = f"Shipment created · {members()[place]}"
        sent = {"status": "SHIPPED", "carrier": "FedEx"}
        yield act(packed, who, "shipment_created", label, parcel, before={"status": "PACKED"}, after=sent)
        arrived = awake(packed + dice.minutes(1600, 4200))
        body = {
            "trackingNumber": f"7489{dice.text(8, '0123456789')}",
            "status": "DELIVERED",
            "fulfillment": parcel[1],
        }
        yield webhook(arrived, "FedEx", "tracking.delivered", body)


def _cancelled() -> Rows:
    extra = ("RELEASE", "rel_33")
    made = {"stage": "DRAFT", "priceCents": 9900}
    yield act(at(9, "12:15"), GRETA, "created", "Release created · Autumn Magnum Extra", extra, after=made)
    why = {"reason": "the bottles were delivered broken"}
    old, new = {"stage": "DRAFT"}, {"stage": "CANCELLED"}
    label = "Release cancelled · Autumn Magnum Extra"
    yield act(at(16, "11:48"), GRETA, "cancelled", label, extra, before=old, after=new, metadata=why)
