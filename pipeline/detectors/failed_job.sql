/*
title = "Background job failed"
severity = "medium"
version = 4
why = """Syncs and payment runs that fail leave two systems that disagree: stock that does not exist, orders that nobody
was charged for. A failure that comes back every night is a control that does not work."""
false_positives = """A passing fault of the other side that the next run made good; the reason says whether a later run
succeeded. One failure may be nothing: raise min_failures if your jobs retry by themselves."""
next_steps = """Read the error below. Retry the job from its entry where the product offers it (retryable errors);
re-run one-time syncs from their integration page. If it comes back, give support the ids of the entries."""
scope = "category = 'background_job' OR event_type_raw = 'BACKGROUND_JOB'"
lookback = "8 days"
lookahead = "7 days"
reads = "category = 'background_job' OR event_type_raw = 'BACKGROUND_JOB'"
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
meaning = "So many failures with the same error in a week (Monday to Sunday, the organization's) are a finding"
*/
WITH runs AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, outcome,
    coalesce(action_detail, action_raw, 'unnamed job') AS job,
    coalesce(error_message, 'no error recorded') AS error, local_date, local_date - CAST(isodow(local_date) - 1 AS INTEGER) AS monday,
    -- Numbers and long ids differ from run to run; what is left is the same fault.
    left(lower(regexp_replace(regexp_replace(coalesce(error_message, 'no error recorded'),
      '[0-9a-fA-F]{8,}(-[0-9a-fA-F]+)*', '#', 'g'), '[0-9]+', '#', 'g')), 200) AS signature
  FROM activity
  WHERE category = 'background_job' OR event_type_raw = 'BACKGROUND_JOB'
),
-- A week's failures of one job with one error are one finding.
failures AS (
  SELECT source, instance, job, signature, monday, count(*) AS n, min(occurred_at) AS window_start,
    max(occurred_at) AS window_end, count(DISTINCT local_date) AS days,
    arg_max(error, (occurred_at, event_uid)) AS error, list_sort(list(event_uid)) AS events
  FROM runs WHERE outcome = 'failure' GROUP BY source, instance, job, signature, monday
  HAVING count(*) >= $min_failures
),
recovered AS (
  SELECT f.source, f.instance, f.job, f.signature, f.monday, min(r.occurred_at) AS at
  FROM failures f
  JOIN runs r ON r.source = f.source AND r.instance = f.instance AND r.job = f.job AND r.outcome = 'success'
    AND r.occurred_at > f.window_end AND r.occurred_at <= f.window_end + INTERVAL 7 DAY
  GROUP BY f.source, f.instance, f.job, f.signature, f.monday
)
SELECT
  f.source || '|' || replace(f.instance, '|', '%7C') || '|' || replace(f.job, '|', '%7C') || '|' || f.signature
    || '|' || f.monday AS key,
  f.job || ' (' || f.source || coalesce(', ' || nullif(f.instance, ''), '') || ')' AS subject,
  f.window_start,
  f.window_end,
  f.n || CASE WHEN f.n = 1 THEN ' failure' ELSE ' failures on ' || f.days
    || CASE WHEN f.days = 1 THEN ' day' ELSE ' days' END END AS observed,
  CASE WHEN $min_failures = 1 THEN '0 failures' ELSE 'fewer than ' || $min_failures || ' failures in a week' END AS expected,
  f.job || ' failed: ' || f.error || '. '
    || CASE WHEN r.at IS NULL THEN 'No run of it succeeded within a week.'
            WHEN date_diff('minute', f.window_end, r.at) < 120
            THEN 'A run succeeded ' || date_diff('minute', f.window_end, r.at) || ' minutes after the last failure.'
            ELSE 'A run succeeded ' || date_diff('hour', f.window_end, r.at) || ' hours after the last failure.' END AS reason,
  (f.n - $min_failures + 1) || CASE WHEN f.n = $min_failures THEN ' failure fewer' ELSE ' failures fewer' END AS cleared_by,
  f.events
FROM failures f
LEFT JOIN recovered r ON r.source = f.source AND r.instance = f.instance AND r.job = f.job
  AND r.signature = f.signature AND r.monday = f.monday
ORDER BY window_start, key
