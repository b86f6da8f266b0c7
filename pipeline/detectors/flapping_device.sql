/*
title = "A device that keeps losing its connection"
severity = "low"
version = 1
why = """A printer that comes and goes ruins what it prints, and every time it is away nobody sees what it does. It is a loose
cable, a network at its limit, or somebody at the switch."""
false_positives = """Maintenance; a power cut; firmware that is being updated."""
next_steps = """Look at the device's network and power. If several began at once, look at what they share."""
scope = "action_detail IS NOT NULL AND (category = 'printer' OR entity_type IN ('printer', 'device', 'host', 'agent'))"
lookback = "window_minutes + 2 days"
reads = "regexp_matches(lower(action_detail), '(^|[._ -])(offline|disconnected|connection[._ -]?lost)$')"
needs = ["entity_id"]

[controls]
soc2 = ["A1.1", "CC7.2"]
iso27001 = ["A.8.16", "A.7.13"]
pci = ["10.7.2"]
hipaa = ["164.310(d)(1)"]
nist = ["SI-4", "CP-10"]

[parameters.threshold]
default = 4
minimum = 2
maximum = 10000
unit = "losses"
meaning = "So many losses of the connection within the window are a finding"

[parameters.window_minutes]
default = 120
minimum = 1
maximum = 1440
unit = "minutes"
meaning = "The length of the sliding window; both ends belong to it"
*/
WITH losses AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, local_date, entity_type, entity_id,
    coalesce(entity_name, metadata->>'printerName', metadata->>'name') AS name
  FROM activity
  WHERE regexp_matches(lower(action_detail), '(^|[._ -])(offline|disconnected|connection[._ -]?lost)$')
    AND entity_id IS NOT NULL AND (category = 'printer' OR entity_type IN ('printer', 'device', 'host', 'agent'))
),
counted AS (
  SELECT *, count(*) OVER (PARTITION BY source, instance, entity_id, local_date ORDER BY occurred_at
    RANGE BETWEEN $window_minutes * INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW) AS in_window
  FROM losses
),
-- A loss belongs to the finding when some window that reached the threshold covers it.
covered AS (
  SELECT *, max(in_window) OVER (PARTITION BY source, instance, entity_id, local_date ORDER BY occurred_at
    RANGE BETWEEN CURRENT ROW AND $window_minutes * INTERVAL 1 MINUTE FOLLOWING) AS best
  FROM counted
)
SELECT
  source || '|' || instance || '|' || entity_id || '|' || local_date AS key,
  coalesce(max(name) || ' (' || entity_id || ')', max(coalesce(entity_type, 'device')) || ' ' || entity_id) AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  count(*) || ' losses of the connection, ' || max(best) || ' of them within ' || $window_minutes || ' minutes' AS observed,
  'fewer than ' || $threshold || ' within ' || $window_minutes || ' minutes' AS expected,
  coalesce(max(name), entity_id) || ' of ' || source || ' was gone ' || count(*) || ' times on ' || local_date || '.' AS reason,
  (max(best) - $threshold + 1) || CASE WHEN max(best) = $threshold THEN ' loss fewer' ELSE ' losses fewer' END AS cleared_by,
  list_sort(list(event_uid)) AS events
FROM covered
WHERE best >= $threshold
GROUP BY source, instance, entity_id, local_date
ORDER BY window_start, key
