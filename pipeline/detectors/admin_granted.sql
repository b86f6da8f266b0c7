/*
title = "Administrator rights granted"
severity = "high"
version = 1
why = """Whoever is an administrator can do everything else on this page, and can make it look like somebody else. An intruder
grants it to an account of theirs to be able to come back."""
false_positives = """New administrators, replacements for those on leave, and tools that set up accounts. All of them are rare and known in advance."""
next_steps = """Find the request and who agreed to it. Take the rights back where there is none, and read what the account did with them
in the meantime. Where a person granted them to themselves, see self_grant."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["admin_grant"]
attack = ["T1098.003"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.2", "CC6.3"]
iso27001 = ["A.5.18", "A.8.2"]
pci = ["7.2.2", "10.2.1.2", "10.2.1.5"]
hipaa = ["164.308(a)(3)(ii)(A)", "164.308(a)(4)(ii)(B)"]
nist = ["AC-2", "AC-6(1)", "AC-6(5)"]

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
  FROM activity WHERE list_contains(classes, 'admin_grant')
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
  n || CASE WHEN n = 1 THEN ' grant of administrator rights' ELSE ' grants of administrator rights' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'each asked for by one person and agreed by another' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this grant' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
