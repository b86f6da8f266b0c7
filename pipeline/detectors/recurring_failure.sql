/*
title = "A job fails again and again with the same error"
severity = "high"
version = 3
why = """One failure may pass by itself. The same failure several times over is a control or a connection that no longer works,
and every night makes what must be put right longer."""
false_positives = """A job that is tried again every few minutes during one outage of the other side; a test."""
next_steps = """Look for what changed before the first of these failures. Give the vendor's support the ids of the entries below:
that is what they ask for."""
scope = "category = 'background_job' OR event_type_raw = 'BACKGROUND_JOB'"
lookback = "window_days + window_days + 1 day"
reads = "outcome = 'failure' AND (category = 'background_job' OR event_type_raw = 'BACKGROUND_JOB')"
needs = ["outcome"]

[controls]
soc2 = ["A1.2", "CC7.2", "CC7.4", "PI1.3"]
iso27001 = ["A.5.27", "A.8.6", "A.8.16"]
pci = ["10.7.2", "10.7.3"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["SI-11", "AU-6", "IR-4"]

[parameters.min_failures]
default = 3
minimum = 2
maximum = 100000
unit = "failures"
meaning = "So many failures of one job with the same error within the window are a finding"

[parameters.window_days]
default = 7
minimum = 1
maximum = 60
unit = "days"
meaning = "The length of the sliding window; both ends belong to it"

[parameters.min_hours]
default = 1
minimum = 0
maximum = 1000
unit = "hours"
meaning = "Between the first and the last of them must lie so long: what is tried again at once is one failure"
*/
WITH failures AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, local_date,
    coalesce(action_detail, action_raw, 'unnamed job') AS job, coalesce(error_message, 'no error recorded') AS error,
    -- Numbers and long ids differ from run to run; what is left is the same fault.
    left(lower(regexp_replace(regexp_replace(coalesce(error_message, 'no error recorded'),
      '[0-9a-fA-F]{8,}(-[0-9a-fA-F]+)*', '#', 'g'), '[0-9]+', '#', 'g')), 200) AS signature
  FROM activity
  WHERE outcome = 'failure' AND (category = 'background_job' OR event_type_raw = 'BACKGROUND_JOB')
),
counted AS (
  SELECT *, count(*) OVER near AS n, min(occurred_at) OVER near AS first_at, list(event_uid) OVER near AS events,
    CASE WHEN count(*) OVER near >= $min_failures
      AND occurred_at >= min(occurred_at) OVER near + $min_hours * INTERVAL 1 HOUR THEN 1 ELSE 0 END AS recurs
  FROM failures
  WINDOW near AS (PARTITION BY source, instance, job, signature ORDER BY occurred_at
    RANGE BETWEEN $window_days * INTERVAL 1 DAY PRECEDING AND CURRENT ROW)
),
-- Where it becomes a habit is the finding; that it goes on is the same one.
begun AS (
  SELECT *, row_number() OVER (PARTITION BY source, instance, job, signature, occurred_at ORDER BY event_uid DESC) AS place,
    coalesce(max(recurs) OVER (PARTITION BY source, instance, job, signature ORDER BY occurred_at
      RANGE BETWEEN $window_days * INTERVAL 1 DAY PRECEDING AND CURRENT ROW EXCLUDE GROUP), 0) AS recurred
  FROM counted
)
SELECT
  source || '|' || replace(instance, '|', '%7C') || '|' || replace(job, '|', '%7C') || '|' || signature || '|' || local_date AS key,
  job || ' (' || source || coalesce(', ' || nullif(instance, ''), '') || ')' AS subject,
  first_at AS window_start,
  occurred_at AS window_end,
  n || ' failures with the same error within ' || $window_days || ' days' AS observed,
  'fewer than ' || $min_failures || ' within ' || $window_days || ' days' AS expected,
  job || ' failed ' || n || ' times: ' || error AS reason,
  (n - $min_failures + 1) || CASE WHEN n = $min_failures THEN ' failure fewer' ELSE ' failures fewer' END AS cleared_by,
  list_sort(events) AS events
FROM begun
WHERE recurs = 1 AND recurred = 0 AND place = 1
ORDER BY window_start, key
