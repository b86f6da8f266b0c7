/*
title = "Permissions changed"
severity = "medium"
version = 2
why = """Who may do what is decided here. Every change should have somebody who asked for it and somebody who agreed;
auditors take a sample of them and want to see both."""
false_positives = """Joiners, movers and leavers on the days when they join, move and leave. All of it is expected work;
none of it should be without a ticket."""
next_steps = """Match each change with its request and approval. Pay attention to people who changed their own access, to
wildcard and administrator permissions, and to grants that are taken back the same day."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["permission"]
attack = ["T1098"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.2", "CC6.3"]
iso27001 = ["A.5.15", "A.5.18", "A.8.2"]
pci = ["7.2.1", "10.2.1.2", "10.2.1.5"]
hipaa = ["164.308(a)(4)(ii)(C)", "164.312(b)"]
nist = ["AC-2", "AC-6(9)", "AU-6"]

[parameters.examples]
default = 3
minimum = 1
maximum = 100
unit = "changes"
meaning = "So many changes are told in the reason; the evidence has them all"
*/
WITH changed AS (
  SELECT event_uid, person, who, occurred_at, outcome, local_date, changes,
    coalesce(action_detail, action_raw, action, 'a change')
      || coalesce(' on ' || entity_type || ' ' || coalesce(entity_name, entity_id), '')
      || coalesce(' (' || message || ')', '') AS told
  FROM activity WHERE list_contains(classes, 'permission')
),
fields AS (
  SELECT event_uid, string_agg(
      c.field || ' from ' || CASE WHEN c.redacted THEN '[REDACTED]' WHEN c.old_present THEN coalesce(c.old, 'null') ELSE 'nothing' END
      || ' to ' || CASE WHEN c.redacted THEN '[REDACTED]' WHEN c.new_present THEN coalesce(c.new, 'null') ELSE 'nothing' END,
      ', ' ORDER BY c.field, c.old, c.new) AS told
  FROM (SELECT event_uid, unnest(changes) AS c FROM changed) GROUP BY event_uid
),
numbered AS (
  SELECT c.*, c.told || coalesce(': ' || f.told, '') || CASE WHEN c.outcome = 'failure' THEN ' (refused)' ELSE '' END AS line,
    row_number() OVER (PARTITION BY c.person, c.local_date ORDER BY c.occurred_at, c.event_uid) AS n
  FROM changed c LEFT JOIN fields f ON f.event_uid = c.event_uid
),
days AS (
  SELECT person, local_date, min(who) AS subject, min(occurred_at) AS window_start,
    max(occurred_at) AS window_end, count(*) AS n, count(*) FILTER (outcome = 'failure') AS refused,
    string_agg(line, '; ' ORDER BY n) FILTER (n <= $examples) AS examples, list_sort(list(event_uid)) AS events
  FROM numbered GROUP BY person, local_date
)
SELECT
  person || '|' || local_date AS key,
  subject,
  window_start,
  window_end,
  n || CASE WHEN n = 1 THEN ' permission change' ELSE ' permission changes' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' of them refused' ELSE '' END AS observed,
  'each with a request and an approval' AS expected,
  subject || ' on ' || local_date || ': ' || examples
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this change' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
