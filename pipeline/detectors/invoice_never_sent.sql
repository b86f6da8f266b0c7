/*
title = "An invoice was made and never sent"
severity = "medium"
version = 3
why = """What is not sent to the books is not billed, not paid and not taxed. One invoice that was forgotten is money; several
are a connection that broke without anybody noticing."""
false_positives = """Invoices kept back on purpose; a batch that is sent less often than the deadline; invoices that somebody
entered in the books by hand."""
next_steps = """Send it, or cancel it and write down why. If several are missing since the same day, look at the connection to
the books."""
scope = "entity_type = 'invoice' AND outcome <> 'failure'"
lookback = "deadline_days + practice_days + 1 day"
reads = """entity_type = 'invoice' OR action IN ('send', 'sync', 'create') AND category IN ('accounting', 'payment', 'communication')
  AND len(related_entities) > 0"""
needs = ["entity_id"]

[controls]
soc2 = ["PI1.3", "PI1.4"]
iso27001 = ["A.8.16"]
pci = ["10.4.3"]
hipaa = ["164.312(c)(1)"]
nist = ["SI-10", "AU-6"]

[parameters.deadline_days]
default = 5
minimum = 1
maximum = 90
unit = "days"
meaning = "An invoice that was not sent so long after it was made is a finding"

[parameters.practice_days]
default = 30
minimum = 1
maximum = 365
unit = "days"
meaning = "Only where some invoice was sent within so many days before it was made is sending the practice"
*/
WITH made AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, who, entity_id AS invoice, parent_entity_type,
    parent_entity_id
  FROM activity
  WHERE entity_type = 'invoice' AND action = 'create' AND outcome <> 'failure' AND entity_id IS NOT NULL
),
statuses AS (
  SELECT event_uid, bool_or(contains(lower(field), 'status')
    AND regexp_matches(lower(new->>'$'), '(sent|paid|payment|cancel|void|deleted|written off)')) AS settles
  FROM event_changes GROUP BY event_uid
),
-- Sent to the books or the customer, settled, cancelled, or paid: whatever shows that it is not forgotten.
settled AS (
  SELECT e.event_uid, e.source, coalesce(e.instance, '') AS instance, e.occurred_at, i.entity_id AS invoice,
    e.action IN ('send', 'sync') AS is_sent
  FROM activity e
  JOIN event_entities i ON i.event_uid = e.event_uid AND i.entity_type = 'invoice'
  LEFT JOIN statuses s ON s.event_uid = e.event_uid
  WHERE e.outcome NOT IN ('failure', 'pending')
    AND (e.action IN ('send', 'sync', 'delete', 'cancel') OR (e.action = 'create' AND e.entity_type = 'payment') OR s.settles)
),
practised AS (
  SELECT m.event_uid
  FROM made m
  JOIN settled s ON s.source = m.source AND s.instance = m.instance AND s.is_sent AND s.invoice <> m.invoice
    AND s.occurred_at <= m.occurred_at + $deadline_days * INTERVAL 1 DAY
    AND s.occurred_at >= m.occurred_at - $practice_days * INTERVAL 1 DAY
  GROUP BY m.event_uid
),
done AS (
  SELECT m.event_uid
  FROM made m
  JOIN settled s ON s.source = m.source AND s.instance = m.instance AND s.invoice = m.invoice
    AND s.occurred_at <= m.occurred_at + $deadline_days * INTERVAL 1 DAY
    AND s.occurred_at >= m.occurred_at - $practice_days * INTERVAL 1 DAY
  GROUP BY m.event_uid
)
SELECT
  m.source || '|' || m.instance || '|' || m.invoice || '|' || m.event_uid AS key,
  'invoice ' || m.invoice || ' (' || m.source || coalesce(', ' || nullif(m.instance, ''), '') || ')' AS subject,
  m.occurred_at AS window_start,
  m.occurred_at + $deadline_days * INTERVAL 1 DAY AS window_end,
  'not sent within ' || $deadline_days || ' days' AS observed,
  'sent, paid or cancelled within ' || $deadline_days || ' days' AS expected,
  m.who || ' made invoice ' || m.invoice
    || coalesce(' for ' || m.parent_entity_type || ' ' || m.parent_entity_id, '')
    || ', and until ' || strftime((m.occurred_at + $deadline_days * INTERVAL 1 DAY) AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M')
    || ' UTC nothing says that it was sent. Others were.' AS reason,
  'the invoice sent, paid or cancelled' AS cleared_by,
  [m.event_uid] AS events
FROM made m
JOIN practised p ON p.event_uid = m.event_uid
JOIN spans s ON s.source = m.source
-- A tenant's log may be away while another tenant's goes on.
LEFT JOIN tenants t ON t.source = m.source AND t.instance = m.instance
LEFT JOIN done d ON d.event_uid = m.event_uid
WHERE d.event_uid IS NULL AND coalesce(t.last_at, s.last_at) >= m.occurred_at + $deadline_days * INTERVAL 1 DAY
ORDER BY window_start, key
