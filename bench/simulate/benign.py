"""What looks like an incident and is none; and what is true, and an ordinary task. Both are labelled as such."""

from __future__ import annotations

from bench.simulate import bswagic, oncloudwine, printago
from bench.simulate.diary import DAY, HOUR, MINUTE, Seat, Session, moment
from bench.simulate.plants.identity import make_key
from bench.simulate.plants.trail import read_log
from bench.simulate.staff import Person
from bench.simulate.world import Label, World


def arrange(w: World) -> None:
    """Put all of it on the days to come."""
    for situation in (
        monday_exports,
        cleaning,
        price_lists,
        release_weekends,
        comings_and_goings,
        first_of_the_month,
    ):
        situation(w)


def _label(w: World, kind: str, sort: str, start: float, end: float, *who: Person) -> Label:
    label = Label(kind, sort, int(start), int(end), [one.email for one in who])
    w.labels.append(label)
    return label


def _team(w: World, name: str) -> list[Person]:
    return [one for one in w.staff if one.team.name == name]


def _sessions(w: World, person: Person) -> list[tuple[int, Session]]:
    return [
        (day, found[0])
        for day in range(w.diary.days)
        if (found := w.diary.sessions.get((person.number, day)))
    ]


def _weekday(w: World, day: int) -> int:
    return (w.diary.begin.weekday() + day) % 7


def monday_exports(w: World) -> None:
    """One of marketing takes the lists for the week every Monday."""
    person = _team(w, "marketing")[0]
    for day, session in _sessions(w, person):
        if _weekday(w, day) == 0:
            label = _label(w, "marketing export", "benign", session.start, session.end, person)
            for _ in range(w.rng.randrange(8, 15)):
                t = session.start + w.rng.uniform(10, 90) * MINUTE
                w.at(t, lambda w, t, seat=session.seat: bswagic.export(w, t, seat), label)


def cleaning(w: World) -> None:
    """A data steward deletes what is stale every Friday, and in the sixth week all of it."""
    person = _team(w, "stewards")[0]
    great = False
    for day, session in _sessions(w, person):
        if _weekday(w, day) != 4:
            continue
        label = _label(w, "spring cleaning", "benign", session.start, session.end, person)
        for _ in range(w.rng.randrange(1, 4)):
            count = w.rng.randrange(18, 60)
            w.at(
                session.start + w.rng.uniform(10, 120) * MINUTE,
                lambda w, t, seat=session.seat, count=count: bswagic.bulk_delete(w, t, seat, count),
                label,
            )
        if day > w.diary.days * 0.7 and not great:
            great = True
            for _ in range(160):
                w.at(
                    session.start + w.rng.uniform(60, 180) * MINUTE,
                    lambda w, t, seat=session.seat: bswagic.delete(w, t, seat),
                    label,
                )


def price_lists(w: World) -> None:
    """Every second Tuesday somebody of the wine club goes through all prices."""
    person = _team(w, "cellar")[0]
    for day, session in _sessions(w, person):
        if _weekday(w, day) == 1 and day // 7 % 2 == 0:
            label = _label(w, "price list", "benign", session.start, session.end, person)
            for n in w.rng.sample(range(140), 70):
                w.at(
                    session.start + w.rng.uniform(10, 110) * MINUTE,
                    lambda w, t, n=n, seat=session.seat: oncloudwine.reprice(
                        w,
                        t,
                        seat,
                        f"prd_{n}",
                        max(9, oncloudwine.club(w).price[f"prd_{n}"] + w.rng.choice((-2, -1, 1, 2, 3))),
                    ),
                    label,
                )


def release_weekends(w: World) -> None:
    """Twice, half of the wine club and of prepress work on a Saturday for a release."""
    saturdays = [day for day in range(w.diary.days) if _weekday(w, day) == 5]
    for day in (saturdays[len(saturdays) // 2], saturdays[len(saturdays) * 5 // 6]):
        crew = [
            one
            for one in w.staff
            if one.team.name in ("cellar", "prepress")
            and one.number % 2 == 0
            and one.first_day < day < one.last_day
        ]
        for person in crew:
            if (person.number, day) in w.diary.sessions or not (
                before := w.diary.sessions.get((person.number, day - 1))
            ):
                continue
            today = w.diary.begin.fromordinal(w.diary.begin.toordinal() + day)
            start = moment(person.team.zone, today, 600 + w.rng.gauss(0, 15))
            end = moment(person.team.zone, today, 930 + w.rng.gauss(0, 20))
            w.diary.sessions[person.number, day] = (
                Session(start, end, before[0].seat, 0.5, "release weekend"),
            )
            _label(w, "release weekend", "benign", start, end, person)


def comings_and_goings(w: World) -> None:
    """Accounts are made for who comes and closed for who leaves."""
    admin = _team(w, "admins")[0]
    for day, session in _sessions(w, admin):
        seat = session.seat
        for person in w.staff:
            if person.first_day == day + 1 and person.first_day > 0:
                label = _label(w, "permission_change", "ordinary", session.start, session.end, admin)
                w.at(
                    session.start + HOUR, lambda w, t, one=person, seat=seat: _welcome(w, t, seat, one), label
                )
            if person.last_day == day and person.last_day < w.diary.days:
                label = _label(w, "permission_change", "ordinary", session.start, session.end, admin)
                w.at(
                    session.start + HOUR,
                    lambda w, t, one=person, seat=seat: _farewell(w, t, seat, one),
                    label,
                )


def _welcome(w: World, t: int, seat: Seat, person: Person) -> None:
    if person.team.name.startswith("farm"):
        printago.record(
            w,
            t,
            seat,
            "create",
            "invitation.create",
            "Invitations",
            f"inv_{person.number}",
            changes={"email": {"new": person.email}, "role": {"new": "operator"}},
        )
    elif person.team.name == "cellar":
        oncloudwine.record(
            w,
            t,
            seat,
            "invited",
            f"Team member invited · {person.email}",
            "INVITATION",
            f"inv_{person.number}",
            None,
            {"role": "MEMBER", "status": "PENDING"},
        )
    else:
        bswagic.record(
            w,
            t,
            seat,
            "Staff Created",
            f"Staff member {person.name} added",
            f"Staff #{person.ids['bswagic']}",
        )


def _farewell(w: World, t: int, seat: Seat, person: Person) -> None:
    if person.team.name == "cellar":
        oncloudwine.member(
            w, t, seat, "removed", person.name, person.ids["oncloudwine"], {"role": "MEMBER"}, None
        )
    else:
        bswagic.record(
            w,
            t,
            seat,
            "Staff Deleted",
            f"Staff member {person.name} removed",
            f"Staff #{person.ids['bswagic']}",
        )


def first_of_the_month(w: World) -> None:
    """The second administrator keeps a copy of the log each month and renews a key."""
    admin = _team(w, "admins")[1]
    months: set[int] = set()
    for day, session in _sessions(w, admin):
        month = (w.diary.begin.toordinal() + day) // 30
        if month in months:
            continue
        months.add(month)
        seat = session.seat
        label = _label(w, "audit_log_read_or_exported", "ordinary", session.start, session.start + DAY, admin)
        w.at(session.start + HOUR, lambda w, t, seat=seat: read_log(w, t, seat, "bswagic"), label)
        label = _label(w, "token_created", "ordinary", session.start, session.start + DAY, admin)
        w.at(
            session.start + 2 * HOUR,
            lambda w, t, seat=seat: make_key(w, t, seat, "oncloudwine"),
            label,
        )
