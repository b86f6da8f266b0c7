"""Printago on ordinary days: nightly queue, orders, printers that come and go, print jobs, and people's upkeep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time

from sample_data import farm
from sample_data.dice import Dice
from sample_data.farm import became, entry, new
from sample_data.lines import Record, Row
from sample_data.month import NEW_YORK, days, on_duty, works_on
from sample_data.people import CALEB, NKECHI, THEO, TOMAS, Person
from sample_data.plan import orders

Rows = Iterator[Row]


def rows() -> Rows:
    """Nights, orders, printers, print jobs and upkeep of the whole month."""
    for day in days():
        dice = Dice(f"printago {day}")
        busy = works_on(NKECHI, day)
        jobs = [dice.cuid() for _ in range(dice.whole(5, 8) if busy else 2)]
        yield from _night(dice, day, jobs)
        yield from _shop(dice, day, dice.whole(3, 5) if busy else dice.whole(0, 2))
        yield from _connections(dice, day)
        if busy:
            for place, job in enumerate(jobs):
                yield from _print_job(
                    dice, _clock(day, 6 + place * 13 // len(jobs)) + dice.minutes(5, 50), job
                )
            yield from _upkeep(dice, day)
    for order in orders():
        if order.kind == "printed":
            dice = Dice(f"printago {order.job}")
            entered = on_duty(NKECHI, order.converted + dice.minutes(10, 60))
            bought = new(status="pending", externalOrderId=order.job, quantity=order.quantity)
            yield entry(entered, NKECHI, "create", "order.create", ("Orders", dice.cuid()), changes=bought)


def _night(dice: Dice, day: date, jobs: list[str]) -> Rows:
    """The queue builder's nightly run, and the plan that the scheduler makes of it."""
    begins = _clock(day, 2) + dice.seconds(3, 40)
    queue = ("PrintJobs", list(jobs))
    found: Record = {"metadata": {"count": len(jobs)}, "reason": "nightly queue"}
    yield entry(
        begins,
        "api_key",
        "bulk_create",
        "printJob.create",
        queue,
        changes=new(status="queued"),
        **found,
    )
    raised = became(priority=(0, 5))
    yield entry(
        begins + dice.seconds(5, 20),
        "api_key",
        "bulk_update",
        "printJob.update",
        queue,
        changes=raised,
        **found,
    )
    planned: Record = {"metadata": {"queued": len(jobs), "printers": len(farm.PRINTERS)}}
    yield entry(
        _clock(day, 5, 30), "scheduler", "update", "printQueue.plan", ("Stores", farm.STORE), **planned
    )


def _shop(dice: Dice, day: date, count: int) -> Rows:
    for _ in range(count):
        moment, order, group = _clock(day, 8) + dice.minutes(0, 780), dice.cuid(), dice.cuid()
        bought = new(status="pending", source="web shop", items=dice.whole(1, 4))
        yield entry(
            moment,
            "webhook",
            "create",
            "order.create",
            ("Orders", order),
            changes=bought,
            correlationId=group,
        )
        built = new(orderId=order, partId=dice.pick(farm.PARTS))
        later = moment + dice.seconds(1, 3)
        yield entry(
            later,
            "system",
            "create",
            "build.v2.create",
            ("Builds", dice.cuid()),
            changes=built,
            correlationId=group,
        )


def _connections(dice: Dice, day: date) -> Rows:
    for _ in range(dice.whole(1, 2)):
        name, printer = dice.pick(farm.PRINTERS)
        lost = _clock(day, 0, 30) + dice.minutes(0, 1200)
        back = lost + dice.minutes(1, 45)
        told: Record = {"metadata": {"printerName": name}}
        off, on = became(isOnline=(True, False)), became(isOnline=(False, True))
        yield entry(lost, "system", "update", "printer.offline", ("Printers", printer), changes=off, **told)
        yield entry(back, "system", "update", "printer.online", ("Printers", printer), changes=on, **told)


def _print_job(dice: Dice, earliest: datetime, job: str) -> Rows:
    """A slot is loaded if need be, the job runs, and someone clears the bed."""
    printer = dice.pick(farm.PRINTERS)[1]
    begins = earliest
    if dice.chance(0.5):
        begins, who = _operator(earliest)
        yield from _load_slot(dice, begins, who, (printer, job))
    started = begins + dice.seconds(20, 200)
    yield _state(started, job, "queued", "printing")
    ended = started + dice.minutes(35, 150)
    if dice.chance(0.1):
        yield _state(
            ended, job, "printing", "failed", {"error": dice.pick(("Nozzle clog", "Bed adhesion lost"))}
        )
        again, who = _operator(ended + dice.minutes(2, 20))
        retried = became(status=("failed", "queued"))
        yield entry(again, who, "update", "printJob.retry", ("PrintJobs", job), changes=retried)
        yield _state(again + dice.seconds(30, 90), job, "queued", "printing")
        ended = again + dice.minutes(40, 120)
    yield _state(ended, job, "printing", "completed")
    cleared, who = _operator(ended + dice.minutes(1, 25))
    ready = became(isReady=(False, True))
    yield entry(cleared, who, "update", "printer.clearBed", ("Printers", printer), changes=ready)


def _load_slot(dice: Dice, moment: datetime, who: Person, what: tuple[str, str]) -> Rows:
    """One act of one person, three entries that share a correlation id."""
    (printer, job), group, slot = what, dice.cuid(), dice.whole(0, 3)
    kind, old, colour = dice.pick(farm.MATERIALS), dice.pick(farm.COLOURS), dice.pick(farm.COLOURS)
    expected = became(expectedData=({"type": kind, "color": old}, {"type": kind, "color": colour}))
    yield entry(
        moment,
        who,
        "update",
        "printerSlot.assign",
        ("PrinterSlots", dice.cuid()),
        changes=expected,
        correlationId=group,
    )
    yield entry(
        moment + dice.seconds(0, 1),
        who,
        "update",
        "printJob.update",
        ("PrintJobs", job),
        changes=became(assignedSlot=(None, slot)),
        correlationId=group,
    )
    command = {"command": {"info": {"amsId": 0, "slotId": slot, "trayType": kind, "trayColor": colour}}}
    yield entry(
        moment + dice.seconds(1, 2),
        who,
        None,
        "printerCommand.set-slot-info",
        ("Printers", [printer]),
        metadata=command,
        correlationId=group,
    )


def _upkeep(dice: Dice, day: date) -> Rows:
    """What people do beside the print jobs."""
    for who in (NKECHI, TOMAS, *((CALEB,) if day.weekday() in (0, 3) else ())):
        if not works_on(who, day):
            continue
        moment = on_duty(who, _clock(day, 13 if who is TOMAS else 9) + dice.minutes(20, 280))
        part = dice.pick(farm.PARTS)
        yield entry(
            moment,
            who,
            "update",
            "part.update",
            ("Parts", part),
            changes=became(
                description=("", dice.pick(("Oak tap handle", "Stopper, short", "Table sign A5")))
            ),
        )
        yield entry(
            moment + dice.seconds(20, 90),
            who,
            "create",
            "part.update",
            ("PartMaterialAssignments", dice.cuid()),
            changes=new(partId=part, materialType=dice.pick(farm.MATERIALS)),
        )
    refreshed = on_duty(TOMAS, _clock(day, 15) + dice.minutes(0, 240))
    command = {"command": {"name": "refresh-slot"}}
    printer = ("Printers", dice.pick(farm.PRINTERS)[1])
    yield entry(refreshed, TOMAS, "update", "printerCommand.refresh-slot", printer, metadata=command)
    if dice.chance(0.3):
        reason = "spaghetti on the camera"
        stopped = on_duty(NKECHI, _clock(day, 8) + dice.minutes(0, 240))
        yield entry(stopped, NKECHI, "update", "printerCommand.stop", printer, reason=reason)
    if day.weekday() in (0, 2, 4):
        version = (f"01.0{day.isocalendar().week % 10}", f"01.0{day.isocalendar().week % 10}.{day.day}")
        mended = on_duty(THEO, _clock(day, 9) + dice.minutes(10, 200))
        yield entry(mended, THEO, "update", "printer.update", printer, changes=became(firmware=version))


def _operator(earliest: datetime) -> tuple[datetime, Person]:
    """Who of the two shifts is there first, and when."""
    return min(((on_duty(who, earliest), who) for who in (NKECHI, TOMAS)), key=lambda found: found[0])


def _state(moment: datetime, job: str, old: str, now: str, why: Record | None = None) -> Row:
    changes = became(status=(old, now))
    return entry(
        moment, "system", "update", "printJob.update", ("PrintJobs", job), changes=changes, metadata=why
    )


def _clock(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=NEW_YORK)
