/*
title = "Many accounts from one unknown address"
severity = "high"
version = 1
why = """Several people do not sit down in the same unknown place on the same day. One intruder with several accounts does, and
so does one person who uses colleagues' accounts."""
false_positives = """A conference, or a new way out of the company's network. Addresses that two or more people used on earlier days
are the organization's, and left alone; so are people who were nowhere else that day (a new office)."""
next_steps = """Look up whose address it is. Ask two of the people whether they know it; if not, end the sessions of all of them and
read what each account did from there."""
scope = "actor_type = 'user' AND NOT actor_anonymous"
needs = ["source_ip", "actor_email or actor_id or actor_name"]
baseline_days = "min_baseline_days"
attack = ["T1078", "T1110.004"]
lookback = "2 days"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC6.6", "CC7.2"]
iso27001 = ["A.5.16", "A.8.16"]
pci = ["8.2.2", "10.2.1.1", "10.4.1"]
hipaa = ["164.312(a)(2)(i)", "164.308(a)(1)(ii)(D)"]
nist = ["AC-2(12)", "IA-4", "SI-4"]

[parameters.threshold]
default = 3
minimum = 2
maximum = 10000
unit = "people"
meaning = "So many people from one address on one day (UTC) are a finding"

[parameters.min_baseline_days]
default = 7
minimum = 1
maximum = 365
unit = "days"
meaning = "Earlier days with known addresses that each of them needs"

[parameters.baseline_days]
default = 60
minimum = 1
maximum = 730
unit = "days"
meaning = "How far back the use of the address is looked for"

[parameters.with_moves]
default = false
unit = "yes or no"
meaning = "Whether people count who were nowhere else on that day: an office that moved looks so"
*/
WITH days AS (
  SELECT person, source_ip, day FROM places
  WHERE actor_type = 'user' AND NOT actor_anonymous AND NOT is_service AND source_ip IS NOT NULL
  GROUP BY person, source_ip, day
),
crowds AS (
  SELECT source_ip, day FROM days GROUP BY source_ip, day HAVING count(*) >= $threshold
),
known AS (
  SELECT c.source_ip, c.day, count(DISTINCT d.person) AS people
  FROM crowds c JOIN days d ON d.source_ip = c.source_ip AND d.day < c.day AND d.day >= c.day - $baseline_days
  GROUP BY c.source_ip, c.day
),
pasts AS (
  SELECT m.source_ip, m.day, m.person, count(DISTINCT d.day) AS past_days
  FROM days m JOIN crowds c ON c.source_ip = m.source_ip AND c.day = m.day
  JOIN days d ON d.person = m.person AND d.day < m.day AND d.day >= m.day - $baseline_days
  GROUP BY m.source_ip, m.day, m.person
  HAVING count(DISTINCT d.day) >= $min_baseline_days
),
-- Whoever was where they usually are on that day as well: a whole office that moved is only in the new place.
elsewhere AS (
  SELECT DISTINCT p.source_ip, p.day, p.person
  FROM pasts p
  JOIN days k ON k.person = p.person AND k.day = p.day AND k.source_ip <> p.source_ip
  JOIN days o ON o.person = k.person AND o.source_ip = k.source_ip AND o.day < p.day AND o.day >= p.day - $baseline_days
),
found AS (
  SELECT p.source_ip, p.day, count(*) AS people
  FROM pasts p
  LEFT JOIN elsewhere e ON e.source_ip = p.source_ip AND e.day = p.day AND e.person = p.person
  LEFT JOIN known k ON k.source_ip = p.source_ip AND k.day = p.day
  WHERE coalesce(k.people, 0) < 2 AND ($with_moves OR e.person IS NOT NULL)
  GROUP BY p.source_ip, p.day HAVING count(*) >= $threshold
)
SELECT
  f.source_ip || '|' || f.day AS key,
  f.source_ip AS subject,
  min(s.occurred_at) AS window_start,
  max(s.occurred_at) AS window_end,
  f.people || ' people from one address on ' || f.day AS observed,
  'fewer than ' || $threshold || ', from an address that nobody knew' AS expected,
  string_agg(DISTINCT s.who, ', ' ORDER BY s.who) || ' all came from ' || f.source_ip || ', which at most one person had used in the '
    || $baseline_days || ' days before.' AS reason,
  (f.people - $threshold + 1) || CASE WHEN f.people = $threshold THEN ' person fewer' ELSE ' people fewer' END AS cleared_by,
  list_sort(list(s.event_uid)) AS events
FROM found f
JOIN activity s ON s.source_ip = f.source_ip AND CAST(timezone('UTC', s.occurred_at) AS DATE) = f.day
  AND s.actor_type = 'user' AND NOT s.actor_anonymous AND NOT s.is_service
GROUP BY f.source_ip, f.day, f.people
ORDER BY window_start, key
