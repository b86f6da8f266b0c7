"""Hoops: quotes become jobs, jobs become invoices, invoices go to Xero. Times carry an offset, to the second."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import datetime, timedelta

from sample_data.dice import Dice
from sample_data.lines import Record, Row, in_order, line
from sample_data.month import NEW_YORK, at, awake, on_duty
from sample_data.people import BEA, INES, JONAH, NKECHI, ROSA, Person
from sample_data.plan import Order, orders
from sample_data.story import FORGOTTEN_INVOICE, QUOTE_RAISED

Rows = Iterator[Row]
RowsUntil = Generator[Row, None, datetime]

ARTISTS = {"craft": INES, "apparel": JONAH, "printed": NKECHI}
REJECTIONS = (
    "The logo sits too low, please move it up by about an inch.",
    "Our blue is darker than this, see the style sheet.",
    "The date is wrong, it must say 14 November.",
    "Please spell out the name of the club.",
)
REMINDER = {"rule_id": "rul_11", "rule_name": "Quote reminder after a day"}
PICKUP = {"rule_id": "rul_14", "rule_name": "Tell the customer when it is ready"}
UPLOADER = {"rule_id": "rul_17", "rule_name": "Tell the uploader about the proof"}
LAST_INVOICES = at(29, "00:00")


def lines() -> list[str]:
    """The export: one activity a line, oldest first."""
    dice = Dice("hoops")
    rows = in_order(row for order in orders() for row in _life(order, Dice(f"hoops {order.quote}")))
    number = 88100
    written = []
    for moment, activity in rows:
        number += dice.whole(1, 6)
        stamp = moment.astimezone(NEW_YORK).isoformat(timespec="seconds")
        head = {"activity_id": number, "document": activity.pop("document"), "occurred_at": stamp}
        written.append(line(head | activity))
    return written


def _life(order: Order, dice: Dice) -> Rows:
    yield from _quote(order, dice)
    yield from _conversion(order, dice)
    proofed = yield from _proofs(order, dice, order.converted + dice.minutes(20, 60))
    finished = yield from _production(order, dice, proofed)
    yield from _money(order, dice, finished)


def _quote(order: Order, dice: Dice) -> Rows:
    total = _dollars(order.quantity * order.unit_cents)
    sheet = {"type": "SalesDoc", "number": order.quote}
    yield (
        order.opened,
        _did(sheet, "SalesDoc created", order.seller)
        | _details(
            ("Status", None, "Draft"), ("Quantity", None, f"{order.quantity:,}"), ("Total", None, total)
        ),
    )
    file = {"id": f"art_{order.number:04}", "file_name": f"{order.title.lower().replace(' ', '-')}-v1.pdf"}
    yield (
        order.opened + dice.seconds(40, 600),
        _did(sheet, "Artwork uploaded", order.seller) | {"artwork": file},
    )
    mail = _mail(
        order, f"Your quote {order.quote}", f"{order.title}, {order.quantity} pieces, {total}.", order.sent
    )
    yield order.sent, _did(sheet, "Email sent", order.seller) | {"email": mail}
    yield (
        order.sent + timedelta(seconds=2),
        _did(sheet, "Status changed", order.seller) | _details(("Status", "Draft", "Pending")),
    )
    if order.approved - order.sent > timedelta(hours=25):
        yield from _reminder(order, sheet, order.sent + timedelta(hours=24, minutes=dice.whole(0, 2)))
    approval = _did(sheet, "Status changed", None) | _details(("Status", "Pending", "Approved"))
    yield order.approved, approval | {"performed_by": _customer(order)}
    if order.raised:
        yield (
            QUOTE_RAISED,
            _did(sheet, "Totals updated", order.seller)
            | _details(("Quantity", "300", "3,000"), ("Total", "$4,500.00", "$45,000.00")),
        )


def _reminder(order: Order, sheet: Record, moment: datetime) -> Rows:
    robot = {"performed_by": {"name": REMINDER["rule_name"], "kind": "Automation"}, "automation": REMINDER}
    yield moment, _did(sheet, "Automation triggered", None) | robot
    mail = _mail(order, f"Reminder: your quote {order.quote}", "It is waiting for your answer.", moment)
    yield moment + timedelta(seconds=3), _did(sheet, "Email sent", None) | robot | {"email": mail}


def _conversion(order: Order, dice: Dice) -> Rows:
    sheet = {"type": "SalesDoc", "number": order.quote}
    yield (
        order.converted,
        _did(sheet, "SalesDoc converted to Job", order.seller)
        | _details(("Status", "Approved", "Accepted"), ("Job", None, order.job)),
    )
    yield (
        order.converted + timedelta(seconds=1),
        _did(_job(order), "Job created", order.seller)
        | _details(("Status", None, "New"), ("Total", None, _dollars(_total(order)))),
    )
    yield order.converted + dice.seconds(4, 50), _did(sheet, "SalesDoc synced to Xero", None)
    if dice.chance(0.45):
        buyer, number = on_duty(ROSA, order.converted + dice.minutes(12, 90)), f"PO-{3300 + order.number}"
        bought = {"purchase_order": {"number": number}}
        yield buyer, _did(_job(order), "Purchase Order created", ROSA) | bought
        yield buyer + dice.minutes(2, 9), _did(_job(order), "Purchase Order sent", ROSA) | bought
        arrived = on_duty(ROSA, buyer + dice.minutes(200, 700))
        yield arrived, _did(_job(order), "Purchase Order received", ROSA) | bought


def _proofs(order: Order, dice: Dice, earliest: datetime) -> RowsUntil:
    artist, proof = ARTISTS[order.kind], f"prf_{order.number:04}"
    moment, version = on_duty(artist, earliest), 1
    while True:
        file = {
            "id": f"art_{order.number:04}_{version}",
            "file_name": f"{order.job.lower()}-proof-v{version}.pdf",
        }
        yield moment, _did(_job(order), "Artwork uploaded", artist) | {"artwork": file}
        mail = _mail(
            order, f"Proof {version} for {order.job}", "Please look at the proof and answer there.", moment
        )
        yield moment + timedelta(seconds=45), _did(_job(order), "Proof sent", artist) | {"email": mail}
        answered = awake(moment + dice.minutes(60, 1300))
        good = version > 1 or dice.chance(0.72)
        verdict = {"id": proof, "comment": None if good else dice.pick(REJECTIONS)}
        activity = _did(_job(order), "Proof approved" if good else "Proof rejected", None)
        yield answered, activity | {"performed_by": _customer(order), "proof": verdict}
        yield (
            answered + timedelta(seconds=2),
            _did(_job(order), "Notification sent", None)
            | {
                "performed_by": {"name": UPLOADER["rule_name"], "kind": "Automation"},
                "automation": UPLOADER,
                "notification": _message(
                    artist.email, f"{order.job}: proof answered", "See the Activity tab.", answered
                ),
            },
        )
        if good:
            return answered
        moment, version = on_duty(artist, answered + dice.minutes(30, 240)), version + 1


def _production(order: Order, dice: Dice, earliest: datetime) -> RowsUntil:
    artist = ARTISTS[order.kind]
    begun = on_duty(artist, earliest + dice.minutes(20, 180))
    yield begun, _did(_job(order), "Status changed", artist) | _details(("Status", "New", "In production"))
    done = on_duty(artist, begun + dice.minutes(500, 2400))
    yield done, _did(_job(order), "Status changed", artist) | _details(("Status", "In production", "Ready"))
    robot = {"performed_by": {"name": PICKUP["rule_name"], "kind": "Automation"}, "automation": PICKUP}
    yield done + timedelta(seconds=2), _did(_job(order), "Automation triggered", None) | robot
    text = _message(order.customer.phone, None, f"{order.job} is ready at the counter.", done)
    yield done + timedelta(seconds=4), _did(_job(order), "SMS sent", None) | robot | {"sms": text}
    fetched = on_duty(ROSA, done + dice.minutes(90, 1500))
    yield fetched, _did(_job(order), "Status changed", ROSA) | _details(("Status", "Ready", "Completed"))
    return fetched


def _money(order: Order, dice: Dice, earliest: datetime) -> Rows:
    billed = on_duty(BEA, earliest + dice.minutes(20, 300))
    if billed >= LAST_INVOICES:
        return
    number, total = f"INV-{order.job[2:]}", _dollars(_total(order))
    invoice = {"invoice": {"number": number, "platform": "Xero"}}
    yield (
        billed,
        _did(_job(order), "Invoice created", BEA)
        | invoice
        | _details(("Invoice Number", None, number), ("Total Invoice Amount", None, total)),
    )
    if number == FORGOTTEN_INVOICE:
        return
    sent = billed + dice.minutes(1, 6)
    yield (
        sent,
        _did(_job(order), "Invoice sent to Xero", None)
        | invoice
        | _details(("Invoice Number", None, number), ("Outstanding Balance", None, total)),
    )
    mail = _mail(order, f"Invoice {number}", f"Attached: {number} over {total}, due in 14 days.", sent)
    mail["cc"] = ["accounts@fernhollow.example"]
    yield sent + timedelta(seconds=20), _did(_job(order), "Email sent", BEA) | {"email": mail}
    paid = awake(sent + dice.minutes(600, 7000))
    payment = {"id": f"pay_{order.number:04}", "amount": f"{_total(order) / 100:.2f}", "currency": "USD"}
    yield (
        paid,
        _did(_job(order), "Payment received", None)
        | {"payment": payment}
        | _details(("Outstanding Balance", total, "$0.00")),
    )
    yield (
        paid + timedelta(seconds=5),
        _did(_job(order), "Invoice status updated", None)
        | invoice
        | _details(("Invoice Status", "Sent", "Paid")),
    )


def _did(document: Record, activity: str, person: Person | None) -> Record:
    who = None if person is None else {"name": person.name, "kind": "User"}
    return {"document": document, "activity": activity, "performed_by": who}


def _customer(order: Order) -> Record:
    return {"name": order.customer.name, "kind": "Customer", "email": order.customer.email}


def _job(order: Order) -> Record:
    return {"type": "Job", "number": order.job, "sales_doc": order.quote}


def _details(*changed: tuple[str, str | None, str]) -> Record:
    keys = ("label", "previous", "updated")
    return {"details": [dict(zip(keys, change, strict=True)) for change in changed]}


def _mail(order: Order, subject: str, text: str, moment: datetime) -> Record:
    body = f"<p>Hi {order.customer.name.split()[0]},<br>{text}</p><p>Fernhollow Print &amp; Cellar</p>"
    return _message(order.customer.email, subject, body, moment) | {"format": "html"}


def _message(to: str, subject: str | None, content: str, moment: datetime) -> Record:
    sent = (moment - timedelta(seconds=1)).astimezone(NEW_YORK).isoformat(timespec="seconds")
    return {"to": [to], "subject": subject, "sent_at": sent, "content": content}


def _total(order: Order) -> int:
    return order.quantity * order.unit_cents * (10 if order.raised else 1)


def _dollars(cents: int) -> str:
    return f"${cents / 100:,.2f}"
