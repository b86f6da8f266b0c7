/*
title = "Something large was deleted"
severity = "high"
version = 1
why = """A repository, a database, a bucket, a team or a whole workspace takes everything inside with it, in one entry that no
count of deletions would notice."""
false_positives = """Trials, demonstrations and test projects that are cleaned up. The name usually says so."""
next_steps = """Ask who decided it. Most products keep what was deleted for some days: restore first, ask afterwards."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["major_deletion"]
attack = ["T1485"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC8.1", "A1.2"]
iso27001 = ["A.8.10", "A.8.13"]
pci = ["10.2.1.7"]
hipaa = ["164.312(c)(1)", "164.308(a)(7)(ii)(A)"]
nist = ["CP-9", "SI-12", "AU-6"]

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
  FROM activity WHERE list_contains(classes, 'major_deletion')
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
  n || CASE WHEN n = 1 THEN ' large deletion' ELSE ' large deletions' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'none without a decision on record' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this deletion' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
