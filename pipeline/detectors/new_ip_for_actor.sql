/*
title = "First use of an address"
severity = "medium"
version = 2
why = """Stolen passwords, sessions and API keys are used from somewhere else. An address that a person, or a key, has
never come from is the first trace of it."""
false_positives = """Travel, a new home or provider, a VPN that was just introduced. Not reported: addresses that other
people of the organization used before (an office), and people whose address changes all the time (mobile networks),
for whom a new address says nothing."""
next_steps = """Look up whose address it is and ask the person. Compare the browser with their usual one, read what was
done from there in the first day, and revoke the session or key if nobody recognises it."""
scope = "actor_type IN ('user', 'api_key') AND NOT actor_anonymous"
needs = ["source_ip", "actor_email or actor_id or actor_name"]
baseline_days = "min_baseline_days"

[controls]
soc2 = ["CC6.1", "CC6.6", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.2.2", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AC-2(12)", "AU-6"]

[parameters.min_baseline_days]
default = 7
minimum = 1
maximum = 365
unit = "days"
meaning = "Earlier days with a known address that a person needs before a new one means anything"

[parameters.min_events]
default = 20
minimum = 1
maximum = 100000
unit = "events"
meaning = "Earlier events with a known address that a person needs, too"

[parameters.known_to_others]
default = 2
minimum = 1
maximum = 10000
unit = "people"
meaning = "An address that so many other people used before is the organization's own and left alone"

[parameters.roaming_percent]
default = 50
minimum = 1
maximum = 1000
unit = "percent"
meaning = "A person with more earlier addresses than this share of their earlier days changes address too often to judge"

[parameters.familiar_networks]
default = false
unit = "yes or no"
meaning = "Whether an address in a /24 (IPv4) or /48 (IPv6) that the person used before counts as familiar"

[parameters.first_hours]
default = 24
minimum = 1
maximum = 720
unit = "hours"
meaning = "The events of so many hours from the first use are the evidence"
*/
WITH seen AS (
  SELECT a.person, a.display_name, e.event_uid, e.occurred_at, e.source_ip, c.local_date,
    CASE WHEN left(hex(e.ip_key), 24) = '00000000000000000000FFFF' THEN left(hex(e.ip_key), 30)
         ELSE left(hex(e.ip_key), 12) END AS network
  FROM events e
  JOIN actors a ON a.actor_key = e.actor_key
  JOIN calendar c ON c.schedule = a.schedule AND c.slot = time_bucket(INTERVAL 15 MINUTE, e.occurred_at)
  WHERE e.actor_type IN ('user', 'api_key') AND NOT e.actor_anonymous AND e.source_ip IS NOT NULL
),
addresses AS (
  SELECT person, source_ip, min(network) AS network, min(display_name) AS subject, min(occurred_at) AS first_use
  FROM seen GROUP BY person, source_ip
),
networks AS (
  SELECT person, network, min(occurred_at) AS first_use FROM seen GROUP BY person, network
),
-- Past days are whole local days, so that the first day of an address does not vouch for it.
days AS (
  SELECT person, local_date, max(occurred_at) AS ends, count(*) AS n
  FROM seen GROUP BY person, local_date
),
pasts AS (
  SELECT n.person, n.source_ip, count(*) AS past_days, sum(d.n) AS past_events
  FROM addresses n JOIN days d ON d.person = n.person AND d.ends < n.first_use
  GROUP BY n.person, n.source_ip
),
earlier AS (
  SELECT n.person, n.source_ip, count(*) AS past_addresses
  FROM addresses n JOIN addresses o ON o.person = n.person AND o.first_use < n.first_use
  GROUP BY n.person, n.source_ip
),
others AS (
  SELECT n.person, n.source_ip, count(*) AS people
  FROM addresses n JOIN addresses o ON o.source_ip = n.source_ip AND o.person <> n.person AND o.first_use < n.first_use
  GROUP BY n.person, n.source_ip
),
found AS (
  SELECT n.person, n.source_ip, n.subject, n.first_use, p.past_days, p.past_events, b.past_addresses
  FROM addresses n
  JOIN pasts p ON p.person = n.person AND p.source_ip = n.source_ip
  JOIN earlier b ON b.person = n.person AND b.source_ip = n.source_ip
  JOIN networks w ON w.person = n.person AND w.network = n.network
  LEFT JOIN others o ON o.person = n.person AND o.source_ip = n.source_ip
  WHERE p.past_days >= $min_baseline_days AND p.past_events >= $min_events
    AND coalesce(o.people, 0) < $known_to_others
    AND b.past_addresses * 100 <= p.past_days * $roaming_percent
    AND (NOT $familiar_networks OR w.first_use = n.first_use)
)
SELECT
  -- With the day: where later data show that the first use was another one, that is another finding to decide.
  f.person || '|' || f.source_ip || '|' || strftime(f.first_use AT TIME ZONE 'UTC', '%Y-%m-%d') AS key,
  f.subject,
  min(s.occurred_at) AS window_start,
  max(s.occurred_at) AS window_end,
  count(*) || CASE WHEN count(*) = 1 THEN ' event' ELSE ' events' END || ' from ' || f.source_ip
    || ' in the first ' || $first_hours || ' hours' AS observed,
  'one of the ' || f.past_addresses || CASE WHEN f.past_addresses = 1 THEN ' address' ELSE ' addresses' END
    || ' used before' AS expected,
  f.subject || ' came from ' || f.source_ip || ' for the first time, after ' || f.past_events || ' events on '
    || f.past_days || ' days from ' || f.past_addresses
    || CASE WHEN f.past_addresses = 1 THEN ' other address.' ELSE ' other addresses.' END AS reason,
  list_sort(list(s.event_uid)) AS events
FROM found f
JOIN seen s ON s.person = f.person AND s.source_ip = f.source_ip
  AND s.occurred_at < f.first_use + $first_hours * INTERVAL 1 HOUR
GROUP BY f.person, f.source_ip, f.subject, f.first_use, f.past_days, f.past_events, f.past_addresses
ORDER BY window_start, key
