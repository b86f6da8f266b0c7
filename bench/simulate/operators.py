"""What people do at the print farm: retry, load, pack, clean up. Records in Printago's shape."""

from __future__ import annotations

from bench.simulate.diary import MINUTE, Seat
from bench.simulate.printago import MATERIALS, dispatch, farm, record
from bench.simulate.world import Entry, World, cuid


def tend(w: World, t: int, seat: Seat) -> None:
    """One thing that an operator does."""
    f, rng = farm(w), w.rng
    dice = rng.random()
    if dice < 0.28 and f.failed:
        job = f.failed.pop(rng.randrange(len(f.failed)))
        record(
            w,
            t,
            seat,
            "update",
            "printJob.retry",
            "PrintJobs",
            job,
            reason=rng.choice((None, "nozzle clog cleared", "bed levelled")),
            changes={"status": {"old": "failed", "new": "pending"}},
        )
        f.queue.append(job)
        w.at(t + MINUTE, dispatch)
    elif dice < 0.55:
        _assign(w, t, seat)
    elif dice < 0.8:
        pack(w, t, seat)
    elif dice < 0.87 and len(f.queue) > 4:
        chosen = rng.sample(f.queue, rng.randrange(2, min(7, len(f.queue))))
        record(
            w,
            t,
            seat,
            "bulk_update",
            "printJob.updatePriority",
            "PrintJobs",
            None,
            chosen,
            metadata={"count": len(chosen)},
            reason="Customer pays for rush",
        )
    elif dice < 0.95:
        record(
            w,
            t,
            seat,
            None,
            rng.choice(("printerCommand.pause", "printerCommand.resume", "printerCommand.set-slot-info")),
            "Printers",
            None,
            [rng.choice(f.printers)],
        )
    elif dice < 0.985:
        part = cuid(rng)
        f.parts.append(part)
        record(
            w,
            t,
            seat,
            "create",
            "part.create",
            "Parts",
            part,
            changes={"name": {"new": f"bracket_{part[:4]}.stl"}},
        )
    else:
        delete_part(w, t, seat)


def _assign(w: World, t: int, seat: Seat) -> None:
    f, rng = farm(w), w.rng
    printer, together = rng.choice(f.printers), cuid(rng)
    slot = f"slot{printer[:20]}"
    old, new = f.slots.get(slot), rng.choice(MATERIALS)
    f.slots[slot] = new
    record(
        w,
        t,
        seat,
        "update",
        "printerSlot.assign",
        "PrinterSlots",
        slot,
        correlation=together,
        changes={"material": {"old": old, "new": new}},
    )
    record(
        w,
        t + 400,
        seat,
        None,
        "printerCommand.set-slot-info",
        "Printers",
        None,
        [printer],
        correlation=together,
        metadata={"command": {"info": {"amsId": 0, "trayType": new}}},
    )


def pack(w: World, t: int, seat: Seat) -> None:
    f, rng = farm(w), w.rng
    if not f.orders:
        return
    order = f.orders[rng.randrange(min(60, len(f.orders)))]
    new = {"open": "packed", "packed": "shipped"}[order[1]]
    record(
        w,
        t,
        seat,
        "update",
        "order.update",
        "Orders",
        order[0],
        changes={"status": {"old": order[1], "new": new}},
    )
    order[1] = new
    if new == "shipped":
        f.orders.remove(order)


def delete_part(w: World, t: int, seat: Seat) -> None:
    f = farm(w)
    if len(f.parts) > 100:
        part = f.parts.pop(w.rng.randrange(len(f.parts)))
        record(
            w,
            t,
            seat,
            "delete",
            "part.delete",
            "Parts",
            part,
            changes={"name": {"old": f"bracket_{part[:4]}.stl"}},
        )


def bulk_delete_parts(w: World, t: int, seat: Seat, count: int) -> None:
    f = farm(w)
    gone = [f.parts.pop(w.rng.randrange(len(f.parts))) for _ in range(min(count, len(f.parts) - 50))]
    record(w, t, seat, "bulk_delete", "part.delete", "Parts", None, gone, metadata={"count": len(gone)})


def refill(w: World, count: int) -> None:
    """Parts that were there before the log began."""
    farm(w).parts += [cuid(w.rng) for _ in range(count)]


def log_in(w: World, t: int, seat: Seat) -> None:
    record(w, t, seat, "login", "auth.login", "Users", seat.who.ids["printago"])


def export(w: World, t: int, seat: Seat, what: str = "order") -> Entry:
    return record(
        w,
        t,
        seat,
        "export",
        f"{what}.export",
        f"{what.capitalize()}s",
        None,
        metadata={"format": "csv", "rows": w.rng.randrange(60, 4000)},
    )
