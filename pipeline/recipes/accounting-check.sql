/*
title = "Invoices and the accounting system"
question = "Was every invoice sent to accounting, and does its story add up?"
answers = "One row for each invoice: created, sent, paid, and what is missing."
target = "entity"
optional_target = true
example = "job:J-2222"
scope = "category = 'accounting'"
scope_name = "accounting entries"
reading = """`never sent` means that within this log nothing was sent or synced for it later than its creation. An invoice that was
created before the log begins has no `created_at`. Amounts stand as the product wrote them."""
next_steps = "Look for the invoice in the accounting system; send it again from the product, and look at the integration's failures that day."
spare = ["payments", "balance", "total", "platform", "who", "events"]
[columns]
invoice = "The invoice."
about = "The job or document it belongs to."
created_at = "When it was created."
who = "By whom."
sent_at = "When it was first sent to the accounting system."
platform = "Which system."
total = "Its amount, as last told."
balance = "What was outstanding, as last told."
status = "Its status, as last told."
payments = "How many payments name it."
verdict = "complete, never sent, or sent before it was created."
events = "The entries."
[[unseen]]
when = "entity_type = 'invoice' AND entity_id IS NULL"
text = "{n} entries tell of an invoice without its number."
*/
WITH named AS (
  SELECT *, coalesce(CASE WHEN entity_type = 'invoice' THEN entity_id END,
    list_filter(related_entities, lambda r: r.type = 'invoice')[1].id) AS invoice
  FROM events WHERE outcome <> 'failure'
),
told AS (
  SELECT n.invoice, n.source, n.instance,
    arg_max(c.new::JSON->>'$', (n.occurred_at, n.file, n.line)) FILTER (regexp_matches(c.field, '(?i)total')) AS total,
    arg_max(c.new::JSON->>'$', (n.occurred_at, n.file, n.line)) FILTER (regexp_matches(c.field, '(?i)balance')) AS balance,
    arg_max(c.new::JSON->>'$', (n.occurred_at, n.file, n.line))
      FILTER (n.entity_type = 'invoice' AND regexp_matches(c.field, '(?i)status$')) AS status
  FROM named n JOIN changes c ON c.event_uid = n.event_uid WHERE n.invoice IS NOT NULL AND c.new IS NOT NULL GROUP BY ALL
),
invoices AS (
  SELECT invoice, source, instance, any_value(about ORDER BY occurred_at) AS about,
    min(occurred_at) FILTER (entity_type = 'invoice' AND action = 'create') AS created_at,
    arg_min(who, occurred_at) FILTER (entity_type = 'invoice' AND action = 'create') AS who,
    min(occurred_at) FILTER (entity_type = 'invoice' AND action IN ('send', 'sync') AND metadata->>'platform' IS NOT NULL) AS sent_at,
    max(metadata->>'platform') AS platform, count(*) FILTER (entity_type = 'payment' AND action = 'create') AS payments,
    list(event_uid ORDER BY occurred_at, file, line) AS events
  FROM named WHERE invoice IS NOT NULL GROUP BY invoice, source, instance
)
SELECT i.invoice, i.about, i.created_at, i.who, i.sent_at, i.platform, t.total, t.balance, t.status, i.payments,
  CASE WHEN i.sent_at IS NULL AND i.created_at IS NOT NULL THEN 'created, never sent'
    WHEN i.sent_at IS NULL THEN 'never sent in this log; created before it'
    WHEN i.created_at > i.sent_at THEN 'sent before it was created'
    WHEN i.created_at IS NULL THEN 'sent; created before this log'
    ELSE 'complete' END AS verdict, i.events
FROM invoices i LEFT JOIN told t ON t.invoice = i.invoice AND t.source = i.source AND t.instance IS NOT DISTINCT FROM i.instance
ORDER BY verdict = 'complete', verdict, coalesce(i.created_at, i.sent_at), i.invoice
