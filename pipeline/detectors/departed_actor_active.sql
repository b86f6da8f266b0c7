/*
title = "Active after the last day"
severity = "high"
version = 1
why = """An account that outlives its owner belongs to nobody: nobody misses it, nobody watches it, and whoever has its password
can use it. Attempts that fail count: somebody tried."""
false_positives = """A last day that was moved and not mended in the configuration, and jobs that still run under the name of whoever
set them up."""
next_steps = """Close the account today, everywhere. Find out who used it, from where (see the addresses), and what was taken or
changed since the last day."""
scope = "actor_key IN (SELECT actor_key FROM actors WHERE left_on IS NOT NULL)"
needs = ["actor_id or actor_email or actor_name"]
attack = ["T1078"]
lookback = "2 days"

[controls]
soc2 = ["CC6.2", "CC6.3"]
iso27001 = ["A.5.11", "A.5.18", "A.6.5"]
pci = ["8.2.5", "8.2.6", "10.2.1.5"]
hipaa = ["164.308(a)(3)(ii)(C)"]
nist = ["AC-2(3)", "PS-4"]

[parameters.grace_days]
default = 0
minimum = 0
maximum = 365
unit = "days"
meaning = "So many days after the last one are still left alone"
*/
WITH ends AS (
  SELECT person, max(left_on) AS left_on FROM actors WHERE left_on IS NOT NULL GROUP BY person
),
days AS (
  SELECT e.person, e.local_date, l.left_on, min(e.who) AS subject, min(e.occurred_at) AS window_start,
    max(e.occurred_at) AS window_end, count(*) AS n, count(*) FILTER (e.outcome = 'failure') AS failed,
    string_agg(DISTINCT e.source, ', ' ORDER BY e.source) AS sources,
    string_agg(DISTINCT e.source_ip, ', ' ORDER BY e.source_ip) AS addresses, list_sort(list(e.event_uid)) AS events
  FROM activity e JOIN ends l ON l.person = e.person
  WHERE e.local_date > l.left_on + $grace_days
  GROUP BY e.person, e.local_date, l.left_on
)
SELECT
  person || '|' || local_date AS key,
  subject,
  window_start,
  window_end,
  n || CASE WHEN n = 1 THEN ' event, ' ELSE ' events, ' END || (local_date - left_on)
    || CASE WHEN local_date - left_on = 1 THEN ' day after the last day' ELSE ' days after the last day' END
    || CASE WHEN failed > 0 THEN ', ' || failed || ' refused' ELSE '' END AS observed,
  'nothing after ' || (left_on + $grace_days) AS expected,
  subject || ' left on ' || left_on || ' and was active on ' || local_date || ' in ' || sources
    || coalesce(', from ' || addresses, '') || '.' AS reason,
  'a last day of ' || local_date || ' or later' AS cleared_by,
  events
FROM days
ORDER BY window_start, key
