/*
title = "Time spent at each status"
question = "Where did the time go?"
answers = "One row for each stay at a status: from when to when, and for how long."
target = "entity"
example = "job:job_2041"
scope = "len(list_filter(changes, lambda c: regexp_matches(c.field, '(?i)(^|[ ._])(status|stage|state)$'))) > 0"
scope_name = "changes of a status"
reading = """A stay ends with the next change of the same status. The last one is still open: its length runs to the time
asked for, else to the newest entry of that log. The first one is only known from the entry that created the thing."""
next_steps = "Compare with other jobs: `auditbook sql` over event_changes; a stay much longer than theirs names who waited for whom."
spare = ["seconds", "event"]
[columns]
thing = "The thing that has the status."
field = "The field, as the product calls it."
status = "The status, as JSON."
entered = "When it came to it; empty when the log begins later."
until = "When it left it; empty when it is still there."
duration = "How long it stood there."
seconds = "The same in seconds."
who = "Who brought it there."
event = "The entry that brought it there."
*/
WITH steps AS (
  SELECT *, row_number() OVER w AS n, lead(occurred_at) OVER w AS next_at
  FROM changes WHERE regexp_matches(field, '(?i)(^|[ ._])(status|stage|state)$') AND NOT redacted
  WINDOW w AS (PARTITION BY changed_type, changed_id, field ORDER BY occurred_at, file, line)
),
created AS (
  SELECT entity_type, entity_id, min(occurred_at) AS born FROM events WHERE action = 'create' AND entity_id IS NOT NULL
  GROUP BY ALL
),
stays AS (
  SELECT changed_type, changed_id, field, new AS status, occurred_at AS entered, next_at AS left_at, who, event_uid
  FROM steps WHERE new_present AND new <> 'null'
  UNION ALL
  SELECT s.changed_type, s.changed_id, s.field, s.old, c.born, s.occurred_at, NULL, NULL
  FROM steps s LEFT JOIN created c ON c.entity_type = s.changed_type AND c.entity_id = s.changed_id
  WHERE s.n = 1 AND s.old_present AND s.old <> 'null'
)
SELECT concat_ws(':', nullif(changed_type, ''), nullif(changed_id, '')) AS thing, field, status::JSON AS status, entered, left_at AS until,
  CASE WHEN entered IS NOT NULL THEN (CASE WHEN epoch(coalesce(left_at, $as_of::TIMESTAMPTZ)) - epoch(entered) >= 86400
    THEN format('{}d ', ((epoch(coalesce(left_at, $as_of::TIMESTAMPTZ)) - epoch(entered)) // 86400)::BIGINT) ELSE '' END)
    || strftime(TIMESTAMP '2000-01-01' + to_seconds((epoch(coalesce(left_at, $as_of::TIMESTAMPTZ)) - epoch(entered)) % 86400),
      '%H:%M:%S') END AS duration,
  round(epoch(coalesce(left_at, $as_of::TIMESTAMPTZ)) - epoch(entered), 3) AS seconds, who, event_uid AS event
FROM stays ORDER BY thing, field, coalesce(entered, left_at), left_at NULLS LAST
