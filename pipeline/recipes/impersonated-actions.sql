/*
title = "Actions in somebody else's name"
question = "Who acted as whom, and what did they do?"
answers = "One row for each entry that somebody made in the name of another."
target = "none"
scope = "coalesce(impersonator_id, impersonator_name, impersonator_email) IS NOT NULL"
scope_name = "entries in somebody else's name"
needs = ["reason", "source_ip"]
reading = """The impersonator did it; the other one may not know. Only products that record impersonation can show it: no row for a
product that does not is no proof."""
next_steps = "Ask the one in whose name it was done whether they had asked for it, and match each row to a support case."
spare = ["changed", "source", "reason"]
[columns]
happened_at = "When."
source = "The product."
impersonator = "Who did it."
acted_as = "In whose name."
did = "What."
what = "To what."
changed = "Which fields."
source_ip = "From which address."
reason = "The reason given."
event = "The entry."
*/
SELECT occurred_at AS happened_at, source, coalesce(impersonator_email, impersonator_name, impersonator_id) AS impersonator,
  coalesce(actor_email, actor_name, actor_id) AS acted_as, coalesce(action_detail, action) AS did,
  concat_ws(':', entity_type, entity_id) AS what,
  array_to_string(list_transform(changes, lambda c: c.field || CASE WHEN c.redacted THEN ' [REDACTED]' ELSE '' END), ', ') AS changed,
  source_ip, reason, event_uid AS event
FROM events WHERE coalesce(impersonator_id, impersonator_name, impersonator_email) IS NOT NULL
ORDER BY happened_at, file, line
