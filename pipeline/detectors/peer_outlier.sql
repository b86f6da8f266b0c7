/*
title = "Far more than colleagues of the same role"
severity = "medium"
version = 2
why = """What a role needs, its people do in similar measure. Somebody who does many times what any colleague does in a day
has other work than the role says, or a script."""
false_positives = """Team leads, a colleague who covers for others, roles that hold very different work. Not reported:
people who did half as much on an earlier day, for whom it is their work. A colleague's few odd days do not raise the
measure: what counts is what nine of ten of them (of fewer, the
busiest) have at most on three of four days."""
next_steps = """Ask what the work was; compare role and tasks. Where the role holds two kinds of work, give them two roles."""
scope = "person_role IS NOT NULL AND actor_type = 'user' AND NOT actor_anonymous"
needs = ["action", "actor_email or actor_id or actor_name"]
lookback = "2 days"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AU-6", "SI-4"]

[parameters.baseline_days]
default = 28
minimum = 1
maximum = 365
unit = "days"
meaning = "How far back days of colleagues are compared"

[parameters.min_peers]
default = 4
minimum = 2
maximum = 10000
unit = "people"
meaning = "Colleagues of the same role with a past that are needed"

[parameters.peer_days]
default = 5
minimum = 1
maximum = 365
unit = "days"
meaning = "So many days with activity make a colleague's past: whoever is there for the first time is no measure"

[parameters.min_samples]
default = 30
minimum = 2
maximum = 1000000
unit = "days"
meaning = "Days of colleagues, taken together, that are needed"

[parameters.times]
default = 3
minimum = 2
maximum = 1000
unit = "times"
meaning = "So many times what nine of ten colleagues (of fewer, the busiest) have at most on three of four days are a finding"

[parameters.min_events]
default = 40
minimum = 1
maximum = 1000000
unit = "events"
meaning = "Fewer events in a day are left alone"

[parameters.own_percent]
default = 50
minimum = 1
maximum = 1000
unit = "percent"
meaning = "Who did so much of it on an earlier day is left alone"
*/
WITH counted AS (
  SELECT person, person_role, local_date, coalesce(action, 'other') AS action, sum(n) AS n
  FROM habits WHERE actor_type = 'user' AND is_named AND person_role IS NOT NULL
  GROUP BY person, person_role, local_date, coalesce(action, 'other')
),
present AS (
  SELECT DISTINCT person, person_role, local_date FROM counted
),
asked AS (
  SELECT * FROM counted WHERE n >= $min_events
),
-- A day on which a colleague was there and did none of it counts as nought.
samples AS (
  SELECT a.person, a.local_date, a.action, p.person AS peer, coalesce(c.n, 0) AS n
  FROM asked a
  JOIN present p ON p.person_role = a.person_role AND p.person <> a.person
    AND p.local_date < a.local_date AND p.local_date >= a.local_date - $baseline_days
  LEFT JOIN counted c ON c.person = p.person AND c.local_date = p.local_date AND c.action = a.action
),
-- Each colleague by their own days, so that a few odd ones of somebody's do not hide the next.
colleagues AS (
  SELECT person, local_date, action, peer, count(*) AS samples, quantile_disc(n, 0.75) AS high
  FROM samples GROUP BY person, local_date, action, peer HAVING count(*) >= $peer_days
),
usual AS (
  SELECT person, local_date, action, CAST(sum(samples) AS BIGINT) AS samples, count(*) AS peers, quantile_disc(high, 0.9) AS high
  FROM colleagues GROUP BY person, local_date, action
),
own AS (
  SELECT a.person, a.local_date, a.action, max(c.n) AS most
  FROM asked a JOIN counted c ON c.person = a.person AND c.action = a.action
    AND c.local_date < a.local_date AND c.local_date >= a.local_date - $baseline_days
  GROUP BY a.person, a.local_date, a.action
),
outliers AS (
  SELECT a.person, a.person_role, a.local_date, a.action, a.n, u.samples, u.peers, u.high
  FROM asked a
  JOIN usual u ON u.person = a.person AND u.local_date = a.local_date AND u.action = a.action
  LEFT JOIN own o ON o.person = a.person AND o.local_date = a.local_date AND o.action = a.action
  WHERE u.peers >= $min_peers AND u.samples >= $min_samples AND a.n >= $times * greatest(u.high, 1)
    AND (o.most IS NULL OR o.most * 100 < a.n * $own_percent)
)
SELECT
  o.person || '|' || o.local_date || '|' || o.action AS key,
  min(e.who) AS subject,
  min(e.occurred_at) AS window_start,
  max(e.occurred_at) AS window_end,
  o.action || ' ' || o.n || ' times' AS observed,
  'fewer than ' || ($times * greatest(o.high, 1)) || ' times, ' || $times || ' times what nine of ten of '
    || o.peers || ' colleagues have at most on three of four days' AS expected,
  min(e.who) || ' (' || o.person_role || ') on ' || o.local_date || ': ' || o.action || ' ' || o.n || ' times; '
    || o.samples || ' days of ' || o.peers || ' others of that role; nine of ten have ' || o.high || ' at most on three of four.' AS reason,
  (o.n - greatest($times * greatest(o.high, 1), $min_events) + 1)
    || CASE WHEN o.n = greatest($times * greatest(o.high, 1), $min_events) THEN ' event' ELSE ' events' END || ' fewer' AS cleared_by,
  list_sort(list(e.event_uid)) AS events
FROM outliers o JOIN activity e ON e.person = o.person AND e.local_date = o.local_date
  AND coalesce(e.action, 'other') = o.action AND e.actor_type = 'user'
GROUP BY o.person, o.person_role, o.local_date, o.action, o.n, o.samples, o.peers, o.high
ORDER BY window_start, key
