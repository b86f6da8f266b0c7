/*
title = "First use of an address"
severity = "medium"
version = 4
why = """Stolen passwords and sessions are used from somewhere else. An address that a person has not come from for months is
the first trace of it. (For API keys see api_key_new_ip.)"""
false_positives = """A VPN that was just introduced, and a telephone that is used beside the computer. Not reported: addresses that
other people of the organization used before (an office), people whose address changes all the time (mobile networks),
and days on which somebody is only there and nowhere they usually are (travel, a new home)."""
next_steps = """Look up whose address it is and ask the person. Compare the browser with their usual one, read what was
done from there in the first day, and revoke the session if nobody recognises it."""
scope = "actor_type = 'user' AND NOT actor_anonymous"
needs = ["source_ip", "actor_email or actor_id or actor_name"]
baseline_days = "min_baseline_days"
attack = ["T1078"]
lookback = "first_hours + 1 day"
lookahead = "beside_hours + 1 day"
habits = "baseline_days + first_hours + 1 day"

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

[parameters.baseline_days]
default = 90
minimum = 1
maximum = 730
unit = "days"
meaning = "How far back earlier addresses are looked for: one not used for so long is new again"

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
default = 25
minimum = 1
maximum = 1000
unit = "percent"
meaning = "Who came from a new address on more than this share of their earlier days changes address too often to judge"

[parameters.familiar_networks]
default = true
unit = "yes or no"
meaning = "Whether an address in a /24 (IPv4) or /48 (IPv6) that the person used before counts as familiar"

[parameters.first_hours]
default = 24
minimum = 1
maximum = 720
unit = "hours"
meaning = "The events of so many hours from the first use are the evidence"

[parameters.beside_hours]
default = 12
minimum = 0
maximum = 168
unit = "hours"
meaning = "A known address must have been used so shortly before or after: who moves or travels is in one place, two at once are two people. 0: not asked"

[parameters.min_new_events]
default = 2
minimum = 1
maximum = 100000
unit = "events"
meaning = "Fewer events from there are left alone, unless one of them is sensitive by its class"
*/
WITH days AS (
  SELECT person, source_ip, day, min(network) AS network, sum(n) AS n, min(first_at) AS first_at, max(last_at) AS last_at
  FROM places WHERE actor_type = 'user' AND NOT actor_anonymous AND source_ip IS NOT NULL
  GROUP BY person, source_ip, day
),
uses AS (
  SELECT *, lag(last_at) OVER (PARTITION BY person, source_ip ORDER BY day) AS before FROM days
),
fresh AS (
  SELECT person, source_ip, network, day, first_at AS first_use, last_at AS last_use FROM uses
  WHERE before IS NULL OR before < first_at - $baseline_days * INTERVAL 1 DAY
),
-- Past days are whole days, so that the first day of an address does not vouch for it.
pasts AS (
  SELECT f.person, f.source_ip, f.day, count(DISTINCT d.day) AS past_days, sum(d.n) AS past_events,
    count(DISTINCT d.source_ip) AS past_addresses, bool_or(d.network = f.network) AS is_near
  FROM fresh f JOIN days d ON d.person = f.person AND d.day < f.day AND d.day >= f.day - $baseline_days
  GROUP BY f.person, f.source_ip, f.day
),
-- On how many of those days there was a new one: a day of many is one day.
changes AS (
  SELECT f.person, f.source_ip, f.day, count(DISTINCT g.day) AS new_days
  FROM fresh f JOIN fresh g ON g.person = f.person AND g.day < f.day AND g.day >= f.day - $baseline_days
  GROUP BY f.person, f.source_ip, f.day
),
others AS (
  SELECT f.person, f.source_ip, f.day, count(DISTINCT o.person) AS people
  FROM fresh f JOIN days o ON o.source_ip = f.source_ip AND o.person <> f.person AND o.first_at < f.first_use
    AND o.day >= f.day - $baseline_days
  GROUP BY f.person, f.source_ip, f.day
),
beside AS (
  SELECT DISTINCT f.person, f.source_ip, f.day
  FROM fresh f
  JOIN days k ON k.person = f.person AND k.source_ip <> f.source_ip AND k.day >= f.day - 8 AND k.day <= f.day + 8
    AND k.first_at <= f.last_use + $beside_hours * INTERVAL 1 HOUR AND k.last_at >= f.first_use - $beside_hours * INTERVAL 1 HOUR
  JOIN days o ON o.person = k.person AND o.source_ip = k.source_ip AND o.day < f.day AND o.day >= f.day - $baseline_days
),
found AS (
  SELECT f.person, f.source_ip, f.day, f.first_use, p.past_days, p.past_events, p.past_addresses
  FROM fresh f
  JOIN pasts p ON p.person = f.person AND p.source_ip = f.source_ip AND p.day = f.day
  LEFT JOIN others o ON o.person = f.person AND o.source_ip = f.source_ip AND o.day = f.day
  LEFT JOIN changes c ON c.person = f.person AND c.source_ip = f.source_ip AND c.day = f.day
  LEFT JOIN beside b ON b.person = f.person AND b.source_ip = f.source_ip AND b.day = f.day
  WHERE p.past_days >= $min_baseline_days AND p.past_events >= $min_events
    AND coalesce(o.people, 0) < $known_to_others
    AND coalesce(c.new_days, 0) * 100 <= p.past_days * $roaming_percent
    AND (NOT $familiar_networks OR NOT p.is_near) AND ($beside_hours = 0 OR b.day IS NOT NULL)
)
SELECT
  -- A day with many is one incident; where later data show that the first use was another day, that is another to decide.
  f.person || '|' || f.day AS key,
  min(s.who) AS subject,
  min(s.occurred_at) AS window_start,
  max(s.occurred_at) AS window_end,
  count(*) || CASE WHEN count(*) = 1 THEN ' event' ELSE ' events' END || ' from '
    || CASE WHEN count(DISTINCT f.source_ip) = 1 THEN min(f.source_ip) ELSE count(DISTINCT f.source_ip) || ' new addresses' END
    || ' in the first ' || $first_hours || ' hours' AS observed,
  'one of the ' || min(f.past_addresses) || CASE WHEN min(f.past_addresses) = 1 THEN ' address' ELSE ' addresses' END
    || ' used before' AS expected,
  min(s.who) || ' came from ' || left(string_agg(DISTINCT f.source_ip, ', ' ORDER BY f.source_ip), 300)
    || ' for the first time in ' || $baseline_days || ' days, after ' || min(f.past_events)
    || ' events on ' || min(f.past_days) || ' days from ' || min(f.past_addresses)
    || CASE WHEN min(f.past_addresses) = 1 THEN ' other address.' ELSE ' other addresses.' END AS reason,
  'an earlier use of the address, its use by ' || $known_to_others || ' colleagues before, or no usual address near that time' AS cleared_by,
  list_sort(list(s.event_uid)) AS events
FROM found f
JOIN activity s ON s.person = f.person AND s.source_ip = f.source_ip AND s.actor_type = 'user' AND NOT s.actor_anonymous
  AND s.occurred_at >= f.first_use AND s.occurred_at < f.first_use + $first_hours * INTERVAL 1 HOUR
GROUP BY f.person, f.day
HAVING count(*) >= $min_new_events OR bool_or(list_has_any(s.classes, ['permission', 'admin_grant', 'deletion', 'export', 'secret',
  'token_created', 'logging', 'critical_setting', 'mfa_weakened', 'protection', 'public_access']))
ORDER BY window_start, key
