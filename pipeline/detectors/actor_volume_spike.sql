/*
title = "Far more of an action than usual"
severity = "medium"
version = 2
why = """Scripts, stolen sessions and people who are about to leave do much of one thing. What is much is the person's own
measure: the same action at the same time of day on earlier days."""
false_positives = """Deadlines, campaigns, a colleague's work taken over. A person with few or very different days is not
judged, small numbers are left alone, and so is what comes around: a price list every second week is usual from its third time on."""
next_steps = """Ask what the occasion was. Look at what the events have in common: the things, the address, the browser,
the speed."""
scope = "actor_type IN ('user', 'api_key') AND NOT actor_anonymous"
needs = ["action", "actor_email or actor_id or actor_name"]
baseline_days = "min_samples"
lookback = "2 days"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AU-6", "SI-4"]

[parameters.baseline_days]
default = 45
minimum = 1
maximum = 365
unit = "days"
meaning = "How far back earlier days are looked for"

[parameters.min_samples]
default = 10
minimum = 2
maximum = 365
unit = "days"
meaning = "Earlier days with activity in that block of hours that are needed"

[parameters.block_hours]
default = 6
minimum = 1
maximum = 24
unit = "hours"
meaning = "A day is cut into blocks of so many hours, for mornings are no evenings"

[parameters.deviations]
default = 8
minimum = 1
maximum = 1000
unit = "deviations"
meaning = "So many deviations (1.4826 MAD, at least the root of the median) above the median are a finding"

[parameters.min_events]
default = 40
minimum = 1
maximum = 1000000
unit = "events"
meaning = "Fewer events are left alone"

[parameters.usual_days]
default = 2
minimum = 1
maximum = 365
unit = "days"
meaning = "Who did at least half as much of it in that block on so many earlier days is left alone"
*/
WITH counted AS (
  SELECT person, local_date, CAST(floor(hour / $block_hours) AS BIGINT) AS block, coalesce(action, 'other') AS action, sum(n) AS n
  FROM habits WHERE actor_type IN ('user', 'api_key') AND is_named
  GROUP BY person, local_date, CAST(floor(hour / $block_hours) AS BIGINT), coalesce(action, 'other')
),
-- A day on which the person was there and did none of it counts as nought.
present AS (
  SELECT DISTINCT person, local_date, block FROM counted
),
asked AS (
  SELECT * FROM counted WHERE n >= $min_events
),
samples AS (
  SELECT a.person, a.local_date, a.block, a.action, a.n AS asked, coalesce(c.n, 0) AS n
  FROM asked a
  JOIN present p ON p.person = a.person AND p.block = a.block
    AND p.local_date < a.local_date AND p.local_date >= a.local_date - $baseline_days
  LEFT JOIN counted c ON c.person = a.person AND c.block = a.block AND c.action = a.action AND c.local_date = p.local_date
),
usual AS (
  SELECT person, local_date, block, action, count(*) AS samples, median(n) AS middle, mad(n) AS spread,
    count_if(n * 2 >= asked) AS such_days
  FROM samples GROUP BY person, local_date, block, action
),
-- Days that are all alike have no spread: the root of the median is what chance alone would give.
limits AS (
  SELECT *, middle + $deviations * greatest(1.4826 * spread, sqrt(greatest(middle, 1))) AS most FROM usual
  WHERE samples >= $min_samples AND such_days < $usual_days
),
spikes AS (
  SELECT a.person, a.local_date, a.block, a.action, a.n, l.samples, l.middle, l.most
  FROM asked a JOIN limits l ON l.person = a.person AND l.local_date = a.local_date AND l.block = a.block AND l.action = a.action
  WHERE a.n > l.most
),
backed AS (
  SELECT s.person, s.local_date, s.block, s.action, s.n, s.samples, s.middle, s.most, min(e.who) AS subject,
    min(e.occurred_at) AS window_start, max(e.occurred_at) AS window_end, list(e.event_uid) AS events
  FROM spikes s JOIN activity e ON e.person = s.person AND e.local_date = s.local_date
    AND CAST(floor(e.hour / $block_hours) AS BIGINT) = s.block AND coalesce(e.action, 'other') = s.action
    AND e.actor_type IN ('user', 'api_key')
  GROUP BY s.person, s.local_date, s.block, s.action, s.n, s.samples, s.middle, s.most
),
told AS (
  SELECT *, action || ' ' || n || ' times in the ' || $block_hours || ' hours from ' || (block * $block_hours) || ':00, the median of '
    || samples || ' earlier days is ' || middle AS line,
    n - greatest(CAST(floor(most) AS BIGINT), $min_events - 1) AS fewer,
    row_number() OVER (PARTITION BY person, local_date ORDER BY n - most DESC, block, action) AS place
  FROM backed
)
SELECT
  person || '|' || local_date AS key,
  min(subject) AS subject,
  min(window_start) AS window_start,
  max(window_end) AS window_end,
  string_agg(action || ' ' || n || ' times', ', ' ORDER BY place) AS observed,
  'at most ' || string_agg(CAST(floor(most) AS BIGINT) || ' times ' || action, ', ' ORDER BY place) AS expected,
  min(subject) || ' on ' || local_date || ': ' || string_agg(line, '; ' ORDER BY place) || '.' AS reason,
  string_agg(fewer || CASE WHEN fewer = 1 THEN ' event' ELSE ' events' END || ' fewer of ' || action, ', ' ORDER BY place) AS cleared_by,
  list_sort(flatten(list(events))) AS events
FROM told GROUP BY person, local_date
ORDER BY window_start, key
