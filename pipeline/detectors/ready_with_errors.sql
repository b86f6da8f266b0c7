/*
title = "Sent into production without a clean preflight"
severity = "high"
version = 1
why = """A preflight with errors says that what would be printed is wrong: text that does not fit, fields that are missing. The
product promises to stop such a job; when one is ready for production or exported all the same, the promise was broken or
somebody went round it."""
false_positives = """Errors that were looked at and accepted, where the product allows it; a preflight that ran outside the
product; a job whose preflight is older than what was loaded."""
next_steps = """Stop the job, run the preflight again and look at each error. Ask whoever moved it on whether the errors were
known, and the vendor why the product let it pass."""
scope = """parent_entity_type = 'job' AND outcome <> 'failure'
  AND action_detail IN ('preflight_completed', 'job_status_changed', 'export_created')"""
lookback = "memory_days + 1 day"
reads = """parent_entity_type = 'job' AND (action IN ('run', 'create') OR (action = 'export' AND entity_type = 'export')
  OR (entity_type = 'job' AND len(changes) > 0))"""
needs = ["parent_entity_id"]

[controls]
soc2 = ["CC8.1", "PI1.2", "PI1.4"]
iso27001 = ["A.8.29", "A.8.32"]
pci = ["6.5.2"]
hipaa = ["164.312(c)(1)"]
nist = ["CM-3", "SI-10"]

[parameters.memory_days]
default = 60
minimum = 1
maximum = 400
unit = "days"
meaning = "So long before the step into production preflights are remembered"
*/
WITH preflights AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, parent_entity_id AS job,
    CAST(metadata->>'error_count' AS BIGINT) AS errors
  FROM activity
  WHERE action_detail = 'preflight_completed' AND outcome <> 'failure' AND parent_entity_type = 'job'
    AND regexp_matches(metadata->>'error_count', '^[0-9]{1,9}$')
),
-- A job that was made within what was loaded, and never had a preflight, had none.
begun AS (
  SELECT source, coalesce(instance, '') AS instance, parent_entity_id AS job, min(occurred_at) AS begun_at
  FROM activity WHERE action = 'create' AND entity_type = 'job' AND parent_entity_type = 'job' AND outcome <> 'failure'
  GROUP BY source, coalesce(instance, ''), parent_entity_id
),
ready AS (
  SELECT event_uid, bool_or(lower(field) = 'status' AND regexp_matches(lower(new->>'$'), '^production[ _-]?ready$')) AS is_ready
  FROM event_changes GROUP BY event_uid
),
moves AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.who, e.parent_entity_id AS job,
    e.metadata->>'job_reference' AS reference, e.action = 'export' AS is_export
  FROM activity e LEFT JOIN ready r ON r.event_uid = e.event_uid
  WHERE e.outcome <> 'failure' AND e.parent_entity_type = 'job' AND e.parent_entity_id IS NOT NULL
    AND ((e.action = 'export' AND e.entity_type = 'export') OR (e.entity_type = 'job' AND r.is_ready))
),
latest AS (
  SELECT m.event_uid, arg_max(p.event_uid, (p.occurred_at, p.event_uid)) AS preflight,
    arg_max(p.errors, (p.occurred_at, p.event_uid)) AS errors, max(p.occurred_at) AS checked_at
  FROM moves m
  JOIN preflights p ON p.source = m.source AND p.instance = m.instance AND p.job = m.job
    AND p.occurred_at <= m.occurred_at AND p.occurred_at >= m.occurred_at - $memory_days * INTERVAL 1 DAY
  GROUP BY m.event_uid
),
judged AS (
  SELECT m.*, l.preflight, l.errors, l.checked_at,
    row_number() OVER (PARTITION BY m.source, m.instance, m.job, coalesce(l.preflight, '')
      ORDER BY m.occurred_at, m.event_uid) AS n
  FROM moves m
  LEFT JOIN latest l ON l.event_uid = m.event_uid
  LEFT JOIN begun b ON b.source = m.source AND b.instance = m.instance AND b.job = m.job
    AND b.begun_at <= m.occurred_at AND b.begun_at >= m.occurred_at - $memory_days * INTERVAL 1 DAY
  WHERE l.errors > 0 OR (l.preflight IS NULL AND b.job IS NOT NULL AND NOT m.is_export)
)
SELECT
  source || '|' || instance || '|' || job || '|' || coalesce(preflight, 'none') AS key,
  'job ' || coalesce(reference || ' (' || job || ')', job) AS subject,
  occurred_at AS window_start,
  occurred_at AS window_end,
  CASE WHEN preflight IS NULL THEN 'no preflight'
       ELSE errors || CASE WHEN errors = 1 THEN ' error' ELSE ' errors' END || ' in the last preflight' END AS observed,
  '0 errors in the last preflight before production' AS expected,
  who || CASE WHEN is_export THEN ' exported the job ' ELSE ' made the job ready for production ' END
    || CASE WHEN preflight IS NULL THEN 'without any preflight since it was made.'
       ELSE date_diff('minute', checked_at, occurred_at) || ' minutes after a preflight with ' || errors
         || CASE WHEN errors = 1 THEN ' error' ELSE ' errors' END || ', and none since.' END AS reason,
  'a preflight without errors before ' || strftime(occurred_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M') || ' UTC' AS cleared_by,
  CASE WHEN preflight IS NULL THEN [event_uid] ELSE [preflight, event_uid] END AS events
FROM judged WHERE n = 1
ORDER BY window_start, key
