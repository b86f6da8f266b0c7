/*
title = "The same change to many records"
severity = "medium"
version = 2
why = """One value written over many records in a short time is a script, an import or a slip of a selection. It is hard to
take back, for the old values differ."""
false_positives = """Clean-ups and migrations that were planned. Not reported: people who change so many of that kind
on several days."""
next_steps = """Ask for the plan. The evidence has the old value of each record, where the product tells it: take the
change back from there."""
scope = "action = 'update' AND actor_type IN ('user', 'api_key', 'unknown') AND NOT actor_anonymous"
needs = ["changes"]
lookback = "window_minutes + 2 days"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AU-6", "SI-4"]

[parameters.threshold]
default = 30
minimum = 2
maximum = 1000000
unit = "records"
meaning = "So many records given the same value by one person within the window are a finding"

[parameters.window_minutes]
default = 60
minimum = 1
maximum = 1440
unit = "minutes"
meaning = "The length of the sliding window; both ends belong to it"

[parameters.baseline_days]
default = 60
minimum = 1
maximum = 365
unit = "days"
meaning = "How far back usual days are looked for"

[parameters.usual_days]
default = 2
minimum = 1
maximum = 365
unit = "days"
meaning = "Who changed as many of that kind, in whatever way, on so many earlier days is left alone"
*/
WITH updates AS (
  SELECT person, event_uid, occurred_at, local_date, records, coalesce(entity_type, 'record') AS kind,
    time_bucket($window_minutes * INTERVAL 1 MINUTE, occurred_at) AS bucket
  FROM activity
  WHERE action = 'update' AND actor_type IN ('user', 'api_key', 'unknown') AND NOT actor_anonymous AND outcome <> 'failure'
),
-- A window lies in two buckets of its length: where these hold too few there is nothing to slide over.
buckets AS (
  SELECT person, kind, bucket, sum(records) AS records FROM updates GROUP BY person, kind, bucket
),
pairs AS (
  SELECT a.person, a.kind, a.bucket
  FROM buckets a LEFT JOIN buckets b ON b.person = a.person AND b.kind = a.kind
    AND b.bucket = a.bucket + $window_minutes * INTERVAL 1 MINUTE
  WHERE a.records + coalesce(b.records, 0) >= $threshold
),
full_enough AS (
  SELECT person, kind, bucket FROM pairs
  UNION
  SELECT person, kind, bucket + $window_minutes * INTERVAL 1 MINUTE FROM pairs
),
earlier AS (
  SELECT person, coalesce(entity_type, 'record') AS kind, local_date, sum(records) AS records
  FROM habits WHERE action = 'update' AND outcome <> 'failure'
  GROUP BY person, coalesce(entity_type, 'record'), local_date
),
-- Where all that somebody changed on a day is no more than on other days, no value of it is.
unusual AS (
  SELECT d.person, d.kind, d.first_at, d.last_at
  FROM (SELECT person, kind, local_date, sum(records) AS records, min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM updates GROUP BY person, kind, local_date) d
  LEFT JOIN earlier e ON e.person = d.person AND e.kind = d.kind AND e.records >= d.records
    AND e.local_date < d.local_date AND e.local_date >= d.local_date - $baseline_days
  GROUP BY d.person, d.kind, d.local_date, d.first_at, d.last_at HAVING count(e.person) < $usual_days
),
busy AS (
  SELECT DISTINCT u.event_uid, u.kind
  FROM updates u
  JOIN full_enough f ON f.person = u.person AND f.kind = u.kind AND f.bucket = u.bucket
  JOIN unusual n ON n.person = u.person AND n.kind = u.kind
    AND u.occurred_at >= n.first_at - $window_minutes * INTERVAL 1 MINUTE
    AND u.occurred_at <= n.last_at + $window_minutes * INTERVAL 1 MINUTE
),
changed AS (
  SELECT DISTINCT person, who, local_date, event_uid, occurred_at, records, kind, c.field AS field, c.new AS value
  FROM (
    SELECT e.person, e.who, e.local_date, e.event_uid, e.occurred_at, e.records, b.kind, unnest(e.changes) AS c
    FROM activity e JOIN busy b ON b.event_uid = e.event_uid)
  WHERE c.new_present AND NOT c.redacted
),
summed AS (
  SELECT c.*, sum(c.records) OVER (
    PARTITION BY c.person, c.kind, c.field, c.value ORDER BY c.occurred_at
    RANGE BETWEEN $window_minutes * INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW) AS in_window
  FROM changed c
),
covered AS (
  SELECT *, max(in_window) OVER (
    PARTITION BY person, kind, field, value ORDER BY occurred_at
    RANGE BETWEEN CURRENT ROW AND $window_minutes * INTERVAL 1 MINUTE FOLLOWING) AS best_window
  FROM summed
),
days AS (
  SELECT person, local_date, kind, field, value, min(who) AS subject, min(occurred_at) AS window_start,
    max(occurred_at) AS window_end, sum(records) AS records, max(best_window) AS most,
    list_sort(list_distinct(list(event_uid))) AS events
  FROM covered WHERE best_window >= $threshold GROUP BY person, local_date, kind, field, value
),
usual AS (
  SELECT d.person, d.local_date, d.kind, d.field, d.value, count(*) AS days
  FROM days d JOIN earlier e ON e.person = d.person AND e.kind = d.kind AND e.records >= d.records
    AND e.local_date < d.local_date AND e.local_date >= d.local_date - $baseline_days
  GROUP BY d.person, d.local_date, d.kind, d.field, d.value
)
SELECT
  d.person || '|' || d.local_date || '|' || d.kind || '|' || d.field || '|' || coalesce(d.value, 'null') AS key,
  d.subject,
  d.window_start,
  d.window_end,
  d.field || ' of ' || d.records || ' records (' || d.kind || ') became ' || coalesce(d.value, 'null') || ', up to '
    || d.most || ' within ' || $window_minutes || ' minutes' AS observed,
  'fewer than ' || $threshold || ' within ' || $window_minutes || ' minutes' AS expected,
  d.subject || ' gave ' || d.records || ' records the same value on ' || d.local_date || '; so many on '
    || coalesce(u.days, 0) || CASE WHEN u.days = 1 THEN ' day' ELSE ' days' END || ' of the ' || $baseline_days || ' before.' AS reason,
  (d.most - $threshold + 1) || CASE WHEN d.most = $threshold THEN ' record' ELSE ' records' END || ' fewer within '
    || $window_minutes || ' minutes' AS cleared_by,
  d.events
FROM days d
LEFT JOIN usual u ON u.person = d.person AND u.local_date = d.local_date AND u.kind = d.kind AND u.field = d.field
  AND u.value IS NOT DISTINCT FROM d.value
WHERE u.days IS NULL OR u.days < $usual_days
ORDER BY d.window_start, key
