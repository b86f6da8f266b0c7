/*
title = "Approved by whoever made it"
severity = "high"
version = 1
why = """An approval is a second pair of eyes. Whoever approves what they made themselves leaves out the only check that
stands between a mistake, or a fraud, and its effect."""
false_positives = """Very small teams; an approval that a colleague gave on the telephone and the maker entered; customers, who
may of course approve what they sent in, are left out."""
next_steps = """Have somebody else look at it and approve it again. If the product can forbid it, switch that on."""
scope = """outcome <> 'failure' AND actor_type IN ('user', 'api_key', 'unknown') AND (action = 'approve'
  OR entity_type IN ('sales_doc', 'quote', 'purchase_order', 'job', 'proof', 'order') AND len(changes) > 0)"""
lookback = "memory_days + 1 day"
reads = """outcome <> 'failure' AND (action IN ('approve', 'create', 'upload', 'generate', 'import')
    AND actor_type IN ('user', 'api_key', 'unknown', 'customer')
  OR entity_type IN ('sales_doc', 'quote', 'purchase_order', 'job', 'proof', 'order') AND len(changes) > 0)"""
needs = ["actor_id or actor_email or actor_name"]
attack = ["T1078"]

[controls]
soc2 = ["CC5.1", "CC6.3", "CC8.1"]
iso27001 = ["A.5.3", "A.8.32"]
pci = ["6.2.3.1", "6.5.4"]
hipaa = ["164.308(a)(3)(i)"]
nist = ["AC-5", "CM-3"]

[parameters.memory_days]
default = 45
minimum = 1
maximum = 400
unit = "days"
meaning = "So long before the approval it is remembered who made what"
*/
WITH approving AS (
  SELECT event_uid FROM event_changes WHERE lower(field) = 'status' AND lower(new->>'$') = 'approved'
  UNION
  SELECT event_uid FROM activity WHERE action = 'approve'
),
-- Whoever sets the status may only write down what another has approved; whoever approves does so themselves.
approvals AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.person, e.who, e.is_named, e.actor_type,
    e.action = 'approve' AS is_verb, t.entity_type, t.entity_id, t.relation
  FROM activity e
  JOIN approving g ON g.event_uid = e.event_uid
  JOIN event_entities t ON t.event_uid = e.event_uid AND t.relation IN ('entity', 'bulk', 'item', 'parent')
  WHERE e.outcome <> 'failure' AND t.entity_id IS NOT NULL
),
made AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.person, t.entity_type, t.entity_id
  FROM event_entities t
  JOIN (SELECT DISTINCT entity_id FROM approvals) a ON a.entity_id = t.entity_id
  JOIN activity e ON e.event_uid = t.event_uid
  WHERE t.relation IN ('entity', 'bulk') AND e.action IN ('create', 'upload', 'generate', 'import')
    AND e.outcome <> 'failure' AND e.is_named AND e.actor_type IN ('user', 'api_key', 'unknown')
),
by_others AS (
  SELECT own.event_uid
  FROM approvals own
  JOIN approvals o ON o.source = own.source AND o.instance = own.instance AND o.entity_id = own.entity_id
    AND o.is_verb AND (o.person <> own.person OR NOT o.is_named) AND o.occurred_at <= own.occurred_at
    AND o.occurred_at >= own.occurred_at - $memory_days * INTERVAL 1 DAY
  WHERE NOT own.is_verb
  GROUP BY own.event_uid
),
own_work AS (
  SELECT a.event_uid, a.source, a.instance, a.occurred_at, a.person, a.who, a.entity_type, a.entity_id, a.relation,
    m.event_uid AS made_uid, m.occurred_at AS made_at
  FROM approvals a
  JOIN made m ON m.source = a.source AND m.instance = a.instance AND m.entity_type = a.entity_type
    AND m.entity_id = a.entity_id AND m.person = a.person AND m.occurred_at <= a.occurred_at
    AND m.occurred_at >= a.occurred_at - $memory_days * INTERVAL 1 DAY AND m.event_uid <> a.event_uid
  LEFT JOIN by_others b ON b.event_uid = a.event_uid
  WHERE a.is_named AND a.actor_type IN ('user', 'api_key', 'unknown') AND b.event_uid IS NULL
    -- Who made the job has no eyes but their own for its proofs; a status is that of the thing itself.
    AND (a.is_verb OR a.relation <> 'parent')
)
SELECT
  source || '|' || instance || '|' || event_uid AS key,
  who || ', ' || string_agg(DISTINCT entity_type || ' ' || entity_id, ', ' ORDER BY entity_type || ' ' || entity_id) AS subject,
  occurred_at AS window_start,
  occurred_at AS window_end,
  'made and approved by ' || who AS observed,
  'an approval by somebody who did not make it' AS expected,
  who || ' approved ' || left(string_agg(DISTINCT entity_type || ' ' || entity_id, ', ' ORDER BY entity_type || ' ' || entity_id), 200)
    || ' ' || date_diff('hour', min(made_at), occurred_at) || ' hours after making it themselves.' AS reason,
  'the same approval by another person' AS cleared_by,
  list_sort(list_distinct([event_uid] || list(made_uid))) AS events
FROM own_work
GROUP BY source, instance, event_uid, occurred_at, person, who
ORDER BY window_start, key
