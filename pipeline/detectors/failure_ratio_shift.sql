/*
title = "Far more of it fails than before"
severity = "medium"
version = 2
why = """When much of what an account tries is refused, somebody is finding out what it may do, or something that worked is
broken and nobody was told."""
false_positives = """A product that has an outage, or a form that suddenly refuses what people type. Then many accounts shift on the
same day, and the product has a finding of its own."""
next_steps = """Read what was tried and what was refused. If it was a person: ask them. If it is a program: find out what changed in
its rights, its password or the other side."""
scope = "outcome IN ('success', 'warning', 'failure', 'unknown')"
needs = ["outcome", "actor_email or actor_id or actor_name"]
baseline_days = "min_baseline_days"
attack = ["T1087"]
lookback = "2 days"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC7.2", "CC7.3", "A1.1"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.4", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["AU-6", "SI-4"]

[parameters.min_failures]
default = 10
minimum = 2
maximum = 1000000
unit = "failures"
meaning = "Fewer failures on one day are left alone"

[parameters.min_percent]
default = 20
minimum = 1
maximum = 100
unit = "percent"
meaning = "So large a share of the day's events, or of those of one action, must have failed"

[parameters.times]
default = 4
minimum = 2
maximum = 1000
unit = "times"
meaning = "The share must be so many times the one before; one percent is the least that counts as before"

[parameters.min_baseline_days]
default = 10
minimum = 1
maximum = 365
unit = "days"
meaning = "Earlier days with activity in the product that an account needs"

[parameters.baseline_days]
default = 60
minimum = 1
maximum = 365
unit = "days"
meaning = "How far back the share before is taken from"
*/
WITH counted AS (
  SELECT person, source, coalesce(action, 'other') AS action, local_date, sum(n) AS n, sum(CASE WHEN outcome = 'failure' THEN n ELSE 0 END) AS failures
  FROM habits WHERE outcome <> 'pending' AND is_named AND NOT actor_anonymous
  GROUP BY person, source, coalesce(action, 'other'), local_date
),
-- Each action by itself, and all of them together: one that fails drowns in a day's work, many that fail a little do not.
days AS (
  SELECT * FROM counted
  UNION ALL
  SELECT person, source, '', local_date, sum(n), sum(failures) FROM counted GROUP BY person, source, local_date
),
bad AS (
  SELECT * FROM days WHERE failures >= $min_failures AND failures * 100 >= n * $min_percent
),
pasts AS (
  SELECT b.person, b.source, b.action, b.local_date, count(DISTINCT d.local_date) AS past_days,
    sum(CASE WHEN d.action = b.action THEN d.n ELSE 0 END) AS past_n, sum(CASE WHEN d.action = b.action THEN d.failures ELSE 0 END) AS past_failures
  FROM bad b JOIN days d ON d.person = b.person AND d.source = b.source AND d.action IN ('', b.action)
    AND d.local_date < b.local_date AND d.local_date >= b.local_date - $baseline_days
  GROUP BY b.person, b.source, b.action, b.local_date
),
-- Shares as events of a hundred, compared without dividing: failures / n >= times * max(before, 1 %).
shifted AS (
  SELECT b.*, p.past_days, p.past_n, p.past_failures,
    row_number() OVER (PARTITION BY b.person, b.source, b.local_date ORDER BY b.failures DESC, b.action) AS place
  FROM bad b JOIN pasts p ON p.person = b.person AND p.source = b.source AND p.action = b.action AND p.local_date = b.local_date
  WHERE p.past_days >= $min_baseline_days
    AND b.failures * p.past_n >= $times * p.past_failures * b.n AND b.failures * 100 >= $times * b.n
)
SELECT
  s.source || '|' || s.person || '|' || s.local_date AS key,
  min(e.who) AS subject,
  min(e.occurred_at) AS window_start,
  max(e.occurred_at) AS window_end,
  s.failures || ' of ' || s.n || ' events' || CASE WHEN s.action = '' THEN '' ELSE ' of ' || s.action END || ' failed ('
    || CAST(round(100.0 * s.failures / s.n) AS BIGINT) || ' %)' AS observed,
  coalesce(CAST(round(100.0 * s.past_failures / nullif(s.past_n, 0)) AS BIGINT), 0) || ' % as on the ' || s.past_days || ' days before, or less than '
    || greatest($min_percent, $times) || ' %' AS expected,
  min(e.who) || ' in ' || s.source || ' on ' || s.local_date || ': mostly '
    || mode(coalesce(e.action_detail, e.action_raw, e.action, 'an entry') ORDER BY coalesce(e.action_detail, e.action_raw, e.action, 'an entry'))
    || coalesce(' (' || left(mode(e.error_message ORDER BY e.error_message), 120) || ')', '') || '.' AS reason,
  CASE WHEN s.failures = $min_failures THEN '1 failure fewer' ELSE (s.failures - $min_failures + 1) || ' failures fewer' END AS cleared_by,
  list_sort(list(e.event_uid)) AS events
FROM shifted s
JOIN activity e ON e.person = s.person AND e.source = s.source AND e.local_date = s.local_date AND e.outcome = 'failure'
  AND s.action IN ('', coalesce(e.action, 'other'))
WHERE s.place = 1
GROUP BY s.source, s.person, s.action, s.local_date, s.n, s.failures, s.past_days, s.past_n, s.past_failures
ORDER BY window_start, key
