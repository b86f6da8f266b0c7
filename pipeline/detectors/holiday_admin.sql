/*
title = "Administration on a holiday"
severity = "medium"
version = 1
why = """On a holiday nobody watches. Who changes permissions, settings, secrets or the log itself on such a day either has
an emergency, or hopes that nobody looks."""
false_positives = """People on call, maintenance that was announced for the quiet day, and people who do not keep the
holidays of their schedule: give them hours and holidays of their own under [actors]."""
next_steps = """Ask the person what the occasion was and who knew of it; compare with the on-call plan. Take each change
back that nobody stands for."""
scope = "is_holiday AND actor_type = 'user' AND NOT actor_anonymous AND NOT is_service"
needs = ["actor_email or actor_id or actor_name"]
classes = ["permission", "critical_setting", "logging", "secret", "deletion"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AU-6", "SI-4"]

[parameters.min_events]
default = 1
minimum = 1
maximum = 100000
unit = "events"
meaning = "So many administrative events of a person on a holiday are a finding"

[parameters.min_records]
default = 10
minimum = 1
maximum = 1000000
unit = "records"
meaning = "Deletions count as administration when they are about so many records"
*/
WITH done AS (
  SELECT person, who, local_date, event_uid, occurred_at, strftime(local_at, '%H:%M') AS clock,
    coalesce(action_detail, action_raw, action, 'a change') AS what
  FROM activity
  WHERE is_holiday AND actor_type = 'user' AND is_named AND NOT is_service
    AND (list_has_any(classes, ['permission', 'critical_setting', 'logging', 'secret'])
      OR (list_contains(classes, 'deletion') AND records >= $min_records))
),
holidays AS (
  SELECT DISTINCT schedule, local_date, holiday FROM calendar WHERE is_holiday
),
days AS (
  SELECT d.person, d.local_date, min(d.who) AS subject, min(d.occurred_at) AS window_start,
    max(d.occurred_at) AS window_end, count(*) AS n, min(d.clock) AS first_clock,
    string_agg(DISTINCT d.what, ', ' ORDER BY d.what) AS kinds, list_sort(list(d.event_uid)) AS events
  FROM done d GROUP BY d.person, d.local_date HAVING count(*) >= $min_events
),
named AS (
  SELECT a.person, min(h.holiday) AS holiday, h.local_date
  FROM actors a JOIN holidays h ON h.schedule = a.schedule GROUP BY a.person, h.local_date
)
SELECT
  d.person || '|' || d.local_date AS key,
  d.subject,
  d.window_start,
  d.window_end,
  d.n || CASE WHEN d.n = 1 THEN ' administrative event' ELSE ' administrative events' END AS observed,
  'fewer than ' || $min_events || ' on a holiday' AS expected,
  d.subject || ' on ' || d.local_date || ' (' || coalesce(n.holiday, 'a holiday') || '), from ' || d.first_clock
    || ' local time: ' || d.kinds || '.' AS reason,
  'the same on a working day' AS cleared_by,
  d.events
FROM days d LEFT JOIN named n ON n.person = d.person AND n.local_date = d.local_date
ORDER BY d.window_start, key
