/*
title = "Approved through a link that no longer counts"
severity = "high"
version = 1
why = """A new approval link takes the old one's place, because what is to be approved has changed. An approval through the old
link, or through one that had expired, is an approval of something else, perhaps by somebody to whom it was passed on."""
false_positives = """A customer who answered while the new link was being made; a product whose clock and whose links disagree
by seconds."""
next_steps = """Show the customer what is to be made now and ask again. Ask the vendor why an old link still worked: it should
not have."""
scope = "action = 'approve' AND outcome <> 'failure' AND len(related_entities) > 0"
lookback = "memory_days + 1 day"
reads = "action IN ('create', 'approve') AND (entity_type = 'approval_link' OR len(related_entities) > 0)"
needs = ["related_entities", "parent_entity_id"]
attack = ["T1550"]

[controls]
soc2 = ["CC6.1", "CC8.1", "PI1.4"]
iso27001 = ["A.8.3", "A.8.32"]
pci = ["8.2.8", "10.2.2"]
hipaa = ["164.312(c)(1)", "164.312(d)"]
nist = ["AC-12", "AU-10"]

[parameters.memory_days]
default = 60
minimum = 1
maximum = 400
unit = "days"
meaning = "So long before an approval links are remembered"
*/
WITH links AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, parent_entity_id AS job, entity_id AS link,
    CASE WHEN regexp_matches(metadata->>'expires_at', '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})$')
      THEN CAST(metadata->>'expires_at' AS TIMESTAMPTZ) END AS expires_at
  FROM activity
  WHERE action = 'create' AND entity_type = 'approval_link' AND entity_id IS NOT NULL AND parent_entity_id IS NOT NULL
    AND outcome <> 'failure'
),
approvals AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, e.who, e.parent_entity_id AS job,
    e.metadata->>'job_reference' AS reference, r.entity_id AS link
  FROM activity e JOIN event_entities r ON r.event_uid = e.event_uid AND r.entity_type = 'approval_link'
  WHERE e.action = 'approve' AND e.outcome <> 'failure' AND e.parent_entity_id IS NOT NULL
),
-- Every link of the job that was made before the approval; the newest is the one that counts.
seen AS (
  SELECT a.event_uid, arg_max(l.link, (l.occurred_at, l.event_uid)) AS newest,
    arg_max(l.event_uid, (l.occurred_at, l.event_uid)) AS newest_uid, max(l.occurred_at) AS newest_at,
    max(CASE WHEN l.link = a.link THEN l.expires_at END) AS expires_at,
    max(CASE WHEN l.link = a.link THEN l.event_uid END) AS made_uid
  FROM approvals a
  JOIN links l ON l.source = a.source AND l.instance = a.instance AND l.job = a.job AND l.occurred_at < a.occurred_at
    AND l.occurred_at >= a.occurred_at - $memory_days * INTERVAL 1 DAY
  GROUP BY a.event_uid
),
judged AS (
  SELECT a.*, s.newest, s.newest_uid, s.newest_at, s.expires_at, s.made_uid, s.newest <> a.link AS is_superseded,
    coalesce(s.expires_at < a.occurred_at, false) AS is_expired
  FROM approvals a JOIN seen s ON s.event_uid = a.event_uid
)
SELECT
  source || '|' || instance || '|' || job || '|' || event_uid AS key,
  'job ' || coalesce(reference || ' (' || job || ')', job) || ', link ' || link AS subject,
  occurred_at AS window_start,
  occurred_at AS window_end,
  CASE WHEN is_superseded THEN 'approved through ' || link || ', after ' || newest || ' had taken its place'
       ELSE 'approved through ' || link || ', which had expired' END AS observed,
  'an approval through ' || newest || CASE WHEN is_superseded THEN '' ELSE ' before it expired' END AS expected,
  who || ' approved through ' || link || CASE
    WHEN is_superseded THEN ' ' || date_diff('minute', newest_at, occurred_at)
      || ' minutes after ' || newest || ' had been made for the same job.'
    ELSE ' ' || date_diff('minute', expires_at, occurred_at) || ' minutes after it had expired.' END AS reason,
  CASE WHEN is_superseded THEN 'the same approval through ' || newest
       ELSE 'the same approval before the link expired, or through a new one' END AS cleared_by,
  list_distinct([event_uid, newest_uid] || CASE WHEN made_uid IS NULL THEN [] ELSE [made_uid] END) AS events
FROM judged
WHERE is_superseded OR is_expired
ORDER BY window_start, key
