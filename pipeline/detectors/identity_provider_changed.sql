/*
title = "Single sign-on or trusted domain changed"
severity = "high"
version = 1
why = """Whoever decides which identity provider or domain is trusted can sign in as anybody, without a password of theirs."""
false_positives = """Certificate rotations, a new company domain, the first set-up of single sign-on. Planned, and done by very few people."""
next_steps = """Compare the provider, its certificate and its domains with what you know. Remove what nobody can explain, end all
sessions that began through it, and read who signed in through it."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["identity_provider"]
attack = ["T1484.002"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.6"]
iso27001 = ["A.5.16", "A.8.5"]
pci = ["8.2.1", "10.2.1.5"]
hipaa = ["164.312(d)"]
nist = ["IA-8", "CM-3", "AC-2"]

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
  FROM activity WHERE list_contains(classes, 'identity_provider')
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
  n || CASE WHEN n = 1 THEN ' change of sign-on' ELSE ' changes of sign-on' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'none without a change request' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this change' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
