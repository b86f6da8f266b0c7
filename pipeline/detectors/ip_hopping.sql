/*
title = "One account from many networks within an hour"
severity = "medium"
version = 1
why = """A person has one or two networks at a time. An account that comes from many within an hour is shared, sold, or used
through machines that hide where its user is."""
false_positives = """A telephone on a train, and privacy services that change the way out with every connection. Whoever did so on
earlier days is left alone."""
next_steps = """End all sessions and change the password. Ask the person what they use, and look which of the addresses did what."""
scope = "actor_type IN ('user', 'api_key') AND NOT actor_anonymous"
needs = ["source_ip", "actor_email or actor_id or actor_name"]
attack = ["T1090"]
lookback = "window_minutes + 1 day"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC6.6", "CC7.2"]
iso27001 = ["A.8.5", "A.8.16"]
pci = ["8.2.2", "10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["AC-2(12)", "AU-6", "SI-4"]

[parameters.threshold]
default = 5
minimum = 2
maximum = 10000
unit = "networks"
meaning = "So many different networks (/24, /48) within the window are a finding"

[parameters.window_minutes]
default = 60
minimum = 1
maximum = 1440
unit = "minutes"
meaning = "From the first to the last of them; both ends belong to it"

[parameters.baseline_days]
default = 30
minimum = 1
maximum = 365
unit = "days"
meaning = "How far back the habit is looked for"

[parameters.habit_days]
default = 3
minimum = 1
maximum = 365
unit = "days"
meaning = "Whoever came from as many networks on so many earlier days is left alone"
*/
WITH many AS (
  SELECT person, day FROM places
  WHERE actor_type IN ('user', 'api_key') AND NOT actor_anonymous AND network IS NOT NULL
  GROUP BY person, day HAVING count(DISTINCT network) >= $threshold
),
people AS (SELECT DISTINCT person FROM many),
seen AS (
  SELECT a.event_uid, a.person, a.who, a.local_date, a.occurred_at, a.network, a.source_ip, CAST(timezone('UTC', a.occurred_at) AS DATE) AS day
  FROM activity a JOIN people p ON p.person = a.person
  WHERE a.actor_type IN ('user', 'api_key') AND NOT a.actor_anonymous AND a.network IS NOT NULL
),
-- For each event how many networks there were in the hour that it begins.
counted AS (
  SELECT s.event_uid, s.person, s.local_date, s.day, s.occurred_at, count(DISTINCT o.network) AS networks, max(o.occurred_at) AS last_at
  FROM (SELECT *, lag(network) OVER (PARTITION BY person ORDER BY occurred_at, event_uid) AS before FROM seen) s
  JOIN seen o ON o.person = s.person AND o.occurred_at >= s.occurred_at
    AND o.occurred_at <= s.occurred_at + $window_minutes * INTERVAL 1 MINUTE
  WHERE s.before IS NULL OR s.before <> s.network
  GROUP BY s.event_uid, s.person, s.local_date, s.day, s.occurred_at
  HAVING count(DISTINCT o.network) >= $threshold
),
first_of_day AS (
  SELECT *, row_number() OVER (PARTITION BY person, local_date ORDER BY networks DESC, occurred_at, event_uid) AS place FROM counted
),
past AS (
  SELECT f.person, f.day, count(DISTINCT m.day) AS days
  FROM first_of_day f JOIN many m ON m.person = f.person AND m.day < f.day AND m.day >= f.day - $baseline_days
  WHERE f.place = 1 GROUP BY f.person, f.day
)
SELECT
  f.person || '|' || f.local_date AS key,
  min(s.who) AS subject,
  min(s.occurred_at) AS window_start,
  max(s.occurred_at) AS window_end,
  f.networks || ' networks within ' || $window_minutes || ' minutes' AS observed,
  'fewer than ' || $threshold AS expected,
  min(s.who) || ' came from ' || f.networks || ' networks on ' || f.local_date || ': '
    || left(string_agg(DISTINCT s.source_ip, ', ' ORDER BY s.source_ip), 400) || '.' AS reason,
  (f.networks - $threshold + 1) || CASE WHEN f.networks = $threshold THEN ' network fewer' ELSE ' networks fewer' END AS cleared_by,
  list_sort(list(s.event_uid)) AS events
FROM first_of_day f
JOIN seen s ON s.person = f.person AND s.occurred_at >= f.occurred_at AND s.occurred_at <= f.occurred_at + $window_minutes * INTERVAL 1 MINUTE
LEFT JOIN past p ON p.person = f.person AND p.day = f.day
WHERE f.place = 1 AND coalesce(p.days, 0) < $habit_days
GROUP BY f.person, f.local_date, f.networks
ORDER BY window_start, key
