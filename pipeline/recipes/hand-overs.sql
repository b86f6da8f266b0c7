/*
title = "Hand-overs"
question = "Who took over from whom, and how long did it lie?"
answers = "One row for each time that another person went on."
target = "entity"
example = "job:job_2041"
scope = "actor_type IN ('user', 'customer')"
scope_name = "entries of people"
reading = "Only people count; what programs did in between is left out. `after` is the time from the one's last entry to the other's first."
next_steps = "A long `after` before a customer is waiting for the customer; before a colleague it is waiting for us."
spare = ["seconds", "event"]
[columns]
from_who = "Who had it."
to_who = "Who went on."
taken_at = "When."
after = "How long after the last entry of the one before."
seconds = "The same in seconds."
with_action = "What the other began with."
event = "That entry."
*/
WITH turns AS (
  SELECT *, lag(who) OVER w AS from_who, lag(occurred_at) OVER w AS last_at FROM events
  WHERE actor_type IN ('user', 'customer') WINDOW w AS (ORDER BY occurred_at, file, line)
)
SELECT from_who, who AS to_who, occurred_at AS taken_at,
  CASE WHEN epoch(occurred_at) - epoch(last_at) >= 86400 THEN format('{}d ', ((epoch(occurred_at) - epoch(last_at)) // 86400)::BIGINT)
    ELSE '' END || strftime(TIMESTAMP '2000-01-01' + to_seconds((epoch(occurred_at) - epoch(last_at)) % 86400), '%H:%M:%S')
    AS after,
  round(epoch(occurred_at) - epoch(last_at), 3) AS seconds, coalesce(action_detail, action) AS with_action,
  event_uid AS event
FROM turns WHERE from_who <> who ORDER BY taken_at, file, line
