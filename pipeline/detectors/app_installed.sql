/*
title = "App or integration connected"
severity = "low"
version = 1
why = """An app reads and writes with the rights of whoever connected it, day and night, and nobody watches it. Asking for such
consent is how accounts are taken over without a password."""
false_positives = """Apps that the organization uses everywhere and that each person connects once."""
next_steps = """Read what the app may do and who made it. Remove it where nobody answers for it, and revoke what it was given."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["app_installed"]
attack = ["T1671"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.8", "CC9.2"]
iso27001 = ["A.5.19", "A.8.19"]
pci = ["6.3.2", "12.8.1"]
hipaa = ["164.308(b)(1)"]
nist = ["CM-11", "AC-20", "SA-9"]

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
  FROM activity WHERE list_contains(classes, 'app_installed')
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
  n || CASE WHEN n = 1 THEN ' app connected' ELSE ' apps connected' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'only apps that were examined before' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this app' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
