/*
title = "A change worth knowing"
severity = "info"
version = 1
why = """New accounts and teams, collaborators, networks and devices, apps taken away: harmless most of the time, and the missing
piece when something else on this page has to be explained."""
false_positives = """Nearly all of them. They are listed for completeness, at the lowest severity."""
next_steps = """Read them beside the other findings of the same person and day."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["major_change", "account_change", "network_changed", "new_device"]
lookback = "2 days"

[controls]
soc2 = ["CC6.2", "CC8.1"]
iso27001 = ["A.5.18", "A.8.9"]
pci = ["10.2.1.5"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["AC-2", "CM-3"]

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
  FROM activity WHERE list_has_any(classes, ['major_change', 'account_change', 'network_changed', 'new_device'])
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
  n || CASE WHEN n = 1 THEN ' notable change' ELSE ' notable changes' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'each known to whoever answers for it' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this change' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
