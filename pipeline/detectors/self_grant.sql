/*
title = "Somebody gave themselves more rights"
severity = "high"
version = 1
why = """Rights are asked for by one person and given by another; that is the whole control. Whoever gives them to themselves
has gone round it, for convenience or to hide something."""
false_positives = """The only administrator of a small organization, and the first set-up of a product, when there is nobody else
to ask. Leaving a group or giving rights up is not reported."""
next_steps = """Ask who agreed to it. Take the rights back, have somebody else grant them, and read what was done in between."""
scope = "NOT actor_anonymous AND actor_type IN ('user', 'api_key', 'unknown')"
needs = ["actor_id or actor_email or actor_name", "entity_id or entity_name"]
classes = ["permission", "admin_grant"]
attack = ["T1098"]
lookback = "2 days"

[controls]
soc2 = ["CC6.1", "CC6.2", "CC6.3", "CC5.1"]
iso27001 = ["A.5.3", "A.5.18", "A.8.2"]
pci = ["7.2.2", "7.2.3", "10.2.1.5"]
hipaa = ["164.308(a)(4)(ii)(B)"]
nist = ["AC-2", "AC-5", "AC-6"]

[parameters.include_refused]
default = true
unit = "yes or no"
meaning = "Whether an attempt that was refused counts"
*/
WITH granted AS (
  SELECT event_uid, source, person, who, local_date, occurred_at, outcome, actor_id, actor_name, actor_email,
    entity_type, entity_id, entity_name, related_entities, message,
    coalesce(action_detail, action_raw, action, 'a grant') || ' in ' || source AS told
  FROM activity
  WHERE list_has_any(classes, ['permission', 'admin_grant']) AND coalesce(action, 'other') NOT IN ('delete', 'login', 'logout', 'read')
    AND NOT actor_anonymous AND actor_type IN ('user', 'api_key', 'unknown') AND ($include_refused OR outcome <> 'failure')
),
-- Every spelling of whoever was given something.
targets AS (
  SELECT event_uid, source, entity_id AS name FROM granted
  WHERE entity_type IN ('user', 'member', 'team_member', 'staff', 'invitation', 'account', 'membership', 'group_membership')
  UNION ALL
  SELECT event_uid, source, entity_name FROM granted
  WHERE entity_type IN ('user', 'member', 'team_member', 'staff', 'invitation', 'account', 'membership', 'group_membership')
  UNION ALL
  SELECT event_uid, source, unnest([r.id, r.name]) FROM (SELECT event_uid, source, unnest(related_entities) AS r FROM granted)
  WHERE r.type IN ('user', 'member', 'staff') AND coalesce(r.relation, 'target') IN ('target', 'granted_to', 'member')
),
people_named AS (
  SELECT t.event_uid, a.person FROM targets t JOIN actors a ON a.actor_key = t.source || ':' || t.name
  UNION ALL
  SELECT t.event_uid, a.person FROM targets t JOIN actors a ON a.actor_key = lower(t.name)
),
own AS (
  SELECT g.event_uid FROM granted g JOIN targets t ON t.event_uid = g.event_uid
  WHERE t.name = g.actor_id OR lower(t.name) = lower(g.actor_email) OR lower(t.name) = lower(g.actor_name)
  UNION
  SELECT g.event_uid FROM granted g JOIN people_named p ON p.event_uid = g.event_uid AND p.person = g.person
  UNION
  SELECT event_uid FROM granted
  WHERE entity_type IN ('staff', 'member', 'user') AND length(actor_name) > 3 AND contains(lower(message), lower(actor_name))
),
days AS (
  SELECT g.person, g.local_date, min(g.who) AS subject, min(g.occurred_at) AS window_start, max(g.occurred_at) AS window_end,
    count(*) AS n, count(*) FILTER (g.outcome = 'failure') AS refused,
    arg_min(g.told, (g.occurred_at, g.event_uid)) AS told, list_sort(list(g.event_uid)) AS events
  FROM granted g JOIN own o ON o.event_uid = g.event_uid
  GROUP BY g.person, g.local_date
)
SELECT
  person || '|' || local_date AS key,
  subject,
  window_start,
  window_end,
  n || CASE WHEN n = 1 THEN ' grant' ELSE ' grants' END || ' to oneself'
    || CASE WHEN refused > 0 THEN ', ' || refused || ' refused' ELSE '' END AS observed,
  'rights granted by somebody else' AS expected,
  subject || ' changed their own rights on ' || local_date || ': ' || told
    || CASE WHEN n > 1 THEN ', and ' || (n - 1) || ' more.' ELSE '.' END AS reason,
  'the same grant by another person' AS cleared_by,
  events
FROM days
ORDER BY window_start, key
