/*
title = "When a field got a value, and when it lost it"
question = "When did this contact get tagged VIP?"
answers = "One row for each change by which the field, or one of a list in it, came to the value or lost it; the first is the answer."
target = "entity"
example = "contact:cnt_801 --set field=tags --set value=VIP"
scope = "len(changes) > 0"
scope_name = "entries with changed fields"
reading = """Upper and lower case count as the same. `had` with nothing before it means that the thing was created so. No row: in this
log it never had the value; before the log begins it may have."""
next_steps = "`auditbook show EVENT` for the entry with its raw line; `why-status` for what went before."
spare = ["old", "reason"]
[parameters.field]
meaning = "The field, as the product calls it (tags, status, carrier)."
[parameters.value]
meaning = "The value."
[columns]
thing = "The thing."
field = "The field."
what = "got or lost."
happened_at = "When."
who = "By whom."
did = "With which action."
old = "The whole value before."
new = "The whole value after."
reason = "The reason given."
event = "The entry."
[[unseen]]
when = "list_has_any(list_transform(changes, lambda c: c.redacted), [true])"
text = "{n} entries hide values behind [REDACTED]."
*/
WITH sides AS (
  SELECT *, CASE WHEN json_type(old) = 'ARRAY' THEN list_transform(old::JSON[], lambda one: lower(one->>'$'))
      WHEN old IS NULL THEN [] ELSE [lower(old::JSON->>'$')] END AS old_values,
    CASE WHEN json_type(new) = 'ARRAY' THEN list_transform(new::JSON[], lambda one: lower(one->>'$'))
      WHEN new IS NULL THEN [] ELSE [lower(new::JSON->>'$')] END AS new_values
  FROM changes WHERE lower(field) = lower($field) AND NOT redacted
)
SELECT concat_ws(':', nullif(changed_type, ''), nullif(changed_id, '')) AS thing, field,
  CASE WHEN list_contains(new_values, lower($value)) THEN 'got' ELSE 'lost' END AS what, occurred_at AS happened_at, who,
  coalesce(action_detail, action) AS did, old::JSON AS old, new::JSON AS new, reason, event_uid AS event
FROM sides WHERE list_contains(old_values, lower($value)) <> list_contains(new_values, lower($value))
ORDER BY happened_at, file, line
