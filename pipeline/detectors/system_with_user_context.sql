/*
title = "The system acts with a person's browser or address"
severity = "medium"
version = 1
why = """What a product does by itself comes from nobody's browser and nobody's desk. An entry of the system that has either was
set off by a person whose name is not there."""
false_positives = """Products that write the address of whoever set the job off. Where that is their habit nothing is reported."""
next_steps = """Find out who worked from that address, or with that browser, at that moment (they are named where they are known),
and ask the vendor why their name is missing."""
scope = "actor_type IN ('system', 'scheduler', 'automation')"
needs = ["source_ip or user_agent"]
attack = ["T1036"]
lookback = "2 days"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.5.16", "A.8.15"]
pci = ["8.2.2", "10.2.2"]
hipaa = ["164.312(a)(2)(i)", "164.312(b)"]
nist = ["AU-10", "AU-3", "IA-4"]

[parameters.baseline_days]
default = 30
minimum = 1
maximum = 365
unit = "days"
meaning = "How far back the habit of a product is looked for"

[parameters.habit_days]
default = 3
minimum = 1
maximum = 365
unit = "days"
meaning = "A machine that had such an address or browser on so many earlier days has the habit"

[parameters.min_events]
default = 1
minimum = 1
maximum = 100000
unit = "events"
meaning = "So many such entries of one day are a finding"
*/
WITH marked AS (
  SELECT event_uid, source, person, who, local_date, occurred_at, source_ip, user_agent,
    coalesce(action_detail, action_raw, action, 'an entry') AS told,
    CAST(timezone('UTC', occurred_at) AS DATE) AS utc_day
  FROM activity
  WHERE actor_type IN ('system', 'scheduler', 'automation') AND (source_ip IS NOT NULL OR user_agent IS NOT NULL)
),
addresses AS (
  SELECT DISTINCT source_ip, utc_day FROM marked WHERE source_ip IS NOT NULL
),
-- Who worked from the address that day or the day before.
owners AS (
  SELECT a.source_ip, a.utc_day, min(p.who) AS owner
  FROM addresses a JOIN places p ON p.source_ip = a.source_ip AND p.day <= a.utc_day AND p.day >= a.utc_day - 1
  WHERE p.actor_type = 'user' AND NOT p.actor_anonymous AND NOT p.is_service
  GROUP BY a.source_ip, a.utc_day
),
odd AS (
  SELECT m.*, o.owner FROM marked m LEFT JOIN owners o ON o.source_ip = m.source_ip AND o.utc_day = m.utc_day
  WHERE o.owner IS NOT NULL OR starts_with(m.user_agent, 'Mozilla/')
),
past AS (
  SELECT p.source, p.person, p.day
  FROM places p JOIN (SELECT DISTINCT source, person FROM odd) o ON o.source = p.source AND o.person = p.person
  WHERE p.actor_type IN ('system', 'scheduler', 'automation') AND (starts_with(p.user_agent, 'Mozilla/') OR p.source_ip IS NOT NULL)
),
habits_of AS (
  SELECT d.source, d.person, d.local_date, count(DISTINCT p.day) AS days
  FROM (SELECT DISTINCT source, person, local_date FROM odd) d
  JOIN past p ON p.source = d.source AND p.person = d.person AND p.day < d.local_date AND p.day >= d.local_date - $baseline_days
  GROUP BY d.source, d.person, d.local_date
),
days AS (
  SELECT o.source, o.person, o.local_date, min(o.who) AS subject, min(o.occurred_at) AS window_start,
    max(o.occurred_at) AS window_end, count(*) AS n, string_agg(DISTINCT o.owner, ', ' ORDER BY o.owner) AS owners,
    min(o.source_ip) AS address, min(o.user_agent) AS agent, arg_min(o.told, (o.occurred_at, o.event_uid)) AS told,
    list_sort(list(o.event_uid)) AS events
  FROM odd o LEFT JOIN habits_of h ON h.source = o.source AND h.person = o.person AND h.local_date = o.local_date
  WHERE coalesce(h.days, 0) < $habit_days
  GROUP BY o.source, o.person, o.local_date
  HAVING count(*) >= $min_events
)
SELECT
  source || '|' || person || '|' || local_date AS key,
  subject,
  window_start,
  window_end,
  n || CASE WHEN n = 1 THEN ' entry' ELSE ' entries' END || ' of a machine with '
    || CASE WHEN owners IS NOT NULL THEN 'an address of ' || owners ELSE 'a browser' END AS observed,
  'entries of machines without a person''s address or browser, unless on ' || $habit_days || ' earlier days' AS expected,
  subject || ' in ' || source || ' on ' || local_date || coalesce(' from ' || address, '')
    || coalesce(' with ' || left(agent, 80), '') || ': ' || told || CASE WHEN n > 1 THEN ' and ' || (n - 1) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n > $min_events THEN (n - $min_events + 1) || ' entries fewer' ELSE 'the name of whoever set it off' END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
