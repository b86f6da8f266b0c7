/*
title = "The product itself raised an alarm"
severity = "medium"
version = 1
why = """The product has looked at more than it exports, and says that something is wrong. An alarm that nobody answers is
worse than none: it shows that it was known."""
false_positives = """Scanners on the internet that knock at every door, and files that a scanner mistakes. A few a day may be normal for a large
organization; each day and actor is one finding."""
next_steps = """Open the alarm in the product, decide, and write down what was decided."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["alert", "threat", "malware"]
attack = ["T1078"]
lookback = "2 days"

[controls]
soc2 = ["CC7.2", "CC7.3", "CC7.4"]
iso27001 = ["A.5.25", "A.8.16"]
pci = ["10.4.1", "12.10.5"]
hipaa = ["164.308(a)(6)(ii)"]
nist = ["SI-4", "IR-5"]

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
  FROM activity WHERE list_has_any(classes, ['alert', 'threat', 'malware'])
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
  n || CASE WHEN n = 1 THEN ' alarm of the product' ELSE ' alarms of the product' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'no alarms, or each with an answer' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this alarm' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
