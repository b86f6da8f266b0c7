/*
title = "Who can do what, and when it was last used"
question = "Does everybody still need the access that they have?"
answers = "One row for each person and product: role, what they did, when last, and the last change of their access."
target = "person"
optional_target = true
whole = true
example = "ana@example.com"
scope = "actor_type IN ('user', 'api_key') OR list_contains(classes, 'permission')"
scope_name = "entries of people and keys, or about their access"
needs = ["actor_role"]
reading = """An audit log shows access that was used and access that was changed, not the list of who has access: compare the rows with
the product's own list of members. `role` is the last that the log or the configuration gives. Somebody who never acted is not
here."""
next_steps = "Take away what nobody used for a quarter; ask the owner of each key; `leaver-check` for people who left."
spare = ["person", "actor_type", "addresses", "first_used", "critical", "can"]
[parameters.idle_days]
default = 30
meaning = "So many days without an entry are called idle."
[columns]
person = "The person."
who = "Their name."
source = "The product."
actor_type = "What kind of actor."
role = "Their role, as last told."
entries = "How many entries."
can = "The actions that they used, most first."
critical = "Critical classes among them."
addresses = "From how many addresses."
first_used = "The first entry."
last_used = "The last."
idle_days = "Days from then to the clock."
access_changed = "The last change of their access, and by whom."
note = "What to look at."
*/
WITH used AS (
  SELECT a.person, any_value(a.display_name) AS name, e.source, e.actor_type, any_value(a.left_on) AS left_on,
    coalesce(arg_max(e.actor_role, e.occurred_at) FILTER (e.actor_role IS NOT NULL), any_value(a.role)) AS role,
    count(*) AS entries, min(e.occurred_at) AS first_used, max(e.occurred_at) AS last_used,
    count(DISTINCT e.source_ip) AS addresses, list_distinct(flatten(list(e.classes))) AS critical,
    list_distinct(flatten(list([lower(e.actor_id), lower(e.actor_email), lower(e.actor_name)]))) AS spellings
  FROM events e JOIN actors a ON a.actor_key = e.actor_key WHERE e.actor_type IN ('user', 'api_key')
    AND ($target IS NULL OR lower($target) IN (lower(a.person), lower(a.display_name), lower(a.email), lower(a.actor_key)))
  GROUP BY a.person, e.source, e.actor_type
),
kinds AS (
  SELECT person, source, string_agg(did, ', ' ORDER BY n DESC, did) AS can FROM (
    SELECT a.person, e.source, e.action || coalesce(' ' || e.entity_type, '') AS did, count(*) AS n
    FROM events e JOIN actors a ON a.actor_key = e.actor_key WHERE e.action IS NOT NULL
    GROUP BY a.person, e.source, e.action || coalesce(' ' || e.entity_type, '')
    QUALIFY row_number() OVER (PARTITION BY a.person, e.source ORDER BY n DESC, did) <= 8)
  GROUP BY ALL
),
granted AS (
  SELECT source, occurred_at, who, coalesce(action_detail, action) AS did, list_distinct(list_concat(
      [lower(entity_id), lower(entity_name)],
      list_transform(list_filter(changes, lambda c: lower(c.field) = 'email'), lambda c: lower(coalesce(c.new, c.old)::JSON->>'$'))))
      AS whom
  FROM events WHERE list_contains(classes, 'permission')
),
touched AS (
  SELECT u.person, u.source, max_by(format('{} {} by {}', strftime(g.occurred_at, '%Y-%m-%d'), g.did, g.who), g.occurred_at) AS access_changed
  FROM used u JOIN granted g ON g.source = u.source AND list_has_any(g.whom, list_filter(u.spellings, lambda s: s IS NOT NULL))
  GROUP BY ALL
)
SELECT u.person, u.name AS who, u.source, u.actor_type, u.role, u.entries, k.can,
  nullif(array_to_string(list_sort(list_filter(u.critical, lambda c: c <> 'authentication')), ', '), '') AS critical,
  u.addresses, u.first_used, u.last_used,
  ((epoch($as_of::TIMESTAMPTZ) - epoch(u.last_used)) // 86400)::BIGINT AS idle_days, t.access_changed,
  nullif(concat_ws('; ', CASE WHEN u.left_on IS NOT NULL AND u.left_on < timezone($zone, $as_of::TIMESTAMPTZ)::DATE
      THEN format('left on {}', u.left_on) END,
    CASE WHEN epoch($as_of::TIMESTAMPTZ) - epoch(u.last_used) >= CAST($idle_days AS BIGINT) * 86400 THEN 'idle' END,
    CASE WHEN u.role IS NULL THEN 'role not known' END), '') AS note
FROM used u LEFT JOIN kinds k ON k.person = u.person AND k.source = u.source
  LEFT JOIN touched t ON t.person = u.person AND t.source = u.source
ORDER BY note IS NULL, lower(u.name), u.source
