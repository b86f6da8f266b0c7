/*
title = "A log fell silent when it usually is not"
severity = "medium"
version = 2
why = """No entry is no proof that nothing happened. A log that falls silent in hours in which it always had entries was switched
off, cut, or lost on its way here; or nobody worked, and that is known."""
false_positives = """Days off that the configuration does not know; an outage of the product; an export that was not made."""
next_steps = """Ask whether people worked. If they did, export that time again; if it stays empty, ask the vendor whether the log
was on (logging_disabled) and treat the time as unreviewed."""
about = "log"
scope = "true"
lookback = "3 days"
lookahead = "3 days"
habits = "32 days"
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
-- Each log as a whole, which has no tenant here, and that of each of its tenants.
heard AS (
  SELECT source, coalesce(instance, '') AS tenant, time_bucket(INTERVAL 30 MINUTE, slot) AS slot, min(first_at) AS first_at,
    max(last_at) AS last_at
  FROM habits GROUP BY ALL
),
seen AS (
  SELECT source, '' AS tenant, slot, min(first_at) AS first_at, max(last_at) AS last_at FROM heard GROUP BY source, slot
  UNION ALL
  SELECT * FROM heard WHERE tenant <> ''
),
-- While the log of one tenant goes on, so should those of the others.
logs AS (
  SELECT source, '' AS tenant, first_at, last_at FROM spans
  UNION ALL
  SELECT t.source, t.instance, t.first_at, s.last_at FROM tenants t JOIN spans s ON s.source = t.source
),
-- The same half hour of the same weekday in the four weeks before; holidays do not count.
weeks AS (
  SELECT g.slot, b.back, p.slot AS before
  FROM grid g
  JOIN (SELECT unnest([7, 14, 21, 28]) AS back) b ON true
  JOIN grid p ON p.local_date = g.local_date - b.back AND p.local_time = g.local_time
),
-- The half hours without an entry. Of tenants, of which there may be many, only those that had some in a week before.
quiet AS (
  SELECT s.source, '' AS tenant, g.slot FROM spans s JOIN grid g ON true
  UNION
  SELECT h.source, h.tenant, w.slot FROM heard h JOIN weeks w ON w.before = h.slot WHERE h.tenant <> ''
  EXCEPT
  SELECT source, tenant, slot FROM seen
),
expected AS (
  SELECT q.source, q.tenant, q.slot, w.back, CASE WHEN h.slot IS NULL THEN 0 ELSE 1 END AS was_active
  FROM quiet q
  JOIN logs s ON s.source = q.source AND s.tenant = q.tenant AND q.slot + INTERVAL 30 MINUTE <= s.last_at
  JOIN weeks w ON w.slot = q.slot AND w.before >= s.first_at
  LEFT JOIN seen h ON h.source = q.source AND h.tenant = q.tenant AND h.slot = w.before
),
timeline AS (
  SELECT DISTINCT source, tenant, slot, 0 AS active FROM expected UNION ALL SELECT source, tenant, slot, 1 FROM seen
),
spells AS (
  SELECT *, sum(active) OVER (PARTITION BY source, tenant ORDER BY slot) AS spell FROM timeline
),
silent AS (
  SELECT *, first_value(slot) OVER (PARTITION BY source, tenant, spell ORDER BY slot) AS since FROM spells
),
-- How many half hours of this silence had entries in each of those weeks, up to each of its half hours.
summed AS (
  SELECT q.source, q.tenant, q.since, q.slot, e.back,
    sum(e.was_active) OVER (PARTITION BY q.source, q.tenant, q.since, e.back ORDER BY q.slot) AS missed
  FROM silent q JOIN expected e ON e.source = q.source AND e.tenant = q.tenant AND e.slot = q.slot
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
  HAVING min(slot) + INTERVAL 30 MINUTE <= since + INTERVAL 72 HOUR
),
-- A tenant's silence is one of its own when others were heard in it: after all of them fell silent, if they did.
alone AS (
  SELECT c.source, c.tenant, c.since, c.until, greatest(c.since, max(w.since)) AS all_since
  FROM crossed c LEFT JOIN crossed w ON w.source = c.source AND w.tenant = '' AND w.until <= c.until
  WHERE c.tenant <> ''
  GROUP BY c.source, c.tenant, c.since, c.until
),
told AS (
  SELECT source, tenant, since, until FROM crossed WHERE tenant = ''
  UNION
  SELECT c.source, c.tenant, c.since, c.until
  FROM alone c JOIN heard o ON o.source = c.source AND o.tenant <> '' AND o.slot > c.all_since AND o.slot < c.until
),
around AS (
  SELECT c.source, c.tenant, c.since, c.until, max(b.last_at) AS last_at,
    min(a.first_at) AS again_at
  FROM told c
  JOIN seen b ON b.source = c.source AND b.tenant = c.tenant AND b.slot = c.since
  LEFT JOIN seen a ON a.source = c.source AND a.tenant = c.tenant AND a.slot >= c.until AND a.slot < c.until + INTERVAL 2 DAY
  GROUP BY c.source, c.tenant, c.since, c.until
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
    || CASE WHEN a.again_at IS NULL THEN '; in the two days after it was noticed there is none.'
       ELSE ', the next of ' || strftime(a.again_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M') || ' UTC.' END
    || ' At these hours of the same weekdays there were entries in the four weeks before.'
    || CASE WHEN a.tenant = '' THEN '' ELSE ' Others of the same product went on.' END AS reason,
  'an entry before ' || strftime(a.until AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M') || ' UTC' AS cleared_by,
  [b.event_uid] AS events
FROM around a JOIN before b ON b.source = a.source AND b.tenant = a.tenant AND b.since = a.since
ORDER BY window_start, key
