/*
title = "Made public or shared with outsiders"
severity = "medium"
version = 1
why = """What anybody with a link can read has left the organization. It needs no break-in, leaves few traces and is often
forgotten."""
false_positives = """Press kits, public projects and files that are sent to customers every day. Many such entries of one person on one day
are one finding."""
next_steps = """Look at each thing as a stranger, without signing in. Close what is not meant for the public, and ask the product who
opened it in the meantime."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["public_access"]
attack = ["T1567"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.7"]
iso27001 = ["A.5.14", "A.8.12"]
pci = ["7.2.1", "10.2.1.1"]
hipaa = ["164.312(a)(1)", "164.312(e)(1)"]
nist = ["AC-3", "AC-21", "AC-22"]

[parameters.examples]
default = 3
minimum = 1
maximum = 100
unit = "entries"
meaning = "So many entries are told in the reason; the evidence has them all"
*/
WITH noted AS (
  SELECT event_uid, person, who, local_date, occurred_at, outcome, sentence,
    row_number() OVER (PARTITION BY person, local_date ORDER BY occurred_at, event_uid) AS place
  FROM activity WHERE list_contains(classes, 'public_access')
),
days AS (
  SELECT person, local_date, min(who) AS subject, min(occurred_at) AS window_start, max(occurred_at) AS window_end,
    count(*) AS n, count(*) FILTER (outcome = 'failure') AS refused,
    string_agg(sentence, '; ' ORDER BY place) FILTER (place <= $examples) AS told, list_sort(list(event_uid)) AS events
  FROM noted GROUP BY person, local_date
)
SELECT
  person || '|' || local_date AS key,
  subject,
  window_start,
  window_end,
  n || CASE WHEN n = 1 THEN ' thing opened to outsiders' ELSE ' things opened to outsiders' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'only what is meant for the public' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this opening' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
