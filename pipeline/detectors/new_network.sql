/*
title = "A country or network never used before"
severity = "medium"
version = 2
why = """An address changes often, a network, a provider or a country does not. For people whose address changes all the time
this is the only question that place can answer; for the others it says that the new address is nowhere near."""
false_positives = """Another SIM card, a way out of the network in another country. Left alone are networks that two colleagues use, each on several days,
days on which somebody is only there and nowhere they usually are (travel, a new provider), and networks whose owner
nobody knows but whose place is one that the person came from before (a telephone, a line that is dialled anew)."""
next_steps = """Ask the person whether they travelled or changed their provider. If not, end the sessions and read what was done
from there."""
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
default = 10
minimum = 1
maximum = 365
unit = "days"
meaning = "Earlier days with a known address that a person needs before a new network means anything"

[parameters.baseline_days]
default = 90
minimum = 1
maximum = 730
unit = "days"
meaning = "How far back earlier countries and networks are looked for"

[parameters.roaming_percent]
default = 25
minimum = 1
maximum = 1000
unit = "percent"
meaning = "Who came from a new network on more than this share of their earlier days changes them too often to judge"

[parameters.known_to_others]
default = 2
minimum = 1
maximum = 10000
unit = "people"
meaning = "A country or network that so many other people use is left alone"

[parameters.known_days]
default = 2
minimum = 1
maximum = 365
unit = "days"
meaning = "Somebody who came from it on so many days before uses it; and a place where the person was on so many is theirs"

[parameters.near_km]
default = 100
minimum = 0
maximum = 20000
unit = "km"
meaning = "A network of unknown owner so near to where the person was on known_days earlier days is not judged by itself. 0: it is"

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
meaning = "A known network must have been used so shortly before or after: who moves or travels is in one place, two at once are two people. 0: not asked"

[parameters.min_new_events]
default = 2
minimum = 1
maximum = 100000
unit = "events"
meaning = "Fewer events from there are left alone, unless one of them is sensitive by its class"
*/
WITH
-- Places as points of a ball: between two of them lies a straight line, and from its length follows the way around.
points AS (
  SELECT source_ip, cos(radians(latitude)) * cos(radians(longitude)) AS x, cos(radians(latitude)) * sin(radians(longitude)) AS y,
    sin(radians(latitude)) AS z
  FROM geography WHERE latitude IS NOT NULL AND longitude IS NOT NULL AND asn IS NULL
),
located AS (
  SELECT p.person, p.source_ip, p.day, g.country,
    coalesce('AS' || g.asn, CASE WHEN left(p.network, 24) = '00000000000000000000FFFF' THEN '/24 of ' ELSE '/48 of ' END) AS told,
    coalesce('AS' || g.asn, p.network) AS network, min(p.first_at) AS first_at, max(p.last_at) AS last_at
  FROM places p LEFT JOIN geography g ON g.source_ip = p.source_ip
  WHERE p.actor_type = 'user' AND NOT p.actor_anonymous AND p.source_ip IS NOT NULL
  GROUP BY p.person, p.source_ip, p.day, g.country, g.asn, p.network
),
days AS (
  SELECT person, 'country' AS kind, country AS value, day, min(source_ip) AS source_ip, min(country) AS told, min(first_at) AS first_at, max(last_at) AS last_at
  FROM located WHERE country IS NOT NULL GROUP BY person, country, day
  UNION ALL
  SELECT person, 'network', network, day, min(source_ip), min(told), min(first_at), max(last_at) FROM located GROUP BY person, network, day
),
uses AS (
  SELECT *, lag(last_at) OVER (PARTITION BY person, kind, value ORDER BY day) AS before FROM days
),
fresh AS (
  SELECT person, kind, value, day, source_ip, told, first_at AS first_use, last_at AS last_use FROM uses
  WHERE before IS NULL OR before < first_at - $baseline_days * INTERVAL 1 DAY
),
pasts AS (
  SELECT f.person, f.kind, f.value, f.day, count(DISTINCT l.day) AS past_days, count(DISTINCT l.network) AS past_networks, count(DISTINCT l.country) AS past_countries,
    count(DISTINCT CASE WHEN l.country IS NOT NULL THEN l.day END) AS located_days
  FROM fresh f JOIN located l ON l.person = f.person AND l.day < f.day AND l.day >= f.day - $baseline_days
  GROUP BY f.person, f.kind, f.value, f.day
),
-- On how many of those days there was a new one: a day of many is one day.
changes AS (
  SELECT f.person, f.kind, f.value, f.day, count(DISTINCT g.day) AS new_days
  FROM fresh f JOIN fresh g ON g.person = f.person AND g.kind = f.kind AND g.day < f.day AND g.day >= f.day - $baseline_days
  GROUP BY f.person, f.kind, f.value, f.day
),
users AS (
  SELECT f.person, f.kind, f.value, f.day, o.person AS other
  FROM fresh f JOIN days o ON o.kind = f.kind AND o.value = f.value AND o.person <> f.person AND o.first_at < f.first_use
    AND o.day >= f.day - $baseline_days
  GROUP BY f.person, f.kind, f.value, f.day, o.person
  HAVING count(*) >= $known_days
),
others AS (
  SELECT person, kind, value, day, count(*) AS people FROM users GROUP BY person, kind, value, day
),
near AS (
  SELECT f.person, f.value, f.day
  FROM fresh f
  JOIN points g ON g.source_ip = f.source_ip AND f.kind = 'network'
  JOIN (SELECT DISTINCT person, day, source_ip FROM located) l ON l.person = f.person AND l.day < f.day AND l.day >= f.day - $baseline_days
  JOIN points k ON k.source_ip = l.source_ip
  WHERE (g.x - k.x) * (g.x - k.x) + (g.y - k.y) * (g.y - k.y) + (g.z - k.z) * (g.z - k.z)
    < 4 * sin($near_km / 12742) * sin($near_km / 12742)
  GROUP BY f.person, f.value, f.day HAVING count(DISTINCT l.day) >= $known_days
),
beside AS (
  SELECT DISTINCT f.person, f.kind, f.value, f.day
  FROM fresh f
  JOIN days k ON k.person = f.person AND k.kind = f.kind AND k.value <> f.value AND k.day >= f.day - 8 AND k.day <= f.day + 8
    AND k.first_at <= f.last_use + $beside_hours * INTERVAL 1 HOUR AND k.last_at >= f.first_use - $beside_hours * INTERVAL 1 HOUR
  JOIN days o ON o.person = k.person AND o.kind = k.kind AND o.value = k.value AND o.day < f.day AND o.day >= f.day - $baseline_days
),
judged AS (
  SELECT f.*, p.past_days, CASE WHEN f.kind = 'country' THEN p.past_countries ELSE p.past_networks END AS past_values
  FROM fresh f
  JOIN pasts p ON p.person = f.person AND p.kind = f.kind AND p.value = f.value AND p.day = f.day
  LEFT JOIN others o ON o.person = f.person AND o.kind = f.kind AND o.value = f.value AND o.day = f.day
  LEFT JOIN changes c ON c.person = f.person AND c.kind = f.kind AND c.value = f.value AND c.day = f.day
  LEFT JOIN beside b ON b.person = f.person AND b.kind = f.kind AND b.value = f.value AND b.day = f.day
  LEFT JOIN near n ON f.kind = 'network' AND n.person = f.person AND n.value = f.value AND n.day = f.day
  WHERE p.past_days >= $min_baseline_days AND coalesce(o.people, 0) < $known_to_others
    AND CASE WHEN f.kind = 'country' THEN p.located_days >= $min_baseline_days
        ELSE coalesce(c.new_days, 0) * 100 <= p.past_days * $roaming_percent END
    AND ($beside_hours = 0 OR b.day IS NOT NULL) AND n.day IS NULL
),
-- A new country is told once, and not again for the network in it.
found AS (
  SELECT * FROM judged WHERE kind = 'country'
    OR NOT EXISTS (SELECT 1 FROM judged j WHERE j.person = judged.person AND j.kind = 'country' AND j.first_use = judged.first_use)
)
SELECT
  f.person || '|' || f.kind || '|' || f.day AS key,
  min(s.who) AS subject,
  min(s.occurred_at) AS window_start,
  max(s.occurred_at) AS window_end,
  count(*) || CASE WHEN count(*) = 1 THEN ' event' ELSE ' events' END || ' from '
    || CASE WHEN count(DISTINCT f.value) > 1 THEN count(DISTINCT f.value) || CASE WHEN f.kind = 'country' THEN ' new countries' ELSE ' new networks' END
       WHEN f.kind = 'country' OR starts_with(min(f.told), 'AS') THEN min(f.told) ELSE min(f.told || f.source_ip) END AS observed,
  'one of the ' || min(f.past_values) || CASE WHEN f.kind = 'country' THEN CASE WHEN min(f.past_values) = 1 THEN ' country' ELSE ' countries' END
    ELSE CASE WHEN min(f.past_values) = 1 THEN ' network' ELSE ' networks' END END || ' of the ' || min(f.past_days) || ' days before' AS expected,
  min(s.who) || ' came from ' || left(string_agg(DISTINCT f.source_ip, ', ' ORDER BY f.source_ip), 300) || ', a ' || f.kind || ' not used in '
    || $baseline_days || ' days.' AS reason,
  'an earlier use of the ' || f.kind || ', its use by ' || $known_to_others || ' colleagues before, or no usual one near that time' AS cleared_by,
  list_sort(list(s.event_uid)) AS events
FROM found f
JOIN (SELECT DISTINCT person, source_ip, country, network FROM located) l ON l.person = f.person
  AND CASE WHEN f.kind = 'country' THEN l.country ELSE l.network END = f.value
JOIN activity s ON s.person = f.person AND s.source_ip = l.source_ip AND s.actor_type = 'user' AND NOT s.actor_anonymous
  AND s.occurred_at >= f.first_use AND s.occurred_at < f.first_use + $first_hours * INTERVAL 1 HOUR
GROUP BY f.person, f.kind, f.day
HAVING count(*) >= $min_new_events OR bool_or(list_has_any(s.classes, ['permission', 'admin_grant', 'deletion', 'export', 'secret',
  'token_created', 'logging', 'critical_setting', 'mfa_weakened', 'protection', 'public_access']))
ORDER BY window_start, key
