/*
title = "Critical actions"
question = "Who changed permissions, deleted things, or did something to many things at once?"
answers = "One row for each such entry, with the class that makes it critical."
target = "none"
scope = """len(list_filter(classes, lambda c: c <> 'authentication')) > 0 OR action = 'delete'
  OR (is_bulk AND action IN ('create', 'update', 'delete', 'send', 'import', 'export', 'merge', 'cancel'))"""
scope_name = "critical entries"
needs = ["reason", "source_ip"]
reading = """Classes come from each source's mapping and from the configuration: permission, deletion, logging, export, sharing,
secret, critical_setting; `bulk` is added for what makes, changes, sends or removes many things at once. A login is no critical action. The row says
that it happened, not that it was wrong."""
next_steps = "Match each row with a request; a permission change that is not taken back needs an owner."
spare = ["things", "reason", "source_ip"]
[parameters.class]
default = ""
meaning = "Only this class; without it all but logins."
[columns]
happened_at = "When."
source = "The product."
class = "Why it is critical."
who = "Who."
did = "What."
what = "To what."
things = "To how many things; empty where the log does not list them."
source_ip = "From which address."
reason = "The reason given, or what the entry says."
event = "The entry."
*/
SELECT * FROM (
  SELECT occurred_at AS happened_at, source,
    array_to_string(list_sort(list_distinct(list_concat(list_filter(classes, lambda c: c <> 'authentication'),
      CASE WHEN is_bulk
        AND action IN ('create', 'update', 'delete', 'send', 'import', 'export', 'merge', 'cancel') THEN ['bulk'] ELSE [] END, CASE WHEN action = 'delete' THEN ['deletion'] ELSE [] END))), ', ') AS class, who,
    coalesce(action_detail, action) AS did, coalesce(entity_name, concat_ws(':', entity_type, entity_id)) AS what,
    CASE WHEN len(entity_ids) > 0 THEN len(entity_ids) WHEN entity_id IS NOT NULL THEN 1 END AS things, source_ip,
    coalesce(reason, message) AS reason, event_uid AS event
  FROM events WHERE len(classes) > 0 OR is_bulk OR action = 'delete')
WHERE class <> '' AND ($class = '' OR list_contains(string_split(class, ', '), lower($class)))
ORDER BY happened_at, event
