/*
title = "State at a time"
question = "What did it look like then?"
answers = "One row for each field of each thing: its last value, replayed from the changes."
target = "entity"
example = "sales_doc:Q-10472"
scope = "len(changes) > 0"
scope_name = "entries with changed fields"
reading = """A value is what the last change up to that time left; a field that no entry changed is not known. Values that the log
replaced by [REDACTED] stay unknown. `changed` counts how often it was set."""
next_steps = "Ask `conflicts` whether the changes fit together, and `auditbook show EVENT` for the entry behind a value."
spare = ["event", "who"]
[columns]
thing = "The thing that has the field."
field = "The field, as the product calls it."
value = "Its value then, as JSON; empty when it was taken away."
since = "When it was set."
who = "By whom."
changed = "How many changes of it there were up to then."
event = "The entry that set it."
[[unseen]]
when = "list_has_any(list_transform(changes, lambda c: c.redacted), [true])"
text = "{n} entries hide values behind [REDACTED]; what they were is not known."
[[unseen]]
when = "action = 'update' AND len(changes) = 0"
text = "{n} updates do not say what they changed; a value may have changed with them."
*/
SELECT concat_ws(':', nullif(changed_type, ''), nullif(changed_id, '')) AS thing, field,
  CASE WHEN arg_max(redacted, (occurred_at, file, line)) THEN '"[REDACTED]"'
    ELSE nullif(arg_max(coalesce(new, ''), (occurred_at, file, line)), '') END::JSON AS value,
  max(occurred_at) AS since, arg_max(who, (occurred_at, file, line)) AS who, count(*) AS changed,
  arg_max(event_uid, (occurred_at, file, line)) AS event
FROM changes GROUP BY changed_type, changed_id, field ORDER BY thing, field
