/*
title = "Contradictions in its changes"
question = "Do the changes fit together?"
answers = "One row for each change that begins from another value than the change before it left."
target = "entity"
example = "sales_doc:Q-10472"
scope = "len(changes) > 0"
scope_name = "entries with changed fields"
reading = """Each row is a place where something is missing or wrong: an entry that was not exported, was deleted at the
source, or was written by something that the log does not cover. Changes of the same instant are not compared, nor are
hidden values. No row means that every change begins where the one before it ended, not that nothing is missing at the end."""
next_steps = "Look at the lines between the two entries in `auditbook rejects`, then ask the vendor for that stretch of the log."
spare = ["since", "who"]
[columns]
thing = "The thing that has the field."
field = "The field, as the product calls it."
replayed = "The value that the change before left."
claimed = "The value that this change says it found."
since = "When the replayed value was set."
changed_at = "When the contradicting change was made."
who = "Who made it."
before = "The entry before."
event = "The contradicting entry."
*/
WITH ordered AS (
  SELECT *, lag(new) OVER w AS was, lag(new_present) OVER w AS was_known, lag(occurred_at) OVER w AS was_at,
    lag(event_uid) OVER w AS was_event, lag(redacted) OVER w AS was_hidden
  FROM changes WHERE changed_id <> ''
  WINDOW w AS (PARTITION BY changed_type, changed_id, field ORDER BY occurred_at, file, line)
)
SELECT concat_ws(':', nullif(changed_type, ''), changed_id) AS thing, field, coalesce(was, 'null')::JSON AS replayed,
  coalesce(old, 'null')::JSON AS claimed, was_at AS since, occurred_at AS changed_at, who, was_event AS before, event_uid AS event
FROM ordered
WHERE was_event IS NOT NULL AND was_known AND old_present AND NOT redacted AND NOT was_hidden AND was_at < occurred_at
  AND coalesce(was, 'null') <> coalesce(old, 'null')
ORDER BY changed_at, thing, field
