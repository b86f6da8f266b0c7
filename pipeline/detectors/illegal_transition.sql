/*
title = "A status took a step that the product does not allow"
severity = "medium"
version = 2
why = """The documented steps of a status are the process: proofing before approval, approval before production. A step
outside them means that somebody went round the product, that the product let through what it says it does not, or that
an entry in between is missing."""
false_positives = """A product that has learnt new steps since its mapping was written; corrections by the vendor's support;
entries in between that were not exported."""
next_steps = """Look at the history of the thing: is an entry missing, or was a step skipped? Ask who took the step by which
way. If the product allows it now, add the step to [[transitions]] of its mapping."""
scope = "source IN (SELECT source FROM status_graph) AND entity_type IS NOT NULL AND outcome <> 'failure' AND len(changes) > 0"
lookback = "1 day"
reads = "len(changes) > 0 AND outcome <> 'failure' AND entity_type IN (SELECT entity_type FROM status_graph)"
needs = ["changes"]

[controls]
soc2 = ["CC8.1", "PI1.3"]
iso27001 = ["A.8.32"]
pci = ["6.5.1", "10.2.2"]
hipaa = ["164.312(c)(1)"]
nist = ["CM-3", "SI-10"]
*/
WITH steps AS (
  SELECT source, entity_type, lower(field) AS field, new AS shown,
    trim(lower(regexp_replace(old, '[ _-]+', ' ', 'g'))) AS old, trim(lower(regexp_replace(new, '[ _-]+', ' ', 'g'))) AS new
  FROM status_graph
),
statuses AS (
  SELECT source, entity_type, field, old AS status FROM steps
  UNION
  SELECT source, entity_type, field, new FROM steps
),
moves AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.who, e.entity_type,
    coalesce(e.entity_id, e.records || ' of them') AS entity, lower(c.field) AS field,
    c.old->>'$' AS was, c.new->>'$' AS became,
    trim(lower(regexp_replace(c.old->>'$', '[ _-]+', ' ', 'g'))) AS old,
    trim(lower(regexp_replace(c.new->>'$', '[ _-]+', ' ', 'g'))) AS new
  FROM event_changes c JOIN activity e ON e.event_uid = c.event_uid
  WHERE e.outcome <> 'failure'
),
illegal AS (
  SELECT m.*
  FROM moves m
  JOIN statuses o ON o.source = m.source AND o.entity_type = m.entity_type AND o.field = m.field AND o.status = m.old
  JOIN statuses n ON n.source = m.source AND n.entity_type = m.entity_type AND n.field = m.field AND n.status = m.new
  LEFT JOIN steps s ON s.source = m.source AND s.entity_type = m.entity_type AND s.field = m.field
    AND s.old = m.old AND s.new = m.new
  WHERE m.old <> m.new AND s.source IS NULL
),
allowed AS (
  SELECT source, entity_type, field, old, string_agg(shown, ', ' ORDER BY shown) AS names
  FROM steps GROUP BY source, entity_type, field, old
)
SELECT
  i.source || '|' || i.instance || '|' || i.event_uid || '|' || i.field AS key,
  i.entity_type || ' ' || i.entity || ' (' || i.source || coalesce(', ' || nullif(i.instance, ''), '') || ')' AS subject,
  i.occurred_at AS window_start,
  i.occurred_at AS window_end,
  i.field || ': ' || i.was || ' to ' || i.became AS observed,
  'after ' || i.was || ': ' || coalesce(a.names, 'nothing, it is the last') AS expected,
  i.who || ' took the ' || i.field || ' of ' || i.entity_type || ' ' || i.entity || ' from ' || i.was || ' to '
    || i.became || ', which its documentation does not allow.' AS reason,
  CASE WHEN a.names IS NULL THEN 'no step after ' || i.was ELSE 'a step to one of: ' || a.names END AS cleared_by,
  [i.event_uid] AS events
FROM illegal i
LEFT JOIN allowed a ON a.source = i.source AND a.entity_type = i.entity_type AND a.field = i.field AND a.old = i.old
ORDER BY window_start, key
