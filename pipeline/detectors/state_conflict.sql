/*
title = "The old value is not the one that was set last"
severity = "medium"
version = 2
why = """Every change says what stood there before. When that is not what the change before it had set, something happened in
between that the log does not have: an entry was removed, the log was off, or the data was changed past the product."""
false_positives = """Fields that the product also changes by itself without writing an entry; two changes at once; entries that were
not exported. A field whose history often breaks is not judged: here it usually holds."""
next_steps = """Look at the history of the thing on both sides of the break, and at the log's own gaps of that time. Ask the
vendor which entries exist between the two. Compare with a backup where it matters."""
scope = "len(changes) > 0 AND (entity_id IS NOT NULL OR len(entity_ids) > 0) AND outcome <> 'failure'"
lookback = "memory_days + practice_days + 1 day"
needs = ["changes", "entity_type"]
attack = ["T1070", "T1565.001"]

[controls]
soc2 = ["CC7.2", "PI1.3", "PI1.5"]
iso27001 = ["A.8.15", "A.5.33"]
pci = ["10.3.4", "11.5.2"]
hipaa = ["164.312(c)(1)", "164.312(c)(2)"]
nist = ["AU-9", "SI-7"]

[parameters.memory_days]
default = 14
minimum = 1
maximum = 365
unit = "days"
meaning = "The change before must not be longer ago"

[parameters.practice_days]
default = 7
minimum = 1
maximum = 90
unit = "days"
meaning = "So long before the break it is counted how often the field's history holds"

[parameters.max_share]
default = 0.1
minimum = 0.0
maximum = 1.0
unit = "share"
meaning = "A field whose history breaks more often than that is not judged"
*/
WITH kinds AS (
  SELECT row_number() OVER () AS kind, source, instance, entity_type
  FROM (SELECT DISTINCT source, coalesce(instance, '') AS instance, entity_type FROM activity WHERE entity_type IS NOT NULL)
),
things AS (
  SELECT e.event_uid, e.occurred_at, e.changes, k.kind,
    unnest(CASE WHEN len(e.entity_ids) = 0 THEN [e.entity_id] ELSE list_distinct(e.entity_ids || [e.entity_id]) END) AS entity_id
  FROM activity e
  JOIN kinds k ON k.source = e.source AND k.instance = coalesce(e.instance, '') AND k.entity_type = e.entity_type
  WHERE e.outcome <> 'failure' AND len(e.changes) > 0
),
-- What changed only once did not change before. A number for each of the others is compared sooner than its name.
repeated AS (
  SELECT row_number() OVER () AS thing, kind, entity_id FROM things GROUP BY kind, entity_id HAVING count(*) > 1
),
sides AS (
  SELECT t.event_uid, t.occurred_at, t.kind, r.thing, unnest(t.changes) AS c
  FROM things t JOIN repeated r ON r.kind = t.kind AND r.entity_id = t.entity_id
),
-- The values are compared as they are written; a value of null says nothing.
followed AS (
  SELECT event_uid, occurred_at, kind, thing, c.field AS field, nullif(c.old, 'null') AS old,
    lag(nullif(c.new, 'null')) OVER history AS set_before, lag(occurred_at) OVER history AS set_at,
    lag(event_uid) OVER history AS set_by
  FROM sides WHERE c.new_present AND NOT c.redacted
  WINDOW history AS (PARTITION BY thing, c.field ORDER BY occurred_at, event_uid)
),
pairs AS (
  SELECT *, CASE WHEN old = set_before THEN 0 ELSE 1 END AS breaks
  FROM followed
  WHERE old IS NOT NULL AND set_before IS NOT NULL AND set_at < occurred_at
    AND set_at >= occurred_at - $memory_days * INTERVAL 1 DAY
),
-- Most fields never break, and some always do: of whole days that is seen without a look at each change.
days AS (
  SELECT kind, field, date_trunc('day', timezone('UTC', occurred_at)) AS day, sum(breaks) AS breaks, count(*) AS n
  FROM pairs GROUP BY kind, field, date_trunc('day', timezone('UTC', occurred_at))
),
counted AS (
  SELECT d.kind, d.field, d.day, sum(b.n) AS most,
    coalesce(sum(b.breaks) FILTER (b.day < d.day AND b.day > d.day - $practice_days * INTERVAL 1 DAY), 0) AS least
  FROM days d
  JOIN days b ON b.kind = d.kind AND b.field = d.field
    AND b.day <= d.day AND b.day >= d.day - $practice_days * INTERVAL 1 DAY
  WHERE d.breaks > 0
  GROUP BY d.kind, d.field, d.day
),
practised AS (
  SELECT p.*, timezone('UTC', d.day) AS day, sum(p.breaks) OVER near AS broken, count(*) OVER near AS seen,
    -- What a status or a figure says is the business itself; of other fields it must first be seen that they hold.
    CASE WHEN regexp_matches(lower(p.field), '(status|stage|total|quantity|amount|price|role)') THEN 1 ELSE 5 END AS needed
  FROM pairs p
  JOIN counted d ON d.kind = p.kind AND d.field = p.field AND (d.least = 0 OR d.least < d.most * $max_share)
    AND timezone('UTC', p.occurred_at) < d.day + INTERVAL 1 DAY
    AND timezone('UTC', p.occurred_at) >= d.day - $practice_days * INTERVAL 1 DAY
  WINDOW near AS (PARTITION BY p.kind, p.field, d.day ORDER BY p.occurred_at
    RANGE BETWEEN $practice_days * INTERVAL 1 DAY PRECEDING AND CURRENT ROW)
),
told AS (
  SELECT p.* EXCLUDE (old, set_before), CAST(p.old AS JSON)->>'$' AS old, CAST(p.set_before AS JSON)->>'$' AS set_before,
    r.entity_id, e.source, coalesce(e.instance, '') AS instance, e.entity_type, e.who, e.local_date
  FROM practised p JOIN activity e ON e.event_uid = p.event_uid JOIN repeated r ON r.thing = p.thing
  WHERE p.breaks = 1 AND p.occurred_at >= p.day AND p.seen - p.broken >= p.needed
    AND (p.broken = 1 OR p.broken <= p.seen * $max_share)
)
SELECT
  source || '|' || instance || '|' || entity_type || '|' || field || '|' || local_date AS key,
  CASE WHEN count(DISTINCT entity_id) = 1 THEN entity_type || ' ' || min(entity_id)
       ELSE count(DISTINCT entity_id) || ' of entity type ' || entity_type END
    || ' (' || source || coalesce(', ' || nullif(instance, ''), '') || ')' AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  count(*) || CASE WHEN count(*) = 1 THEN ' change' ELSE ' changes' END || ' of ' || field || ' not from the value set last; the first: '
    || left(arg_min(set_before, (occurred_at, event_uid)), 80) || ' was set, ' || left(arg_min(old, (occurred_at, event_uid)), 80)
    || ' is said' AS observed,
  'every change from the value that was set last' AS expected,
  string_agg(DISTINCT who, ', ' ORDER BY who) || ' changed ' || field || ' of ' || entity_type || ' '
    || arg_min(entity_id, (occurred_at, event_uid)) || ' from ' || left(arg_min(old, (occurred_at, event_uid)), 80)
    || ', but the entry before it, of ' || strftime(arg_min(set_at, (occurred_at, event_uid)) AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M')
    || ' UTC, had set it to ' || left(arg_min(set_before, (occurred_at, event_uid)), 80) || '. Of ' || max(seen)
    || ' changes of this field in ' || $practice_days || ' days ' || max(broken)
    || CASE WHEN max(broken) = 1 THEN ' does' ELSE ' do' END || ' not follow.' AS reason,
  'an entry in between that sets ' || field || ' to ' || left(arg_min(old, (occurred_at, event_uid)), 80) AS cleared_by,
  list_sort(list_distinct(list(set_by) || list(event_uid))) AS events
FROM told
GROUP BY source, instance, entity_type, field, local_date
ORDER BY window_start, key
