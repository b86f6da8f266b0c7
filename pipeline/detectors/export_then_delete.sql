/*
title = "Exported, then deleted"
severity = "high"
version = 1
why = """Taking a copy and destroying the original is what people do who leave with the data, and what ransom begins with.
The order matters: an export after a deletion is no such thing."""
false_positives = """Archiving: exported to be kept elsewhere, then cleaned up. It should be somebody's plan."""
next_steps = """Secure the exported file and restore what was deleted, before asking. Then ask whose plan it was."""
scope = "action IN ('export', 'delete') AND actor_type IN ('user', 'customer', 'api_key', 'unknown') AND NOT actor_anonymous"
needs = ["action"]
lookback = "window_hours + 2 days"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AU-6", "SI-4"]

[parameters.threshold]
default = 5
minimum = 1
maximum = 1000000
unit = "records"
meaning = "So many records deleted after an export within the window are a finding"

[parameters.window_hours]
default = 24
minimum = 1
maximum = 72
unit = "hours"
meaning = "So long after an export deletions count; the end belongs to it"
*/
WITH done AS (
  SELECT person, who, source, local_date, event_uid, occurred_at, action, records, coalesce(entity_type, 'record') AS kind
  FROM activity
  WHERE action IN ('export', 'delete') AND outcome <> 'failure'
    AND actor_type IN ('user', 'customer', 'api_key', 'unknown') AND NOT actor_anonymous
),
-- Each deletion with the exports before it, by the same person from the same source.
pairs AS (
  SELECT d.person, d.who, d.source, d.local_date, d.event_uid, d.occurred_at, d.records, d.kind,
    x.event_uid AS export_uid, x.occurred_at AS exported_at
  FROM done d JOIN done x ON x.person = d.person AND x.source = d.source AND x.action = 'export' AND d.action = 'delete'
    AND x.occurred_at < d.occurred_at AND x.occurred_at >= d.occurred_at - $window_hours * INTERVAL 1 HOUR
),
deletions AS (
  SELECT DISTINCT person, who, source, local_date, event_uid, occurred_at, records, kind FROM pairs
),
exports AS (
  SELECT person, source, local_date, count(DISTINCT export_uid) AS exports, min(exported_at) AS first_export,
    list_distinct(list(export_uid)) AS events
  FROM pairs GROUP BY person, source, local_date
),
days AS (
  SELECT person, source, local_date, min(who) AS subject, min(occurred_at) AS first_delete, max(occurred_at) AS window_end,
    sum(records) AS records, string_agg(DISTINCT kind, ', ' ORDER BY kind) AS kinds, list(event_uid) AS events
  FROM deletions GROUP BY person, source, local_date HAVING sum(records) >= $threshold
)
SELECT
  d.person || '|' || d.source || '|' || d.local_date AS key,
  d.subject,
  x.first_export AS window_start,
  d.window_end,
  d.records || ' records deleted after ' || x.exports || CASE WHEN x.exports = 1 THEN ' export' ELSE ' exports' END AS observed,
  'fewer than ' || $threshold || ' deleted within ' || $window_hours || ' hours after an export' AS expected,
  d.subject || ' exported from ' || d.source || ' and deleted ' || d.records || ' records (' || d.kinds || ') on '
    || d.local_date || '.' AS reason,
  (d.records - $threshold + 1) || CASE WHEN d.records = $threshold THEN ' record' ELSE ' records' END || ' fewer' AS cleared_by,
  list_sort(flatten([x.events, d.events])) AS events
FROM days d JOIN exports x ON x.person = d.person AND x.source = d.source AND x.local_date = d.local_date
ORDER BY window_start, key
