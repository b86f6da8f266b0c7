/*
title = "Somebody's day"
question = "What did the new hire do today?"
answers = "One row for each entry of that person on that day, in the organization's time."
target = "person"
example = "ana@example.com --set day=2026-10-05"
scope = "true"
scope_name = "entries"
needs = ["source_ip"]
reading = """The day is the organization's, from midnight to midnight. `first` marks what the log had not seen of that person before:
themselves, a source, an address. All spellings that are tied together count as the person."""
next_steps = "`auditbook recipe ip-story ADDRESS` for an address that is new; `auditbook sources actors` for who is tied together."
spare = ["outcome"]
[parameters.day]
default = "today"
kind = "day"
meaning = "2026-10-05, today or yesterday; today is the day of --as-of, without it that of the newest entry."
[columns]
local_time = "The time in the organization's zone."
source = "The product."
did = "What they did."
what = "To what."
outcome = "How it ended."
source_ip = "The address."
first = "What was new about it: person, source, address."
event = "The entry."
*/
WITH all_of_them AS (
  SELECT *, timezone($zone, occurred_at) AS local_moment,
    row_number() OVER (ORDER BY occurred_at, file, line) = 1 AS new_person,
    row_number() OVER (PARTITION BY source ORDER BY occurred_at, file, line) = 1 AS new_source,
    source_ip IS NOT NULL AND row_number() OVER (PARTITION BY source_ip ORDER BY occurred_at, file, line) = 1 AS new_address
  FROM events
)
SELECT strftime(local_moment, '%H:%M:%S') AS local_time, source, coalesce(action_detail, action) AS did,
  coalesce(entity_name, concat_ws(':', entity_type, entity_id))
    || CASE WHEN len(entity_ids) > 0 THEN format(' (+{})', len(entity_ids)) ELSE '' END AS what,
  outcome, source_ip,
  nullif(concat_ws(', ', CASE WHEN new_person THEN 'person' END, CASE WHEN new_source THEN 'source' END,
    CASE WHEN new_address THEN 'address' END), '') AS first, event_uid AS event
FROM all_of_them
WHERE local_moment::DATE = $day::DATE
ORDER BY occurred_at, file, line
