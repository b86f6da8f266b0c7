/*
title = "A log fell silent when it usually is not"
severity = "medium"
version = 3
why = """No entry is no proof that nothing happened. A log that falls silent in hours in which it always had entries was switched
off, cut, or lost on its way here; or nobody worked, and that is known."""
false_positives = """Days off that the configuration does not know; an outage of the product; an export that was not made."""
next_steps = """Ask whether people worked. If they did, export that time again; if it stays empty, ask the vendor whether the log
was on (logging_disabled) and treat the time as unreviewed."""
about = "log"
scope = "true"
lookback = "14 days"
lookahead = "3 days"
habits = "49 days"
needs = ["occurred_at"]
baseline_days = 10
attack = ["T1562.008"]

[controls]
soc2 = ["CC7.2", "CC7.3"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.4.1", "10.7.2", "10.7.3"]
hipaa = ["164.312(b)"]
nist = ["AU-5", "AU-12"]

[parameters.min_expected]
default = 8
minimum = 1
maximum = 1000
unit = "half hours"
meaning = "A silence in which each of the weeks before had entries in so many half hours is a finding"

[parameters.min_weeks]
default = 2
minimum = 1
maximum = 4
unit = "weeks"
meaning = "So many of the four weeks before must be known, with the same half hour on a working day"
*/
WITH grid AS (
  SELECT slot, local_date, local_time FROM calendar
  WHERE schedule = 'organization' AND is_workday AND date_part('minute', slot) % 30 = 0
),
-- Each log as a whole, which has no tenant here, and that of each of those who write in it.
heard AS (
  SELECT source, coalesce(instance, '') AS tenant, time_bucket(INTERVAL 30 MINUTE, slot) AS slot, max(last_at) AS last_at
  FROM habits GROUP BY ALL
),
seen AS (
  SELECT source, '' AS tenant, slot, max(last_at) AS last_at FROM heard GROUP BY source, slot
  UNION ALL
  SELECT * FROM heard WHERE tenant <> ''
),
-- The same half hour of the same weekday in the four weeks before; holidays do not count. The night in which clocks go
-- back has some half hours twice.
weeks AS (
  SELECT g.slot, b.back, min(p.slot) AS before
  FROM grid g
  JOIN (SELECT unnest([7, 14, 21, 28]) AS back) b ON true
  JOIN grid p ON p.local_date = g.local_date - b.back AND p.local_time = g.local_time
  GROUP BY g.slot, b.back
),
-- The half hours without an entry. Of a tenant only those in which another one was heard: else it is the log that is
-- silent, or nobody works.
quiet AS (
  SELECT s.source, '' AS tenant, g.slot FROM spans s JOIN grid g ON true
  UNION
  SELECT h.source, h.tenant, w.slot
  FROM heard h JOIN weeks w ON w.before = h.slot SEMI JOIN heard o ON o.source = h.source AND o.slot = w.slot AND o.tenant <> ''
  WHERE h.tenant <> ''
  EXCEPT
  SELECT source, tenant, slot FROM seen
),
timeline AS (
  SELECT source, tenant, slot, NULL AS heard FROM quiet UNION ALL SELECT source, tenant, slot, slot FROM seen
),
spells AS (
  SELECT *, max(heard) OVER (PARTITION BY source, tenant ORDER BY slot) AS since FROM timeline
),
-- A silence that is longer than any holidays was noticed before, or never.
silent AS (
  SELECT p.source, p.tenant, p.since, p.slot
  FROM spells p JOIN spans s ON s.source = p.source AND p.slot + INTERVAL 30 MINUTE <= s.last_at
  WHERE p.heard IS NULL AND p.slot + INTERVAL 30 MINUTE <= p.since + INTERVAL 14 DAY
),
-- Of the weeks before the silence those are known in which the log had begun; what is older than five weeks is forgotten.
begun AS (
  SELECT s.source, s.tenant, s.since, min(f.slot) AS first_slot
  FROM (SELECT DISTINCT source, tenant, since FROM silent) s
  JOIN seen f ON f.source = s.source AND f.tenant = s.tenant AND f.slot >= s.since - INTERVAL 35 DAY
  GROUP BY s.source, s.tenant, s.since
),
expected AS (
  SELECT q.source, q.tenant, q.since, q.slot, w.back, CASE WHEN h.slot IS NULL THEN 0 ELSE 1 END AS was_active
  FROM silent q
  JOIN begun b ON b.source = q.source AND b.tenant = q.tenant AND b.since = q.since
  JOIN weeks w ON w.slot = q.slot AND w.before BETWEEN b.first_slot AND q.since
  LEFT JOIN seen h ON h.source = q.source AND h.tenant = q.tenant AND h.slot = w.before
),
-- How many half hours of this silence had entries in each of those weeks, up to each of its half hours.
summed AS (
  SELECT source, tenant, since, slot, sum(was_active) OVER (PARTITION BY source, tenant, since, back ORDER BY slot) AS missed
  FROM expected
),
least_of_them AS (
  SELECT source, tenant, since, slot, min(missed) AS missed FROM summed
  GROUP BY source, tenant, since, slot
  HAVING count(*) >= $min_weeks
),
-- The finding stands where the silence has become too long, whatever comes after it.
crossed AS (
  SELECT source, tenant, since, min(slot) + INTERVAL 30 MINUTE AS until
  FROM least_of_them WHERE missed >= $min_expected
  GROUP BY source, tenant, since
),
-- The next entry, if it comes soon: of the events, for habits end with what is judged.
returned AS (
  SELECT c.source, c.tenant, c.since, min(e.occurred_at) AS again_at
  FROM crossed c
  JOIN calendar k ON k.schedule = 'organization' AND k.slot >= c.until AND k.slot < c.until + INTERVAL 2 DAY
  JOIN activity e ON e.source = c.source AND time_bucket(INTERVAL 15 MINUTE, e.occurred_at) = k.slot
    AND (c.tenant = '' OR e.instance = c.tenant)
  GROUP BY c.source, c.tenant, c.since
),
around AS (
  SELECT c.source, c.tenant, c.since, c.until, b.last_at, r.again_at
  FROM crossed c
  JOIN seen b ON b.source = c.source AND b.tenant = c.tenant AND b.slot = c.since
  LEFT JOIN returned r ON r.source = c.source AND r.tenant = c.tenant AND r.since = c.since
),
before AS (
  SELECT a.source, a.tenant, a.since, arg_max(e.event_uid, (e.occurred_at, e.event_uid)) AS event_uid
  FROM around a JOIN activity e ON e.source = a.source AND e.occurred_at = a.last_at
    AND (a.tenant = '' OR e.instance = a.tenant)
  GROUP BY a.source, a.tenant, a.since
)
SELECT
  a.source || CASE WHEN a.tenant = '' THEN '' ELSE '|' || replace(a.tenant, '|', '%7C') END || '|'
    || strftime(a.since AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M') AS key,
  a.source || CASE WHEN a.tenant = '' THEN '' ELSE ' (' || a.tenant || ')' END AS subject,
  a.last_at AS window_start,
  a.until AS window_end,
  'no entry' || CASE WHEN a.tenant = '' THEN '' ELSE ' of ' || a.tenant END
    || CASE WHEN a.again_at IS NULL THEN ' for more than ' || CAST(trunc(date_diff('minute', a.last_at, a.until) / 60) AS BIGINT) || ' hours'
       ELSE ' for ' || CAST(trunc(date_diff('minute', a.last_at, a.again_at) / 60) AS BIGINT) || ' hours' END
    || ', in ' || $min_expected || ' half hours that have them' AS observed,
  'an entry in one of them; in each of the weeks before there were some in ' || $min_expected || ' and more' AS expected,
  'The last entry of ' || CASE WHEN a.tenant = '' THEN '' ELSE a.tenant || ' in ' END || a.source
    || ' before the silence is of ' || strftime(a.last_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M') || ' UTC'
    || CASE WHEN a.again_at IS NULL THEN '; the store has none within two days after it was noticed.'
       ELSE ', the next of ' || strftime(a.again_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M') || ' UTC.' END
    || ' At these hours of the same weekdays there were entries in the four weeks before.'
    || CASE WHEN a.tenant = '' THEN '' ELSE ' Others of the same product went on.' END AS reason,
  'an entry before ' || strftime(a.until AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M') || ' UTC' AS cleared_by,
  [b.event_uid] AS events
FROM around a JOIN before b ON b.source = a.source AND b.tenant = a.tenant AND b.since = a.since
ORDER BY window_start, key
