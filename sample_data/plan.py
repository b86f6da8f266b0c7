"""What the company sells in the month: customers, wine club members, and orders that several products will see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sample_data.dice import Dice
from sample_data.month import at, awake, on_duty
from sample_data.people import CALEB, MARTA, ROSA, Person
from sample_data.story import QUOTE_LATER_RAISED

FIRST = (
    "Amara Bram Celia Desmond Elke Farid Gwen Hollis Imke Joel Katya Lorcan Mina Nils Odette Pavel Quinn Renee Silvan"
    " Talia Umar Verena Wendell Ximena Yara Zeno"
)
LAST = (
    "Abara Birch Castellan Dufour Ekholm Farrow Grieve Hartog Ibanez Jessop Kovar Lindgren Marchetti Nyberg Oduya"
    " Prentice Quist Rowan Sorel Tamm Ulrich Voss Wexler Yilmaz Zadrozny"
)
TRADES = (
    "Alder Row School|Beacon Rowing Club|Copper Kettle Cafe|Dune Street Theatre|Eastbank Cycles|Fallow Farm Stand"
    "|Granite Gym|Harbor Light Choir|Inlet Charters|Juniper Dental|Kestrel Robotics|Lantern Books|Mill Pond Brewing"
    "|North Fork Hikers|Osprey Yoga|Pinecrest Camp|Quarry Bakery|Redbarn Weddings|Saltmarsh Museum|Tidepool Nursery"
    "|Upland Vets|Vale Fire Company|Willow Creek Band|Yardarm Sailing"
)
FIRST_NAMES, LAST_NAMES, COMPANIES = FIRST.split(), LAST.split(), TRADES.split("|")


@dataclass(frozen=True)
class Customer:
    """Someone who buys; the address never changes."""

    name: str
    company: str
    email: str
    phone: str
    ip: str


@dataclass(frozen=True)
class Order:
    """One quote and the job that it becomes. `kind` says who makes it: craft, apparel or printed (3D)."""

    number: int
    kind: str
    title: str
    customer: Customer
    seller: Person
    quantity: int
    unit_cents: int
    opened: datetime
    sent: datetime
    approved: datetime
    converted: datetime
    raised: bool = False

    @property
    def quote(self) -> str:
        """The SalesDoc's number."""
        return f"Q-{10440 + self.number}"

    @property
    def job(self) -> str:
        """The Job's number."""
        return f"J-{2190 + self.number}"


THINGS = {
    "craft": ("Engraved glasses", "Name badges", "Seating cards", "Luggage tags", "Award plaques"),
    "apparel": ("Staff polo shirts", "Event T-shirts", "Embroidered aprons", "Team hoodies"),
    "printed": ("Tap handles", "Bottle stoppers", "Table signs", "Trophy bases"),
}
SELLERS = (ROSA, CALEB, ROSA, CALEB, MARTA)
SELLERS_LATER = (ROSA, ROSA, ROSA, ROSA, MARTA)
KINDS = ("craft", "apparel", "craft", "printed")


def customers() -> list[Customer]:
    """The companies that order, each with one person who speaks for it."""
    return [
        Customer(
            name=f"{FIRST_NAMES[place]} {LAST_NAMES[place * 7 % len(LAST_NAMES)]}",
            company=company,
            email=f"{FIRST_NAMES[place].lower()}@{company.lower().replace(' ', '-')}.example",
            phone=f"+1202555{100 + place:04}",
            ip=f"192.0.2.{20 + place}",
        )
        for place, company in enumerate(COMPANIES)
    ]


def members() -> list[str]:
    """The wine club: "Quinn Oduya"."""
    return [
        f"{FIRST_NAMES[place % len(FIRST_NAMES)]} {LAST_NAMES[(place * 3 + 5) % len(LAST_NAMES)]}"
        for place in range(96)
    ]


def orders() -> list[Order]:
    """All quotes, from the last week of September on, two to five on a working day."""
    dice = Dice("orders")
    known = customers()
    openings = [QUOTE_LATER_RAISED]
    opens = at(1, "08:30") - timedelta(days=9)
    while opens < at(30, "12:00"):
        opens = on_duty(ROSA, opens + dice.minutes(120, 470))
        openings.append(opens)
    return [_order(dice, number, known, opens) for number, opens in enumerate(sorted(openings), start=1)]


def _order(dice: Dice, number: int, known: list[Customer], opens: datetime) -> Order:
    raised = opens == QUOTE_LATER_RAISED
    kind = "apparel" if raised else KINDS[number % len(KINDS)]
    seller = CALEB if raised else dice.pick(SELLERS if opens < at(14, "00:00") else SELLERS_LATER)
    opened = on_duty(seller, opens)
    sent = on_duty(seller, opened + dice.minutes(15, 90))
    approved = awake(sent + dice.minutes(180, 2200))
    converted = on_duty(seller, approved + dice.minutes(10, 200))
    return Order(
        number=number,
        kind=kind,
        title=dice.pick(THINGS[kind]),
        customer=dice.pick(known),
        seller=seller,
        quantity=300 if raised else dice.pick((12, 24, 36, 48, 60, 80, 120, 150)),
        unit_cents=1500 if raised else dice.pick((650, 890, 1150, 1400, 1875, 2250)),
        opened=opened,
        sent=sent,
        approved=at(16, "14:32:08") if raised else approved,
        converted=at(20, "10:24:51") if raised else converted,
        raised=raised,
    )
