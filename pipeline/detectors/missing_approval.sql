/*
title = "Exported without the customer's approval"
severity = "high"
version = 2
why = """What is exported is printed, and what is printed is paid for by whoever approved it. The product marks an export
without approval; this rule believes neither the mark nor its absence, works it out again from the approvals of each
item, and says when the two disagree."""
false_positives = """Approval given by telephone or e-mail and not recorded; internal jobs without a customer; exports whose
approvals are older than what was loaded."""
next_steps = """Ask for the approval in writing and attach it to the job, or stop production. Where mark and derivation
disagree, ask the vendor which of them counts: one of the two records is wrong."""
scope = """action = 'export' AND entity_type = 'export' AND outcome <> 'failure'
  AND coalesce(parent_entity_type, 'job') = 'job'"""
lookback = "memory_days + 1 day"
reads = """parent_entity_type = 'job' AND outcome <> 'failure' AND (action IN ('approve', 'request_change', 'reject', 'export')
  OR entity_type = 'item' OR len(related_entities) > 0)"""
needs = ["parent_entity_type", "parent_entity_id"]

[controls]
soc2 = ["CC8.1", "PI1.2", "PI1.4"]
iso27001 = ["A.8.15", "A.8.32"]
pci = ["10.2.2"]
hipaa = ["164.312(c)(1)"]
nist = ["AU-10", "CM-3"]

[parameters.memory_days]
default = 60
minimum = 1
maximum = 400
unit = "days"
meaning = "So long before an export items and their approvals are remembered"
*/
WITH exports AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.parent_entity_id AS job,
    coalesce(e.entity_id, e.event_uid) AS export, e.metadata->>'job_reference' AS reference,
    e.who,
    coalesce(lower(e.metadata->>'without_approval') = 'true', false) AS is_marked
  FROM activity e
  WHERE e.action = 'export' AND e.entity_type = 'export' AND e.parent_entity_type = 'job' AND e.outcome <> 'failure'
    AND e.parent_entity_id IS NOT NULL
),
-- The ids that an approval or a revision names are items, whatever the product calls the thing approved.
on_jobs AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.action,
    coalesce(e.parent_entity_id, e.entity_id) AS job, i.entity_id AS item
  FROM activity e
  LEFT JOIN event_entities i ON i.event_uid = e.event_uid
    AND (i.entity_type = 'item' OR (i.relation = 'bulk' AND e.action IN ('approve', 'request_change')))
  WHERE e.parent_entity_type = 'job' AND e.outcome <> 'failure'
),
decisions AS (
  SELECT * FROM on_jobs WHERE action IN ('approve', 'request_change', 'reject')
),
-- Which items an export holds: those it names, else all that the job had by then.
named AS (
  SELECT DISTINCT x.event_uid, o.item FROM exports x JOIN on_jobs o ON o.event_uid = x.event_uid WHERE o.item IS NOT NULL
),
items AS (
  SELECT event_uid, item FROM named
  UNION
  SELECT x.event_uid, o.item FROM exports x
  JOIN on_jobs o ON o.source = x.source AND o.instance = x.instance AND o.job = x.job AND o.occurred_at <= x.occurred_at
    AND o.occurred_at >= x.occurred_at - $memory_days * INTERVAL 1 DAY
  WHERE o.item IS NOT NULL AND x.event_uid NOT IN (SELECT event_uid FROM named)
),
-- The last word on each item before the export; of two at the same moment the refusal counts.
latest AS (
  SELECT i.event_uid, i.item, d.action,
    row_number() OVER (PARTITION BY i.event_uid, i.item
      ORDER BY d.occurred_at DESC, CASE WHEN d.action = 'approve' THEN 1 ELSE 0 END, d.event_uid) AS n
  FROM items i
  JOIN exports x ON x.event_uid = i.event_uid
  LEFT JOIN decisions d ON d.source = x.source AND d.instance = x.instance AND d.job = x.job AND d.item = i.item
    AND d.occurred_at < x.occurred_at AND d.occurred_at >= x.occurred_at - $memory_days * INTERVAL 1 DAY
),
derived AS (
  SELECT event_uid, count(*) AS items, count(*) FILTER (action IS DISTINCT FROM 'approve') AS open_items,
    string_agg(item, ', ' ORDER BY item) FILTER (action IS DISTINCT FROM 'approve') AS open_names
  FROM latest WHERE n = 1 GROUP BY event_uid
),
asked AS (
  SELECT x.event_uid, count(*) FILTER (d.action = 'approve') AS approvals,
    list_distinct(list(d.event_uid) FILTER (d.event_uid IS NOT NULL)) AS events
  FROM exports x
  LEFT JOIN decisions d ON d.source = x.source AND d.instance = x.instance AND d.job = x.job
    AND d.occurred_at < x.occurred_at AND d.occurred_at >= x.occurred_at - $memory_days * INTERVAL 1 DAY
  GROUP BY x.event_uid
),
-- Without any known item the derivation is whether anything of the job was ever approved.
judged AS (
  SELECT x.*, coalesce(d.items, 0) AS items, coalesce(d.open_items, 0) AS open_items, d.open_names, k.events,
    CASE WHEN d.items IS NULL THEN k.approvals = 0 ELSE d.open_items > 0 END AS is_derived
  FROM exports x JOIN asked k ON k.event_uid = x.event_uid LEFT JOIN derived d ON d.event_uid = x.event_uid
)
SELECT
  source || '|' || instance || '|' || job || '|' || export || '|' || event_uid AS key,
  'job ' || coalesce(reference || ' (' || job || ')', job) || ', export ' || export AS subject,
  occurred_at AS window_start,
  occurred_at AS window_end,
  CASE WHEN items = 0 AND is_derived THEN 'no approval on the job'
       WHEN items = 0 THEN 'an approval on the job'
       ELSE open_items || ' of ' || items || ' items without a valid approval' END
    || CASE WHEN is_marked THEN '; marked as without approval' ELSE '; not marked as without approval' END AS observed,
  'every item approved before the export, after its last revision request' AS expected,
  CASE WHEN is_marked AND is_derived
       THEN who || ' exported without approval: the product marked it, and the approvals confirm it'
         || coalesce(' (' || left(open_names, 200) || ')', '') || '.'
       WHEN is_marked
       THEN 'The records disagree: the product marked the export by ' || who
         || ' as without approval, but the approvals of the job cover it.'
       ELSE 'The records disagree: the product did not mark the export by ' || who
         || ', but these were not approved before it: ' || coalesce(left(open_names, 200), 'anything of the job') || '.'
  END AS reason,
  CASE WHEN is_derived THEN 'an approval of each item before ' || strftime(occurred_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M') || ' UTC'
       ELSE 'an export that is not marked' END AS cleared_by,
  list_sort([event_uid] || coalesce(events, [])) AS events
FROM judged
WHERE is_marked OR is_derived
ORDER BY window_start, key
