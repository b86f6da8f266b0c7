/*
title = "Evidence of approval"
question = "A customer disputes what was approved: when was each proof approved, by whom, and through which link?"
answers = "One row for each decision on each proof or item: approved, sent back or rejected, with the line that says so."
target = "entity"
optional_target = true
example = "job:job_2041"
scope = "action IN ('approve', 'reject', 'request_change') AND (category IN ('approval', 'proof') OR entity_type = 'proof')"
scope_name = "decisions"
needs = ["source_ip"]
reading = """`stands` says whether the approval is the last word on that item: no revision or rejection came after it. An item that
is missing here was never decided on in this log. Anonymous is somebody without an e-mail who held the link, not one person.
`line_sha256` is the hash of the exported line; `auditbook verify` proves that it is unchanged."""
next_steps = "Attach the rows with `--format csv` and the raw lines (`auditbook show EVENT`); `auditbook verify` for the chain."
spare = ["line_sha256", "file", "line", "email", "note", "source_ip", "link", "later"]
[columns]
about = "The job or document."
item = "The item or proof that was decided on."
proof = "The proof that was shown for it at that moment, where the log says which."
decision = "approve, request_change or reject."
decided_at = "When."
who = "By whom."
email = "Their address, where the product knows it."
link = "The approval link that was used."
source_ip = "The address they came from."
note = "What they wrote."
later = "What was decided on the same item afterwards."
stands = "Whether this is the last word on it."
file = "The export that has the line."
line = "The line."
line_sha256 = "Hash of the line."
event = "The entry."
[[unseen]]
when = "in_scope AND actor_anonymous"
text = "{n} decisions were made by somebody without a name or an address."
[[unseen]]
when = "action = 'access' AND entity_type = 'approval_link' AND actor_anonymous"
text = "{n} times a link was opened by somebody without a name."
*/
WITH decisions AS (
  SELECT *, CASE WHEN len(items) > 0 THEN items WHEN len(entity_ids) > 0 THEN entity_ids ELSE [entity_id] END AS things
  FROM (SELECT *, list_transform(list_filter(related_entities, lambda r: r.relation = 'item'), lambda r: r.id) AS items
    FROM events
    WHERE action IN ('approve', 'reject', 'request_change') AND (category IN ('approval', 'proof') OR entity_type = 'proof'))
),
each_item AS (
  SELECT * EXCLUDE (thing), coalesce(thing, '') AS item, row_number() OVER w AS n, lead(action) OVER w AS then_action,
    lead(occurred_at) OVER w AS then_at, lead(who) OVER w AS then_who, last_value(event_uid) OVER (
      PARTITION BY source, instance, about, thing ORDER BY occurred_at, file, line
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_word
  FROM (SELECT *, unnest(things) AS thing FROM decisions)
  WINDOW w AS (PARTITION BY source, instance, about, thing ORDER BY occurred_at, file, line)
),
shown AS (
  SELECT about, occurred_at, unnest(entity_ids) AS proof,
    unnest(list_transform(list_filter(related_entities, lambda r: r.relation = 'item'), lambda r: r.id)) AS item
  FROM events WHERE action = 'generate' AND entity_type = 'proof'
),
last_shown AS (
  SELECT d.event_uid, d.item, arg_max(s.proof, s.occurred_at) AS proof
  FROM each_item d JOIN shown s ON s.about = d.about AND s.item = d.item AND s.occurred_at <= d.occurred_at GROUP BY ALL
)
SELECT d.about, d.item, coalesce(s.proof, CASE WHEN d.entity_type = 'proof' THEN d.entity_id END) AS proof,
  d.action AS decision, d.occurred_at AS decided_at, d.who, d.actor_email AS email,
  list_filter(d.related_entities, lambda r: r.type = 'approval_link')[1].id AS link, d.source_ip, d.reason AS note,
  CASE WHEN d.then_at IS NULL THEN NULL ELSE format('{} by {} at {}', d.then_action, d.then_who,
    strftime(d.then_at, '%Y-%m-%d %H:%M:%SZ')) END AS later,
  d.event_uid = d.last_word AS stands, d.file, d.line, l.line_sha256, d.event_uid AS event
FROM each_item d LEFT JOIN last_shown s ON s.event_uid = d.event_uid AND s.item = d.item
  LEFT JOIN event_lines l ON l.event_uid = d.event_uid
ORDER BY d.about, d.item, d.occurred_at, d.file, d.line
