/*
title = "Second factor removed or made optional"
severity = "high"
version = 1
why = """With the second factor gone a password is enough. It is taken away just before an account is taken over, by the intruder
or by a help desk that was talked into it."""
false_positives = """A lost or new telephone: the old factor is removed, and a new one is enrolled by the same person soon after."""
next_steps = """Call the person on a number that you know already. Check that a new factor was enrolled and from where, and read every
sign-in of the account since. A policy that was changed for everybody belongs back as it was."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["mfa_weakened"]
attack = ["T1556.006"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.6"]
iso27001 = ["A.5.17", "A.8.5"]
pci = ["8.4.2", "8.5.1", "10.2.1.5"]
hipaa = ["164.312(d)"]
nist = ["IA-2(1)", "IA-5", "AC-2"]

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
  FROM activity WHERE list_contains(classes, 'mfa_weakened')
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
  n || CASE WHEN n = 1 THEN ' weakening of the second factor' ELSE ' weakenings of the second factor' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'a second factor for everybody, at all times' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this removal' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
