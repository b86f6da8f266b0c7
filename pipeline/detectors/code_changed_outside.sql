/*
title = "Code placed or run by hand in a running system"
severity = "medium"
version = 1
why = """Code that reaches a running system past review and release does what whoever put it there wants, with the rights of
that system."""
false_positives = """Emergency fixes, and deployment tools that sign in as a person. Give those an account that is marked as a service."""
next_steps = """Compare what runs with what was released. Ask who put it there and why the release process was not used."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["remote_code"]
attack = ["T1651"]
lookback = "2 days"

[controls]
soc2 = ["CC6.8", "CC8.1"]
iso27001 = ["A.8.19", "A.8.32"]
pci = ["6.5.1", "10.2.1.2"]
hipaa = ["164.312(c)(1)"]
nist = ["CM-3", "CM-5", "SI-7"]

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
  FROM activity WHERE list_contains(classes, 'remote_code')
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
  n || CASE WHEN n = 1 THEN ' piece of code placed or run by hand' ELSE ' pieces of code placed or run by hand' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'code arrives through the release process' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this call' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
