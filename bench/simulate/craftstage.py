"""Sign making: a job from its creation to its export, the customer's approval between. In CraftStage's shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.simulate import places
from bench.simulate.diary import DAY, HOUR, MINUTE, Seat
from bench.simulate.world import Entry, World, cuid, iso

ORGANIZATION = "org_hf01"
STATUSES = (
    "draft",
    "parsing",
    "proofing",
    "pending approval",
    "approved",
    "production ready",
    "exported",
    "completed",
)
TROUBLES = (("OVERFLOW", "error"), ("MISSING_REQUIRED", "error"))
REMARKS = (("SHRINK_WARNING", "warning"), ("MISSING_FONT", "warning"), ("LONG_TEXT", "warning"))


def record(
    w: World,
    t: float,
    actor: Seat | dict[str, Any] | None,
    event: str,
    job: str | None,
    data: dict[str, Any],
    line: places.Line | None = None,
) -> Entry:
    """One event; without an actor, by the system."""
    if isinstance(actor, Seat):
        who = {
            "type": "user",
            "id": actor.who.ids["craftstage"],
            "name": actor.who.name,
            "email": actor.who.email,
        }
        line = line or actor.line
    else:
        who = actor or {"type": "system"}
    made: dict[str, Any] = {
        "id": None,
        "organizationId": ORGANIZATION,
        "jobId": job,
        "jobReference": f"WO-{job[4:]}" if job else None,
        "eventType": event,
        "createdAt": None,
        "actor": who,
        "data": data,
    }
    if line:
        made |= {"ip": line.ip, "userAgent": line.agent}
    return w.emit("craftstage", t, made)


@dataclass
class Job:
    """A job as it stands; `waits` is what its owner does next, or nothing while others have their turn."""

    id: str
    owner: int
    items: list[str]
    customer: int
    status: str = "draft"
    waits: str = "parse"
    link: str = ""
    open: list[str] = field(default_factory=list)
    approved: list[str] = field(default_factory=list)
    errors: int = 0


class Shop:
    def __init__(self) -> None:
        self.jobs: dict[int, list[Job]] = {}
        self.count = 4_200


def shop(w: World) -> Shop:
    return w.state["shop"]  # type: ignore[no-any-return]


def move(w: World, t: float, job: Job, to: str, actor: Seat | None = None) -> Entry:
    entry = record(w, t, actor, "job_status_changed", job.id, {"from": job.status, "to": to})
    job.status = to
    return entry


def begin(w: World, t: int, seat: Seat, owner: int | None = None) -> Job:
    """A new job; the product itself makes the first status."""
    s, rng = shop(w), w.rng
    s.count += 1
    job = Job(
        f"job_{s.count}",
        seat.who.number if owner is None else owner,
        [f"itm_{s.count}{n:02d}" for n in range(rng.choice((1, 2, 3, 4, 6, 9)))],
        rng.randrange(600),
    )
    s.jobs.setdefault(job.owner, []).append(job)
    record(w, t, seat, "job_created", job.id, {"title": f"Signs {job.id[4:]}", "itemCount": len(job.items)})
    record(w, t + 12, None, "job_status_changed", job.id, {"from": None, "to": "draft"})
    return job


def craft(w: World, t: int, seat: Seat, owner: int) -> None:
    """The next thing that an owner does: go on with a job that waits, or begin another."""
    jobs = [one for one in shop(w).jobs.get(owner, ()) if one.waits]
    if not jobs or (len(jobs) < 6 and w.rng.random() < 0.25):
        begin(w, t, seat, owner)
        return
    step(w, t, seat, w.rng.choice(jobs))


def step(w: World, t: int, seat: Seat, job: Job) -> None:
    STEPS[job.waits](w, t, seat, job)


def _parse(w: World, t: int, seat: Seat, job: Job) -> None:
    move(w, t, job, "parsing", seat)
    record(
        w,
        t + 21_000,
        None,
        "items_parsed",
        job.id,
        {"itemCount": len(job.items), "itemIds": job.items, "automated": True},
    )
    move(w, t + 21_030, job, "proofing")
    make_proofs(w, t + 95_000, job, job.items)
    then(w, t + 100_000, job, "preflight")


def then(w: World, t: float, job: Job, step: str) -> None:
    """The owner's next step, once what leads to it is recorded."""
    job.waits = ""
    w.at(t, lambda w, t: setattr(job, "waits", step))


def make_proofs(w: World, t: float, job: Job, items: list[str], seat: Seat | None = None) -> Entry:
    proofs = [f"prf_{cuid(w.rng)[:10]}" for _ in items]
    job.open = sorted({*job.open, *items})
    job.approved = [one for one in job.approved if one not in items]
    return record(
        w, t, seat, "proofs_generated", job.id, {"proofIds": proofs, "itemIds": items, "count": len(items)}
    )


def preflight(w: World, t: int, seat: Seat, job: Job, errors: int | None = None) -> None:
    rng = w.rng
    errors = rng.choice((0, 0, 0, 1, 2)) if errors is None else errors
    warnings = rng.choice((0, 0, 1, 2))
    issues = [
        {"itemId": rng.choice(job.items), "code": code, "severity": severity}
        for code, severity in rng.choices(TROUBLES, k=errors) + rng.choices(REMARKS, k=warnings)
    ]
    record(
        w,
        t,
        seat,
        "preflight_completed",
        job.id,
        {"errorCount": errors, "warningCount": warnings, "issues": issues},
    )
    job.errors = errors
    job.waits = "preflight" if errors else "link"


def link(w: World, t: int, seat: Seat, job: Job, *, customer_comes: bool = True) -> None:
    rng = w.rng
    job.link = f"apl_{cuid(rng)[:10]}"
    token = "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789_-", k=21))
    record(
        w,
        t,
        seat,
        "approval_link_generated",
        job.id,
        {
            "approvalLinkId": job.link,
            "token": token,
            "customerEmail": f"orders@customer{job.customer}.example",
            "expiresAt": iso(t + 21 * DAY),
        },
    )
    if job.status != "pending approval":
        move(w, t + 40, job, "pending approval")
    job.waits = ""
    if customer_comes:
        w.at(t + rng.expovariate(1 / (7 * HOUR)) + 10 * MINUTE, lambda w, t: visit(w, t, job))


def visitor(w: World, job: Job) -> tuple[dict[str, Any], places.Line]:
    rng = w.rng
    known = rng.random() < 0.85
    who = {"type": "customer", "email": f"orders@customer{job.customer}.example" if known else None}
    agent = (
        places.phone("iPhone", 0, 0)
        if job.customer % 3
        else places.browser("Chrome", "Windows NT 10.0; Win64; x64", 0, 0)
    )
    return who, places.Line(places.customer(rng, job.customer), agent)


def visit(w: World, t: int, job: Job) -> None:
    """The customer looks, approves some or all, or wants something changed."""
    rng = w.rng
    who, line = visitor(w, job)
    record(w, t, who, "approval_link_accessed", job.id, {"approvalLinkId": job.link}, line)
    if rng.random() < 0.15:
        item = rng.choice(job.open)
        record(
            w,
            t + 4 * MINUTE,
            who,
            "revision_requested",
            job.id,
            {
                "approvalLinkId": job.link,
                "itemId": item,
                "proofId": f"prf_{cuid(rng)[:10]}",
                "note": rng.choice(("A darker red, please", "Logo a little bigger", "Comma missing")),
            },
            line,
        )
        move(w, t + 4 * MINUTE + 30, job, "proofing")
        then(w, t + 5 * MINUTE, job, "revise")
        return
    approve(w, t + 3 * MINUTE, job, who, line, list(job.open))
    move(w, t + 3 * MINUTE + 25, job, "approved")
    then(w, t + 4 * MINUTE, job, "ready")


def approve(
    w: World,
    t: float,
    job: Job,
    who: Seat | dict[str, Any],
    line: places.Line | None,
    items: list[str],
    via: str = "",
) -> Entry:
    job.open = [one for one in job.open if one not in items]
    job.approved = sorted({*job.approved, *items})
    return record(
        w, t, who, "items_approved", job.id, {"approvalLinkId": via or job.link, "itemIds": items}, line
    )


def _revise(w: World, t: int, seat: Seat, job: Job) -> None:
    make_proofs(w, t, job, [w.rng.choice(job.items)], seat)
    job.waits = "preflight"


def _ready(w: World, t: int, seat: Seat, job: Job) -> None:
    move(w, t, job, "production ready", seat)
    job.waits = "export"


def export(w: World, t: int, seat: Seat, job: Job, *, without: bool = False) -> Entry:
    entry = record(
        w,
        t,
        seat,
        "export_created",
        job.id,
        {
            "exportId": f"exp_{cuid(w.rng)[:10]}",
            "itemCount": len(job.items),
            "approvedItemCount": len(job.approved),
            "withoutApproval": without,
            "itemIds": job.items,
        },
    )
    move(w, t + 45, job, "exported")
    job.waits = ""
    w.at(
        t + w.rng.randrange(6, 30) * HOUR,
        lambda w, t: job.status == "exported" and move(w, t, job, "completed"),
    )
    shop(w).jobs[job.owner].remove(job)
    return entry


def _export(w: World, t: int, seat: Seat, job: Job) -> None:
    export(w, t, seat, job)


STEPS = {
    "parse": _parse,
    "preflight": preflight,
    "link": link,
    "revise": _revise,
    "ready": _ready,
    "export": _export,
}


def role_changed(w: World, t: float, seat: Seat, whom: Any, old: str, new: str) -> Entry:
    return record(
        w,
        t,
        seat,
        "member_role_changed",
        None,
        {"memberId": whom.ids["craftstage"], "memberName": whom.name, "from": old, "to": new},
    )
