/*
title = "Entries are kept longer than the policy allows"
severity = "medium"
version = 1
why = """What was to be deleted and is still here can be asked for, leak, or be held against whoever promised to delete it."""
false_positives = """A legal hold; a policy that was shortened lately and is being carried out."""
next_steps = """`auditbook retain` shows what is due, `auditbook retain --apply` archives and purges it. If it must stay, record a
hold; if the policy is wrong, change retention in auditbook.toml."""
about = "log"
scope = "source IN (SELECT source FROM retention_policy WHERE is_configured)"
lookback = "8 days"
reads = "source IN (SELECT source FROM retention_policy WHERE is_configured)"
needs = ["occurred_at"]

[controls]
soc2 = ["C1.2", "P4.2", "P4.3"]
iso27001 = ["A.5.33", "A.5.34", "A.8.10"]
pci = ["3.2.1"]
hipaa = ["164.316(b)(2)(i)"]
nist = ["AU-11", "SI-12"]

[parameters.grace_days]
default = 1
minimum = 0
maximum = 365
unit = "days"
meaning = "So much longer than the policy the oldest entry may be kept"
*/
WITH due AS (
  SELECT s.source, s.first_at, s.last_at, p.told, s.first_at + p.keeps + $grace_days * INTERVAL 1 DAY AS due_at
  FROM spans s JOIN retention_policy p ON p.source = s.source AND p.is_configured
),
-- The first entry after the deadline shows that the log has gone on past it, and the oldest one is still here.
after AS (
  SELECT d.source, d.first_at, d.last_at, d.told, d.due_at, min(e.occurred_at) AS seen_at,
    arg_min(e.event_uid, (e.occurred_at, e.event_uid)) AS event_uid
  FROM due d
  JOIN activity e ON e.source = d.source AND e.occurred_at > d.due_at AND e.occurred_at <= d.due_at + INTERVAL 7 DAY
  GROUP BY d.source, d.first_at, d.last_at, d.told, d.due_at
)
SELECT
  source || '|' || strftime(first_at AT TIME ZONE 'UTC', '%Y-%m-%d') AS key,
  source || ', oldest entry of ' || strftime(first_at AT TIME ZONE 'UTC', '%Y-%m-%d') AS subject,
  seen_at AS window_start,
  seen_at AS window_end,
  'entries since ' || strftime(first_at AT TIME ZONE 'UTC', '%Y-%m-%d') AS observed,
  'none older than ' || told AS expected,
  'The policy for ' || source || ' keeps entries for ' || told || '; since ' || strftime(due_at AT TIME ZONE 'UTC', '%Y-%m-%d')
    || ' the oldest entry should have been gone, and it is still here.' AS reason,
  'what is older than ' || told || ' purged, or a longer retention' AS cleared_by,
  [event_uid] AS events
FROM after
ORDER BY window_start, key
