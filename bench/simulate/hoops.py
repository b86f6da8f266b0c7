"""Quotes and apparel jobs: a SalesDoc from the first total to the paid invoice. Records in the shape of Hoops CRM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.simulate.diary import DAY, HOUR, MINUTE, Seat
from bench.simulate.world import Entry, World, cuid, iso

Actor = Seat | dict[str, Any] | None


def record(w: World, t: float, actor: Actor, document: dict[str, str], activity: str, **said: Any) -> Entry:
    """One activity; without an actor, by the product itself."""
    who = actor
    if isinstance(actor, Seat):
        who = {"name": actor.who.name, "kind": "User", "email": actor.who.email}
    return w.emit(
        "hoops",
        t,
        {
            "activity_id": None,
            "document": document,
            "occurred_at": None,
            "activity": activity,
            "performed_by": who,
            **said,
        },
    )


@dataclass
class Quote:
    """A SalesDoc and the job that comes of it."""

    number: int
    owner: int
    customer: int
    shirts: int
    waits: str = "send"
    status: str = "Draft"
    updates: int = 0
    proof: str = ""
    paid: bool = False

    @property
    def doc(self) -> dict[str, str]:
        return {"type": "SalesDoc", "number": f"Q-{self.number}"}

    @property
    def job(self) -> dict[str, str]:
        return {"type": "Job", "number": f"J-{self.number}", "sales_doc": f"Q-{self.number}"}

    @property
    def invoice(self) -> str:
        return f"INV-{self.number}"

    @property
    def buyer(self) -> dict[str, Any]:
        return {
            "name": f"Buyer {self.customer}",
            "kind": "Customer",
            "email": f"buyer{self.customer}@customer{self.customer}.example",
        }


class Counter:
    def __init__(self) -> None:
        self.quotes: dict[int, list[Quote]] = {}
        self.books: list[Quote] = []
        self.count = 12_000


def counter(w: World) -> Counter:
    return w.state["counter"]  # type: ignore[no-any-return]


def money(shirts: int) -> str:
    return f"${shirts * 4.6:,.2f}"


def begin(w: World, t: int, seat: Seat, owner: int) -> Quote:
    c, rng = counter(w), w.rng
    c.count += 1
    quote = Quote(c.count, owner, rng.randrange(600), rng.choice((24, 36, 48, 72, 120, 150, 250, 300)))
    c.quotes.setdefault(owner, []).append(quote)
    record(
        w,
        t,
        seat,
        quote.doc,
        "SalesDoc created",
        details=[
            {"label": "Quantity", "previous": None, "updated": f"{quote.shirts:,} shirts"},
            {"label": "Total", "previous": None, "updated": money(quote.shirts)},
        ],
    )
    return quote


def sell(w: World, t: int, seat: Seat, owner: int) -> None:
    """The next thing that a seller does."""
    quotes = [one for one in counter(w).quotes.get(owner, ()) if one.waits]
    if not quotes or (len(quotes) < 7 and w.rng.random() < 0.22):
        begin(w, t, seat, owner)
    else:
        quote = w.rng.choice(quotes)
        STEPS[quote.waits](w, t, seat, quote)


def mail(seat_or_name: str, quote: Quote, t: float, subject: str) -> dict[str, Any]:
    return {
        "to": [quote.buyer["email"]],
        "cc": [],
        "bcc": [],
        "subject": subject,
        "sent_at": iso(t - 1000, "hoops"),
        "content": f"Hello, {subject.lower()}. {seat_or_name}",
        "format": "text",
    }


def change_quantity(w: World, t: float, seat: Seat, quote: Quote, shirts: int) -> Entry:
    entry = record(
        w,
        t,
        seat,
        quote.doc,
        "Quote updated",
        details=[
            {"label": "Quantity", "previous": f"{quote.shirts:,} shirts", "updated": f"{shirts:,} shirts"},
            {"label": "Total", "previous": money(quote.shirts), "updated": money(shirts)},
        ],
    )
    quote.shirts = shirts
    return entry


def status(
    w: World, t: float, actor: Actor, quote: Quote, document: dict[str, str], to: str, **said: Any
) -> Entry:
    entry = record(
        w,
        t,
        actor,
        document,
        "Status changed",
        details=[{"label": "Status", "previous": quote.status, "updated": to}],
        **said,
    )
    quote.status = to
    return entry


def _send(w: World, t: int, seat: Seat, quote: Quote) -> None:
    rng = w.rng
    if quote.updates < 2 and rng.random() < 0.35:
        quote.updates += 1
        change_quantity(w, t, seat, quote, max(12, int(quote.shirts * rng.choice((0.5, 0.75, 1.5, 2)))))
        return
    record(
        w,
        t,
        seat,
        quote.doc,
        "Email sent",
        email=mail(seat.who.name, quote, t, f"Your quote Q-{quote.number}"),
    )
    if quote.status == "Draft":
        status(w, t + 1500, seat, quote, quote.doc, "Pending")
    quote.waits = ""
    w.at(t + 20 * MINUTE + rng.expovariate(1 / (10 * HOUR)), lambda w, t: decide(w, t, quote))


def decide(w: World, t: int, quote: Quote) -> None:
    """The buyer approves, or lets it be."""
    if w.rng.random() < 0.15:
        status(w, t, quote.buyer, quote, quote.doc, "Declined")
        counter(w).quotes[quote.owner].remove(quote)
        return
    status(w, t, quote.buyer, quote, quote.doc, "Approved")
    quote.waits = "convert"


def convert(w: World, t: int, seat: Seat, quote: Quote) -> None:
    record(
        w,
        t,
        seat,
        quote.doc,
        "Quote converted into a Job",
        details=[
            {"label": "Job Number", "previous": None, "updated": f"J-{quote.number}"},
            {"label": "Status", "previous": quote.status, "updated": "Accepted"},
        ],
    )
    record(w, t + 900, seat, quote.job, "Job created")
    quote.status, quote.waits = "New", "art"
    status(w, t + 1000, None, quote, quote.job, "Proofing")


def _art(w: World, t: int, seat: Seat, quote: Quote) -> None:
    record(
        w,
        t,
        seat,
        quote.job,
        "Artwork uploaded",
        artwork={"id": f"art_{cuid(w.rng)[:8]}", "file_name": f"front {quote.number}.ai"},
    )
    quote.waits = "proof"


def proof(w: World, t: int, seat: Seat, quote: Quote, *, buyer_comes: bool = True) -> None:
    quote.proof = f"prf_{cuid(w.rng)[:8]}"
    record(w, t, seat, quote.job, "Proof created", proof={"id": quote.proof})
    record(
        w,
        t + 2 * MINUTE,
        seat,
        quote.job,
        "Proof sent",
        proof={"id": quote.proof},
        email=mail(seat.who.name, quote, t, "Proof ready"),
    )
    quote.waits = ""
    if buyer_comes:
        w.at(t + 30 * MINUTE + w.rng.expovariate(1 / (8 * HOUR)), lambda w, t: judge(w, t, quote))


def judge(w: World, t: int, quote: Quote) -> None:
    if w.rng.random() < 0.18:
        record(
            w,
            t,
            quote.buyer,
            quote.job,
            "Proof rejected",
            proof={"id": quote.proof, "comment": "Logo too small"},
        )
        quote.waits = "proof"
        return
    record(w, t, quote.buyer, quote.job, "Proof approved", proof={"id": quote.proof, "comment": "Fine"})
    rule = {"rule_id": "rule_12", "rule_name": "Approved -> production"}
    robot = {"name": "Approved -> production", "kind": "Automation"}
    record(w, t + 2000, robot, quote.job, "Automation rule triggered", automation=rule)
    status(w, t + 3000, robot, quote, quote.job, "In Production", automation=rule)
    quote.waits = "order"


def _order(w: World, t: int, seat: Seat, quote: Quote) -> None:
    order = {"number": f"PO-{quote.number}"}
    record(w, t, seat, quote.job, "Purchase Order created", purchase_order=order)
    record(w, t + 3 * MINUTE, seat, quote.job, "Purchase Order sent", purchase_order=order)
    quote.waits = ""
    counter(w).quotes[quote.owner].remove(quote)
    w.at(t + w.rng.uniform(1, 4) * DAY, lambda w, t: counter(w).books.append(quote))


def bill(w: World, t: int, seat: Seat) -> None:
    """The next thing that a bookkeeper does: an invoice for what was made, or a payment that came."""
    c, rng = counter(w), w.rng
    unpaid = [one for one in c.books if one.waits == "pay"]
    fresh = [one for one in c.books if not one.waits]
    if fresh and (not unpaid or rng.random() < 0.5):
        invoice(w, t, seat, rng.choice(fresh))
    elif unpaid:
        pay(w, t, seat, unpaid[0])
    else:
        record(
            w,
            t,
            seat,
            {"type": "SalesDoc", "number": f"Q-{rng.randrange(9000, 12000)}"},
            "Note added",
            details=[{"label": "Note", "previous": None, "updated": "Checked the balance"}],
        )


def invoice(w: World, t: int, seat: Seat, quote: Quote, *, sent: bool = True) -> Entry:
    name = {"number": quote.invoice, "platform": "Xero"}
    entry = record(
        w,
        t,
        seat,
        quote.job,
        "Invoice created",
        invoice={**name, "platform": None},
        details=[
            {"label": "Invoice Number", "previous": None, "updated": quote.invoice},
            {"label": "Total Invoice Amount", "previous": None, "updated": money(quote.shirts)},
        ],
    )
    quote.waits = "sent"
    if sent:
        w.at(t + w.rng.choice((1, 1, 2, 30, 90, 1500)) * MINUTE, lambda w, t: _to_xero(w, t, quote, name))
    else:
        counter(w).books.remove(quote)
    return entry


def _to_xero(w: World, t: int, quote: Quote, name: dict[str, str]) -> None:
    record(w, t, None, quote.job, "Invoice sent to Xero", invoice=name)
    quote.waits = "later"

    w.at(t + w.rng.uniform(2, 16) * DAY, lambda w, t: setattr(quote, "waits", "pay"))


def pay(w: World, t: int, seat: Seat, quote: Quote) -> None:
    c = counter(w)
    total = f"{quote.shirts * 4.6:.2f}"
    record(
        w,
        t,
        seat,
        quote.job,
        "Payment recorded",
        payment={"id": f"pmt_{quote.number}", "amount": total, "currency": "USD"},
        invoice={"number": quote.invoice, "platform": "Xero"},
    )
    record(
        w,
        t + 4000,
        {"name": "Payment sync", "kind": "Automation"},
        quote.job,
        "Invoice status updated",
        invoice={"number": quote.invoice, "platform": "Xero"},
        details=[{"label": "Status", "previous": "Awaiting Payment", "updated": "Paid"}],
    )
    c.books.remove(quote)


STEPS: dict[str, Callable[[World, int, Seat, Quote], Any]] = {
    "send": _send,
    "convert": convert,
    "art": _art,
    "proof": proof,
    "order": _order,
}
