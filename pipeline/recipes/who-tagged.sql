/*
title = "Who gave a tag, and who took it away"
question = "Who tagged this contact, and when?"
answers = "One row for each tag that was given or taken away, in order; the first row of a tag is the answer."
target = "entity"
example = "contact:cnt_801 --set tag=VIP"
scope = "len(changes) > 0"
scope_name = "entries with changed fields"
reading = """Upper and lower case count as the same. A thing may be
created with tags. No row: in this log no tag changed; before the log begins it may have."""
next_steps = "`auditbook show EVENT` for the entry with its raw line; `why-status` for what went before."
[parameters.tag]
default = ""
meaning = "Only this tag; without it every tag."
[columns]
thing = "The thing."
tag = "The tag, in lower case."
what = "given or taken."
happened_at = "When."
who = "By whom."
did = "With which action."
event = "The entry."
*/
WITH sides AS (
  SELECT *, CASE WHEN json_type(old) = 'ARRAY' THEN list_transform(old::JSON[], lambda one: lower(one->>'$')) ELSE [] END AS was,
    CASE WHEN json_type(new) = 'ARRAY' THEN list_transform(new::JSON[], lambda one: lower(one->>'$')) ELSE [] END AS became
  FROM changes WHERE regexp_matches(lower(field), '(^|[._ ])(tags|labels)$')
),
moves AS (
  SELECT *, unnest(list_filter(became, lambda one: NOT list_contains(was, one))) AS tag, 'given' AS what FROM sides
  UNION ALL
  SELECT *, unnest(list_filter(was, lambda one: NOT list_contains(became, one))) AS tag, 'taken' FROM sides
)
SELECT concat_ws(':', nullif(changed_type, ''), nullif(changed_id, '')) AS thing, tag, what, occurred_at AS happened_at, who,
  coalesce(action_detail, action) AS did, event_uid AS event
FROM moves WHERE $tag = '' OR tag = lower($tag) ORDER BY tag, happened_at, file, line
