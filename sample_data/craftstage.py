"""CraftStage: personalised goods from an order sheet to an approved export. Nothing is logged on the silent day."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sample_data.dice import Dice
from sample_data.lines import Record, Row, in_order, iso, line
from sample_data.month import NEW_YORK, START, address, at, awake, on_duty, within
from sample_data.people import INES, JONAH, PEOPLE, ROSA, Person
from sample_data.plan import Customer, customers, orders
from sample_data.story import EXPORT_MARKED_WRONGLY, EXPORT_WITHOUT_APPROVAL, SILENT_DAY

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Mobile Safari/604.1"
NOTES = (
    "Two names are missing at table 6.",
    "Please use the accent in Zoë.",
    "The tag number should stand under the name.",
    "Our logo is stretched on this one.",
)
PROBLEMS = (("OVERFLOW", "error"), ("MISSING_REQUIRED", "error"), ("NO_TEMPLATE", "error"))
CAVEATS = (("LONG_TEXT", "warning"), ("SHRINK_WARNING", "warning"), ("MISSING_FONT", "warning"))
WEB_SHOP = ("Wine labels", "Gift boxes", "Cork coasters")
NUMBER_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RowsUntil = Generator[Row, None, datetime]


@dataclass(frozen=True)
class Job:
    """One order sheet; `planted` says which of the two bad exports it ends in, if any."""

    number: int
    title: str
    reference: str | None
    customer: Customer | None
    artist: Person
    items: int
    begins: datetime
    planted: str | None = None

    @property
    def item_ids(self) -> list[str]:
        """All its items."""
        return [f"itm_{self.number}_{place}" for place in range(1, self.items + 1)]


def lines() -> list[str]:
    """The export: one event a line, oldest first."""
    dice = Dice("craftstage ids")
    rows = in_order(row for job in _jobs() for row in _life(job))
    return [line({"id": f"evt_01K{dice.text(7, NUMBER_SIGNS)}"} | event) for _, event in rows]


def _jobs() -> list[Job]:
    """The craft orders of the sales desk, those of the web shop, which nobody quotes, and two that went wrong."""
    dice = Dice("craftstage jobs")
    known = customers()
    jobs = [
        Job(0, "Rush order: place cards", None, None, INES, 6, EXPORT_WITHOUT_APPROVAL, "unapproved"),
        Job(0, "Anniversary labels", "WEB-7190", known[9], INES, 12, EXPORT_MARKED_WRONGLY, "partly"),
    ]
    for order in orders():
        if order.kind == "craft" and within(order.converted):
            begins = order.converted + dice.minutes(8, 40)
            jobs.append(_job(dice, order.title, order.job, order.customer, begins))
    opens = START
    for number in range(7101, 7133):
        who = None if number % 3 == 0 else dice.pick(known)
        jobs.append(_job(dice, dice.pick(WEB_SHOP), f"WEB-{number}", who, opens))
        opens = on_duty(ROSA, opens + dice.minutes(150, 700))
    jobs.sort(key=lambda job: job.begins)
    return [replace(job, number=number) for number, job in enumerate(jobs, start=2041)]


def _job(dice: Dice, title: str, reference: str, customer: Customer | None, begins: datetime) -> Job:
    artist = dice.pick((INES, INES, INES, JONAH))
    return Job(0, title, reference, customer, artist, dice.whole(3, 14), begins)


def _life(job: Job) -> Iterator[Row]:
    dice = Dice(f"craftstage {job.number}")
    begun = _staff(ROSA, job.begins)
    yield _event(job, "job_created", begun, ROSA, {"title": job.title, "itemCount": job.items})
    yield _status(job, begun + timedelta(seconds=1), "draft", "parsing")
    parsed = begun + dice.seconds(20, 200)
    found = {"itemCount": job.items, "itemIds": job.item_ids, "automated": True}
    yield _event(job, "items_parsed", parsed, None, found)
    yield _status(job, parsed + timedelta(seconds=1), "parsing", "proofing")
    yield _proofs(job, parsed + dice.seconds(15, 90), job.item_ids, 1)
    clean = yield from _preflight(job, dice, parsed + dice.minutes(3, 60))
    if job.planted == "unapproved":
        yield from _export(job, dice, clean)
        return
    approved = yield from _approval(job, dice, clean)
    yield _status(job, approved + timedelta(seconds=1), "pending approval", "approved")
    ready = _staff(job.artist, approved + dice.minutes(10, 200))
    yield _status(job, ready, "approved", "production ready", job.artist)
    yield from _export(job, dice, ready)


def _preflight(job: Job, dice: Dice, earliest: datetime) -> RowsUntil:
    """Runs until one has no errors; what was wrong is mended in between."""
    wrong = [_issue(dice, job, PROBLEMS) for _ in range(dice.pick((0, 0, 1, 2, 3)))]
    moment = _staff(job.artist, earliest)
    while True:
        caveats = [_issue(dice, job, CAVEATS) for _ in range(dice.pick((0, 0, 1, 2)))]
        counts = {"errorCount": len(wrong), "warningCount": len(caveats), "issues": wrong + caveats}
        yield _event(job, "preflight_completed", moment, job.artist, counts)
        if not wrong:
            return moment
        wrong = wrong[2:]
        moment = _staff(job.artist, moment + dice.minutes(8, 70))


def _approval(job: Job, dice: Dice, earliest: datetime) -> RowsUntil:
    """Links, looks and one revision at most, until the customer has approved what must be approved."""
    asked, revised = _staff(job.artist, earliest + dice.minutes(3, 40)), dice.chance(0.35)
    link, waiting = yield from _link(job, dice, asked, 1)
    if revised:
        wished = waiting + dice.minutes(2, 12)
        item = dice.pick(job.item_ids)
        wish = {
            "approvalLinkId": link,
            "itemId": item,
            "proofId": f"prf_{item[4:]}_1",
            "note": dice.pick(NOTES),
        }
        yield _event(job, "revision_requested", wished, job.customer or "anonymous", wish)
        yield _status(job, wished + timedelta(seconds=1), "pending approval", "proofing")
        redone = _staff(job.artist, wished + dice.minutes(30, 300))
        yield _proofs(job, redone, [item], 2, job.artist)
        clean = {"errorCount": 0, "warningCount": 0, "issues": []}
        yield _event(job, "preflight_completed", redone + dice.minutes(1, 4), job.artist, clean)
        link, waiting = yield from _link(job, dice, redone + dice.minutes(5, 9), 2)
    first = waiting + dice.minutes(1, 9)
    half = 9 if job.planted == "partly" else dice.pick((job.items, job.items, max(job.items // 2, 1)))
    yield _approved(job, first, link, job.item_ids[:half])
    if half == job.items or job.planted == "partly":
        return first
    second = first + dice.minutes(1, 6)
    yield _approved(job, second, link, job.item_ids[half:])
    return second


def _link(job: Job, dice: Dice, moment: datetime, version: int) -> Generator[Row, None, tuple[str, datetime]]:
    """A link is made and opened; the last time it is opened the customer is ready to answer."""
    link = f"apl_{job.number}_{version}"
    yield _event(
        job,
        "approval_link_generated",
        moment,
        job.artist,
        {
            "approvalLinkId": link,
            "token": dice.text(21),
            "customerEmail": job.customer.email if job.customer else None,
            "expiresAt": iso(moment + timedelta(days=14)),
        },
    )
    yield _status(job, moment + timedelta(seconds=1), "proofing", "pending approval")
    opened = moment
    for _ in range(1 if job.planted else dice.pick((1, 1, 2, 3))):
        pause = dice.minutes(5, 30) if job.planted else dice.minutes(15, 700)
        opened = _reached(awake, opened + pause)
        yield _event(
            job, "approval_link_accessed", opened, job.customer or "anonymous", {"approvalLinkId": link}
        )
    return link, opened


def _export(job: Job, dice: Dice, earliest: datetime) -> Iterator[Row]:
    moment = _staff(job.artist, earliest + dice.minutes(2, 45))
    unapproved = job.planted == "unapproved"
    made = {
        "exportId": f"exp_{job.number}",
        "itemCount": job.items,
        "approvedItemCount": 0 if unapproved else job.items,
        "withoutApproval": unapproved,
        "itemIds": job.item_ids,
    }
    yield _event(job, "export_created", moment, job.artist, made)
    if unapproved:
        return
    yield _status(job, moment + timedelta(seconds=1), "production ready", "exported")
    if dice.chance(0.4):
        yield _status(job, _staff(INES, moment + dice.minutes(240, 1900)), "exported", "completed", INES)
        return
    night = (moment.astimezone(NEW_YORK) + timedelta(days=dice.whole(2, 6))).replace(hour=1, minute=30)
    yield _status(job, _reached(lambda moment: moment, night), "exported", "completed")


def _reached(when: Callable[[datetime], datetime], earliest: datetime) -> datetime:
    moment = when(earliest)
    # Silent by the calendar of New York and by that of UTC.
    if SILENT_DAY in (moment.astimezone(NEW_YORK).date(), moment.astimezone(UTC).date()):
        return when(at(SILENT_DAY.day + 1, "00:00"))
    return moment


def _staff(person: Person, earliest: datetime) -> datetime:
    return _reached(lambda moment: on_duty(person, moment), earliest)


def _issue(dice: Dice, job: Job, codes: tuple[tuple[str, str], ...]) -> Record:
    code, severity = dice.pick(codes)
    return {"itemId": dice.pick(job.item_ids), "code": code, "severity": severity}


def _proofs(job: Job, moment: datetime, items: list[str], version: int, who: Person | None = None) -> Row:
    made = [f"prf_{item[4:]}_{version}" for item in items]
    return _event(
        job, "proofs_generated", moment, who, {"proofIds": made, "itemIds": items, "count": len(made)}
    )


def _approved(job: Job, moment: datetime, link: str, items: list[str]) -> Row:
    return _event(
        job, "items_approved", moment, job.customer or "anonymous", {"approvalLinkId": link, "itemIds": items}
    )


def _status(job: Job, moment: datetime, old: str, new: str, who: Person | None = None) -> Row:
    return _event(job, "job_status_changed", moment, who, {"from": old, "to": new})


def _event(job: Job, kind: str, moment: datetime, who: Person | Customer | str | None, data: Record) -> Row:
    event = {
        "organizationId": "org_7f3a",
        "jobId": f"job_{job.number}",
        "jobReference": job.reference,
        "eventType": kind,
        "createdAt": iso(moment),
        "actor": _actor(who),
        "data": data,
    }
    if isinstance(who, Person):
        event |= {"ip": address(who, moment), "userAgent": who.browser}
    elif isinstance(who, Customer):
        event |= {"ip": who.ip, "userAgent": PHONE}
    elif who is not None:
        event |= {"ip": f"192.0.2.{140 + job.number % 60}", "userAgent": PHONE}
    return moment, event


def _actor(who: Person | Customer | str | None) -> Record:
    if isinstance(who, Person):
        return {"type": "user", "id": f"usr_{PEOPLE.index(who) + 11}", "name": who.name}
    if who is None:
        return {"type": "system"}
    return {"type": "customer", "email": who.email if isinstance(who, Customer) else None}
