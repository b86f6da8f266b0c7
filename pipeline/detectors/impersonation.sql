/*
title = "Somebody acted as somebody else"
severity = "medium"
version = 1
why = """What is done under another person's name is not what that person did. The log is worth as evidence only what the two
names in it are worth."""
false_positives = """Support that was asked for and is named in a case, and delegates of a mailbox or calendar."""
next_steps = """Ask the person whose name was used whether they knew. Match it with a support case, and read what was changed:
it is told below under the name of whoever did it."""
scope = "NOT actor_anonymous"
needs = ["impersonator_id or impersonator_email or impersonator_name or classes"]
attack = ["T1078"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.3"]
iso27001 = ["A.5.16", "A.8.2", "A.8.15"]
pci = ["8.2.2", "10.2.1.2", "10.2.2"]
hipaa = ["164.312(a)(2)(i)", "164.312(b)"]
nist = ["AC-6(9)", "AU-10", "IA-4"]

[parameters.min_events]
default = 1
minimum = 1
maximum = 100000
unit = "events"
meaning = "So many events under another name on one day are a finding"

[parameters.examples]
default = 3
minimum = 1
maximum = 100
unit = "events"
meaning = "So many different actions are told in the reason; the evidence has them all"
*/
WITH acted AS (
  SELECT event_uid, source, person, who, local_date, occurred_at, source_ip, action,
    coalesce(impersonator_email, impersonator_name, impersonator_id) AS actual,
    coalesce(action_detail, action_raw, action, 'an entry') AS told
  FROM activity
  WHERE (coalesce(impersonator_email, impersonator_name, impersonator_id) IS NOT NULL
      AND coalesce(lower(impersonator_email) <> lower(actor_email), impersonator_id <> actor_id, true))
    OR list_contains(classes, 'impersonation')
),
ranked AS (
  SELECT *, dense_rank() OVER (PARTITION BY person, actual, local_date ORDER BY told) AS place FROM acted
),
days AS (
  SELECT person, coalesce(actual, '') AS actual, local_date, min(who) AS subject, min(occurred_at) AS window_start,
    max(occurred_at) AS window_end, count(*) AS n, max(place) AS kinds,
    string_agg(DISTINCT told, ', ' ORDER BY told) FILTER (place <= $examples) AS told,
    string_agg(DISTINCT source, ', ' ORDER BY source) AS sources, min(source_ip) AS address, list_sort(list(event_uid)) AS events
  FROM ranked GROUP BY person, coalesce(actual, ''), local_date
  HAVING count(*) >= $min_events
)
SELECT
  person || '|' || actual || '|' || local_date AS key,
  subject,
  window_start,
  window_end,
  n || CASE WHEN n = 1 THEN ' event' ELSE ' events' END
    || CASE WHEN actual = '' THEN ' in another''s name' ELSE ' by ' || actual || ' in this name' END AS observed,
  CASE WHEN $min_events = 1 THEN 'everybody in their own name' ELSE 'fewer than ' || $min_events || ' on one day' END AS expected,
  CASE WHEN actual = '' THEN subject || ' acted in another''s name' ELSE actual || ' acted as ' || subject END
    || ' in ' || sources || coalesce(' from ' || address, '') || ' on ' || local_date || ': ' || told
    || CASE WHEN kinds > $examples THEN ' and ' || (kinds - $examples) || ' more kinds of action.' ELSE '.' END AS reason,
  CASE WHEN n > $min_events THEN (n - $min_events + 1) || ' events fewer' ELSE '1 event fewer' END AS cleared_by,
  events
FROM days
ORDER BY window_start, key
