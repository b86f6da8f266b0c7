/*
title = "The time of an entry cannot be right"
severity = "low"
version = 1
why = """Everything else on this page trusts the times. An entry that stands before or after its neighbours in the log, or years
away from all others, was written by a clock that is wrong, or was given another time on purpose."""
false_positives = """Entries that the product writes down late; a log without zones in the night in which the clock goes back.
The order is that of the product's own numbers; a log whose numbers are not in order is not judged."""
next_steps = """Find the clock: one person's device, one server, one zone in the configuration. Until then read the entry at its
place in the log, not at its time."""
about = "log"
scope = "true"
lookback = "4 days"
lookahead = "3 days"
needs = ["line"]
attack = ["T1070.006"]

[controls]
soc2 = ["CC7.2", "PI1.5"]
iso27001 = ["A.8.15", "A.8.17"]
pci = ["10.6.1", "10.6.3"]
hipaa = ["164.312(b)"]
nist = ["AU-8", "AU-10"]

[parameters.skew_minutes]
default = 30
minimum = 2
maximum = 1440
unit = "minutes"
meaning = "So far out of the order of the log an entry must stand"

[parameters.min_entries]
default = 20
minimum = 5
maximum = 1000000
unit = "entries"
meaning = "So many entries of the day at least must be in order before one of them can be out of it"
*/
WITH placed AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, local_date,
    CAST(source_event_id AS BIGINT) AS place
  FROM activity WHERE regexp_matches(source_event_id, '^[0-9]{1,15}$') AND conflicts_with IS NULL
),
neighbours AS (
  SELECT *, lag(occurred_at) OVER told AS before_at, lead(occurred_at) OVER told AS after_at
  FROM placed WINDOW told AS (PARTITION BY source, instance ORDER BY place, occurred_at)
),
days AS (
  SELECT source, instance, local_date, count(*) AS n,
    count(*) FILTER (before_at > occurred_at + $skew_minutes * INTERVAL 1 MINUTE) AS turns
  FROM neighbours GROUP BY source, instance, local_date
),
-- Ahead of what comes after it while that follows what was before it; or behind in the same way.
judged AS (
  SELECT *,
    CASE WHEN occurred_at > after_at + $skew_minutes * INTERVAL 1 MINUTE AND after_at >= before_at
        AND occurred_at <= after_at + INTERVAL 2 DAY THEN date_diff('minute', after_at, occurred_at)
      WHEN occurred_at < before_at - $skew_minutes * INTERVAL 1 MINUTE AND after_at >= before_at
        AND occurred_at >= before_at - INTERVAL 2 DAY THEN -date_diff('minute', occurred_at, before_at) END AS off_by
  FROM neighbours
),
displaced AS (
  SELECT j.event_uid, j.source, j.instance, j.occurred_at, j.local_date, j.off_by
  FROM judged j
  -- Against the day of its neighbours: its own may be another, or none.
  JOIN calendar c ON c.schedule = 'organization' AND c.slot = time_bucket(INTERVAL 15 MINUTE, j.before_at)
  JOIN days d ON d.source = j.source AND d.instance = j.instance AND d.local_date = c.local_date
  WHERE j.off_by IS NOT NULL AND d.n >= $min_entries AND (d.turns = 1 OR d.turns * 20 <= d.n)
),
-- At one end of a log, days away from everything else, in a file of many: too far for its neighbours to be seen.
ends AS (
  SELECT p.source, max(p.occurred_at) FILTER (p.occurred_at < s.last_at) AS last_but_one,
    min(p.occurred_at) FILTER (p.occurred_at > s.first_at) AS second,
    count(*) FILTER (p.occurred_at = s.last_at) AS at_last, count(*) FILTER (p.occurred_at = s.first_at) AS at_first
  FROM activity p JOIN spans s ON s.source = p.source
  GROUP BY p.source
),
alone AS (
  SELECT p.event_uid, p.source, coalesce(p.instance, '') AS instance, p.occurred_at, p.local_date
  FROM activity p
  JOIN spans s ON s.source = p.source AND (p.occurred_at = s.last_at OR p.occurred_at = s.first_at)
  JOIN ends e ON e.source = p.source
  JOIN (SELECT sha256, max(events) AS events FROM files GROUP BY sha256) f ON f.sha256 = p.file_sha256
  WHERE p.conflicts_with IS NULL AND f.events >= 100
    AND ((p.occurred_at = s.last_at AND e.at_last = 1
        AND (e.last_but_one IS NULL OR e.last_but_one < p.occurred_at - INTERVAL 3 DAY))
      OR (p.occurred_at = s.first_at AND e.at_first = 1
        AND (e.second IS NULL OR e.second > p.occurred_at + INTERVAL 3 DAY)))
),
wrong AS (
  SELECT event_uid, source, instance, occurred_at, local_date,
    CASE WHEN off_by > 0 THEN off_by || ' minutes ahead' ELSE -off_by || ' minutes behind' END AS told, abs(off_by) AS far
  FROM displaced
  UNION ALL
  SELECT event_uid, source, instance, occurred_at, local_date, 'alone, more than three days from every other entry', 1000000
  FROM alone WHERE event_uid NOT IN (SELECT event_uid FROM displaced)
),
all_of_them AS (
  SELECT w.*, e.who FROM wrong w JOIN activity e ON e.event_uid = w.event_uid
)
SELECT
  source || '|' || instance || '|' || local_date AS key,
  source || CASE WHEN instance = '' THEN '' ELSE ' (' || instance || ')' END AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  count(*) || CASE WHEN count(*) = 1 THEN ' entry ' ELSE ' entries, the farthest ' END || arg_max(told, (far, event_uid)) AS observed,
  'in the order of the log, within ' || $skew_minutes || ' minutes' AS expected,
  'Entries of ' || left(string_agg(DISTINCT who, ', ' ORDER BY who), 200) || ' on ' || local_date
    || ' have a time that does not fit their place in the log.' AS reason,
  'a time between those of its neighbours' AS cleared_by,
  list_sort(list(event_uid)) AS events
FROM all_of_them
GROUP BY source, instance, local_date
ORDER BY window_start, key
