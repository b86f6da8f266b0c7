/*
title = "Who worked on it"
question = "Several people worked on the same job: who did what, and when?"
answers = "One row for each person or program: how much they did, what, from when to when."
target = "entity"
example = "job:job_2041"
scope = "true"
scope_name = "entries"
reading = """Everybody without a name is one row called Anonymous, which is not one person. Programs are named by what they are.
`X as Y` is X acting in the name of Y."""
next_steps = "`hand-overs` has the order in which they took turns; `auditbook recipe user-day WHO` the rest of somebody's day."
[columns]
who = "The person or program."
actor_type = "What kind of actor."
entries = "How many entries."
did = "Which actions, and how often each."
first = "Time of the first."
last = "Time of the last."
*/
SELECT who, actor_type, sum(n)::BIGINT AS entries, string_agg(did || CASE WHEN n > 1 THEN ' x' || n ELSE '' END, ', ' ORDER BY n DESC, did) AS did,
  min(first) AS first, max(last) AS last
FROM (SELECT who, actor_type, action || coalesce(' ' || entity_type, '') AS did, count(*) AS n, min(occurred_at) AS first,
    max(occurred_at) AS last FROM events GROUP BY ALL)
GROUP BY who, actor_type ORDER BY entries DESC, who, actor_type
