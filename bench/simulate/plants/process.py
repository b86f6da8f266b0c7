"""Steps that were skipped, turned round, or taken by the wrong person."""

from __future__ import annotations

from typing import Any

from bench.simulate import craftstage, hoops, oncloudwine, printago
from bench.simulate.craftstage import Job
from bench.simulate.diary import Seat
from bench.simulate.plants.planter import DAY, HOUR, Planter, minutes
from bench.simulate.world import World, cuid

STEP = minutes(6)
PREPRESS = ("prepress", "prepress_de")
SALES = ("sales", "sales_de")


def begun(w: World, t: int, seat: Seat, *, errors: int = 0) -> Job:
    """A job that came as far as its preflight, on its own and not in its owner's pile."""
    job = craftstage.begin(w, t, seat, owner=-1)
    craftstage.step(w, t + STEP, seat, job)
    craftstage.preflight(w, t + 2 * STEP, seat, job, errors)
    return job


def approved(w: World, t: int, seat: Seat, *, errors: int = 0) -> Job:
    """A job that its customer approved."""
    job = begun(w, t, seat, errors=errors)
    craftstage.link(w, t + 3 * STEP, seat, job, customer_comes=False)
    who, line = craftstage.visitor(w, job)
    craftstage.record(
        w, t + 5 * STEP, who, "approval_link_accessed", job.id, {"approvalLinkId": job.link}, line
    )
    craftstage.approve(w, t + 6 * STEP, job, who, line, list(job.items))
    craftstage.move(w, t + 6 * STEP + 30, job, "approved")
    return job


def exported(w: World, t: float, seat: Seat, job: Job, *, without: bool = False, ready: bool = True) -> None:
    if ready:
        craftstage.move(w, t, job, "production ready", seat)
    craftstage.export(w, int(t) + STEP, seat, job, without=without)


def missing_approval(p: Planter) -> None:
    """A job is exported that its customer never approved, with or without the product's own mark."""
    person, day = p.someone(PREPRESS)
    seat, start = p.seat(person, day), p.within(person, day, HOUR)
    label = p.label(start, start + 2 * HOUR, person)

    def act(w: World, t: int) -> None:
        w.label = None
        job = begun(w, t, seat)
        craftstage.link(w, t + 3 * STEP, seat, job, customer_comes=False)
        marked = p.strength != "faint"
        if not marked:
            craftstage.move(w, t + 5 * STEP, job, "approved", seat)
        w.label = label
        exported(w, t + 7 * STEP, seat, job, without=marked, ready=not marked)

    p.w.at(start, act, label)


def four_eyes(p: Planter) -> None:
    """Who made it also approves it."""
    craft = p.n % 2 == 0
    person, day = p.someone(PREPRESS if craft else SALES)
    seat, start = p.seat(person, day), p.within(person, day, HOUR)
    label = p.label(start, start + 2 * HOUR, person)

    def act(w: World, t: int) -> None:
        if craft:
            job = begun(w, t, seat)
            craftstage.make_proofs(w, t + 3 * STEP, job, list(job.items), seat)
            craftstage.link(w, t + 4 * STEP, seat, job, customer_comes=False)
            craftstage.approve(w, t + 5 * STEP, job, seat, None, list(job.items))
            craftstage.move(w, t + 5 * STEP + 30, job, "approved")
        else:
            quote = _sold(w, t, seat)
            hoops.proof(w, t + 5 * STEP, seat, quote, buyer_comes=False)
            hoops.record(
                w, t + 7 * STEP, seat, quote.job, "Proof approved", proof={"id": quote.proof, "comment": "ok"}
            )

    p.w.at(start, act, label)


def _sold(w: World, t: int, seat: Seat, *, convert: bool = True) -> hoops.Quote:
    """A quote that its buyer approved, and its job; not in the seller's pile."""
    quote = hoops.begin(w, t, seat, owner=-1)
    quote.waits = ""
    hoops.record(
        w, t + STEP, seat, quote.doc, "Email sent", email=hoops.mail(seat.who.name, quote, t, "Your quote")
    )
    hoops.status(w, t + STEP + 900, seat, quote, quote.doc, "Pending")
    hoops.status(w, t + 3 * STEP, quote.buyer, quote, quote.doc, "Approved")
    if convert:
        hoops.convert(w, t + 4 * STEP, seat, quote)
    return quote


def edit_after_approval(p: Planter) -> None:
    """What was approved is changed, and used without being approved again."""
    craft = p.n % 2 == 0
    person, day = p.someone(PREPRESS if craft else SALES)
    seat, start = p.seat(person, day), p.within(person, day, HOUR)
    label = p.label(start, start + 2 * HOUR, person)

    def act(w: World, t: int) -> None:
        if craft:
            job = approved(w, t, seat)
            craftstage.make_proofs(w, t + 7 * STEP, job, job.items[:1], seat)
            exported(w, t + 9 * STEP, seat, job)
        else:
            quote = _sold(w, t, seat, convert=False)
            hoops.change_quantity(w, t + 4 * STEP, seat, quote, int(quote.shirts * (1.3, 1.8, 2.6)[p.n % 3]))
            hoops.convert(w, t + 6 * STEP, seat, quote)

    p.w.at(start, act, label)


def superseded_approval_link(p: Planter) -> None:
    """A customer approves through a link that a newer one had replaced, or that had run out."""
    person, day = p.someone(PREPRESS)
    seat, start = p.seat(person, day), p.within(person, day, HOUR)
    label = p.label(start, start + 3 * HOUR, person)

    def act(w: World, t: int) -> None:
        job = begun(w, t, seat)
        craftstage.link(w, t + 3 * STEP, seat, job, customer_comes=False)
        old = job.link
        craftstage.link(w, t + 5 * STEP, seat, job, customer_comes=False)
        who, line = craftstage.visitor(w, job)
        at = t + (5 + p.size(3, 7, 12)) * STEP
        craftstage.record(w, at - STEP, who, "approval_link_accessed", job.id, {"approvalLinkId": old}, line)
        craftstage.approve(w, at, job, who, line, list(job.items), via=old)
        craftstage.move(w, at + 30, job, "approved")

    p.w.at(start, act, label)


def ready_with_errors(p: Planter) -> None:
    """A job goes to production although its last preflight found errors, or none was run."""
    person, day = p.someone(PREPRESS)
    seat, start = p.seat(person, day), p.within(person, day, HOUR)
    label = p.label(start, start + 2 * HOUR, person)

    def act(w: World, t: int) -> None:
        w.label = None
        job = approved(w, t, seat, errors=p.size(1, 2, 5))
        w.label = label
        exported(w, t + 8 * STEP, seat, job)

    p.w.at(start, act, label)


def illegal_transition(p: Planter) -> None:
    """A status follows that its product does not let follow."""
    way = p.turn("draft", "completed", "payment", "job")
    person, day = p.someone(
        PREPRESS
        if way in ("draft", "completed")
        else ("cellar",)
        if way == "payment"
        else ("farm", "farm_late")
    )
    seat, start = p.seat(person, day), p.within(person, day, 2 * HOUR)
    label = p.label(start, start + 2 * HOUR, person)

    def act(w: World, t: int) -> None:
        if way == "draft":
            job = craftstage.begin(w, t, seat, owner=-1)
            craftstage.move(w, t + 3 * STEP, job, p.turn("exported", "completed"), seat)
        elif way == "completed":
            job = approved(w, t, seat)
            exported(w, t + 7 * STEP, seat, job)
            craftstage.move(w, t + 10 * STEP, job, "completed")
            craftstage.move(w, t + 12 * STEP, job, "draft", seat)
        elif way == "payment":
            oncloudwine.record(
                w,
                t,
                seat,
                "updated",
                "Payment updated · Member 1",
                "PAYMENT",
                f"pay_{cuid(w.rng)[:10]}",
                {"status": "FAILED"},
                {"status": "COMPLETED"},
            )
        else:
            printago.record(
                w,
                t,
                seat,
                "update",
                "printJob.update",
                "PrintJobs",
                cuid(w.rng),
                changes={"status": {"old": "completed", "new": "printing"}},
            )

    p.w.at(start, act, label)


def value_jump(p: Planter) -> None:
    """After its approval a quote grows to many times its size."""
    person, day = p.someone(SALES)
    seat, start, times = p.seat(person, day), p.within(person, day, HOUR), p.size(12, 15, 40)
    label = p.label(start, start + 2 * HOUR, person)

    def act(w: World, t: int) -> None:
        quote = _sold(w, t, seat, convert=False)
        hoops.change_quantity(w, t + 4 * STEP, seat, quote, quote.shirts * times)
        hoops.convert(w, t + 6 * STEP, seat, quote)

    p.w.at(start, act, label)


def invoice_never_sent(p: Planter) -> None:
    """An invoice is made and never reaches the accounts."""
    person, day = p.someone(("books",), last=28)
    seat, start = p.seat(person, day), p.within(person, day)
    label = p.label(start, start + 28 * DAY, person)

    def act(w: World, t: int) -> None:
        fresh = [one for one in hoops.counter(w).books if not one.waits]
        if fresh:
            hoops.invoice(w, t, seat, fresh[0], sent=False)
        else:
            w.at(t + HOUR, act, label)

    p.w.at(start, act, label)


def state_conflict(p: Planter) -> None:
    """A change names an old value that was not there: something happened in between that is not in the log."""
    way = p.turn("phone", "stock", "order")
    person, day = p.someone(("cellar",) if way != "order" else ("farm", "farm_late"))
    seat, start = p.seat(person, day), p.within(person, day, 2 * HOUR)
    label = p.label(start, start + 2 * HOUR, person)

    def act(w: World, t: int) -> None:
        c: Any = oncloudwine.club(w)
        w.label = None
        if way == "phone":
            name = oncloudwine.some(w)
            oncloudwine.change_contact(w, t, seat, "phone", f"+1 415 555 {w.rng.randrange(10_000):04d}", name)
            c.contacts[name]["phone"] = f"+44 20 7946 {w.rng.randrange(10_000):04d}"
            w.at(
                t + HOUR,
                lambda w, t: oncloudwine.change_contact(w, t, seat, "phone", "+1 415 555 0000", name),
                label,
            )
        elif way == "stock":
            product = f"prd_{w.rng.randrange(140)}"
            oncloudwine.adjust(w, t, seat, product, 3)
            c.stock[product] += p.size(17, 60, 400)
            w.label = label
            oncloudwine.adjust(w, t + 1, seat, product, 1)
        else:
            order = cuid(w.rng)
            for n, (old, new) in enumerate((("open", "packed"), ("on hold", "shipped"))):
                w.label = label if n else None
                printago.record(
                    w,
                    t + n * HOUR,
                    seat,
                    "update",
                    "order.update",
                    "Orders",
                    order,
                    changes={"status": {"old": old, "new": new}},
                )

    p.w.at(start, act, label)


PLANTS = (
    missing_approval,
    four_eyes,
    edit_after_approval,
    superseded_approval_link,
    ready_with_errors,
    illegal_transition,
    value_jump,
    invoice_never_sent,
    state_conflict,
)
