"""What is done to the log itself, and settings that vendors call security-relevant."""

from __future__ import annotations

import copy

from bench.simulate import bswagic, hoops, oncloudwine, printago
from bench.simulate.diary import Seat
from bench.simulate.plants.planter import DAY, HOUR, Planter, minutes
from bench.simulate.world import ID_AND_TIME, World, cuid

TOKEN = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"

SILENT = ("org_trend_break", "source_silence")


def logging_disabled(p: Planter) -> None:
    """Somebody switches the log off, and after some hours on again."""
    person, _, seat, start = p.admin(last=5)
    end = start + minutes(p.size(95, 260, 1500))
    product = p.turn("printago", "bswagic")
    label = p.label(start, end, person, source=product)

    def switch(w: World, t: int, on: bool) -> None:
        if product == "printago":
            printago.record(
                w,
                t,
                seat,
                "update",
                f"auditLogs.{'enable' if on else 'disable'}",
                "Settings",
                printago.STORE,
                changes={"enabled": {"old": not on, "new": on}},
            )
        else:
            bswagic.record(
                w, t, seat, f"Activity Log {'Enabled' if on else 'Disabled'}", "Activity log switched"
            )

    p.w.at(start, lambda w, t: switch(w, t, False), label)
    p.w.silences.append((product, start + 1, end - 1, 1.0))
    p.w.at(end, lambda w, t: switch(w, t, True), label)


def read_log(w: World, t: float, seat: Seat, way: str) -> None:
    if way == "oncloudwine":
        oncloudwine.export(w, t, seat, "Activity log")
    elif way == "printago":
        printago.record(
            w,
            t,
            seat,
            "export",
            "auditLog.export",
            "AuditLogs",
            None,
            metadata={"format": "json", "rows": 900},
        )
    else:
        bswagic.record(w, t, seat, "Activity Log Exported", "Log exported to PDF")


def audit_log_read_or_exported(p: Planter) -> None:
    """Somebody takes the log with them."""
    person, day = p.someone(("desk", "cellar", "farm", "managers"))
    seat, start = p.seat(person, day), p.within(person, day)
    way = {"cellar": "oncloudwine", "farm": "printago"}.get(person.team.name, "bswagic")
    p.w.at(start, lambda w, t: read_log(w, t, seat, way), p.label(start, start, person))


def audit_log_deleted(p: Planter) -> None:
    """Entries of the log are deleted."""
    person, day = p.someone(("desk", "admins", "managers", "stewards"))
    seat, start, count = p.seat(person, day), p.within(person, day), p.size(1, 40, 900)
    action = "Activity Log Deleted" if p.strength == "faint" else "Activity Log Bulk Deleted"
    said = "Log entry deleted" if p.strength == "faint" else f"Bulk delete of {count} log entries"
    p.w.at(start, lambda w, t: bswagic.record(w, t, seat, action, said), p.label(start, start, person))


def history_rewritten(p: Planter) -> None:
    """A record comes again under the same id, and says something else."""
    product = p.turn("printago", "oncloudwine", "hoops")
    person, day = p.someone(
        {"printago": ("farm", "farm_late"), "oncloudwine": ("cellar",), "hoops": ("books",)}[product], last=7
    )
    seat, start = p.seat(person, day), p.within(person, day)
    label = p.label(start, start + 6 * DAY, person)

    def act(w: World, t: int) -> None:
        if product == "printago":
            entry = printago.record(
                w,
                t,
                seat,
                "update",
                "order.update",
                "Orders",
                cuid(w.rng),
                changes={"discount": {"old": 0, "new": 35}},
            )
        elif product == "oncloudwine":
            entry = oncloudwine.record(
                w,
                t,
                seat,
                "refunded",
                "Payment refunded · Member 9",
                "PAYMENT",
                f"pay_{cuid(w.rng)[:8]}",
                None,
                None,
                {"amount": 9000 + p.n, "currency": "usd"},
            )
        else:
            entry = hoops.record(
                w,
                t,
                seat,
                {"type": "SalesDoc", "number": f"Q-{11000 + p.n}"},
                "Note added",
                details=[{"label": "Note", "previous": None, "updated": "Discount agreed"}],
            )
        assert entry.record is not None
        other = copy.deepcopy(entry.record)
        w.at(t + p.size(30, 60, 110) * HOUR, lambda w, later: again(w, later, other), label)

        def again(w: World, later: int, other: dict[str, object]) -> None:
            other[ID_AND_TIME[product][0]] = int(entry.id) if product == "hoops" else entry.id
            if product == "printago":
                other["changes"] = {"discount": {"old": 0, "new": 5}}
            elif product == "oncloudwine":
                other["metadata"] = {"amount": 90, "currency": "usd"}
            else:
                other["details"] = []
            w.emit(product, later, other, clock_error=t - later)

    p.w.at(start, act, label)


def id_gap(p: Planter) -> None:
    """Numbered records are missing from the middle of the log."""
    product = p.turn("bswagic", "hoops")
    day = p.rng.randrange(p.first, p.days - 3)
    while (p.w.diary.begin.weekday() + day) % 7 > 4:
        day = p.rng.randrange(p.first, p.days - 3)
    start = p.w.begin + day * DAY + int(p.rng.uniform(12, 14.5) * HOUR)
    p.label(start - HOUR, start + 4 * HOUR, source=product)
    p.w.erased.append((product, start, start + 4 * HOUR, p.size(3, 11, 45)))


def source_silence(p: Planter) -> None:
    """Nothing comes from a product, in hours in which much always comes."""
    product = p.turn("oncloudwine", "bswagic", "printago", "craftstage", "hoops", "oncloudwine")
    day = p.first + (p.n * (p.days - p.first - 6)) // 6
    while (p.w.diary.begin.weekday() + day) % 7 not in (0, 1, 2) or (-1, day) in p.taken:
        day += 1
    p.taken.add((-1, day))
    start = p.w.begin + day * DAY + 4 * HOUR
    end = start + minutes(p.size(26, 33, 44) * 60)
    p.label(start, end, source=product)
    p.w.silences.append((product, start, end, 1.0))


def clock_skew(p: Planter) -> None:
    """For a while the clock behind the log is wrong."""
    person, day = p.someone(("desk", "desk_late"))
    seat, start, wrong = (
        p.seat(person, day),
        p.within(person, day, HOUR),
        minutes(p.size(75, 190, 500)) * (1, -1)[p.n % 2],
    )
    label = p.label(min(start, start + wrong), max(start, start + wrong) + HOUR, person, source="bswagic")
    p.spread(
        label,
        start,
        start + minutes(30),
        p.size(9, 18, 30),
        lambda w, t: bswagic.record(
            w, t, seat, "Message Sent", "Reply sent", bswagic.next_message(w), clock_error=wrong
        ),
    )


def retention_breach(p: Planter) -> None:
    """CraftStage's log may be kept for sixty days, and older entries are there."""
    p.label(p.w.begin, p.w.end, source="craftstage")


def redaction_leak(p: Planter) -> None:
    """A secret stands in the log in plain text."""
    person, _, seat, start = p.admin()
    product = p.turn("bswagic", "oncloudwine", "printago")
    secret = "".join(p.rng.choices(TOKEN, k=p.size(32, 44, 60)))

    def act(w: World, t: int) -> None:
        if product == "bswagic":
            bswagic.record(
                w,
                t,
                seat,
                "Setting Updated",
                "WhatsApp API token replaced",
                "Setting whatsapp.api",
                {"api_token": "[REDACTED]"},
                {"api_token": f"EAAG{secret}"},
            )
        elif product == "oncloudwine":
            oncloudwine.record(
                w,
                t,
                "OnCloudWine",
                "CONTACT_UPDATED",
                "CONTACT_UPDATED",
                None,
                None,
                None,
                None,
                {
                    "direction": "outgoing",
                    "response": {"status": 200},
                    "request": {
                        "url": "https://hooks.partner.example/wine",
                        "headers": {"Authorization": f"Bearer {secret}"},
                    },
                },
                family="WEBHOOK",
            )
        else:
            printago.record(
                w,
                t,
                seat,
                "update",
                "integration.update",
                "Integrations",
                cuid(w.rng),
                changes={"apiToken": {"old": "[REDACTED]", "new": f"shpat_{secret}"}},
            )

    p.w.at(start, act, p.label(start, start, person))


def vendor_setting(p: Planter) -> None:
    """A setting that the vendor's own guidance tells to watch is changed."""
    person, _, seat, start = p.admin()
    way = p.turn("integration", "webhook", "printago", "rule", "retention")

    def act(w: World, t: int) -> None:
        number = w.rng.randrange(10**5)
        if way == "integration":
            oncloudwine.record(
                w,
                t,
                seat,
                "connected",
                f"Integration connected · Tool {number}",
                "INTEGRATION",
                f"int_{number}",
            )
        elif way == "webhook":
            bswagic.record(
                w,
                t,
                seat,
                "Webhook Created",
                "Webhook for orders created",
                f"Webhook #{number}",
                after={"url": f"https://h{number}.example/hook", "secret": "[REDACTED]"},
            )
        elif way == "printago":
            printago.record(
                w,
                t,
                seat,
                "create",
                "webhook.create",
                "Webhooks",
                cuid(w.rng),
                changes={"url": {"new": f"https://h{number}.example/hook"}},
            )
        elif way == "rule":
            hoops.record(
                w,
                t,
                seat,
                {"type": "SalesDoc", "number": "Q-12001"},
                "Automation rule updated",
                automation={"rule_id": f"rule_{number}", "rule_name": f"Rule {number}"},
                details=[{"label": "Active", "previous": True, "updated": False}],
            )
        else:
            bswagic.record(
                w,
                t,
                seat,
                "Setting Updated",
                "Log retention changed",
                "Setting activity_log.retention",
                "365",
                f"{30 + p.n}",
            )

    p.w.at(start, act, p.label(start, start, person))


PLANTS = (
    logging_disabled,
    audit_log_read_or_exported,
    audit_log_deleted,
    history_rewritten,
    id_gap,
    source_silence,
    clock_skew,
    retention_breach,
    redaction_leak,
    vendor_setting,
)
