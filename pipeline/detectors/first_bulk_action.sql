/*
title = "First bulk action of a person"
severity = "medium"
version = 2
why = """Bulk actions change or take away much at once. Somebody who never used them and suddenly does has a new task, or
is somebody else."""
false_positives = """New tasks, new features of the product, a colleague's holiday. Not reported: people whose colleagues
of the same role use bulk actions, each on several days: that it happened once to two of them is no practice."""
next_steps = """Ask the person what the task was. Look at the list of ids in the evidence, and at where and with what the
person was signed in."""
scope = "is_bulk AND actor_type IN ('user', 'api_key') AND NOT actor_anonymous"
needs = ["action", "actor_email or actor_id or actor_name"]
baseline_days = "min_baseline_days"
lookback = "2 days"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AU-6", "SI-4"]

[parameters.min_records]
default = 5
minimum = 2
maximum = 1000000
unit = "records"
meaning = "A bulk action on fewer records is left alone"

[parameters.baseline_days]
default = 60
minimum = 1
maximum = 730
unit = "days"
meaning = "How far back bulk actions are looked for"

[parameters.min_baseline_days]
default = 10
minimum = 1
maximum = 365
unit = "days"
meaning = "Earlier days with activity that a person needs before a first time means anything"

[parameters.known_to_peers]
default = 2
minimum = 1
maximum = 10000
unit = "people"
meaning = "Where so many others of the same role use bulk actions, it is part of the job"

[parameters.practice_days]
default = 3
minimum = 1
maximum = 365
unit = "days"
meaning = "Somebody who did so on so many earlier days uses bulk actions"
*/
WITH bulk AS (
  SELECT person, who, person_role, local_date, event_uid, occurred_at, source, records, coalesce(action, 'other') AS action,
    coalesce(entity_type, 'record') AS kind
  FROM activity
  WHERE is_bulk AND actor_type IN ('user', 'api_key') AND is_named AND outcome <> 'failure' AND records >= $min_records
),
days AS (
  SELECT person, local_date, min(who) AS subject, min(person_role) AS role, min(occurred_at) AS window_start,
    max(occurred_at) AS window_end, sum(records) AS records, count(*) AS entries,
    string_agg(DISTINCT action || ' of ' || kind, ', ' ORDER BY action || ' of ' || kind) AS kinds,
    list_sort(list(event_uid)) AS events
  FROM bulk GROUP BY person, local_date
),
pasts AS (
  SELECT d.person, d.local_date, count(DISTINCT h.local_date) AS active_days, bool_or(h.is_bulk) AS has_done_so
  FROM days d JOIN habits h ON h.person = d.person
    AND h.local_date < d.local_date AND h.local_date >= d.local_date - $baseline_days
  GROUP BY d.person, d.local_date
),
practised AS (
  SELECT d.person, d.local_date, h.person AS peer
  FROM days d JOIN habits h ON h.person_role = d.role AND h.person <> d.person AND h.is_bulk
    AND h.local_date < d.local_date AND h.local_date >= d.local_date - $baseline_days
  GROUP BY d.person, d.local_date, h.person
  HAVING count(DISTINCT h.local_date) >= $practice_days
),
peers AS (
  SELECT person, local_date, count(*) AS people FROM practised GROUP BY person, local_date
)
SELECT
  d.person || '|' || d.local_date AS key,
  d.subject,
  d.window_start,
  d.window_end,
  d.records || ' records in ' || d.entries || CASE WHEN d.entries = 1 THEN ' bulk action' ELSE ' bulk actions' END AS observed,
  'no bulk action on ' || $min_records || ' records or more, as in the ' || $baseline_days || ' days before' AS expected,
  d.subject || ' did so for the first time in ' || $baseline_days || ' days, after ' || p.active_days
    || ' days of activity without: ' || d.kinds || '.' AS reason,
  'an earlier bulk action within ' || $baseline_days || ' days' AS cleared_by,
  d.events
FROM days d
JOIN pasts p ON p.person = d.person AND p.local_date = d.local_date
LEFT JOIN peers o ON o.person = d.person AND o.local_date = d.local_date
WHERE p.active_days >= $min_baseline_days AND NOT p.has_done_so AND coalesce(o.people, 0) < $known_to_peers
ORDER BY d.window_start, key
