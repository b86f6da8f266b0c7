/*
title = "Rights granted, used, and taken back"
severity = "high"
version = 1
why = """Rights that exist for an hour are on no list that anybody reviews later. Granting them, doing what they are for and
taking them back leaves everything looking as before."""
false_positives = """Rights for a limited time that a process gives out on purpose. Those have a request, and the product usually takes
them back by itself."""
next_steps = """Read what was done in between: it is in the evidence. Ask both, whoever granted and whoever used it, who had
agreed to it."""
scope = "outcome <> 'failure'"
needs = ["entity_id or entity_name", "actor_id or actor_email or actor_name"]
classes = ["permission", "admin_grant"]
attack = ["T1098", "T1070"]
lookback = "window_hours + 1 day"

[controls]
soc2 = ["CC6.2", "CC6.3", "CC7.2"]
iso27001 = ["A.5.18", "A.8.2", "A.8.16"]
pci = ["7.2.4", "10.2.1.2", "10.2.1.5"]
hipaa = ["164.308(a)(4)(ii)(C)"]
nist = ["AC-2", "AC-6(9)", "AU-6"]

[parameters.window_hours]
default = 24
minimum = 1
maximum = 720
unit = "hours"
meaning = "From the grant to its revocation; both ends belong to it"

[parameters.min_uses]
default = 1
minimum = 0
maximum = 100000
unit = "events"
meaning = "So many sensitive events in between, by whoever got the rights or gave them"
*/
WITH rights AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, person, who, occurred_at, action, changes, actor_key,
    coalesce(entity_type, '') || ' ' || coalesce(entity_id, entity_name) AS target, entity_id, entity_name,
    lower(coalesce(action_detail, action_raw, '')) AS verb,
    entity_type, lower(message) AS message,
    coalesce(action_detail, action_raw, action, 'a grant') || ' on ' || coalesce(entity_name, entity_id) AS told
  FROM activity
  WHERE list_has_any(classes, ['permission', 'admin_grant']) AND outcome <> 'failure'
    AND coalesce(entity_id, entity_name) IS NOT NULL
),
fields AS (
  SELECT event_uid, source, instance, target, occurred_at, c.field, c.old, c.new
  FROM (SELECT event_uid, source, instance, target, occurred_at, unnest(changes) AS c FROM rights)
  WHERE NOT c.redacted AND c.old IS DISTINCT FROM c.new
),
-- Taken back: the same field of the same thing has its old value again, or what was added was removed.
pairs AS (
  SELECT g.event_uid AS grant_uid, min(r.occurred_at) AS revoked_at, arg_min(r.event_uid, (r.occurred_at, r.event_uid)) AS revoke_uid
  FROM fields g JOIN fields r ON r.source = g.source AND r.instance = g.instance AND r.target = g.target AND r.field = g.field
    AND r.old = g.new AND r.new IS NOT DISTINCT FROM g.old
    AND r.occurred_at > g.occurred_at AND r.occurred_at <= g.occurred_at + $window_hours * INTERVAL 1 HOUR
  GROUP BY g.event_uid
  UNION ALL
  SELECT g.event_uid, min(r.occurred_at), arg_min(r.event_uid, (r.occurred_at, r.event_uid))
  FROM rights g JOIN rights r ON r.source = g.source AND r.instance = g.instance AND r.target = g.target
    AND r.occurred_at > g.occurred_at AND r.occurred_at <= g.occurred_at + $window_hours * INTERVAL 1 HOUR
  WHERE len(g.changes) = 0
    AND ((g.action = 'create' AND r.action = 'delete' AND split_part(g.verb, '.', 1) = split_part(r.verb, '.', 1))
      OR (contains(g.verb, 'to_admin') AND (contains(r.verb, 'to_user') OR contains(r.verb, 'to_guest')))
      OR (contains(g.verb, 'to_owner') AND (contains(r.verb, 'to_user') OR contains(r.verb, 'to_admin'))))
  GROUP BY g.event_uid
),
taken_back AS (
  SELECT p.grant_uid, min(p.revoked_at) AS revoked_at, arg_min(p.revoke_uid, (p.revoked_at, p.revoke_uid)) AS revoke_uid
  FROM pairs p GROUP BY p.grant_uid
),
-- Who may have used it: whoever the thing is, under any spelling, and whoever granted it.
users AS (
  SELECT g.event_uid AS grant_uid, g.person FROM rights g
  UNION
  SELECT g.event_uid, a.person FROM rights g JOIN actors a ON a.actor_key = g.source || ':' || g.entity_id
  UNION
  SELECT g.event_uid, a.person FROM rights g JOIN actors a ON a.actor_key = g.source || ':' || g.entity_name
  UNION
  SELECT g.event_uid, a.person FROM rights g JOIN actors a ON a.actor_key = lower(g.entity_id)
  UNION
  SELECT g.event_uid, a.person FROM rights g JOIN actors a ON a.actor_key = lower(g.entity_name)
  UNION
  SELECT g.event_uid, a.person FROM taken_back t JOIN rights g ON g.event_uid = t.grant_uid
  JOIN actors a ON g.entity_type IN ('staff', 'member', 'user') AND length(a.display_name) > 3 AND contains(g.message, lower(a.display_name))
),
-- Where nobody can tell who it is, sensitive work by whoever in that product counts.
unnamed AS (
  SELECT grant_uid FROM users GROUP BY grant_uid HAVING count(*) = 1
),
sensitive AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, person, who, occurred_at, action, action_detail, action_raw FROM activity
  WHERE is_named AND (action IN ('delete', 'export') OR list_has_any(classes, ['permission', 'admin_grant', 'deletion', 'export', 'secret',
    'logging', 'critical_setting', 'token_created', 'mfa_weakened', 'protection', 'public_access', 'major_deletion']))
),
candidates AS (
  SELECT t.grant_uid, s.* FROM taken_back t JOIN users u ON u.grant_uid = t.grant_uid JOIN sensitive s ON s.person = u.person
  UNION
  SELECT t.grant_uid, s.* FROM taken_back t JOIN unnamed n ON n.grant_uid = t.grant_uid JOIN rights g ON g.event_uid = t.grant_uid
  JOIN sensitive s ON s.source = g.source AND s.instance = g.instance AND s.person <> g.person
    AND s.occurred_at > g.occurred_at AND s.occurred_at < t.revoked_at
),
uses AS (  SELECT t.grant_uid, count(e.event_uid) AS n, list(e.event_uid) FILTER (e.event_uid IS NOT NULL) AS events,
    min(e.who) AS user_name,
    string_agg(DISTINCT coalesce(e.action_detail, e.action_raw, e.action, 'an entry'), ', '
      ORDER BY coalesce(e.action_detail, e.action_raw, e.action, 'an entry')) FILTER (e.event_uid IS NOT NULL) AS told
  FROM taken_back t
  JOIN rights g ON g.event_uid = t.grant_uid
  LEFT JOIN candidates e ON e.grant_uid = t.grant_uid AND e.occurred_at > g.occurred_at AND e.occurred_at < t.revoked_at
    AND e.event_uid <> t.revoke_uid
  GROUP BY t.grant_uid
)
SELECT
  g.source || '|' || g.event_uid AS key,
  g.who AS subject,
  g.occurred_at AS window_start,
  t.revoked_at AS window_end,
  'taken back after ' || CASE WHEN date_diff('minute', g.occurred_at, t.revoked_at) < 120
      THEN date_diff('minute', g.occurred_at, t.revoked_at) || ' minutes'
      ELSE date_diff('hour', g.occurred_at, t.revoked_at) || ' hours' END
    || ', ' || u.n || CASE WHEN u.n = 1 THEN ' sensitive event' ELSE ' sensitive events' END || ' in between' AS observed,
  'rights that stay, or are not used: fewer than ' || $min_uses || ' sensitive events within ' || $window_hours || ' hours' AS expected,
  g.who || ': ' || g.told || ' in ' || g.source || '; then ' || coalesce(left(u.told, 200), 'nothing sensitive') || coalesce(' by ' || u.user_name, '')
    || '; taken back by ' || r.who || '.' AS reason,
  CASE WHEN u.n = 0 THEN 'no revocation within ' || $window_hours || ' hours'
       ELSE (u.n - $min_uses + 1) || CASE WHEN u.n = $min_uses THEN ' use fewer' ELSE ' uses fewer' END END AS cleared_by,
  list_sort(list_distinct([g.event_uid, t.revoke_uid] || coalesce(u.events, []))) AS events
FROM taken_back t
JOIN rights g ON g.event_uid = t.grant_uid
JOIN rights r ON r.event_uid = t.revoke_uid
JOIN uses u ON u.grant_uid = t.grant_uid
WHERE u.n >= $min_uses
ORDER BY window_start, key
