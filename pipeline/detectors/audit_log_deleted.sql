/*
title = "Entries of the audit log were deleted"
severity = "critical"
version = 1
why = """Whoever deletes entries of the log takes away the proof of what was done. There is hardly an honest reason for it, and
no way back."""
false_positives = """A retention rule of the product that cleans up by itself; entries of a test tenant. Logging that was
switched off, or a destination of the log that was removed, is reported as logging_disabled."""
next_steps = """Ask who decided it and why, at once. Compare with earlier exports: what auditbook loaded before is still here,
and id_gap says which numbers are missing. Take the permission to delete entries away."""
scope = "action = 'delete' OR list_contains(classes, 'logging')"
lookback = "2 days"
needs = ["action_detail or action_raw"]
attack = ["T1070"]

[controls]
soc2 = ["CC6.1", "CC7.2", "CC7.3"]
iso27001 = ["A.8.15", "A.5.33"]
pci = ["10.2.1.6", "10.3.2", "10.3.4"]
hipaa = ["164.312(b)", "164.312(c)(1)"]
nist = ["AU-9", "AU-11"]
*/
WITH marked AS (
  SELECT *, lower(coalesce(action_detail, action_raw, '')) AS told
  FROM activity
  WHERE outcome <> 'failure' AND (action = 'delete' OR list_contains(classes, 'logging'))
),
removed AS (
  SELECT * FROM marked
  WHERE (regexp_matches(told, '(delet|destroy|remov|clear|purg|truncat|wip)') OR coalesce(action = 'delete', false))
    AND (list_contains(classes, 'logging')
      OR regexp_matches(coalesce(entity_type, ''), '^(audit|activity|event|security)_log(_entry|_event)?s?$')
      OR regexp_matches(told, '(audit|activity)[ _.-]?(logs?|trail|histor)'))
    -- What the log is written by or kept in is another matter: without it the log is off.
    AND NOT (regexp_matches(told, '(trail|stream|sink|drain|store|flow|destination|hook|collector|recorder|group|bucket|config|setting|logging|auditing|siem)')
      AND NOT regexp_matches(told,
        '((^|[^a-z])(entr(y|ies)|records?|lines?|rows?|events?|items?|messages?|histor(y|ies))([^a-z_]|$)|deletelog$)'))
)
SELECT
  source || '|' || coalesce(instance, '') || '|' || person || '|' || local_date AS key,
  source || coalesce(' (' || instance || ')', '') || ', ' || min(who) AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  sum(records) || CASE WHEN sum(records) = 1 THEN ' entry' ELSE ' entries' END || ' deleted' AS observed,
  'no entry of the log deleted' AS expected,
  min(who) || ' deleted ' || CASE WHEN sum(records) = 1 THEN 'an entry' ELSE sum(records) || ' entries' END || ' of the log of '
    || source || ' on ' || local_date || coalesce(': ' || left(string_agg(DISTINCT message, '; ' ORDER BY message), 200), '') || '.' AS reason,
  'the log left as it was' AS cleared_by,
  list_sort(list(event_uid)) AS events
FROM removed
GROUP BY source, instance, person, local_date
ORDER BY window_start, key
