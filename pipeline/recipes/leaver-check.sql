/*
title = "People who left"
question = "Is everybody's access gone who left, and did anybody act after their last day?"
answers = "One row for each person who left and each product that they used: the last entry, what came after, when access was taken away."
target = "person"
optional_target = true
whole = true
example = "caleb@example.com"
scope = "actor_type = 'user' OR list_contains(classes, 'permission')"
scope_name = "entries of people, or about their access"
reading = """The last day is the one of `left_on` in auditbook.toml, to midnight in the organization's zone; people without one are not
here. `no removal on record` is what this log shows: access may have been taken away where it does not look, such as single
sign-on."""
next_steps = "Take away what is still there; look at everything after the last day; keys that the person made live on without them."
spare = ["person", "events", "removed_by"]
[columns]
person = "The person."
who = "Their name."
left_on = "Their last day, as configured."
source = "The product."
last_used = "Their last entry."
after_leaving = "How many entries came after the last day."
removed_at = "When their access was taken away."
removed_by = "By whom."
verdict = "What to make of it."
events = "The entries after the last day, and the removal."
*/
WITH leavers AS (
  SELECT a.person, any_value(a.display_name) AS name, min(a.left_on) AS left_on,
    timezone($zone, (min(a.left_on) + 1)::TIMESTAMP) AS gone_at
  FROM actors a WHERE a.left_on IS NOT NULL AND a.left_on <= timezone($zone, $as_of::TIMESTAMPTZ)::DATE
    AND ($target IS NULL OR lower($target) IN (lower(a.person), lower(a.display_name), lower(a.email), lower(a.actor_key)))
  GROUP BY a.person
),
used AS (
  SELECT l.person, l.name, l.left_on, l.gone_at, e.source, max(e.occurred_at) AS last_used,
    count(*) FILTER (e.occurred_at >= l.gone_at) AS after_leaving,
    list(e.event_uid ORDER BY e.occurred_at, e.file, e.line) FILTER (e.occurred_at >= l.gone_at) AS later,
    list_distinct(flatten(list([lower(e.actor_id), lower(e.actor_email), lower(e.actor_name)]))) AS spellings
  FROM leavers l JOIN actors a ON a.person = l.person JOIN events e ON e.actor_key = a.actor_key
  GROUP BY l.person, l.name, l.left_on, l.gone_at, e.source
),
removals AS (
  SELECT source, occurred_at, who, event_uid, list_distinct(list_concat([lower(entity_id), lower(entity_name)],
      list_transform(list_filter(changes, lambda c: lower(c.field) = 'email'), lambda c: lower(coalesce(c.old, c.new)::JSON->>'$'))))
      AS whom
  FROM events WHERE list_contains(classes, 'permission') AND (action = 'delete' OR list_has_any(['remove', 'removed', 'revoke'],
    string_split(lower(coalesce(action_detail, '')), ' ')))
),
taken AS (
  SELECT u.person, u.source, min(r.occurred_at) AS removed_at, arg_min(r.who, r.occurred_at) AS removed_by,
    list(r.event_uid) AS removal
  FROM used u JOIN removals r ON r.source = u.source AND list_has_any(r.whom, list_filter(u.spellings, lambda s: s IS NOT NULL))
  GROUP BY ALL
)
SELECT u.person, u.name AS who, u.left_on, u.source, u.last_used, u.after_leaving, t.removed_at, t.removed_by,
  CASE WHEN u.after_leaving > 0 AND t.removed_at IS NULL THEN 'acted after leaving; no removal on record'
    WHEN u.after_leaving > 0 THEN 'acted after leaving'
    WHEN t.removed_at IS NULL THEN 'no removal on record'
    WHEN t.removed_at >= u.gone_at THEN format('access taken away {} days late', ((epoch(t.removed_at) - epoch(u.gone_at)) // 86400)::BIGINT + 1)
    ELSE 'access taken away in time' END AS verdict,
  list_concat(coalesce(u.later, []), coalesce(t.removal, [])) AS events
FROM used u LEFT JOIN taken t ON t.person = u.person AND t.source = u.source
ORDER BY u.after_leaving DESC, t.removed_at IS NOT NULL, lower(u.name), u.source
