/*
title = "A quote grew many times over after its approval"
severity = "high"
version = 2
why = """The customer approved one figure, and another was produced or billed. A slip of one zero is dear to whoever notices it
last, and so is a figure that was raised on purpose when nobody looked any more."""
false_positives = """A reorder or a correction that the customer asked for, agreed on elsewhere; a change of the currency or the
unit."""
next_steps = """Compare the figure with the order that the customer sent, and have it approved again before anything is made
or billed. Ask whoever changed it."""
scope = "len(changes) > 0 AND outcome <> 'failure' AND entity_type IN ('sales_doc', 'quote', 'estimate', 'order', 'purchase_order', 'job', 'invoice')"
lookback = "memory_days + 1 day"
reads = """entity_type IN ('sales_doc', 'quote', 'estimate', 'order', 'purchase_order', 'job', 'invoice') AND outcome <> 'failure'
  AND (action = 'approve' OR len(changes) > 0)"""
needs = ["changes", "entity_id"]
attack = ["T1565.001"]

[controls]
soc2 = ["CC8.1", "PI1.2", "PI1.3"]
iso27001 = ["A.5.3", "A.8.32"]
pci = ["10.2.2"]
hipaa = ["164.312(c)(1)"]
nist = ["CM-3", "SI-10"]

[parameters.factor]
default = 10.0
minimum = 1.1
maximum = 1000000
unit = "times"
meaning = "A figure that many times larger or smaller than when it was approved is a finding"

[parameters.memory_days]
default = 45
minimum = 1
maximum = 400
unit = "days"
meaning = "So long before the change approvals are remembered"
*/
WITH approving AS (
  SELECT event_uid FROM event_changes
  WHERE lower(field) = 'status' AND regexp_matches(lower(new->>'$'), '^(approved|accepted|confirmed)$')
    AND NOT coalesce(regexp_matches(lower(old->>'$'), '^(approved|accepted|confirmed)$'), false)
  UNION
  SELECT event_uid FROM activity WHERE action = 'approve'
),
approvals AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.entity_type, e.entity_id
  FROM activity e JOIN approving g ON g.event_uid = e.event_uid
  WHERE e.outcome <> 'failure' AND e.entity_id IS NOT NULL
),
-- Only of what was approved can the change be against an approval.
changed AS (
  SELECT e.event_uid, e.source, e.instance, e.occurred_at, e.who, e.entity_type, e.entity_id,
    c.field, c.old->>'$' AS was, c.new->>'$' AS became,
    regexp_replace(c.old->>'$', '[^0-9.,-]', '', 'g') AS old, regexp_replace(c.new->>'$', '[^0-9.,-]', '', 'g') AS new
  FROM (
    SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.who, e.entity_type, e.entity_id
    FROM activity e JOIN (SELECT DISTINCT entity_id FROM approvals) a ON a.entity_id = e.entity_id
    WHERE e.entity_type IN ('sales_doc', 'quote', 'estimate', 'order', 'purchase_order', 'job', 'invoice')
      AND e.outcome <> 'failure') e
  JOIN event_changes c ON c.event_uid = e.event_uid
  WHERE regexp_matches(lower(c.field), '(quantity|qty|total|amount|price|value|sum|pieces|cost)')
),
-- 4,500.00 and 4.500,00 and 4500: two or fewer digits after the last sign are what is behind the decimal point.
plain AS (
  SELECT * EXCLUDE (old, new),
    CASE WHEN regexp_matches(old, ',[0-9]{1,2}$') THEN replace(replace(old, '.', ''), ',', '.')
         WHEN regexp_matches(old, '[.][0-9]{3}([.][0-9]{3})*$') AND NOT regexp_matches(old, ',') AND regexp_matches(old, '[.].*[.]') THEN replace(old, '.', '')
         ELSE replace(old, ',', '') END AS old,
    CASE WHEN regexp_matches(new, ',[0-9]{1,2}$') THEN replace(replace(new, '.', ''), ',', '.')
         WHEN regexp_matches(new, '[.][0-9]{3}([.][0-9]{3})*$') AND NOT regexp_matches(new, ',') AND regexp_matches(new, '[.].*[.]') THEN replace(new, '.', '')
         ELSE replace(new, ',', '') END AS new
  FROM changed
),
figures AS (
  SELECT * EXCLUDE (old, new),
    CASE WHEN regexp_matches(old, '^[0-9]{1,15}([.][0-9]+)?$') THEN CAST(old AS DOUBLE) END AS old,
    CASE WHEN regexp_matches(new, '^[0-9]{1,15}([.][0-9]+)?$') THEN CAST(new AS DOUBLE) END AS new
  FROM plain
),
latest AS (
  SELECT f.event_uid, f.field, max(a.occurred_at) AS approved_at,
    arg_max(a.event_uid, (a.occurred_at, a.event_uid)) AS approval
  FROM figures f
  JOIN approvals a ON a.source = f.source AND a.instance = f.instance AND a.entity_type = f.entity_type
    AND a.entity_id = f.entity_id AND a.occurred_at <= f.occurred_at
    AND a.occurred_at >= f.occurred_at - $memory_days * INTERVAL 1 DAY
  WHERE f.old > 0 AND f.new > 0
  GROUP BY f.event_uid, f.field
),
-- What was approved is what stood there before the first change after it.
against AS (
  SELECT f.*, l.approval, l.approved_at,
    first_value(f.old) OVER approved AS base, first_value(f.was) OVER approved AS base_shown
  FROM figures f JOIN latest l ON l.event_uid = f.event_uid AND l.field = f.field
  WINDOW approved AS (PARTITION BY f.source, f.instance, f.entity_type, f.entity_id, f.field, l.approval
    ORDER BY f.occurred_at, f.event_uid ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
jumps AS (
  SELECT *, row_number() OVER (PARTITION BY source, instance, entity_type, entity_id, field, approval
    ORDER BY occurred_at, event_uid) AS n
  FROM against WHERE new >= base * $factor OR new * $factor <= base
)
SELECT
  source || '|' || instance || '|' || entity_type || '|' || entity_id || '|' || event_uid AS key,
  entity_type || ' ' || entity_id || ' (' || source || coalesce(', ' || nullif(instance, ''), '') || ')' AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  string_agg(field || ' from ' || base_shown || ' to ' || became, '; ' ORDER BY field) AS observed,
  'less than ' || $factor || ' times what was approved' AS expected,
  min(who) || ' changed ' || string_agg(field, ' and ' ORDER BY field) || ' of ' || entity_type || ' ' || entity_id || ' '
    || CASE WHEN min(approval) = event_uid THEN 'in the very entry that approves it.'
       ELSE date_diff('minute', max(approved_at), max(occurred_at)) || ' minutes after it was approved.' END AS reason,
  'an approval of the new figure after the change' AS cleared_by,
  list_sort(list_distinct(list(event_uid) || list(approval))) AS events
FROM jumps WHERE n = 1
GROUP BY source, instance, entity_type, entity_id, event_uid
ORDER BY window_start, key
