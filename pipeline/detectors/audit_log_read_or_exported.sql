/*
title = "Somebody looked into the audit log who usually does not"
severity = "low"
version = 1
why = """The log says where everybody was and what they did; to read it is to know what is watched. Access to it is itself to be
recorded and looked at, and the first time in a long while deserves a question."""
false_positives = """A new member of the team that reviews the log; the yearly audit. Whoever reads it regularly is reported
once and then no more."""
next_steps = """Ask what it was for. If an export left the organization, find out where it is; if the person has no business
with the log, take the permission away."""
scope = "action_detail IS NOT NULL OR action_raw IS NOT NULL"
lookback = "quiet_days + 2 days"
reads = """contains(lower(coalesce(action_detail, action_raw)), 'log') OR contains(coalesce(entity_type, ''), '_log')
  OR list_contains(classes, 'logging')"""
needs = ["action_detail or action_raw"]
attack = ["T1654"]

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.3"]
pci = ["10.2.1.3", "10.3.1"]
hipaa = ["164.312(b)", "164.308(a)(1)(ii)(D)"]
nist = ["AU-9", "AC-6"]

[parameters.quiet_days]
default = 30
minimum = 1
maximum = 365
unit = "days"
meaning = "Whoever looked into the log within so many days before is not reported again"
*/
WITH looked AS (
  SELECT *, lower(coalesce(action_detail, action_raw, '')) AS told
  FROM activity
  WHERE outcome <> 'failure' AND coalesce(action_detail, action_raw) IS NOT NULL AND (contains(lower(coalesce(action_detail, action_raw)), 'log')
    OR contains(coalesce(entity_type, ''), '_log') OR list_contains(classes, 'logging'))
),
read AS (
  SELECT * FROM looked
  WHERE (list_contains(classes, 'logging')
      OR regexp_matches(coalesce(entity_type, ''), '^(audit|activity|event|security)_log(_entry|_event)?s?$')
      OR regexp_matches(told, '(audit|activity)[ _.-]?(logs?|trail|histor)'))
    AND (coalesce(action IN ('read', 'export', 'access'), false)
      OR regexp_matches(told, '(export|download|view|search|quer|(^|[^a-z])read|access)'))
    AND NOT regexp_matches(told, '(disabl|enabl|creat|delet|updat)')
),
by_day AS (
  SELECT source, instance, person, local_date, min(who) AS who, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
    count(*) AS n, count(*) FILTER (action = 'export' OR regexp_matches(told, '(export|download)')) AS exports,
    string_agg(DISTINCT coalesce(action_detail, action_raw), ', ' ORDER BY coalesce(action_detail, action_raw)) AS names,
    list(event_uid) AS events
  FROM read GROUP BY source, instance, person, local_date
),
before AS (
  SELECT *, lag(last_at) OVER (PARTITION BY source, instance, person ORDER BY local_date) AS looked_before FROM by_day
)
SELECT
  source || '|' || coalesce(instance, '') || '|' || person || '|' || local_date AS key,
  who || ', ' || source || coalesce(' (' || instance || ')', '') AS subject,
  first_at AS window_start,
  last_at AS window_end,
  n || CASE WHEN n = 1 THEN ' look' ELSE ' looks' END || ' into the log, ' || exports
    || CASE WHEN exports = 1 THEN ' export' ELSE ' exports' END AS observed,
  'nobody looks into the log who did not within the ' || $quiet_days || ' days before' AS expected,
  who || CASE WHEN exports > 0 THEN ' exported' ELSE ' looked into' END || ' the audit log of ' || source || ' (' || left(names, 200)
    || '), for the first time in ' || $quiet_days || ' days.' AS reason,
  'a look into the log within the ' || $quiet_days || ' days before' AS cleared_by,
  list_sort(events) AS events
FROM before
WHERE looked_before IS NULL OR looked_before < first_at - $quiet_days * INTERVAL 1 DAY
ORDER BY window_start, key
