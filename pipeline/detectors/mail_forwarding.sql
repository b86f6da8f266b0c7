/*
title = "Mail sent on to another address"
severity = "high"
version = 1
why = """A rule that copies mail out keeps working after the password is changed. It is the first thing that is set up in a
mailbox that was taken over to divert an invoice."""
false_positives = """Rules that sort mail into folders, and cover for colleagues on leave. The evidence has the address."""
next_steps = """Read where the mail goes and remove the rule if the owner does not know it. Then treat the mailbox as taken over: end
sessions, change the password, look for invoices and resets that went out."""
scope = "outcome IS NOT NULL"
needs = ["action_detail or action_raw or action"]
classes = ["mail_forwarding", "mail_rerouted"]
attack = ["T1114.003"]
lookback = "2 days"

[controls]
soc2 = ["CC6.7", "CC7.2"]
iso27001 = ["A.5.14", "A.8.12"]
pci = ["10.2.1.1"]
hipaa = ["164.312(e)(1)"]
nist = ["AC-4", "SI-4"]

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
  FROM activity WHERE list_has_any(classes, ['mail_forwarding', 'mail_rerouted'])
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
  n || CASE WHEN n = 1 THEN ' rule that sends mail on' ELSE ' rules that send mail on' END
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'no mail leaves by a rule' AS expected,
  subject || ' on ' || local_date || ': ' || told
    || CASE WHEN n > $examples THEN '; and ' || (n - $examples) || ' more.' ELSE '.' END AS reason,
  CASE WHEN n = 1 THEN 'without this rule' ELSE 'without any of the ' || n END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
