"""Jobs, devices and webhooks that fail."""

from __future__ import annotations

from bench.simulate import oncloudwine, printago, wine_jobs
from bench.simulate.plants.planter import HOUR, MINUTE, Planter, minutes
from bench.simulate.world import World

ERROR = "401 Unauthorized: the token has expired"


def _moment(p: Planter, last: int = 3) -> int:
    return p.w.begin + int(p.rng.uniform(p.first, p.days - last) * 24 * HOUR)


def _failed(w: World, t: int, name: str, error: str | None = ERROR) -> None:
    run = wine_jobs.next_run(w)
    stack = f"Error: {error}\n    at refresh (jobs/auth.ts:17:3)" if error else None
    said = {"error": error, "stack": stack, "retryable": False} if error else {}
    wine_jobs.job_entry(w, t, name, run, "FAILED", recordsProcessed=0, **said)


def failed_job(p: Planter) -> None:
    """A job that counts does not come to its end."""
    start = _moment(p)
    label = p.label(start, start, source="oncloudwine")
    name = f"PROCESS_RELEASE_PAYMENTS_{p.n}" if p.n % 2 else f"NIGHTLY_BACKUP_{p.n}"
    p.w.at(start, lambda w, t: _failed(w, t, name, f"Payment batch {p.n} was refused by the bank"), label)


def recurring_failure(p: Planter) -> None:
    """A job fails in the same way time after time."""
    start, count, every = _moment(p), p.size(5, 9, 20), p.rng.uniform(25, 110)
    label = p.label(start, start + minutes(every) * count, source="oncloudwine")
    name = f"SYNC_PARTNER_{p.n}"
    for n in range(count):
        p.w.at(start + minutes(every) * n, lambda w, t: _failed(w, t, name), label)


def stale_in_progress(p: Planter) -> None:
    """A job begins and is never heard of again."""
    start = _moment(p, last=5)
    label = p.label(start, start + 4 * 24 * HOUR, source="oncloudwine")
    p.w.at(
        start,
        lambda w, t: wine_jobs.job_entry(
            w,
            t,
            f"IMPORT_CATALOG_{p.n}",
            wine_jobs.next_run(w),
            "IN_PROGRESS",
            progress=p.size(3, 40, 90),
        ),
        label,
    )


def failed_without_error(p: Planter) -> None:
    """A job failed, and nothing says why."""
    start = _moment(p)
    label = p.label(start, start, source="oncloudwine")
    p.w.at(start, lambda w, t: _failed(w, t, p.turn("EXPIRE_HOLDS", "RUN_AUTOMATION"), None), label)


def flapping_device(p: Planter) -> None:
    """A printer comes and goes, over and over."""
    start, count = _moment(p), p.size(8, 15, 32)
    printer = p.rng.choice(printago.farm(p.w).printers)
    every = p.rng.uniform(3, 5)
    label = p.label(start, start + minutes(every) * count, source="printago")
    for n in range(count):
        p.w.at(
            start + minutes(every) * n, lambda w, t: printago.blink(w, t, printer, int(1.4 * MINUTE)), label
        )


def webhook_failures(p: Planter) -> None:
    """A receiver of webhooks is down, and delivery after delivery fails."""
    start, count = _moment(p), p.size(8, 18, 45)
    label = p.label(start, start + 2 * HOUR, source="oncloudwine")
    p.spread(
        label,
        start,
        start + 2 * HOUR,
        count,
        lambda w, t: oncloudwine.webhook_out(w, t, "CONTACT_UPDATED", oncloudwine.some(w), fails=True),
    )


PLANTS = (
    failed_job,
    recurring_failure,
    stale_in_progress,
    failed_without_error,
    flapping_device,
    webhook_failures,
)
