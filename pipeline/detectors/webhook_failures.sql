/*
title = "Webhooks that do not arrive"
severity = "medium"
version = 2
why = """What a webhook carries is told once: a payment, a parcel, a contact. While deliveries fail the two systems drift
apart, and nobody is told unless somebody looks here."""
false_positives = """A receiver that is down for planned work and asks again later; a handful of bad calls from a stranger."""
next_steps = """Look at the response of the calls below. Mend the receiver (or the address and its secret), then have what failed
sent again: most senders can."""
scope = "event_type_raw = 'WEBHOOK' OR channel = 'webhook' OR actor_type = 'webhook'"
lookback = "window_minutes + 2 days"
needs = ["outcome or metadata"]

[controls]
soc2 = ["A1.2", "CC7.2", "PI1.2"]
iso27001 = ["A.8.16", "A.8.21"]
pci = ["10.7.2"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["SI-4", "SI-11"]

[parameters.threshold]
default = 5
minimum = 2
maximum = 100000
unit = "failures"
meaning = "So many failed calls of one counterparty within the window are a finding"

[parameters.window_minutes]
default = 60
minimum = 1
maximum = 1440
unit = "minutes"
meaning = "The length of the sliding window; both ends belong to it"

[parameters.min_share]
default = 0.3
minimum = 0.0
maximum = 1.0
unit = "share"
meaning = "So many of the counterparty's calls in the window must have failed, as a share"
*/
WITH calls AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, local_date,
    coalesce(actor_name, actor_email, actor_id, actor_type) AS party, coalesce(direction, 'incoming') AS direction,
    metadata->'response'->>'status' AS status,
    -- A payment that was declined is told by a call that worked; a call failed when the product or its answer says so.
    CASE WHEN outcome = 'failure' OR coalesce(regexp_matches(metadata->'response'->>'status', '^[45][0-9][0-9]$'), false)
      THEN 1 ELSE 0 END AS failed
  FROM activity
  WHERE event_type_raw = 'WEBHOOK' OR channel = 'webhook' OR actor_type = 'webhook'
),
counted AS (
  SELECT *, sum(failed) OVER near AS bad, count(*) OVER near AS n
  FROM calls
  WINDOW near AS (PARTITION BY source, instance, party, direction, local_date ORDER BY occurred_at
    RANGE BETWEEN $window_minutes * INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW)
),
covered AS (
  SELECT *, max(CASE WHEN bad >= $threshold AND bad >= n * $min_share THEN bad END) OVER (
    PARTITION BY source, instance, party, direction, local_date ORDER BY occurred_at
    RANGE BETWEEN CURRENT ROW AND $window_minutes * INTERVAL 1 MINUTE FOLLOWING) AS best
  FROM counted
)
SELECT
  source || '|' || instance || '|' || party || '|' || direction || '|' || local_date AS key,
  party || ', ' || direction || ' (' || source || coalesce(', ' || nullif(instance, ''), '') || ')' AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  count(*) || ' failed calls, ' || max(best) || ' of them within ' || $window_minutes || ' minutes' AS observed,
  'fewer than ' || $threshold || ' within ' || $window_minutes || ' minutes, or less than ' || $min_share || ' of the calls' AS expected,
  count(*) || ' ' || direction || ' calls of ' || party || ' failed on ' || local_date
    || coalesce(', answered with ' || string_agg(DISTINCT status, ', ' ORDER BY status), '') || '.' AS reason,
  (max(best) - $threshold + 1) || CASE WHEN max(best) = $threshold THEN ' failure fewer' ELSE ' failures fewer' END AS cleared_by,
  list_sort(list(event_uid)) AS events
FROM covered
WHERE failed = 1 AND best IS NOT NULL
GROUP BY source, instance, party, direction, local_date
ORDER BY window_start, key
