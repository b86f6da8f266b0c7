/*
title = "A job began and nothing says that it ended"
severity = "medium"
version = 3
why = """A job that hangs looks like one that works. Until somebody notices, nothing is synced, charged or sent, and the next
run may find it still holding what it needs."""
false_positives = """Jobs that take longer than the limit; products that write down the start of a job and not its end."""
next_steps = """See in the product whether it still runs; stop it and start it again. If it ended and no entry says so, tell the
vendor: the log lacks its end."""
scope = "category = 'background_job' OR event_type_raw = 'BACKGROUND_JOB'"
lookback = "limit_hours + 1 day"
lookahead = "2 days"
needs = ["outcome"]

[controls]
soc2 = ["A1.2", "CC7.2", "PI1.3"]
iso27001 = ["A.8.6", "A.8.16"]
pci = ["10.7.2"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["AU-6", "SI-4"]

[parameters.limit_hours]
default = 6
minimum = 1
maximum = 720
unit = "hours"
meaning = "A job of which nothing was heard for so long is a finding"
*/
WITH entries AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, outcome, who,
    coalesce(action_detail, action_raw, 'unnamed job') AS job,
    coalesce(metadata->>'job_run_id', correlation_id) AS run, metadata->>'progress' AS progress
  FROM activity
  WHERE (category = 'background_job' OR event_type_raw = 'BACKGROUND_JOB') AND outcome <> 'unknown'
),
-- Without an id of the run, the next entry of the same job tells of it.
followed AS (
  SELECT *, lead(occurred_at) OVER told AS next_at, lead(outcome) OVER told AS next_outcome
  FROM entries
  WINDOW told AS (PARTITION BY source, instance, job, coalesce(run, '') ORDER BY occurred_at,
    CASE WHEN outcome = 'pending' THEN 0 ELSE 1 END, event_uid)
)
SELECT
  f.source || '|' || replace(f.instance, '|', '%7C') || '|' || replace(f.job, '|', '%7C') || '|' || f.event_uid AS key,
  f.job || ' (' || f.source || coalesce(', ' || nullif(f.instance, ''), '') || ')' AS subject,
  f.occurred_at AS window_start,
  f.occurred_at + $limit_hours * INTERVAL 1 HOUR AS window_end,
  'in progress for ' || $limit_hours || ' hours without another entry' || coalesce(', at ' || f.progress || '%', '') AS observed,
  'an entry that it ended, within ' || $limit_hours || ' hours' AS expected,
  f.job || ' was in progress at ' || strftime(f.occurred_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M') || ' UTC. '
    || CASE WHEN f.next_at <= f.occurred_at + $limit_hours * INTERVAL 1 HOUR + INTERVAL 2 DAY
       THEN 'The next entry of it (' || f.next_outcome || ') came ' || date_diff('hour', f.occurred_at, f.next_at) || ' hours later.'
       ELSE 'The store has no later entry of it within two days after the limit.' END AS reason,
  'an entry of its end before ' || strftime((f.occurred_at + $limit_hours * INTERVAL 1 HOUR) AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M')
    || ' UTC' AS cleared_by,
  [f.event_uid] AS events
FROM followed f
JOIN spans s ON s.source = f.source
-- A tenant's log may be away while another tenant's goes on.
LEFT JOIN tenants t ON t.source = f.source AND t.instance = f.instance
WHERE f.outcome = 'pending' AND coalesce(t.last_at, s.last_at) >= f.occurred_at + $limit_hours * INTERVAL 1 HOUR
  AND (f.next_at IS NULL OR f.next_at > f.occurred_at + $limit_hours * INTERVAL 1 HOUR)
ORDER BY window_start, key
