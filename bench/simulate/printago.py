"""The print farm: orders come in by webhook, jobs go to printers, operators tend them. Records in Printago's shape."""

from __future__ import annotations

from typing import Any

from bench.simulate.diary import MINUTE, Seat
from bench.simulate.places import Line
from bench.simulate.world import Entry, World, cuid

STORE = "h4rb0rf1nch5t0re7x9y2z4a"
MATERIALS = ("PLA", "PETG", "ABS", "TPU", "ASA")


def record(
    w: World,
    t: float,
    seat: Seat | None,
    action: str | None,
    detail: str,
    kind: str,
    entity: str | None,
    entities: list[str] | None = None,
    changes: dict[str, Any] | None = None,
    *,
    actor: str = "user",
    correlation: str | None = None,
    metadata: dict[str, Any] | None = None,
    reason: str | None = None,
    key: str | None = None,
    behind: dict[str, str] | None = None,
) -> Entry:
    """One entry of the log; `behind` is who acted in the actor's name."""
    person = seat.who if seat and actor == "user" else None
    return w.emit(
        "printago",
        t,
        {
            "id": cuid(w.rng),
            "storeId": STORE,
            "createdAt": None,
            "actorType": actor,
            "actorId": person.ids["printago"] if person else key,
            "actorEmail": person.email if person else None,
            "impersonatedBy": behind,
            "apiKeyId": f"{key[:4]}****" if key else None,
            "action": action,
            "detailedAction": detail,
            "entityType": kind,
            "entityId": entity,
            "entityIds": entities,
            "ipAddress": seat.line.ip if seat else None,
            "userAgent": seat.line.agent if seat else None,
            "correlationId": correlation,
            "reason": reason,
            "changes": changes,
            "metadata": metadata,
        },
    )


class Farm:
    """Printers, orders, jobs and parts as they stand."""

    def __init__(self, w: World, printers: int) -> None:
        rng = w.rng
        self.printers = [cuid(rng) for _ in range(printers)]
        self.free = list(self.printers)
        self.queue: list[str] = []
        self.failed: list[str] = []
        self.orders: list[list[str]] = []
        self.parts = [cuid(rng) for _ in range(printers * 6)]
        self.prices: dict[str, int] = {cuid(rng): rng.randrange(400, 9000) for _ in range(printers * 2)}
        self.slots: dict[str, str] = {}
        self.dark: set[str] = set()


def farm(w: World) -> Farm:
    return w.state["farm"]  # type: ignore[no-any-return]


def order_arrives(w: World, t: int) -> None:
    f, rng = farm(w), w.rng
    order, together = cuid(rng), cuid(rng)
    hook = Seat(w.staff[0], Line("198.51.100.240", "Shopify-Captain-Hook"))
    record(
        w,
        t,
        hook,
        "create",
        "order.create",
        "Orders",
        order,
        actor="webhook",
        correlation=together,
        metadata={"integration": "shopify", "deliveryId": f"d-{rng.randrange(10**6)}"},
    )
    jobs = [cuid(rng) for _ in range(rng.choice((1, 1, 2, 2, 3, 5)))]
    record(
        w,
        t + 900,
        hook,
        "bulk_create",
        "printJob.create",
        "PrintJobs",
        None,
        jobs,
        actor="webhook",
        correlation=together,
        metadata={"orderId": order},
    )
    f.queue += jobs
    f.orders.append([order, "open"])
    w.at(t + rng.randrange(30_000, 20 * MINUTE), dispatch)


def dispatch(w: World, t: int) -> None:
    """Jobs that wait go to printers that are free."""
    f, rng = farm(w), w.rng
    while f.queue and f.free:
        job, printer = f.queue.pop(0), f.free.pop(rng.randrange(len(f.free)))
        record(
            w,
            t,
            None,
            "update",
            "printJob.start",
            "PrintJobs",
            job,
            actor="system",
            changes={
                "status": {"old": "pending", "new": "printing"},
                "printerId": {"old": None, "new": printer},
            },
        )
        w.at(
            t + rng.randrange(35, 300) * MINUTE,
            lambda w, t, job=job, printer=printer: finish(w, t, job, printer),
        )


def finish(w: World, t: int, job: str, printer: str) -> None:
    f, rng = farm(w), w.rng
    done = rng.random() > 0.06
    record(
        w,
        t,
        None,
        "update",
        "printJob.complete" if done else "printJob.fail",
        "PrintJobs",
        job,
        actor="system",
        changes={"status": {"old": "printing", "new": "completed" if done else "failed"}},
    )
    record(w, t + 700, None, None, "printerCommand.refresh-slot", "Printers", None, [printer], actor="system")
    if not done:
        f.failed.append(job)
        del f.failed[:-400]
    f.free.append(printer)
    w.at(t + 2 * MINUTE, dispatch)


def blink(w: World, t: int, printer: str | None = None, gap: int = 0) -> None:
    """A printer goes off the network and comes back."""
    f = farm(w)
    one = printer or w.rng.choice(f.printers)
    gap = gap or w.rng.randrange(2, 40) * MINUTE
    if one in f.dark:
        return
    f.dark.add(one)
    w.at(t + gap, lambda w, t: f.dark.discard(one))
    record(
        w,
        t,
        None,
        "update",
        "printer.offline",
        "Printers",
        one,
        actor="system",
        changes={"isOnline": {"old": True, "new": False}},
    )
    record(
        w,
        t + gap,
        None,
        "update",
        "printer.online",
        "Printers",
        one,
        actor="system",
        changes={"isOnline": {"old": False, "new": True}},
    )


def night_watch(w: World, t: int) -> None:
    """What the scheduler does at two at night."""
    rng = w.rng
    record(
        w,
        t,
        None,
        "bulk_update",
        "printJob.requeue",
        "PrintJobs",
        None,
        [cuid(rng) for _ in range(rng.randrange(2, 12))],
        actor="scheduler",
        reason="nightly reset",
    )
    record(
        w,
        t + 4700,
        None,
        "bulk_delete",
        "printJob.cleanup",
        "PrintJobs",
        None,
        [cuid(rng) for _ in range(rng.randrange(20, 160))],
        actor="scheduler",
        metadata={"olderThanDays": 90},
    )


def by_key(w: World, t: int, key: str, line: Any) -> None:
    """One call of an integration with its key."""
    f, rng = farm(w), w.rng
    sku = rng.choice(list(f.prices)[:200])
    old, f.prices[sku] = f.prices[sku], max(100, f.prices[sku] + rng.randrange(-50, 55))
    record(
        w,
        t,
        Seat(w.staff[0], line),
        "update",
        "sku.update",
        "SKUs",
        sku,
        actor="api_key",
        key=key,
        changes={"price": {"old": f"{old / 100:.2f}", "new": f"{f.prices[sku] / 100:.2f}"}},
    )
