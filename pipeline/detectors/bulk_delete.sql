/*
title = "Many records deleted in a short time"
severity = "high"
version = 4
why = """Mass deletion destroys work and evidence. People who leave in anger do it, and so do intruders and slips of the
hand; the sooner it is seen, the more can still be restored."""
false_positives = """Planned clean-ups and migrations. Scheduled jobs, automations and integrations are left out unless
include_machines is set, and people who delete so many on several days, for whom it is their work. Failed deletions
do not count."""
next_steps = """Ask the person whether it was planned and by whom it was approved. Restore what was not, and keep the
list of ids in the evidence below: it says exactly what to restore."""
scope = "NOT actor_anonymous AND ($include_machines OR actor_type IN ('user', 'customer', 'api_key', 'unknown'))"
needs = ["action"]
lookback = "window_minutes + 2 days"
habits = "baseline_days + 3 days"

[controls]
soc2 = ["CC6.1", "CC7.2", "CC8.1"]
iso27001 = ["A.8.10", "A.8.15", "A.8.16"]
pci = ["10.2.1.7", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(c)(1)"]
nist = ["AU-6", "SI-12"]

[parameters.threshold]
default = 25
minimum = 2
maximum = 1000000
unit = "deleted records"
meaning = "So many records deleted by one person within the window are a finding"

[parameters.window_minutes]
default = 60
minimum = 1
maximum = 10080
unit = "minutes"
meaning = "The length of the sliding window; both ends belong to it"

[parameters.day_begins]
default = 5
minimum = 0
maximum = 23
unit = "local hour"
meaning = "What happens before this hour belongs to the day before: a night is not cut in two"

[parameters.baseline_days]
default = 60
minimum = 1
maximum = 365
unit = "days"
meaning = "How far back usual days are looked for"

[parameters.usual_days]
default = 2
minimum = 1
maximum = 365
unit = "days"
meaning = "Who deleted so many on so many earlier days is left alone, unless it is far more than on any of them"

[parameters.usual_times]
default = 3
minimum = 2
maximum = 1000
unit = "times"
meaning = "Far more: so many times the most that was deleted on an earlier day"

[parameters.include_machines]
default = false
unit = "yes or no"
meaning = "Whether deletions by schedulers, automations, integrations, webhooks and the product itself count"
*/
WITH deleted AS (
  SELECT event_uid, occurred_at, source, entity_type, person, who, records,
    CASE WHEN hour < $day_begins THEN local_date - 1 ELSE local_date END AS day
  FROM activity
  WHERE action = 'delete' AND outcome <> 'failure' AND NOT actor_anonymous
    AND ($include_machines OR actor_type IN ('user', 'customer', 'api_key', 'unknown'))
),
-- A bulk entry counts what it lists, or the number that it states, whichever is more.
summed AS (
  SELECT *, sum(records) OVER (
    PARTITION BY person ORDER BY occurred_at
    RANGE BETWEEN $window_minutes * INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW) AS in_window
  FROM deleted
),
-- An event belongs to a finding when some window that reached the threshold covers it.
covered AS (
  SELECT *, max(in_window) OVER (
    PARTITION BY person ORDER BY occurred_at
    RANGE BETWEEN CURRENT ROW AND $window_minutes * INTERVAL 1 MINUTE FOLLOWING) AS best_window
  FROM summed WHERE person IN (SELECT person FROM summed WHERE in_window >= $threshold)
),
incidents AS (
  SELECT person, day, min(who) AS subject, min(occurred_at) AS window_start,
    max(occurred_at) AS window_end, sum(records) AS records, max(best_window) AS most,
    count(*) AS entries, string_agg(DISTINCT source, ', ' ORDER BY source) AS sources,
    string_agg(DISTINCT coalesce(entity_type, 'record'), ', ' ORDER BY coalesce(entity_type, 'record')) AS kinds,
    list_sort(list(event_uid)) AS events
  FROM covered WHERE best_window >= $threshold GROUP BY person, day
),
earlier AS (
  SELECT person, CASE WHEN hour < $day_begins THEN local_date - 1 ELSE local_date END AS day, sum(records) AS records
  FROM habits WHERE action = 'delete' AND outcome <> 'failure'
  GROUP BY person, CASE WHEN hour < $day_begins THEN local_date - 1 ELSE local_date END
),
usual AS (
  SELECT i.person, i.day, count(*) AS days, max(e.records) AS most
  FROM incidents i JOIN earlier e ON e.person = i.person AND e.records >= $threshold
    AND e.day < i.day AND e.day >= i.day - $baseline_days
  GROUP BY i.person, i.day
),
found AS (
  SELECT i.* FROM incidents i LEFT JOIN usual u ON u.person = i.person AND u.day = i.day
  WHERE u.days IS NULL OR u.days < $usual_days OR i.records >= $usual_times * u.most
)
SELECT
  person || '|' || day AS key,
  subject,
  window_start,
  window_end,
  records || ' records deleted, up to ' || most || ' within ' || $window_minutes || ' minutes' AS observed,
  'fewer than ' || $threshold || ' within ' || $window_minutes || ' minutes' AS expected,
  subject || ' deleted ' || records || ' records (' || kinds || ') in ' || entries
    || CASE WHEN entries = 1 THEN ' entry' ELSE ' entries' END || ' of ' || sources || '.' AS reason,
  (most - $threshold + 1) || CASE WHEN most = $threshold THEN ' record' ELSE ' records' END || ' fewer within '
    || $window_minutes || ' minutes' AS cleared_by,
  events
FROM found
ORDER BY window_start, key
