/*
title = "An account came back after a long silence"
severity = "medium"
version = 1
why = """An account that nobody has used for weeks is one that nobody would miss. Whoever tries old accounts looks for exactly
those."""
false_positives = """Leave, illness, seasonal work. The people around them know; the log does not."""
next_steps = """Ask the person, or their manager, whether they are back. Close accounts and keys that nobody needs, and look at the
address and at what was done first."""
scope = "actor_type IN ('user', 'api_key') AND NOT actor_anonymous"
needs = ["actor_email or actor_id or actor_name"]
baseline_days = "min_active_days"
attack = ["T1078"]
lookback = "2 days"
habits = "history_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC6.2", "CC7.2"]
iso27001 = ["A.5.16", "A.5.18", "A.8.16"]
pci = ["8.2.6", "10.4.1"]
hipaa = ["164.308(a)(3)(ii)(C)", "164.308(a)(1)(ii)(D)"]
nist = ["AC-2(3)", "AC-2(12)", "AU-6"]

[parameters.dormant_days]
default = 30
minimum = 2
maximum = 700
unit = "days"
meaning = "So many days without any event, and then one, are a finding"

[parameters.min_active_days]
default = 5
minimum = 1
maximum = 365
unit = "days"
meaning = "Days with activity before the silence that an account needs"

[parameters.history_days]
default = 180
minimum = 3
maximum = 730
unit = "days"
meaning = "How far back is looked; longer silences are not told from a new account"

[parameters.log_percent]
default = 50
minimum = 0
maximum = 100
unit = "percent"
meaning = "On so many of the silent days the product must have said something about others: else the log was silent, not the person"
*/
WITH days AS (
  SELECT person, source, local_date, sum(n) AS n FROM habits
  WHERE actor_type IN ('user', 'api_key') AND NOT actor_anonymous AND is_named GROUP BY person, source, local_date
),
active AS (
  SELECT person, local_date, lag(local_date) OVER (PARTITION BY person ORDER BY local_date) AS before
  FROM (SELECT DISTINCT person, local_date FROM days)
),
returns AS (
  SELECT person, local_date, before, local_date - before - 1 AS silent_days FROM active
  WHERE local_date - before - 1 >= $dormant_days AND local_date - before <= $history_days
),
pasts AS (
  SELECT r.person, r.local_date, count(*) AS active_days
  FROM returns r JOIN active a ON a.person = r.person AND a.local_date <= r.before AND a.local_date >= r.local_date - $history_days
  GROUP BY r.person, r.local_date
  HAVING count(*) >= $min_active_days
),
-- The days on which the products of the return said anything at all.
alive AS (
  SELECT r.person, r.local_date, count(DISTINCT d.local_date) AS days
  FROM returns r
  JOIN days o ON o.person = r.person AND o.local_date = r.local_date
  JOIN (SELECT DISTINCT source, local_date FROM days) d ON d.source = o.source AND d.local_date > r.before AND d.local_date < r.local_date
  GROUP BY r.person, r.local_date
)
SELECT
  r.person || '|' || r.local_date AS key,
  min(e.who) AS subject,
  min(e.occurred_at) AS window_start,
  max(e.occurred_at) AS window_end,
  'active after ' || r.silent_days || ' silent days' AS observed,
  'fewer than ' || $dormant_days || ' silent days' AS expected,
  min(e.who) || ', last active on ' || r.before || ', came back on ' || r.local_date || ' in '
    || string_agg(DISTINCT e.source, ', ' ORDER BY e.source) || coalesce(' from ' || min(e.source_ip), '') || ': ' || count(*)
    || CASE WHEN count(*) = 1 THEN ' event' ELSE ' events' END || ' on that day, ' || p.active_days || ' active days before the silence.' AS reason,
  (r.silent_days - $dormant_days + 1) || CASE WHEN r.silent_days = $dormant_days THEN ' silent day fewer' ELSE ' silent days fewer' END AS cleared_by,
  list_sort(list(e.event_uid)) AS events
FROM returns r
JOIN pasts p ON p.person = r.person AND p.local_date = r.local_date
LEFT JOIN alive l ON l.person = r.person AND l.local_date = r.local_date
JOIN activity e ON e.person = r.person AND e.local_date = r.local_date AND e.actor_type IN ('user', 'api_key') AND NOT e.actor_anonymous
WHERE coalesce(l.days, 0) * 100 >= r.silent_days * $log_percent
GROUP BY r.person, r.local_date, r.before, r.silent_days, p.active_days
ORDER BY window_start, key
