/*
title = "An entry of the log was rewritten"
severity = "high"
version = 1
why = """An entry of an audit log is written once. When a later export holds the same entry with other content, either the
product changed what had happened, or the export was edited on its way here."""
false_positives = """A product that completes its entries afterwards (a name filled in, a running job that ended); two exports of
the same log with different columns or in different zones; a mapping that takes something for the id which is none."""
next_steps = """Compare the two lines (`auditbook show` gives both, with file and line). If what happened, who did it or when
differs, ask the vendor which is true and how the other came to be; keep both files as evidence."""
about = "log"
scope = "source_event_id IS NOT NULL OR conflicts_with IS NOT NULL"
lookback = "2 days"
needs = ["source_event_id"]
attack = ["T1565.001"]

[controls]
soc2 = ["CC7.2", "PI1.5"]
iso27001 = ["A.8.15", "A.5.33"]
pci = ["10.3.2", "10.3.4"]
hipaa = ["164.312(c)(1)", "164.312(c)(2)"]
nist = ["AU-9", "AU-10", "SI-7"]
*/
WITH second AS (
  SELECT * FROM activity WHERE conflicts_with IS NOT NULL
),
-- What differs can be told when the two are of about one day.
pairs AS (
  SELECT s.event_uid, s.conflicts_with, s.source, coalesce(s.instance, '') AS instance, s.occurred_at, s.local_date, s.file,
    coalesce(s.source_event_id, s.event_uid) AS entry,
    CASE WHEN f.event_uid IS NULL THEN 'its time'
      ELSE coalesce(nullif(
        CASE WHEN s.occurred_at IS DISTINCT FROM f.occurred_at THEN ', its time' ELSE '' END
        || CASE WHEN s.actor_key IS DISTINCT FROM f.actor_key OR s.actor_type IS DISTINCT FROM f.actor_type THEN ', who did it' ELSE '' END
        || CASE WHEN s.action IS DISTINCT FROM f.action OR s.action_detail IS DISTINCT FROM f.action_detail THEN ', what was done' ELSE '' END
        || CASE WHEN s.entity_id IS DISTINCT FROM f.entity_id OR s.entity_ids IS DISTINCT FROM f.entity_ids THEN ', to what' ELSE '' END
        || CASE WHEN s.changes IS DISTINCT FROM f.changes THEN ', the change' ELSE '' END
        || CASE WHEN s.outcome IS DISTINCT FROM f.outcome THEN ', how it ended' ELSE '' END
        || CASE WHEN s.source_ip IS DISTINCT FROM f.source_ip THEN ', from where' ELSE '' END, ''), ', something else') END AS differs
  FROM second s
  LEFT JOIN activity f ON f.event_uid = s.conflicts_with AND f.occurred_at >= s.occurred_at - INTERVAL 1 DAY
    AND f.occurred_at <= s.occurred_at + INTERVAL 1 DAY
),
told AS (
  SELECT *, CASE WHEN starts_with(differs, ', ') THEN substring(differs, 3) ELSE differs END AS what FROM pairs
)
SELECT
  source || '|' || instance || '|' || file || '|' || local_date AS key,
  source || CASE WHEN instance = '' THEN '' ELSE ' (' || instance || ')' END || ', ' || file AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  count(*) || CASE WHEN count(*) = 1 THEN ' entry' ELSE ' entries' END || ' with the id of another and other content' AS observed,
  'the same id, the same content' AS expected,
  CASE WHEN count(*) = 1 THEN 'Entry ' ELSE 'Entries ' END || string_agg(DISTINCT entry, ', ' ORDER BY entry)
    || ' of ' || file || ': an entry with that id was loaded with other content. What differs: '
    || string_agg(DISTINCT what, '; ' ORDER BY what) || '.' AS reason,
  'the content that was loaded first' AS cleared_by,
  list_sort(list_distinct(list(event_uid) || list(conflicts_with))) AS events
FROM told
GROUP BY source, instance, file, local_date
ORDER BY window_start, key
