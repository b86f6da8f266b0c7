"""Printago: the 3D print farm. Newest first, as the product shows it; nothing while audit logging is off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sample_data import farm, printago_days
from sample_data.dice import Dice
from sample_data.farm import became, entry, gone
from sample_data.lines import Row, in_order, line
from sample_data.month import at
from sample_data.people import CALEB, GRETA, NKECHI, THEO
from sample_data.story import (
    ACCESS_WITHDRAWN,
    CALEB_UNKNOWN_ADDRESS,
    IMPERSONATION,
    LOGGING_OFF,
    LOGGING_ON,
    PARTS_DELETED,
    SECRET_CHANGED,
    SUPPORT_ADDRESS,
)

Rows = Iterator[Row]
ROLE_CHANGED = at(7, "10:22:40")


def lines() -> list[str]:
    """The export, without what happened while logging was off."""
    rows = in_order([*printago_days.rows(), *_planted(Dice("printago planted"))])
    logged = [(moment, entry) for moment, entry in rows if not LOGGING_OFF < moment < LOGGING_ON]
    return [line(entry) for _, entry in reversed(logged)]


def _planted(dice: Dice) -> Rows:
    yield from _members(dice)
    yield from _logging()
    yield from _support(dice)
    yield from _deletions()


def _members(dice: Dice) -> Rows:
    """The two changes of permissions that are in order, and a secret that was replaced."""
    greta = ("Members", farm.member_id(GRETA))
    role = became(role=("Viewer", "Operator"))
    yield entry(
        ROLE_CHANGED,
        THEO,
        "update",
        "member.updateRole",
        greta,
        changes=role,
        reason="tasting room signs",
    )
    secret = became(
        signingSecret=("[REDACTED]", "[REDACTED]"),
        url=("https://shop.example/in", "https://shop.example/in2"),
    )
    hook = ("Webhooks", dice.cuid())
    yield entry(
        SECRET_CHANGED, THEO, "update", "webhook.update", hook, changes=secret, reason="yearly rotation"
    )
    caleb = ("Members", farm.member_id(CALEB))
    left = gone(email=CALEB.email, role="Operator")
    yield entry(ACCESS_WITHDRAWN, THEO, "delete", "member.remove", caleb, changes=left, reason="last day")


def _logging() -> Rows:
    settings = ("Settings", farm.STORE)
    off, on = became(auditLogsEnabled=(True, False)), became(auditLogsEnabled=(False, True))
    yield entry(LOGGING_OFF, NKECHI, "update", "auditLogs.disable", settings, changes=off)
    yield entry(
        LOGGING_ON,
        THEO,
        "update",
        "auditLogs.enable",
        settings,
        changes=on,
        reason="found it switched off",
    )


def _support(dice: Dice) -> Rows:
    """The vendor's support acts as the operator, from its own address."""
    acts = (
        ("printerSlot.assign", "PrinterSlots", became(variantId=("v1a2", "v3b4"))),
        ("printer.update", "Printers", became(accessCode=("[REDACTED]", "[REDACTED]"))),
        ("printJob.retry", "PrintJobs", became(status=("failed", "queued"))),
    )
    moment = IMPERSONATION
    for detail, kind, changes in acts:
        _, record = entry(
            moment, NKECHI, "update", detail, (kind, dice.cuid()), changes=changes, reason="case 30411"
        )
        yield moment, record | {"impersonatedBy": farm.SUPPORT, "ipAddress": SUPPORT_ADDRESS}
        moment += dice.seconds(70, 260)


def _deletions() -> Rows:
    """Caleb Whitaker's night: two bulk deletes from an address that nobody has seen before."""
    moment = PARTS_DELETED
    for detail, kind, ids in (
        ("part.delete", "Parts", farm.PARTS[40:88]),
        ("sku.delete", "Skus", farm.SKUS[10:41]),
    ):
        more = {"ipAddress": CALEB_UNKNOWN_ADDRESS, "metadata": {"count": len(ids)}}
        yield entry(moment, CALEB, "bulk_delete", detail, (kind, list(ids)), **more)
        moment += timedelta(minutes=3, seconds=18)
