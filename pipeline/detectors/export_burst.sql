/*
title = "Many exports in a short time"
severity = "high"
version = 2
why = """Data leaves by export. One is work; many within the hour are somebody who takes along what there is."""
false_positives = """Month's end, audits, a migration. Not reported: people who export so much on several days, for whom
it is their work."""
next_steps = """Ask what the exports were for and where the files are now. Look at which customers and things they cover, and
whether the person is about to leave."""
scope = "action = 'export' AND actor_type IN ('user', 'customer', 'api_key', 'unknown') AND NOT actor_anonymous"
needs = ["action"]
lookback = "window_minutes + 2 days"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AU-6", "SI-4"]

[parameters.threshold]
default = 8
minimum = 2
maximum = 1000000
unit = "exports"
meaning = "So many exports by one person within the window are a finding"

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
meaning = "Who exported so much on so many earlier days is left alone"
*/
WITH exported AS (
  SELECT person, who, local_date, event_uid, occurred_at, source, coalesce(entity_type, 'data') AS kind
  FROM activity
  WHERE action = 'export' AND outcome <> 'failure' AND actor_type IN ('user', 'customer', 'api_key', 'unknown')
    AND NOT actor_anonymous
),
summed AS (
  SELECT *, count(*) OVER (
    PARTITION BY person ORDER BY occurred_at
    RANGE BETWEEN $window_minutes * INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW) AS in_window
  FROM exported
),
covered AS (
  SELECT *, max(in_window) OVER (
    PARTITION BY person ORDER BY occurred_at
    RANGE BETWEEN CURRENT ROW AND $window_minutes * INTERVAL 1 MINUTE FOLLOWING) AS best_window
  FROM summed
),
days AS (
  SELECT person, local_date, min(who) AS subject, min(occurred_at) AS window_start, max(occurred_at) AS window_end,
    count(*) AS n, max(best_window) AS most, string_agg(DISTINCT source, ', ' ORDER BY source) AS sources,
    string_agg(DISTINCT kind, ', ' ORDER BY kind) AS kinds, list_sort(list(event_uid)) AS events
  FROM covered WHERE best_window >= $threshold GROUP BY person, local_date
),
earlier AS (
  SELECT person, local_date, sum(n) AS n FROM habits WHERE action = 'export' AND outcome <> 'failure'
  GROUP BY person, local_date
),
usual AS (
  SELECT d.person, d.local_date, count(*) AS days
  FROM days d JOIN earlier e ON e.person = d.person AND e.n >= $threshold
    AND e.local_date < d.local_date AND e.local_date >= d.local_date - $baseline_days
  GROUP BY d.person, d.local_date
)
SELECT
  d.person || '|' || d.local_date AS key,
  d.subject,
  d.window_start,
  d.window_end,
  d.n || ' exports, up to ' || d.most || ' within ' || $window_minutes || ' minutes' AS observed,
  'fewer than ' || $threshold || ' within ' || $window_minutes || ' minutes' AS expected,
  d.subject || ' exported ' || d.kinds || ' from ' || d.sources || ' on ' || d.local_date || '; so much on '
    || coalesce(u.days, 0) || CASE WHEN u.days = 1 THEN ' day' ELSE ' days' END || ' of the ' || $baseline_days || ' before.' AS reason,
  (d.most - $threshold + 1) || CASE WHEN d.most = $threshold THEN ' export' ELSE ' exports' END || ' fewer within '
    || $window_minutes || ' minutes' AS cleared_by,
  d.events
FROM days d LEFT JOIN usual u ON u.person = d.person AND u.local_date = d.local_date
WHERE coalesce(u.days, 0) < $usual_days
ORDER BY d.window_start, key
