/*
title = "Numbers are missing from the log"
severity = "high"
version = 1
why = """A log that numbers its entries one after another shows when some are missing: they were deleted in the product, left out
of the export, or lost on the way."""
false_positives = """Exports that were filtered; entries of other tenants that share the numbers (a log whose numbers usually have
holes is not judged); what was exported later fills the hole, and the finding is withdrawn."""
next_steps = """Export the days around it again, without a filter. If the numbers stay away, look for whoever may delete entries
(audit_log_deleted), and ask the vendor for them."""
about = "log"
scope = "regexp_matches(source_event_id, '^[0-9]{1,15}$')"
lookback = "memory_days + memory_days + memory_days + 1 day"
lookahead = "memory_days"
reads = "regexp_matches(source_event_id, '^[0-9]{1,15}$')"
needs = ["source_event_id"]
attack = ["T1070"]

[controls]
soc2 = ["CC7.2", "PI1.5"]
iso27001 = ["A.8.15", "A.5.33"]
pci = ["10.3.2", "10.3.4"]
hipaa = ["164.312(b)", "164.312(c)(1)"]
nist = ["AU-9", "AU-12"]

[parameters.min_missing]
default = 1
minimum = 1
maximum = 1000000
unit = "numbers"
meaning = "So many missing numbers in a row are a finding; lines that were rejected are not missing"

[parameters.min_share]
default = 0.9
minimum = 0.0
maximum = 1.0
unit = "share"
meaning = "So many of the numbers must follow the one before, as a share, or the log is not judged"

[parameters.min_numbers]
default = 10
minimum = 2
maximum = 1000000
unit = "numbers"
meaning = "Of so many numbers at least that must be known"

[parameters.memory_days]
default = 7
minimum = 1
maximum = 60
unit = "days"
meaning = "So far apart two numbers that should follow each other may lie, and so long before and after it is counted how often they do"
*/
WITH numbered AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, local_date, file, file_sha256, line,
    CAST(source_event_id AS BIGINT) AS id
  FROM activity
  WHERE regexp_matches(source_event_id, '^[0-9]{1,15}$') AND conflicts_with IS NULL
),
followed AS (
  SELECT *, lag(id) OVER told AS id_before, lag(occurred_at) OVER told AS at_before, lag(event_uid) OVER told AS uid_before,
    lag(file_sha256) OVER told AS sha_before, lag(line) OVER told AS line_before
  FROM numbered
  WINDOW told AS (PARTITION BY source, instance ORDER BY id, occurred_at)
),
pairs AS (
  SELECT *, least(occurred_at, at_before) AS since, greatest(occurred_at, at_before) AS until, id - id_before AS step
  FROM followed
  WHERE id > id_before AND occurred_at <= at_before + $memory_days * INTERVAL 1 DAY
    AND at_before <= occurred_at + $memory_days * INTERVAL 1 DAY
),
days AS (
  SELECT source, instance, local_date, count(*) AS n, count(*) FILTER (step = 1) AS in_order
  FROM pairs GROUP BY source, instance, local_date
),
practised AS (
  SELECT p.event_uid, sum(d.n) AS n, sum(d.in_order) AS in_order
  FROM pairs p
  JOIN days d ON d.source = p.source AND d.instance = p.instance
    AND d.local_date >= p.local_date - CAST(2 * $memory_days AS INTEGER)
    AND d.local_date <= p.local_date + CAST($memory_days AS INTEGER)
  WHERE p.step > $min_missing
  GROUP BY p.event_uid
),
holes AS (
  SELECT p.*, s.n, s.in_order FROM pairs p JOIN practised s ON s.event_uid = p.event_uid
  WHERE s.n >= $min_numbers AND s.in_order >= s.n * $min_share
),
-- A line that was rejected is here, though it is no event: it stands between the two, or has a number between theirs.
rejected AS (
  SELECT h.event_uid, count(*) AS n
  FROM holes h
  JOIN rejects r ON r.file_sha256 = h.file_sha256 OR r.file_sha256 = h.sha_before
  WHERE (h.file_sha256 = h.sha_before AND r.line > least(h.line, h.line_before) AND r.line < greatest(h.line, h.line_before))
    OR (regexp_matches(r.text, '(?i)"id"\s*:\s*"?[0-9]{1,15}\b')
      AND CAST(regexp_extract(r.text, '(?i)"id"\s*:\s*"?([0-9]{1,15})\b', 1) AS BIGINT) > h.id_before
      AND CAST(regexp_extract(r.text, '(?i)"id"\s*:\s*"?([0-9]{1,15})\b', 1) AS BIGINT) < h.id)
  GROUP BY h.event_uid
)
SELECT
  h.source || '|' || h.instance || '|' || (h.id_before + 1) AS key,
  h.source || CASE WHEN h.instance = '' THEN '' ELSE ' (' || h.instance || ')' END AS subject,
  h.since AS window_start,
  h.until AS window_end,
  (h.step - 1 - coalesce(r.n, 0)) || CASE WHEN h.step - 1 - coalesce(r.n, 0) = 1 THEN ' number' ELSE ' numbers' END
    || ' missing between ' || h.id_before || ' and ' || h.id AS observed,
  'every number; ' || h.in_order || ' of ' || h.n || ' numbers around it follow the one before' AS expected,
  'After entry ' || h.id_before || ' of ' || h.source || ' comes ' || h.id || ' (' || h.file || ', line ' || h.line || ')'
    || CASE WHEN r.n IS NULL THEN '' ELSE '; ' || r.n || ' rejected lines between them are not counted' END || '.' AS reason,
  'the entries from ' || (h.id_before + 1) || ' to ' || (h.id - 1) AS cleared_by,
  list_sort([h.uid_before, h.event_uid]) AS events
FROM holes h LEFT JOIN rejected r ON r.event_uid = h.event_uid
WHERE h.step - 1 - coalesce(r.n, 0) >= $min_missing
ORDER BY window_start, key
