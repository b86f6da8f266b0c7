/*
title = "Why it came to a status"
question = "Why did this release get cancelled?"
answers = "The change to the status, the other entries of the same operation, and what happened to the thing just before."
target = "entity"
example = "release:rel_spring --set status=CANCELLED"
scope = "len(changes) > 0 OR action IN ('cancel', 'delete', 'approve', 'reject')"
scope_name = "entries that change something"
reading = """`change` is the answer; its reason is what the product recorded, which may be nothing. What stands before it is in
time before it and need not be its cause."""
next_steps = "Ask the person of the change; `auditbook show EVENT` has address and raw line; `history` the whole life."
spare = ["outcome", "about"]
[parameters.status]
meaning = "The status it came to; upper and lower case count as the same."
[parameters.before]
default = 5
meaning = "How many entries before the change are shown."
[columns]
role = "change, same operation, or before."
happened_at = "When."
who = "By whom."
did = "With which action."
about = "The thing."
what_changed = "Which fields, from what to what."
reason = "The reason, or what the entry says."
outcome = "How it ended."
event = "The entry."
[[unseen]]
when = "len(changes) > 0 AND reason IS NULL"
text = "{n} changes have no reason recorded."
*/
WITH ordered AS (
  SELECT *, row_number() OVER (ORDER BY occurred_at, file, line) AS n FROM events
),
turns AS (
  SELECT DISTINCT o.n, o.correlation_id, o.source FROM ordered o JOIN changes c ON c.event_uid = o.event_uid
  WHERE regexp_matches(c.field, '(?i)(^|[ ._])(status|stage|state)$') AND lower(c.new::JSON->>'$') = lower($status)
  UNION
  SELECT n, correlation_id, source FROM ordered
  WHERE lower($status) IN ('cancelled', 'canceled') AND action = 'cancel' OR lower($status) = 'deleted' AND action = 'delete'
),
shown AS (
  SELECT o.*, CASE WHEN o.n = t.n THEN 'change' WHEN o.correlation_id = t.correlation_id THEN 'same operation' ELSE 'before' END
    AS role
  FROM ordered o JOIN turns t ON o.n = t.n OR (o.correlation_id = t.correlation_id AND o.source = t.source)
    OR (o.n < t.n AND o.n >= t.n - CAST($before AS BIGINT))
)
SELECT min(role ORDER BY CASE role WHEN 'change' THEN 1 WHEN 'same operation' THEN 2 ELSE 3 END) AS role, happened_at, who, did,
  about, what_changed, reason, outcome, event
FROM (
  SELECT role, occurred_at AS happened_at, who, coalesce(action_detail, action) AS did, about,
    array_to_string(list_transform(changes, lambda c: c.field || ': ' || coalesce(c.old, '–') || ' -> ' || coalesce(c.new, '–')), '; ')
      AS what_changed,
    coalesce(reason, message, error_message) AS reason, outcome, event_uid AS event, n
  FROM shown)
GROUP BY ALL HAVING true ORDER BY happened_at, event
