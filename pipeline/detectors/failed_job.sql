/*
title = "Background job failed"
severity = "medium"
version = 2
why = """Syncs and payment runs that fail leave two systems that disagree: stock that does not exist, orders that nobody
was charged for. A failure that comes back every night is a control that does not work."""
false_positives = """A passing fault of the other side that the next run made good; the reason says whether a later run
succeeded. One failure may be nothing: raise min_failures if your jobs retry by themselves."""
next_steps = """Read the error below. Retry the job from its entry where the product offers it (retryable errors);
re-run one-time syncs from their integration page. If it comes back, give support the ids of the entries."""
scope = "category = 'background_job' OR event_type_raw = 'BACKGROUND_JOB'"
needs = ["outcome"]

[controls]
soc2 = ["A1.2", "CC7.2", "PI1.3"]
iso27001 = ["A.8.6", "A.8.16"]
pci = ["10.7.2"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["SI-11", "AU-6"]

[parameters.min_failures]
default = 1
minimum = 1
maximum = 100000
unit = "failures"
meaning = "So many failures with the same error are a finding"

[parameters.quiet_days]
default = 7
minimum = 1
maximum = 365
unit = "days"
meaning = "The same failure after so many days without it is a new finding"
*/
WITH runs AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.outcome,
    coalesce(e.action_detail, e.action_raw, 'unnamed job') AS job,
    coalesce(e.error_message, 'no error recorded') AS error, c.local_date,
    -- Numbers and long ids differ from run to run; what is left is the same fault.
    left(lower(regexp_replace(regexp_replace(coalesce(e.error_message, 'no error recorded'),
      '[0-9a-fA-F]{8,}(-[0-9a-fA-F]+)*', '#', 'g'), '[0-9]+', '#', 'g')), 200) AS signature
  FROM events e
  JOIN calendar c ON c.schedule = 'organization' AND c.slot = time_bucket(INTERVAL 15 MINUTE, e.occurred_at)
  WHERE e.category = 'background_job' OR e.event_type_raw = 'BACKGROUND_JOB'
),
steps AS (
  SELECT *, CASE WHEN occurred_at < $quiet_days * INTERVAL 1 DAY + lag(occurred_at) OVER (
      PARTITION BY source, instance, job, signature ORDER BY occurred_at, event_uid) THEN 0 ELSE 1 END AS is_first
  FROM runs WHERE outcome = 'failure'
),
spells AS (
  SELECT *, sum(is_first) OVER (
      PARTITION BY source, instance, job, signature ORDER BY occurred_at, event_uid
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS spell
  FROM steps
),
failures AS (
  SELECT source, instance, job, signature, spell, count(*) AS n, min(occurred_at) AS window_start,
    max(occurred_at) AS window_end, count(DISTINCT local_date) AS days,
    arg_max(error, (occurred_at, event_uid)) AS error, list_sort(list(event_uid)) AS events
  FROM spells GROUP BY source, instance, job, signature, spell
  HAVING count(*) >= $min_failures
),
recovered AS (
  SELECT f.source, f.instance, f.job, f.signature, f.spell, min(r.occurred_at) AS at
  FROM failures f
  JOIN runs r ON r.source = f.source AND r.instance = f.instance AND r.job = f.job AND r.outcome = 'success'
    AND r.occurred_at > f.window_end
  GROUP BY f.source, f.instance, f.job, f.signature, f.spell
)
SELECT
  -- Spells of one fault begin a day or more apart: the day in UTC tells them from each other, in whatever zone.
  f.source || '|' || replace(f.instance, '|', '%7C') || '|' || replace(f.job, '|', '%7C') || '|' || f.signature
    || '|' || strftime(f.window_start AT TIME ZONE 'UTC', '%Y-%m-%d') AS key,
  f.job || ' (' || f.source || ')' AS subject,
  f.window_start,
  f.window_end,
  f.n || CASE WHEN f.n = 1 THEN ' failure' ELSE ' failures on ' || f.days
    || CASE WHEN f.days = 1 THEN ' day' ELSE ' days' END END AS observed,
  '0 failures' AS expected,
  f.job || ' failed: ' || f.error || '. '
    || CASE WHEN r.at IS NULL THEN 'No later run of it succeeded.'
            WHEN date_diff('minute', f.window_end, r.at) < 120
            THEN 'A run succeeded ' || date_diff('minute', f.window_end, r.at) || ' minutes after the last failure.'
            ELSE 'A run succeeded ' || date_diff('hour', f.window_end, r.at) || ' hours after the last failure.' END AS reason,
  f.events
FROM failures f
LEFT JOIN recovered r ON r.source = f.source AND r.instance = f.instance AND r.job = f.job
  AND r.signature = f.signature AND r.spell = f.spell
ORDER BY window_start, key
