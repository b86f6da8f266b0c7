/*
title = "Changed after it was approved"
severity = "medium"
version = 2
why = """An approval is worth what was seen. What is changed afterwards and not approved again goes into production, or onto an
invoice, without anybody's consent."""
false_positives = """Corrections that were agreed on elsewhere; fields that mean nothing to whoever approved. Statuses, notes,
numbers of other papers and the like are left out."""
next_steps = """Show what has changed to whoever approved, and have it approved again. Ask whoever changed it why it was not."""
scope = "outcome <> 'failure' AND action = 'approve' OR entity_type IN ('sales_doc', 'quote') AND len(changes) > 0"
lookback = "memory_days + 1 day"
lookahead = "grace_days"
reads = """outcome <> 'failure' AND (action IN ('approve', 'reject', 'request_change', 'generate')
  OR len(changes) > 0 AND (entity_id IS NOT NULL OR len(entity_ids) > 0)
    AND entity_type NOT IN ('contact', 'printer', 'printer_slot', 'print_job', 'setting', 'member', 'role'))"""
needs = ["entity_id or parent_entity_id"]
attack = ["T1565.001"]

[controls]
soc2 = ["CC8.1", "PI1.4"]
iso27001 = ["A.5.3", "A.8.32"]
pci = ["6.5.1", "10.2.2"]
hipaa = ["164.312(c)(1)"]
nist = ["CM-3", "CM-5"]

[parameters.memory_days]
default = 45
minimum = 1
maximum = 400
unit = "days"
meaning = "So long before the change approvals are remembered"

[parameters.grace_days]
default = 3
minimum = 0
maximum = 90
unit = "days"
meaning = "Within so many days the change may still be approved"
*/
WITH statuses AS (
  SELECT event_uid, regexp_matches(lower(new->>'$'), '^(approved|accepted|confirmed)$')
      AND NOT coalesce(regexp_matches(lower(old->>'$'), '^(approved|accepted|confirmed)$'), false) AS approves,
    regexp_matches(lower(new->>'$'), '^(draft|rejected|declined|needs revision|pending|cancelled|canceled)$') AS reopens
  FROM event_changes WHERE lower(field) = 'status'
),
decisions AS (
  SELECT event_uid, CASE WHEN bool_or(approves) THEN 'approved' ELSE 'reopened' END AS kind
  FROM (
    SELECT event_uid, approves FROM statuses WHERE approves OR reopens
    UNION ALL
    SELECT event_uid, action = 'approve' FROM activity
    WHERE outcome <> 'failure' AND action IN ('approve', 'reject', 'request_change'))
  GROUP BY event_uid
),
-- The ids that an approval names are items, whatever the product calls the thing; so an id alone is compared with them.
approved AS (
  SELECT DISTINCT t.source, t.entity_id AS thing
  FROM decisions d JOIN event_entities t ON t.event_uid = d.event_uid AND t.relation IN ('entity', 'bulk', 'item')
  WHERE d.kind = 'approved'
),
things AS (
  SELECT DISTINCT t.event_uid, a.source, a.thing
  FROM approved a JOIN event_entities t ON t.source = a.source AND t.entity_id = a.thing
    AND t.relation IN ('entity', 'bulk', 'item')
),
edits AS (
  SELECT c.event_uid, string_agg(c.field, ', ' ORDER BY c.field) AS fields
  FROM event_changes c JOIN (SELECT DISTINCT event_uid FROM things) t ON t.event_uid = c.event_uid
  WHERE c.old_present AND c.new_present AND NOT c.redacted
    AND coalesce(c.old->>'$', '') <> '' AND c.old->>'$' IS DISTINCT FROM c.new->>'$'
    AND NOT regexp_matches(lower(c.field), '(status|stage|state|updat|modif|balance|paid|payment|assign|owner|due|note|comment|tag|track|sync|job|invoice|number|priority|view|sent|approv|progress|online|stock|(^|[^s])count)')
  GROUP BY c.event_uid
),
acts AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.local_date, e.who, e.entity_type,
    coalesce(e.parent_entity_type, e.entity_type) AS root_type, coalesce(e.parent_entity_id, e.entity_id) AS root, t.thing,
    coalesce(d.kind, CASE WHEN s.fields IS NOT NULL AND e.action NOT IN ('create', 'delete') THEN 'changed'
      WHEN e.action = 'generate' AND e.entity_type = 'proof' THEN 'changed' END) AS kind,
    coalesce(s.fields, 'a new ' || e.entity_type) AS fields
  FROM activity e
  JOIN things t ON t.event_uid = e.event_uid
  LEFT JOIN decisions d ON d.event_uid = e.event_uid
  LEFT JOIN edits s ON s.event_uid = e.event_uid
  WHERE e.outcome <> 'failure'
),
ordered AS (
  SELECT *,
    lag(CASE WHEN kind <> 'changed' THEN kind END IGNORE NULLS) OVER history AS was,
    lag(CASE WHEN kind <> 'changed' THEN event_uid END IGNORE NULLS) OVER history AS decision,
    lag(CASE WHEN kind <> 'changed' THEN occurred_at END IGNORE NULLS) OVER history AS decided_at,
    lead(CASE WHEN kind = 'approved' THEN occurred_at END IGNORE NULLS) OVER history AS approved_again
  FROM acts WHERE kind IS NOT NULL
  WINDOW history AS (PARTITION BY source, instance, thing ORDER BY occurred_at, event_uid)
),
late AS (
  SELECT * FROM ordered
  WHERE kind = 'changed' AND was = 'approved' AND occurred_at > decided_at
    AND decided_at >= occurred_at - $memory_days * INTERVAL 1 DAY
    AND (approved_again IS NULL OR approved_again > occurred_at + $grace_days * INTERVAL 1 DAY)
)
SELECT
  source || '|' || instance || '|' || root || '|' || local_date AS key,
  root_type || ' ' || root || ' (' || source || coalesce(', ' || nullif(instance, ''), '') || ')' AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  count(DISTINCT event_uid) || CASE WHEN count(DISTINCT event_uid) = 1 THEN ' change' ELSE ' changes' END
    || ' after the approval: ' || string_agg(DISTINCT fields, '; ' ORDER BY fields) AS observed,
  'no change after an approval, or a new approval within ' || $grace_days || ' days' AS expected,
  string_agg(DISTINCT who, ', ' ORDER BY who) || ' changed ' || root_type || ' ' || root || ' '
    || date_diff('hour', min(decided_at), min(occurred_at)) || ' hours after it had been approved: '
    || left(string_agg(DISTINCT thing, ', ' ORDER BY thing), 200) || '.' AS reason,
  'an approval of what it is now' AS cleared_by,
  list_sort(list_distinct(list(event_uid) || list(decision))) AS events
FROM late
WHERE root IS NOT NULL
GROUP BY source, instance, root_type, root, local_date
ORDER BY window_start, key
