/*
title = "Exports and their approval"
question = "Was anything exported without the customer's approval?"
answers = "One row for each export: what the product marked, and what the approvals of the job say."
target = "entity"
optional_target = true
example = "job:job_2057"
scope = "action = 'export' AND entity_type = 'export' AND outcome <> 'failure'"
scope_name = "exports"
needs = ["parent_entity_id"]
reading = """Neither the mark nor its absence is believed: `unapproved` is worked out from the last decision on each item before
the export. `verdict` says whether the two agree; where they do not, one of two records is wrong. Approval by telephone is not
in the log."""
next_steps = "Ask for the approval in writing and attach it to the job, or stop production; `approval-evidence` has the decisions."
spare = ["which", "event"]
[columns]
about = "The job."
export = "The export."
exported_at = "When."
who = "By whom."
marked = "Whether the product marked it as without approval."
items = "How many items the job had."
unapproved = "How many of them had no standing approval."
which = "Which ones."
verdict = "approved, without approval, or where the two records disagree."
event = "The entry."
*/
WITH exports AS (
  SELECT *, coalesce(lower(metadata->>'without_approval') = 'true', false) AS marked FROM events
  WHERE action = 'export' AND entity_type = 'export' AND outcome <> 'failure'
),
named AS (
  SELECT event_uid, source, instance, about, occurred_at, file, line, action,
    unnest(list_distinct(list_concat(
      list_transform(list_filter(related_entities, lambda r: r.type = 'item'), lambda r: r.id),
      CASE WHEN action IN ('approve', 'reject', 'request_change', 'parse') THEN entity_ids ELSE [] END))) AS item
  FROM events
),
-- The items that the export names, else all that the job had by then.
items AS (
  SELECT DISTINCT x.event_uid, n.item FROM exports x JOIN named n ON n.event_uid = x.event_uid
  UNION
  SELECT DISTINCT x.event_uid, n.item FROM exports x
  JOIN named n ON n.source = x.source AND n.instance IS NOT DISTINCT FROM x.instance AND n.about = x.about
    AND n.occurred_at <= x.occurred_at
  WHERE x.event_uid NOT IN (SELECT event_uid FROM named)
),
decided AS (
  SELECT i.event_uid, i.item, arg_max(n.action, (n.occurred_at, n.action <> 'approve', n.file, n.line)) AS last_word
  FROM items i JOIN exports x ON x.event_uid = i.event_uid
  LEFT JOIN named n ON n.source = x.source AND n.instance IS NOT DISTINCT FROM x.instance AND n.about = x.about
    AND n.item = i.item AND n.action IN ('approve', 'reject', 'request_change') AND n.occurred_at < x.occurred_at
  GROUP BY ALL
),
judged AS (
  SELECT event_uid, count(*) AS items, count(*) FILTER (last_word IS DISTINCT FROM 'approve') AS unapproved,
    string_agg(item, ', ' ORDER BY item) FILTER (last_word IS DISTINCT FROM 'approve') AS which
  FROM decided GROUP BY event_uid
)
SELECT x.about, coalesce(x.entity_id, x.event_uid) AS export, x.occurred_at AS exported_at, x.who, x.marked,
  coalesce(j.items, 0) AS items, coalesce(j.unapproved, 0) AS unapproved, j.which,
  CASE WHEN j.items IS NULL AND x.marked THEN 'marked as without approval; no item is known to check it by'
    WHEN j.items IS NULL THEN 'not marked; no item is known to check it by'
    WHEN x.marked AND j.unapproved > 0 THEN 'without approval: mark and approvals agree'
    WHEN x.marked THEN 'disagree: marked as without approval, but every item was approved'
    WHEN j.unapproved > 0 THEN 'disagree: not marked, but not every item was approved'
    ELSE 'approved' END AS verdict, x.event_uid AS event
FROM exports x LEFT JOIN judged j ON j.event_uid = x.event_uid
ORDER BY j.unapproved IS NULL OR j.unapproved = 0 AND NOT x.marked, exported_at, export
