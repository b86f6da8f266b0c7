/*
title = "Many records deleted in a short time"
severity = "high"
version = 2
why = """Mass deletion destroys work and evidence. People who leave in anger do it, and so do intruders and slips of the
hand; the sooner it is seen, the more can still be restored."""
false_positives = """Planned clean-ups and migrations. Scheduled jobs, automations and integrations are left out unless
include_machines is set. Failed deletions do not count."""
next_steps = """Ask the person whether it was planned and by whom it was approved. Restore what was not, and keep the
list of ids in the evidence below: it says exactly what to restore."""
scope = "NOT actor_anonymous AND ($include_machines OR actor_type IN ('user', 'customer', 'api_key', 'unknown'))"
needs = ["action"]

[controls]
soc2 = ["CC6.1", "CC7.2", "CC8.1"]
iso27001 = ["A.8.10", "A.8.15", "A.8.16"]
pci = ["10.2.1.7", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(c)(1)"]
nist = ["AU-6", "SI-12"]

[parameters.threshold]
default = 25
minimum = 2
maximum = 1000000
unit = "deleted records"
meaning = "So many records deleted by one person within the window are a finding"

[parameters.window_minutes]
default = 60
minimum = 1
maximum = 10080
unit = "minutes"
meaning = "The length of the sliding window; both ends belong to it"

[parameters.include_machines]
default = false
unit = "yes or no"
meaning = "Whether deletions by schedulers, automations, integrations, webhooks and the product itself count"
*/
WITH deleted AS (
  SELECT e.event_uid, e.occurred_at, e.source, e.entity_type,
    coalesce(a.person, e.source || ':' || e.actor_type) AS person,
    coalesce(a.display_name, 'an unnamed ' || e.actor_type || ' of ' || e.source) AS display_name,
    -- A bulk entry counts what it lists, or the number that it states, whichever is more.
    greatest(1, len(list_distinct(e.entity_ids)),
      CASE WHEN regexp_matches(e.metadata->>'count', '^[0-9]{1,9}$') THEN CAST(e.metadata->>'count' AS BIGINT) END
    ) AS records
  FROM events e
  LEFT JOIN actors a ON a.actor_key = e.actor_key
  WHERE e.action = 'delete' AND e.outcome <> 'failure' AND NOT e.actor_anonymous
    AND ($include_machines OR e.actor_type IN ('user', 'customer', 'api_key', 'unknown'))
),
summed AS (
  SELECT *, sum(records) OVER (
    PARTITION BY person ORDER BY occurred_at
    RANGE BETWEEN $window_minutes * INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW) AS in_window
  FROM deleted
),
-- An event belongs to a finding when some window that reached the threshold covers it.
covered AS (
  SELECT *, max(in_window) OVER (
    PARTITION BY person ORDER BY occurred_at
    RANGE BETWEEN CURRENT ROW AND $window_minutes * INTERVAL 1 MINUTE FOLLOWING) AS best_window
  FROM summed
),
steps AS (
  SELECT *, CASE WHEN occurred_at <= $window_minutes * INTERVAL 1 MINUTE
      + lag(occurred_at) OVER (PARTITION BY person ORDER BY occurred_at, event_uid) THEN 0 ELSE 1 END AS is_first
  FROM covered WHERE best_window >= $threshold
),
islands AS (
  SELECT *, sum(is_first) OVER (PARTITION BY person ORDER BY occurred_at, event_uid) AS island FROM steps
),
incidents AS (
  SELECT person, island, min(display_name) AS subject, min(occurred_at) AS window_start,
    max(occurred_at) AS window_end, sum(records) AS records, max(in_window) AS most,
    count(*) AS entries, string_agg(DISTINCT source, ', ' ORDER BY source) AS sources,
    string_agg(DISTINCT coalesce(entity_type, 'record'), ', ' ORDER BY coalesce(entity_type, 'record')) AS kinds,
    arg_min(event_uid, (-records, occurred_at, event_uid)) AS anchor, list_sort(list(event_uid)) AS events
  FROM islands GROUP BY person, island
)
SELECT
  -- Named by its largest entry (of equals the first). Later data can make an incident longer but never parts its
  -- entries, so no other incident can come to have this name.
  person || '|' || anchor AS key,
  subject,
  window_start,
  window_end,
  records || ' records deleted, ' || most || ' of them within ' || $window_minutes || ' minutes' AS observed,
  'fewer than ' || $threshold || ' within ' || $window_minutes || ' minutes' AS expected,
  subject || ' deleted ' || records || ' records (' || kinds || ') in ' || entries
    || CASE WHEN entries = 1 THEN ' entry' ELSE ' entries' END || ' of ' || sources || '.' AS reason,
  events
FROM incidents
ORDER BY window_start, key
