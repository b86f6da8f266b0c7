/*
title = "What happened without people"
question = "What did the system do by itself?"
answers = "One row for each thing that a program did: how often, to how many things, when."
target = "none"
scope = "actor_type NOT IN ('user', 'customer')"
scope_name = "entries of programs"
reading = "An action of a program that stands between two entries of a person often follows from the first: `history` shows them in order."
next_steps = "`auditbook events --actor-type system --detail NAME` for the entries; `automation-runs` for rules that people wrote."
spare = ["first", "actor_type"]
[columns]
source = "The product."
actor_type = "What kind of program."
who = "Which, where the log names it."
did = "What it did."
entries = "How often."
things = "To how many different things."
failures = "How many failed."
first = "The first time."
last = "The last."
*/
SELECT source, actor_type, who, coalesce(action_detail, action, 'unnamed') AS did, count(*) AS entries,
  count(DISTINCT coalesce(entity_id, parent_entity_id)) AS things, count(*) FILTER (outcome = 'failure') AS failures,
  min(occurred_at) AS first, max(occurred_at) AS last
FROM events WHERE actor_type NOT IN ('user', 'customer') GROUP BY ALL ORDER BY entries DESC, source, did, who
