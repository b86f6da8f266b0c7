/*
title = "Printers on and off line"
question = "Which printers lose their connection, how often, and for how long?"
answers = "One row for each printer: stretches off line, their length, and how much of the time it could be reached."
target = "entity"
optional_target = true
example = "printer:h8e4wwooecx6rdgvjxu7j4zm"
scope = "action_detail IN ('printer.online', 'printer.offline')"
scope_name = "entries of printers going on or off line"
reading = """A stretch runs from an offline entry to the next online one; a flap is one that is shorter than flap_minutes.
`reachable` counts from the first such entry of the printer to the clock. A second offline without an online between them is
one stretch: `unpaired` counts those, for an entry is missing there."""
next_steps = "Printers that flap together share a switch or an access point; one alone has a cable, a card or firmware of its own."
spare = ["events", "stretches", "unpaired", "first", "last", "longest_minutes"]
[parameters.flap_minutes]
default = 10
meaning = "A stretch off line shorter than so many minutes is a flap."
[columns]
printer = "The printer."
offline = "How many stretches off line."
flaps = "How many of them were short."
offline_minutes = "Minutes off line in all."
longest_minutes = "The longest of them."
reachable = "Per cent of the time on line."
down_since = "Since when it is off line, if it is."
unpaired = "Entries that repeat the state that was there."
first = "The first entry."
last = "The last."
stretches = "Each stretch: from when to when."
events = "The entries."
[[unseen]]
when = "action_detail LIKE 'auditLogs.%' OR action_detail LIKE 'audit%.disable'"
text = "Logging was switched {n} times; what printers did meanwhile is not known."
*/
WITH states AS (
  SELECT *, action_detail = 'printer.offline' AS is_off
  FROM (SELECT occurred_at, file, line, event_uid, action_detail, unnest(CASE WHEN len(entity_ids) > 0 THEN entity_ids ELSE [entity_id] END)
      AS printer
    FROM events WHERE action_detail IN ('printer.online', 'printer.offline'))
),
turns AS (
  SELECT *, lag(is_off) OVER w AS was_off FROM states WINDOW w AS (PARTITION BY printer ORDER BY occurred_at, file, line)
),
edges AS (
  SELECT *, lead(occurred_at) OVER (PARTITION BY printer ORDER BY occurred_at, file, line) AS next_at FROM turns
  WHERE was_off IS NULL OR was_off <> is_off
),
spells AS (
  SELECT printer, count(*) AS offline, count(*) FILTER (next_at - occurred_at < to_minutes(CAST($flap_minutes AS BIGINT))) AS flaps,
    sum(epoch(coalesce(next_at, $as_of::TIMESTAMPTZ)) - epoch(occurred_at)) AS seconds,
    max(epoch(coalesce(next_at, $as_of::TIMESTAMPTZ)) - epoch(occurred_at)) AS longest,
    max(CASE WHEN next_at IS NULL THEN occurred_at END) AS down_since,
    list(strftime(occurred_at, '%Y-%m-%d %H:%M:%SZ') || ' – ' || coalesce(strftime(next_at, '%Y-%m-%d %H:%M:%SZ'), 'now')
      ORDER BY occurred_at) AS stretches
  FROM edges WHERE is_off GROUP BY printer
),
seen AS (
  SELECT printer, min(occurred_at) AS first, max(occurred_at) AS last, count(*) FILTER (was_off = is_off) AS unpaired,
    list(event_uid ORDER BY occurred_at, file, line) AS events
  FROM turns GROUP BY printer
)
SELECT s.printer, coalesce(p.offline, 0) AS offline, coalesce(p.flaps, 0) AS flaps,
  round(coalesce(p.seconds, 0) / 60, 1) AS offline_minutes, round(coalesce(p.longest, 0) / 60, 1) AS longest_minutes,
  round(100 - 100 * coalesce(p.seconds, 0) / nullif(epoch($as_of::TIMESTAMPTZ) - epoch(s.first), 0), 2) AS reachable,
  p.down_since, s.unpaired, s.first, s.last, coalesce(p.stretches, []) AS stretches, s.events
FROM seen s LEFT JOIN spells p USING (printer) ORDER BY offline DESC, printer
