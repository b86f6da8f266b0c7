"""What OnCloudWine does by itself: scheduled jobs, and what carriers report."""

from __future__ import annotations

from typing import Any

from bench.simulate.diary import MINUTE
from bench.simulate.oncloudwine import club, record
from bench.simulate.world import Entry, World

JOBS = {
    # how often, how long, how many records; minutes
    "SYNC_SQUARE_STOCK": (20, 2, 120),
    "SYNC_SQUARE_CONTACTS": (60, 6, 800),
    "SYNC_WOOCOMMERCE_PRODUCTS": (120, 9, 260),
    "SYNC_WOOCOMMERCE_ORDERS": (30, 3, 40),
    "RUN_AUTOMATION": (45, 1, 12),
    "EXPIRE_HOLDS": (240, 2, 30),
}


ERRORS = {
    "ETIMEDOUT connect 198.51.100.9:443": "Error: ETIMEDOUT\n    at connect (net.js:1104:9)\n    at square.ts:91:5",
    "429 Too Many Requests": "Error: 429\n    at request (jobs/http.ts:40:11)",
    "Deadlock found when trying to get lock": "Error: deadlock\n    at query (db/pool.ts:203:7)",
    "502 Bad Gateway": "Error: 502\n    at request (jobs/http.ts:44:11)",
    "Unexpected end of JSON input": "SyntaxError: Unexpected end of JSON input\n    at JSON.parse (<anonymous>)",
}


def job_entry(w: World, t: float, name: str, run: str, status: str, **said: Any) -> Entry:
    return record(
        w,
        t,
        "system",
        name,
        name,
        None,
        None,
        None,
        None,
        {"trigger": "scheduled", "jobRunId": run, **said},
        family="BACKGROUND_JOB",
        status=status,
    )


def next_run(w: World) -> str:
    club(w).run += 1
    return f"run_{club(w).run}"


def job(w: World, t: int, name: str) -> None:
    """A scheduled run: begin, progress, end; one in 400 fails and the next succeeds."""
    _, minutes, records = JOBS[name]
    rng, run = w.rng, next_run(w)
    long = int(minutes * MINUTE * rng.lognormvariate(0, 0.4))
    count = int(records * rng.lognormvariate(0, 0.3))
    job_entry(w, t, name, run, "IN_PROGRESS", progress=0, recordsProcessed=0)
    job_entry(w, t + long // 2, name, run, "IN_PROGRESS", progress=50, recordsProcessed=count // 2)
    if rng.random() < 0.0025:
        error = rng.choice(list(ERRORS))
        failed = job_entry(
            w,
            t + long,
            name,
            run,
            "FAILED",
            recordsProcessed=count // 2,
            error=error,
            stack=ERRORS[error],
            retryable=True,
        )
        w.note("failed_job", "ordinary", t + long, failed)
    else:
        job_entry(w, t + long, name, run, "SUCCESS", progress=100, recordsProcessed=count)


def tracking(w: World, t: int) -> None:
    record(
        w,
        t,
        "FedEx",
        "tracking.updated",
        "tracking.updated",
        None,
        None,
        None,
        None,
        {
            "direction": "incoming",
            "request": f'<track no="7700{w.rng.randrange(10**8)}"/>',
            "response": "OK",
        },
        family="WEBHOOK",
    )
