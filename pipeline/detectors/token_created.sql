/*
title = "Long-lived key or token made"
severity = "medium"
version = 1
why = """A key works without a person, without a second factor and often for years. It is how an intruder stays after the
password has been changed."""
false_positives = """New integrations and planned rotations: a key made, and the old one revoked, by whoever looks after it."""
next_steps = """Ask what the key is for, give it an end and the least rights that will do, and write down its owner. Revoke what nobody
claims, and look for what was done with it (api_key_new_ip)."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["token_created"]
attack = ["T1098.001"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.3"]
iso27001 = ["A.5.17", "A.8.5"]
pci = ["8.3.1", "8.6.1", "10.2.1.5"]
hipaa = ["164.312(d)"]
nist = ["IA-5", "AC-2"]

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
  FROM activity WHERE list_contains(classes, 'token_created')
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
  n || CASE WHEN n = 1 THEN ' key or token made' ELSE ' keys or tokens made' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'each with an owner, a purpose and an end' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this key' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
