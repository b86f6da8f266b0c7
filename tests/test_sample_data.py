"""The sample month: always the same bytes, quiet people, each planted incident on the line its README names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "sample_data"
LINES = {"craftstage": 1012, "oncloudwine": 1168, "printago": 1166, "bswagic": 1058, "hoops": 1103}
NEW_YORK = timezone(timedelta(hours=-4))
PUNE = timezone(timedelta(hours=5, minutes=30))
NIGHTS = {("bswagic", line) for line in range(683, 717)} | {("bswagic", 931), ("bswagic", 932)}
NIGHTS |= {("printago", 398), ("printago", 399)}
PLANTED = {
    "bswagic:683": ("Staff Logged In", "Caleb Whitaker", "22/10/2026 09:06 AM", "192.0.2.214"),
    "bswagic:684": ("Contact Exported", "Caleb Whitaker", "1,386 contacts", "192.0.2.214"),
    "bswagic:685": ("Contact Bulk Deleted", "Bulk delete of 43 contacts", "192.0.2.214"),
    "bswagic:716": ("Contact Deleted", "Caleb Whitaker", "22/10/2026 09:30 AM", "192.0.2.214"),
    "printago:399": ("bulk_delete", "part.delete", "2026-10-22T04:26:44.000Z", "192.0.2.214", '"count":48'),
    "printago:398": ("bulk_delete", "sku.delete", "2026-10-22T04:30:02.000Z", "192.0.2.214", '"count":31'),
    "craftstage:266": ("export_created", "2026-10-09T", '"approvedItemCount":0,"withoutApproval":true'),
    "craftstage:677": ("items_approved", '"itm_2076_9"]'),
    "craftstage:698": ("export_created", '"approvedItemCount":12,"withoutApproval":false', '"itm_2076_12"]'),
    "printago:738": ("auditLogs.disable", "nkechi@", "2026-10-13T16:14:08.000Z"),
    "printago:737": ("auditLogs.enable", "theo@", "2026-10-13T19:46:51.000Z"),
    "oncloudwine:600": ("SYNC_SQUARE_STOCK", "FAILED", "403 Forbidden", "square.ts:142"),
    "oncloudwine:647": ("Integration updated · Square", "Theo Brandt", "support case 48213"),
    "bswagic:932": ("Setting Updated", "Theo Brandt", "192.0.2.77", r"{\"admin.Staff.delete\":true}"),
    "bswagic:988": ("Setting Updated", "Marta Lindqvist", r'After":"{\"admin.Staff.delete\":false}'),
    "printago:931": ("member.updateRole", "theo@"),
    "printago:291": ("member.remove", "theo@", "2026-10-23T21:06:20.000Z"),
    "oncloudwine:918": ("Team member removed · Caleb Whitaker", "Theo Brandt"),
    "hoops:633": ("Q-10472", "Totals updated", "Caleb Whitaker", '"$4,500.00","updated":"$45,000.00"'),
    "hoops:668": ("Q-10472", "Job created", "$45,000.00"),
    "hoops:721": ("Invoice created", "INV-2217"),
    "printago:579": ('"email":"support@printago-support.example"', "nkechi@", "203.0.113.201"),
    "printago:578": ("support@", '"accessCode":{"old":"[REDACTED]","new":"[REDACTED]"}'),
    "printago:622": ("webhook.update", "theo@", '"signingSecret":{"old":"[REDACTED]"'),
}


def raw(product: str) -> list[str]:
    return (FOLDER / f"{product}.jsonl").read_text("utf-8").split("\n")[:-1]


def records(product: str) -> list[tuple[int, dict[str, Any]]]:
    """The lines that are whole, with their numbers; a copy of the line before is left out."""
    found = []
    lines = raw(product)
    for number, text in enumerate(lines, start=1):
        if text and text.endswith("}") and "Invalid date" not in text and (text not in lines[: number - 1]):
            found.append((number, json.loads(text)))
    return found


@pytest.mark.parametrize(("zone", "seed"), [("Asia/Kolkata", "1"), ("America/Los_Angeles", "77")])
def test_generating_again_gives_the_same_bytes_in_any_zone(tmp_path: Path, zone: str, seed: str) -> None:
    place = os.environ | {"TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": "C"}
    command = [sys.executable, "-m", "sample_data.generate", str(tmp_path)]
    subprocess.run(command, env=place, cwd=FOLDER.parent, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{product}.jsonl" for product in LINES)
    for product in LINES:
        assert (tmp_path / f"{product}.jsonl").read_bytes() == (FOLDER / f"{product}.jsonl").read_bytes()


def test_each_product_has_about_a_thousand_lines() -> None:
    assert {product: len(raw(product)) for product in LINES} == LINES


@pytest.mark.parametrize(("place", "marks"), PLANTED.items(), ids=list(PLANTED))
def test_each_incident_is_on_its_line(place: str, marks: tuple[str, ...]) -> None:
    product, number = place.split(":")
    text = raw(product)[int(number) - 1]
    assert [mark for mark in marks if mark not in text] == []


def test_the_readme_names_the_planted_lines() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    missing = [place for place in PLANTED if not re.search(rf"\b{place.partition(':')[2]}\b", text)]
    assert missing == []
    for count in LINES.values():
        assert f"{count:,}" in text


def test_files_have_five_copies_five_blank_lines_and_two_damaged_ones() -> None:
    blank, copies, damaged = [], [], []
    for product in LINES:
        lines = raw(product)
        for number, text in enumerate(lines, start=1):
            if not text:
                blank.append(f"{product}:{number}")
            elif text in lines[: number - 1]:
                copies.append(f"{product}:{number}")
            elif not text.endswith("}") or '"Date":"Invalid date"' in text:
                damaged.append(f"{product}:{number}")
    assert blank == ["craftstage:636", "oncloudwine:213", "printago:843", "bswagic:158", "hoops:905"]
    assert copies == ["craftstage:404", "oncloudwine:658", "printago:320", "bswagic:773", "hoops:543"]
    assert damaged == ["oncloudwine:896", "bswagic:407"]


def test_the_bulk_deletes_name_every_part() -> None:
    found = [record for _, record in records("printago") if record["action"] == "bulk_delete"]
    assert [(r["entityType"], len(set(r["entityIds"]))) for r in found] == [("Skus", 31), ("Parts", 48)]
    singly = Counter(r["User"] for _, r in records("bswagic") if r["Action"] == "Contact Deleted")
    assert singly == {"Caleb Whitaker": 31}


def test_all_exports_but_two_follow_the_approval_of_all_their_items() -> None:
    approved: set[str] = set()
    unapproved = []
    for number, record in records("craftstage"):
        if record["eventType"] == "items_approved":
            approved |= set(record["data"]["itemIds"])
        elif record["eventType"] == "export_created" and set(record["data"]["itemIds"]) - approved:
            unapproved.append((number, record["data"]["withoutApproval"]))
    assert unapproved == [(266, True), (698, False)]


def test_printago_says_nothing_while_its_log_is_off() -> None:
    times = [record["createdAt"] for _, record in records("printago")]
    assert not [time for time in times if "2026-10-13T16:14:08.000Z" < time < "2026-10-13T19:46:51.000Z"]
    assert times == sorted(times, reverse=True)


def test_the_stock_sync_fails_for_five_nights_with_one_error() -> None:
    failed = [
        (n, r["action"], r["metadata"]["error"]) for n, r in records("oncloudwine") if r["status"] == "FAILED"
    ]
    error = "403 Forbidden: location LQ7TQ2 is not accessible with these credentials"
    assert failed == [
        (50, "SYNC_WOOCOMMERCE_PRODUCTS", "504 Gateway Timeout"),
        *((line, "SYNC_SQUARE_STOCK", error) for line in (324, 451, 496, 556, 600)),
        (828, "SYNC_SQUARE_CONTACTS", "429 Too Many Requests"),
    ]


def test_one_invoice_is_never_sent_to_accounting() -> None:
    said = [(r["activity"], r["invoice"]["number"]) for _, r in records("hoops") if "invoice" in r]
    created = {number for activity, number in said if activity == "Invoice created"}
    sent = {number for activity, number in said if activity == "Invoice sent to Xero"}
    assert created - sent == {"INV-2217"}


def test_craftstage_is_silent_on_one_working_day() -> None:
    def busy(product: str) -> set[date]:
        return {moment.astimezone(NEW_YORK).date() for p, _, _, moment, _ in acts() if p == product}

    weekdays = {date(2026, 10, day) for day in range(1, 31) if date(2026, 10, day).weekday() < 5} - {
        date(2026, 10, 12)
    }
    silent = {product: weekdays - busy(product) for product in LINES}
    assert silent == {"craftstage": {date(2026, 10, 27)}} | {p: set() for p in LINES if p != "craftstage"}
    at_all = {r["createdAt"][:10] for _, r in records("craftstage")}
    assert "2026-10-27" not in at_all


def acts() -> list[tuple[str, int, str, datetime, str | None]]:
    """What members of staff did: product, line, the name that the settings know, when, from where."""
    found: list[tuple[str, int, str, datetime, str | None]] = []
    for line, r in records("craftstage"):
        if r["actor"]["type"] == "user":
            when = datetime.fromisoformat(r["createdAt"])
            found.append(("craftstage", line, f"craftstage:{r['actor']['id']}", when, r["ip"]))
    for line, r in records("oncloudwine"):
        if r["userId"]:
            when = datetime.fromtimestamp(r["timestamp"] / 1000, UTC)
            found.append(("oncloudwine", line, f"oncloudwine:{r['userId']}", when, None))
    for line, r in records("printago"):
        if r["actorType"] == "user":
            when = datetime.fromisoformat(r["createdAt"])
            found.append(("printago", line, r["actorEmail"], when, r["ipAddress"]))
    for line, r in records("bswagic"):
        if r["User"] != "System":
            when = datetime.strptime(r["Date"], "%d/%m/%Y %I:%M %p").replace(tzinfo=PUNE)
            found.append(("bswagic", line, f"bswagic:{r['User']}", when, r["IP Address"]))
    for line, r in records("hoops"):
        if r["performed_by"] and r["performed_by"]["kind"] == "User":
            when = datetime.fromisoformat(r["occurred_at"])
            found.append(("hoops", line, f"hoops:{r['performed_by']['name']}", when, None))
    return sorted(found, key=lambda act: act[3])


def settings() -> dict[str, dict[str, Any]]:
    """Each person's settings, under every name that the products have for the person."""
    people = tomllib.loads((FOLDER / "auditbook.toml").read_text("utf-8"))["actors"]
    return {name: person for key, person in people.items() for name in (key, *person.get("aliases", []))}


def at_work(person: dict[str, Any], moment: datetime) -> bool:
    local = moment.astimezone(PUNE if "timezone" in person else NEW_YORK)
    days, begins, ends = re.fullmatch(r"(\S+) (\d\d:\d\d)-(\d\d:\d\d)", person["business_hours"]).groups()  # type: ignore[union-attr]
    week = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    first, _, last = days.partition("-")
    named = week[week.index(first) : week.index(last) + 1] if last else days.split(",")
    holiday = local.date() == date(2026, 10, 12)
    return week[local.weekday()] in named and begins <= f"{local:%H:%M}" < ends and not holiday


def test_the_settings_know_every_member_of_staff() -> None:
    assert {name for _, _, name, _, _ in acts()} - set(settings()) == set()


def test_people_keep_to_their_hours_but_for_two_nights() -> None:
    people = settings()
    odd = {(product, line) for product, line, name, moment, _ in acts() if not at_work(people[name], moment)}
    assert odd == NIGHTS


def test_after_two_weeks_only_three_people_come_from_a_new_address() -> None:
    known: set[tuple[str, str]] = set()
    new = []
    for product, _, name, moment, address in acts():
        if address and (name, address) not in known:
            known.add((name, address))
            if moment >= datetime(2026, 10, 15, 4, tzinfo=UTC):
                new.append((product, name, address))
    assert new == [
        ("printago", "nkechi@fernhollow.example", "203.0.113.201"),
        ("bswagic", "bswagic:Caleb Whitaker", "192.0.2.214"),
        ("printago", "caleb@fernhollow.example", "192.0.2.214"),
        ("bswagic", "bswagic:Theo Brandt", "192.0.2.77"),
    ]


def test_nobody_acts_after_the_last_day() -> None:
    people = settings()
    late = [
        (p, line)
        for p, line, name, moment, _ in acts()
        if moment.date() > people[name].get("left_on", date.max)
    ]
    assert late == []


def test_all_is_in_october_in_each_of_the_zones() -> None:
    for zone in (NEW_YORK, UTC, PUNE):
        assert {moment.astimezone(zone).month for _, _, _, moment, _ in acts()} == {10}
