"""Choosing who and when for what is planted, so that no two plants meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.simulate import places, routine
from bench.simulate.diary import DAY, HOUR, MINUTE, Seat, Session
from bench.simulate.places import Line
from bench.simulate.staff import Person
from bench.simulate.world import Deed, Label, World

STRENGTHS = ("faint", "clear", "loud")


class Planter:
    """The n-th plant of a kind: its strength, its people, its days. `taken` is what other plants already use."""

    def __init__(self, w: World) -> None:
        self.w, self.rng, self.days = w, w.rng, w.diary.days
        self.first = min(30, self.days * 2 // 3)
        self.taken: set[tuple[int, int]] = set()
        self.n = 0
        self.kind = ""

    @property
    def strength(self) -> str:
        return STRENGTHS[self.n % 3]

    def size(self, faint: float, clear: float, loud: float) -> int:
        """A number of this plant's strength, give or take a tenth."""
        return round((faint, clear, loud)[self.n % 3] * self.rng.uniform(0.9, 1.1))

    def turn(self, *choices: str) -> str:
        return choices[self.n % len(choices)]

    def someone(
        self,
        teams: Sequence[str],
        *,
        last: int = 3,
        also: Callable[[Person], bool] = lambda _: True,
        span: int = 1,
        apart: int = 1,
    ) -> tuple[Person, int]:
        """Somebody of these teams, long enough there, and a day of theirs on which they work and nothing is planted."""
        people = [one for one in self.w.staff if one.team.name in teams and one.first_day == 0 and also(one)]
        for _ in range(4000):
            person = self.rng.choice(people)
            day = self.rng.randrange(self.first, self.days - last)
            around = [(person.number, day + n) for n in range(-apart, span + apart)]
            works = (person.number, day) in self.w.diary.sessions and day + span < person.last_day
            if works and not self.taken.intersection(around):
                self.taken.update(around)
                return person, day
        raise ValueError(f"no place for {self.kind}: too few people or days")

    def session(self, person: Person, day: int) -> Session:
        return self.w.diary.sessions[person.number, day][0]

    def within(self, person: Person, day: int, needs: int = 0) -> int:
        """A time in the person's first session, with `needs` milliseconds left before the day's work ends."""
        start = self.session(person, day).start
        return start + int(self.rng.uniform(0.05, 0.5) * max(HOUR, 3 * HOUR - needs))

    def seat(self, person: Person, day: int) -> Seat:
        return self.session(person, day).seat

    def elsewhere(self, person: Person, day: int, ip: str | None = None, agent: str | None = None) -> Seat:
        """The person's account from another line."""
        usual = self.seat(person, day)
        return Seat(usual.who, Line(ip or usual.line.ip, agent or usual.line.agent))

    def own(self, person: Person, day: int) -> Seat:
        """The person at home, with the usual browser."""
        return Seat(
            person, Line(person.home.address, places.browser(*person.browser, day, person.number % 6))
        )

    def label(self, start: float, end: float, *who: Person, source: str = "") -> Label:
        label = Label(
            self.kind, "planted", int(start), int(end), [one.email for one in who], source, self.strength
        )
        self.w.labels.append(label)
        return label

    def spread(self, label: Label | None, start: float, end: float, count: int, deed: Deed) -> None:
        for _ in range(count):
            self.w.at(self.rng.uniform(start, end), deed, label)

    def usual_work(
        self, label: Label, person: Person, seat: Seat, start: float, end: float, count: int
    ) -> None:
        """The person's ordinary work, done from that seat."""
        menu = routine.MENUS[person.team.name]
        for _ in range(count):
            work = self.rng.choices(menu, [weight for weight, _ in menu])[0][1]
            self.w.at(self.rng.uniform(start, end), lambda w, t, work=work: work(w, t, seat, person), label)

    def absent(self, person: Person, days: range) -> None:
        for day in days:
            self.w.diary.sessions.pop((person.number, day), None)

    def dismiss(self, person: Person, day: int) -> Person:
        """The person leaves on that day."""
        self.absent(person, range(day, self.days))
        gone = replace(person, last_day=day)
        self.w.staff[person.number] = gone
        return gone

    def admin(self, last: int = 3) -> tuple[Person, int, Seat, int]:
        person, day = self.someone(["admins", "managers"], last=last, apart=0)
        return person, day, self.seat(person, day), self.within(person, day)


def minutes(count: float) -> int:
    return int(count * MINUTE)


__all__ = ["DAY", "HOUR", "MINUTE", "Planter", "minutes"]
