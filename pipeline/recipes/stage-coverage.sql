/*
title = "Stages that left an entry, and those that did not"
question = "Did this job go through every stage?"
answers = "One row for each stage that the product's documentation knows: when the thing came to it, or that it left no entry."
target = "entity"
optional_target = true
example = "job:job_2041"
scope = "len(list_filter(changes, lambda c: regexp_matches(c.field, '(?i)(^|[ ._])(status|stage|state)$'))) > 0"
scope_name = "changes of a status"
reading = """`no entry` means that no entry says so in this log: the stage may have been skipped, may lie before the log begins or be
still ahead. Only stages that the product documents are known; things that never changed their status are not here."""
next_steps = "`history` shows what happened between two stages; the rule illegal_transition finds steps that the product forbids."
spare = ["event", "times"]
[columns]
thing = "The thing."
stage = "The stage, as the product calls it."
first_at = "When it first came to it."
times = "How often."
seen = "entered, begun with, or no entry."
event = "The entry that brought it there first."
*/
WITH told AS (
  SELECT source, changed_type, changed_id, lower(field) AS field, lower(new::JSON->>'$') AS stage, lower(old::JSON->>'$') AS before,
    occurred_at, event_uid
  FROM changes WHERE regexp_matches(field, '(?i)(^|[ ._])(status|stage|state)$') AND changed_id <> '' AND NOT redacted
),
things AS (SELECT DISTINCT source, changed_type, changed_id, field FROM told),
stages AS (
  SELECT DISTINCT source, entity_type, lower(field) AS field, unnest([old, new]) AS stage FROM status_graph
),
entered AS (
  SELECT source, changed_type, changed_id, field, stage, min(occurred_at) AS first_at, count(*) AS times,
    arg_min(event_uid, occurred_at) AS event
  FROM told GROUP BY ALL
)
SELECT t.changed_type || ':' || t.changed_id AS thing, s.stage, e.first_at, coalesce(e.times, 0) AS times,
  CASE WHEN e.first_at IS NOT NULL THEN 'entered'
    WHEN EXISTS (SELECT 1 FROM told b WHERE b.source = t.source AND b.changed_type = t.changed_type
      AND b.changed_id = t.changed_id AND b.field = t.field AND b.before = lower(s.stage)) THEN 'begun with'
    ELSE 'no entry' END AS seen, e.event
FROM things t JOIN stages s ON s.source = t.source AND s.entity_type = t.changed_type AND s.field = t.field AND s.stage IS NOT NULL
LEFT JOIN entered e ON e.source = t.source AND e.changed_type = t.changed_type AND e.changed_id = t.changed_id
  AND e.field = t.field AND e.stage = lower(s.stage)
ORDER BY thing, first_at NULLS LAST, s.stage
