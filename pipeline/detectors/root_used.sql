/*
title = "The account's root user was used"
severity = "high"
version = 1
why = """The root user cannot be limited and is nobody in particular. What is done with it cannot be laid at one person's door."""
false_positives = """The few tasks that only the root user can do, such as closing the account. They are planned, and two people are there."""
next_steps = """Ask who used it and for what. Change its password and second factor if nobody knows, and remove any keys that it has."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["root_use"]
attack = ["T1078.004"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.3"]
iso27001 = ["A.8.2"]
pci = ["8.2.2", "10.2.1.2"]
hipaa = ["164.312(a)(2)(i)"]
nist = ["AC-6(9)", "IA-2"]

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
  FROM activity WHERE list_contains(classes, 'root_use')
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
  n || CASE WHEN n = 1 THEN ' use of the root user' ELSE ' uses of the root user' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'never, but for what nobody else can do' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this use' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
