/*
title = "A protection was changed or switched off"
severity = "high"
version = 1
why = """Branch protection, secret scanning, threat detection, network limits, encryption and policies are what stands between a
slip, or an intruder, and the damage. They are lowered before something that they would have stopped."""
false_positives = """Administrators who tune a policy, and set-ups of new projects. Some products do not say in which direction a policy was
changed; such changes are reported too."""
next_steps = """Read what the protection was before, put it back, and ask for the change request. Then read what happened while it was
down: pushes past a protected branch, sign-ins from new networks, files sent out."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["protection"]
attack = ["T1562.001"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.6", "CC8.1"]
iso27001 = ["A.8.9", "A.8.16", "A.8.20"]
pci = ["1.2.2", "6.5.1", "10.2.1.5"]
hipaa = ["164.312(a)(1)", "164.312(c)(1)"]
nist = ["CM-3", "CM-5", "SI-4"]

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
  FROM activity WHERE list_contains(classes, 'protection')
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
  n || CASE WHEN n = 1 THEN ' change of a protection' ELSE ' changes of protections' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'none without a change request' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this change' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
