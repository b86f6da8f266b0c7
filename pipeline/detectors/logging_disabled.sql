/*
title = "Audit logging switched off"
severity = "critical"
version = 3
why = """While the log is off nothing else on this page can be trusted: what happened then left no trace. It is the first
thing that somebody with something to hide does."""
false_positives = """A trial of the product, a change of plan or a move to another log destination. Each of them is
short, planned and known to whoever answers for the log. Entries that were deleted, searched or exported are not
reported here: that leaves the log on."""
next_steps = """Find out who decided it, and switch it on again. Treat the gap as unreviewed time: ask the product's
vendor for its own records of it, and compare what exists now with the last backup before."""
about = "log"
scope = "outcome <> 'failure'"
lookback = "memory_days + 1 day"
lookahead = "memory_days"
reads = "list_contains(classes, 'logging')"
needs = ["action_detail or action_raw"]
classes = ["logging"]
attack = ["T1562.008"]

[controls]
soc2 = ["CC7.2", "CC7.3"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.6", "10.3.4", "10.7.2", "10.7.3"]
hipaa = ["164.312(b)"]
nist = ["AU-5", "AU-9", "AU-12"]

[parameters.memory_days]
default = 31
minimum = 1
maximum = 365
unit = "days"
meaning = "A log that was not switched on again within so many days counts as off"
*/
WITH marked AS (
  SELECT e.event_uid, e.source, e.instance, e.occurred_at, e.who, e.action,
    replace(replace(lower(coalesce(e.action_detail, e.action_raw, '')), 'unpaus', 'resum'), 'unsuspend', 'resum') AS told
  FROM activity e
  WHERE list_contains(e.classes, 'logging') AND e.outcome <> 'failure'
),
-- Reading the log out, or deleting what stands in it, leaves it on; deleting what it is written by does not.
read_as AS (
  SELECT *,
    regexp_matches(told,
      '(disabl|deactivat|paus|suspend|(^|[^a-z])(turn|turned|switch|switched)[ _.-]?off|(^|[^a-z])off$)') AS ends,
    regexp_matches(told,
      '(enabl|activat|resum|(^|[^a-z])(turn|turned|switch|switched)[ _.-]?on|(^|[^a-z])on$)') AS begins,
    regexp_matches(told, '(export|download|view|search|quer|(^|[^a-z])read)')
      OR coalesce(action IN ('export', 'read', 'access'), false) AS is_reading,
    regexp_matches(told, '(delet|destroy|remov|clear|purg|truncat)') OR coalesce(action = 'delete', false) AS removes,
    regexp_matches(told, '(trail|stream|sink|drain|store|flow|destination|hook|collector|recorder|group|bucket|config|setting|logging|auditing|siem)')
      AND NOT regexp_matches(told,
        '((^|[^a-z])(entr(y|ies)|records?|lines?|rows?|events?|items?|messages?|histor(y|ies))([^a-z_]|$)|deletelog$)')
      AS is_writer
  FROM marked
),
verbs AS (
  SELECT *,
    ends OR (NOT is_reading AND (regexp_matches(told, 'stop') OR (removes AND is_writer))) AS says_off,
    begins OR (NOT is_reading AND regexp_matches(told, '(start|creat)')) AS says_on,
    NOT (is_reading OR removes) AS is_open
  FROM read_as
),
flags AS (
  SELECT event_uid,
    bool_or(lower(replace(CAST(new AS VARCHAR), '"', '')) IN ('false', 'off', 'disabled', '0')) AS to_off,
    bool_or(lower(replace(CAST(new AS VARCHAR), '"', '')) IN ('true', 'on', 'enabled', '1')) AS to_on
  FROM event_changes
  WHERE regexp_matches(lower(field), '(enabled|active|logging|audit|status)')
  GROUP BY event_uid
),
-- The verb decides; where it leaves it open ("settings.update"), the changed switch does.
switches AS (
  SELECT m.*, m.says_off OR (NOT m.says_on AND coalesce(f.to_off, false)) AS is_off
  FROM verbs m LEFT JOIN flags f ON f.event_uid = m.event_uid
  WHERE m.says_off OR m.says_on OR (m.is_open AND (coalesce(f.to_off, false) OR coalesce(f.to_on, false)))
),
ordered AS (
  SELECT *, lag(is_off) OVER told AS was_off, lag(occurred_at) OVER told AS switched_before,
    lead(CASE WHEN NOT is_off THEN occurred_at END IGNORE NULLS) OVER told AS next_on_at,
    lead(CASE WHEN NOT is_off THEN event_uid END IGNORE NULLS) OVER told AS next_on_uid
  FROM switches WINDOW told AS (PARTITION BY source, instance ORDER BY occurred_at, event_uid)
),
-- Switching off again what is off belongs to the first time.
offs AS (
  SELECT *, CASE WHEN next_on_at <= occurred_at + $memory_days * INTERVAL 1 DAY THEN next_on_at END AS on_at,
    CASE WHEN next_on_at <= occurred_at + $memory_days * INTERVAL 1 DAY THEN next_on_uid END AS on_uid,
    sum(CASE WHEN was_off AND switched_before >= occurred_at - $memory_days * INTERVAL 1 DAY THEN 0 ELSE 1 END) OVER (
      PARTITION BY source, instance ORDER BY occurred_at, event_uid) AS gap
  FROM ordered WHERE is_off
),
gaps AS (
  SELECT source, instance, gap, min(occurred_at) AS off_at, max(occurred_at) AS last_off_at,
    arg_min(event_uid, (occurred_at, event_uid)) AS first_uid, arg_min(who, (occurred_at, event_uid)) AS who,
    max(on_at) AS on_at, max(on_uid) AS on_uid, list(event_uid) AS off_events,
    date_diff('minute', min(occurred_at), max(on_at)) AS minutes, source || coalesce(' (' || instance || ')', '') AS subject
  FROM offs GROUP BY source, instance, gap
)
SELECT
  source || '|' || coalesce(instance, '') || '|' || first_uid AS key,
  subject,
  off_at AS window_start,
  coalesce(on_at, last_off_at) AS window_end,
  CASE WHEN on_at IS NULL THEN 'off, and not switched on again'
       WHEN minutes < 120 THEN 'off for ' || minutes || ' minutes'
       ELSE 'off for ' || CAST(trunc(minutes / 60) AS BIGINT) || ' h ' || minutes % 60 || ' min' END AS observed,
  'audit logging on at all times' AS expected,
  who || ' switched the audit log of ' || subject || ' off'
    || CASE WHEN on_at IS NULL THEN '; nothing that was loaded says that it is on again.'
            ELSE '; it came on again at the end of this window.' END AS reason,
  'the log left on' AS cleared_by,
  list_sort(CASE WHEN on_uid IS NULL THEN off_events ELSE off_events || [on_uid] END) AS events
FROM gaps
ORDER BY window_start, key
