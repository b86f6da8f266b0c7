/*
title = "A browser or program never seen with this account"
severity = "low"
version = 2
why = """A stolen session is continued in another browser, and a script does not look like the person whose key it has. Versions
are not compared: an update is no other browser."""
false_positives = """A new computer or telephone, and a browser that somebody tries out. Browsers that two colleagues use already, each on several
days, are left alone, and so are people who change them all the time. That somebody took three accounts with one program
does not make it known for the fourth."""
next_steps = """Ask the person whether it is theirs. Look at the address beside it, and at what was done from there in the first day."""
scope = "actor_type = 'user' AND NOT actor_anonymous"
needs = ["user_agent", "actor_email or actor_id or actor_name"]
baseline_days = "min_baseline_days"
attack = ["T1539"]
lookback = "first_hours + 1 day"
habits = "baseline_days + first_hours + 1 day"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.1", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["AC-2(12)", "AU-6"]

[parameters.min_baseline_days]
default = 10
minimum = 1
maximum = 365
unit = "days"
meaning = "Earlier days with a known browser that a person needs before a new one means anything"

[parameters.baseline_days]
default = 90
minimum = 1
maximum = 730
unit = "days"
meaning = "How far back earlier browsers are looked for"

[parameters.known_to_others]
default = 2
minimum = 1
maximum = 10000
unit = "people"
meaning = "A browser that so many other people use is left alone"

[parameters.known_days]
default = 2
minimum = 1
maximum = 365
unit = "days"
meaning = "Somebody who had it on so many days before uses it"

[parameters.max_kinds]
default = 4
minimum = 1
maximum = 10000
unit = "browsers"
meaning = "A person with more earlier kinds changes them too often to judge"

[parameters.first_hours]
default = 24
minimum = 1
maximum = 720
unit = "hours"
meaning = "The events of so many hours from the first use are the evidence"
*/
WITH spelled AS (
  SELECT user_agent, left(trim(regexp_replace(regexp_replace(user_agent, '[0-9]+([._][0-9]+)*', '', 'g'), '[ ;/()]+', ' ', 'g')), 200) AS kind
  FROM (SELECT DISTINCT user_agent FROM places WHERE actor_type = 'user' AND user_agent IS NOT NULL)
),
days AS (
  SELECT p.person, s.kind, p.day, min(p.first_at) AS first_at, max(p.last_at) AS last_at
  FROM places p JOIN spelled s ON s.user_agent = p.user_agent
  WHERE p.actor_type = 'user' AND NOT p.actor_anonymous
  GROUP BY p.person, s.kind, p.day
),
uses AS (
  SELECT *, lag(last_at) OVER (PARTITION BY person, kind ORDER BY day) AS before FROM days
),
fresh AS (
  SELECT person, kind, day, first_at AS first_use FROM uses
  WHERE before IS NULL OR before < first_at - $baseline_days * INTERVAL 1 DAY
),
pasts AS (
  SELECT f.person, f.kind, f.day, count(DISTINCT d.day) AS past_days, count(DISTINCT d.kind) AS past_kinds
  FROM fresh f JOIN days d ON d.person = f.person AND d.day < f.day AND d.day >= f.day - $baseline_days
  GROUP BY f.person, f.kind, f.day
),
users AS (
  SELECT f.person, f.kind, f.day, o.person AS other
  FROM fresh f JOIN days o ON o.kind = f.kind AND o.person <> f.person AND o.first_at < f.first_use
    AND o.day >= f.day - $baseline_days
  GROUP BY f.person, f.kind, f.day, o.person
  HAVING count(*) >= $known_days
),
others AS (
  SELECT person, kind, day, count(*) AS people FROM users GROUP BY person, kind, day
),
found AS (
  SELECT f.person, f.kind, f.first_use, p.past_days, p.past_kinds
  FROM fresh f
  JOIN pasts p ON p.person = f.person AND p.kind = f.kind AND p.day = f.day
  LEFT JOIN others o ON o.person = f.person AND o.kind = f.kind AND o.day = f.day
  WHERE p.past_days >= $min_baseline_days AND p.past_kinds <= $max_kinds AND coalesce(o.people, 0) < $known_to_others
)
SELECT
  f.person || '|' || f.kind || '|' || strftime(timezone('UTC', f.first_use), '%Y-%m-%d') AS key,
  min(s.who) AS subject,
  min(s.occurred_at) AS window_start,
  max(s.occurred_at) AS window_end,
  count(*) || CASE WHEN count(*) = 1 THEN ' event' ELSE ' events' END || ' with it in the first ' || $first_hours || ' hours' AS observed,
  'one of the ' || f.past_kinds || CASE WHEN f.past_kinds = 1 THEN ' kind' ELSE ' kinds' END || ' of the ' || f.past_days || ' days before' AS expected,
  min(s.who) || ' came with ' || left(min(s.user_agent), 120) || coalesce(' from ' || min(s.source_ip), '')
    || ' for the first time in ' || $baseline_days || ' days.' AS reason,
  'an earlier use, or its use by ' || $known_to_others || ' colleagues before' AS cleared_by,
  list_sort(list(s.event_uid)) AS events
FROM found f
JOIN spelled k ON k.kind = f.kind
JOIN activity s ON s.person = f.person AND s.user_agent = k.user_agent AND s.actor_type = 'user' AND NOT s.actor_anonymous
  AND s.occurred_at >= f.first_use AND s.occurred_at < f.first_use + $first_hours * INTERVAL 1 HOUR
GROUP BY f.person, f.kind, f.first_use, f.past_days, f.past_kinds
ORDER BY window_start, key
