/*
title = "The product's own staff had access"
severity = "medium"
version = 1
why = """While support may act inside the organization, whoever has taken over support may, too."""
false_positives = """A support case that is open. Its number belongs into the decision."""
next_steps = """Match it with a support case and end the access when the case is closed. Ask the vendor who it was and what they did."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["support_access", "provider_access"]
attack = ["T1199"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC9.2"]
iso27001 = ["A.5.19", "A.5.22"]
pci = ["8.2.7", "12.8.1"]
hipaa = ["164.308(b)(1)"]
nist = ["AC-2", "MA-4", "SA-9"]

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
  FROM activity WHERE list_has_any(classes, ['support_access', 'provider_access'])
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
  n || CASE WHEN n = 1 THEN ' access by the product''s staff' ELSE ' accesses by the product''s staff' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'only while a support case of ours is open' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this access' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
