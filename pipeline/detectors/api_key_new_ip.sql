/*
title = "An API key is used from another network"
severity = "high"
version = 1
why = """A key works from wherever it lies. It is used from one place for months; the day it comes from another, somebody copied
it."""
false_positives = """A program that was moved to another host or provider, which somebody knows. Keys that come from many networks
anyway are not judged."""
next_steps = """Ask whoever answers for the key whether it was moved. If not: revoke it now, make a new one, and read what was done
with it from there."""
scope = "actor_type IN ('api_key', 'integration', 'webhook') AND NOT actor_anonymous"
needs = ["source_ip", "api_key_id_masked or actor_id or actor_email or actor_name"]
baseline_days = "min_baseline_days"
attack = ["T1078.004", "T1528"]
lookback = "first_hours + 1 day"
habits = "baseline_days + first_hours + 1 day"

[controls]
soc2 = ["CC6.1", "CC6.6", "CC7.2"]
iso27001 = ["A.5.17", "A.8.16"]
pci = ["8.6.1", "10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(d)"]
nist = ["AC-2(12)", "IA-5", "SI-4"]

[parameters.min_baseline_days]
default = 7
minimum = 1
maximum = 365
unit = "days"
meaning = "Earlier days with a known address that a key needs before a new one means anything"

[parameters.baseline_days]
default = 90
minimum = 1
maximum = 730
unit = "days"
meaning = "How far back earlier addresses are looked for"

[parameters.roaming_percent]
default = 30
minimum = 1
maximum = 1000
unit = "percent"
meaning = "A key with more earlier networks than this share of its earlier days changes network too often to judge"

[parameters.whole_networks]
default = true
unit = "yes or no"
meaning = "Whether an address in a /24 (IPv4) or /48 (IPv6) that the key used before counts as known"

[parameters.first_hours]
default = 24
minimum = 1
maximum = 720
unit = "hours"
meaning = "The events of so many hours from the first use are the evidence"
*/
WITH days AS (
  SELECT coalesce(source || ':' || api_key_id_masked, person) AS holder, source_ip, day, min(network) AS network,
    min(first_at) AS first_at, max(last_at) AS last_at
  FROM places
  WHERE actor_type IN ('api_key', 'integration', 'webhook') AND NOT actor_anonymous AND source_ip IS NOT NULL
    AND (is_named OR api_key_id_masked IS NOT NULL)
  GROUP BY coalesce(source || ':' || api_key_id_masked, person), source_ip, day
),
uses AS (
  SELECT *, lag(last_at) OVER (PARTITION BY holder, source_ip ORDER BY day) AS before FROM days
),
fresh AS (
  SELECT holder, source_ip, network, day, first_at AS first_use FROM uses
  WHERE before IS NULL OR before < first_at - $baseline_days * INTERVAL 1 DAY
),
pasts AS (
  SELECT f.holder, f.source_ip, f.day, count(DISTINCT d.day) AS past_days, count(DISTINCT d.network) AS past_networks,
    bool_or(d.network = f.network) AS is_near
  FROM fresh f JOIN days d ON d.holder = f.holder AND d.day < f.day AND d.day >= f.day - $baseline_days
  GROUP BY f.holder, f.source_ip, f.day
),
found AS (
  SELECT f.holder, f.source_ip, f.first_use, p.past_days, p.past_networks
  FROM fresh f JOIN pasts p ON p.holder = f.holder AND p.source_ip = f.source_ip AND p.day = f.day
  WHERE p.past_days >= $min_baseline_days AND p.past_networks * 100 <= greatest(p.past_days * $roaming_percent, 100)
    AND (NOT $whole_networks OR NOT p.is_near)
)
SELECT
  f.holder || '|' || f.source_ip || '|' || strftime(timezone('UTC', f.first_use), '%Y-%m-%d') AS key,
  min(coalesce(s.who || ' (' || s.api_key_id_masked || ')', s.who)) AS subject,
  min(s.occurred_at) AS window_start,
  max(s.occurred_at) AS window_end,
  count(*) || CASE WHEN count(*) = 1 THEN ' event' ELSE ' events' END || ' from ' || f.source_ip
    || ' in the first ' || $first_hours || ' hours' AS observed,
  'the ' || CASE WHEN f.past_networks = 1 THEN 'network' ELSE f.past_networks || ' networks' END || ' of the ' || f.past_days || ' days before' AS expected,
  'The key of ' || min(s.who) || ' in ' || min(s.source) || ' came from ' || f.source_ip || ' for the first time in ' || $baseline_days || ' days'
    || coalesce(', with ' || left(min(s.user_agent), 80), '') || '.' AS reason,
  'an earlier use of the key from that network' AS cleared_by,
  list_sort(list(s.event_uid)) AS events
FROM found f
JOIN activity s ON coalesce(s.source || ':' || s.api_key_id_masked, s.person) = f.holder AND s.source_ip = f.source_ip
  AND s.actor_type IN ('api_key', 'integration', 'webhook') AND NOT s.actor_anonymous
  AND s.occurred_at >= f.first_use AND s.occurred_at < f.first_use + $first_hours * INTERVAL 1 HOUR
GROUP BY f.holder, f.source_ip, f.first_use, f.past_days, f.past_networks
ORDER BY window_start, key
