/*
title = "Evidence of communication"
question = "When was this sent, to whom, and what exactly did it say?"
answers = "One row for each message: its recipients, its exact text and hash, and the line that has it."
target = "entity"
optional_target = true
example = "sales_doc:Q-10472"
scope = "len(communications) > 0"
scope_name = "entries with a message"
reading = """`sent_at` is the product's time of sending, `logged_at` the time of the entry. `intact` compares the text with its hash,
`line_sha256` is the hash of the whole exported line. That it was sent is no proof that it was received or read."""
next_steps = "Give the rows out with `--format csv` or as a PDF; `auditbook verify` proves the lines."
spare = ["body_sha256", "line_sha256", "file", "line", "body_format", "direction", "bcc", "cc", "logged_at", "automated", "body"]
[columns]
sent_at = "When it was sent, as the product says."
logged_at = "When the entry was made."
about = "The job or document."
channel = "email, sms, notification."
direction = "incoming or outgoing."
automated = "Whether a program wrote it."
sender = "From whom; the actor where the product does not say."
to = "To whom."
cc = "Copies to."
bcc = "Blind copies to."
subject = "Its subject."
body = "Its exact text."
body_format = "html or text."
body_sha256 = "Hash of the text."
intact = "Whether the text still has that hash; empty where not all of it is shown to this audience."
file = "The export that has the line."
line = "The line."
line_sha256 = "Hash of the line."
event = "The entry."
[[unseen]]
when = "in_scope AND list_has_any(list_transform(communications, lambda m: m.body IS NULL), [true])"
text = "{n} messages have no text in the log; what they said is not known."
[[unseen]]
when = "category IN ('communication', 'message') AND len(communications) = 0"
text = "{n} entries tell of a message without its content."
*/
SELECT m.sent_at, e.occurred_at AS logged_at, e.about, m.channel, m.direction, m.automated, coalesce(m.sender, e.who) AS sender,
  m."to", m.cc, m.bcc, m.subject, m.body, m.body_format, m.body_sha256, CASE WHEN regexp_matches(m.body, '\[(REDACTED|WITHHELD)\]') THEN NULL ELSE sha256(m.body) = m.body_sha256 END AS intact,
  e.file, e.line, l.line_sha256, e.event_uid AS event
FROM (SELECT *, unnest(communications) AS m FROM events WHERE len(communications) > 0) e
  LEFT JOIN event_lines l ON l.event_uid = e.event_uid
ORDER BY e.occurred_at, e.file, e.line
