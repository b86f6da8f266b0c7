/*
title = "Everything from one address"
question = "What was done from this address, by whom, and had they used it before?"
answers = "One row for each entry from the address or network, across all products, in order."
target = "address"
example = "192.0.2.214"
scope = "source_ip IS NOT NULL"
scope_name = "entries from there"
needs = ["user_agent"]
reading = """One address may be many people: an office, a carrier, a tunnel. `first` marks the first entry of a person from there.
Products that record no address cannot appear; `night` is outside the organization's working hours."""
next_steps = "`user-day WHO` for the rest of that person's day; `auditbook events --ip` with the network around it; ask the person."
spare = ["user_agent", "outcome"]
[columns]
happened_at = "When."
source = "The product."
source_ip = "The address."
who = "Who."
did = "What."
what = "To what."
outcome = "How it ended."
first = "Whether it is that person's first entry from there."
night = "Whether it was outside working hours."
user_agent = "With what."
event = "The entry."
*/
SELECT e.occurred_at AS happened_at, e.source, e.source_ip, e.who, coalesce(e.action_detail, e.action) AS did,
  coalesce(e.entity_name, concat_ws(':', e.entity_type, e.entity_id))
    || CASE WHEN len(e.entity_ids) > 0 THEN format(' (+{})', len(e.entity_ids)) ELSE '' END AS what,
  e.outcome, row_number() OVER (PARTITION BY e.source_ip, e.who ORDER BY e.occurred_at, e.file, e.line) = 1 AS first,
  NOT c.is_business_hours AS night, e.user_agent, e.event_uid AS event
FROM events e LEFT JOIN calendar c ON c.schedule = 'organization' AND c.slot = time_bucket(INTERVAL 15 MINUTE, e.occurred_at)
ORDER BY happened_at, e.file, e.line
