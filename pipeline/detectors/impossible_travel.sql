/*
title = "Too far apart in too little time"
severity = "high"
version = 2
why = """Nobody is in Lisbon at nine and in Osaka at ten. One of the two was somebody else, or a machine that hides where its
user is."""
false_positives = """A way out of a network in another country that few use, and the first day of a journey by somebody who leaves a
machine running at home. Left alone are journeys between places that the person came from on earlier days (whatever
the address: a telephone's changes all the time, its city does not), addresses that several colleagues use, and what
the database says only roughly."""
next_steps = """Ask the person where they were. End the sessions of the place where they were not, and read what was done from
there."""
scope = "actor_type IN ('user', 'api_key') AND NOT actor_anonymous"
needs = ["source_ip", "actor_email or actor_id or actor_name"]
requires = ["places.mmdb"]
attack = ["T1078"]
lookback = "max_hours + 1 day"
habits = "baseline_days + max_hours + 2 days"

[controls]
soc2 = ["CC6.1", "CC6.6", "CC7.2"]
iso27001 = ["A.8.5", "A.8.16"]
pci = ["10.2.1.1", "10.2.2", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["AC-2(12)", "AU-6", "SI-4"]

[parameters.max_kmh]
default = 900
minimum = 1
maximum = 100000
unit = "km/h"
meaning = "A faster journey is impossible"

[parameters.min_km]
default = 500
minimum = 1
maximum = 20000
unit = "km"
meaning = "Shorter journeys are left alone, and so near to an earlier place is that place: places of addresses are not exact"

[parameters.max_hours]
default = 24
minimum = 1
maximum = 168
unit = "hours"
meaning = "So far apart the two events may be at most"

[parameters.known_to_others]
default = 3
minimum = 1
maximum = 10000
unit = "people"
meaning = "An address that so many other people use is an office or a way out of a network, and not strange"

[parameters.known_days]
default = 2
minimum = 1
maximum = 365
unit = "days"
meaning = "A place where the person was on so many earlier days is theirs: one day may have been the first trace of somebody else"

[parameters.baseline_days]
default = 30
minimum = 1
maximum = 365
unit = "days"
meaning = "How far back the places of the person and the use of an address by others count"
*/
WITH
-- Places as points of a ball: between two of them lies a straight line, and from its length follows the way around.
points AS (
  SELECT source_ip, coalesce(accuracy_km, 0) AS accuracy_km, coalesce(city || ', ' || country, country, 'somewhere') AS place,
    cos(radians(latitude)) * cos(radians(longitude)) AS x, cos(radians(latitude)) * sin(radians(longitude)) AS y, sin(radians(latitude)) AS z
  FROM geography WHERE latitude IS NOT NULL AND longitude IS NOT NULL
),
located AS (
  SELECT e.event_uid, e.person, e.who, e.local_date, e.occurred_at, e.source_ip, g.accuracy_km, g.place, g.x, g.y, g.z
  FROM activity e JOIN points g ON g.source_ip = e.source_ip
  WHERE e.actor_type IN ('user', 'api_key') AND NOT e.actor_anonymous
),
moves AS (
  SELECT * FROM (
    SELECT *, lag(event_uid) OVER w AS from_uid, lag(occurred_at) OVER w AS from_at, lag(source_ip) OVER w AS from_ip,
      lag(place) OVER w AS from_place, lag(x) OVER w AS from_x, lag(y) OVER w AS from_y, lag(z) OVER w AS from_z,
      lag(accuracy_km) OVER w AS from_accuracy_km
    FROM located WINDOW w AS (PARTITION BY person ORDER BY occurred_at, event_uid))
  WHERE from_ip <> source_ip AND occurred_at <= from_at + $max_hours * INTERVAL 1 HOUR
),
measured AS (
  SELECT *, epoch(occurred_at) - epoch(from_at) AS seconds,
    12742 * asin(least(
      1,
      sqrt((x - from_x) * (x - from_x) + (y - from_y) * (y - from_y) + (z - from_z) * (z - from_z)) / 2))
      - accuracy_km - from_accuracy_km AS km
  FROM moves
),
fast AS (
  SELECT * FROM measured WHERE km * 3600 - $max_kmh * seconds
      > 0
    AND km >= $min_km
),
ends AS (
  SELECT DISTINCT person, local_date, source_ip FROM fast
  UNION
  SELECT DISTINCT person, local_date, from_ip FROM fast
),
used AS (
  SELECT f.person, f.local_date, f.source_ip, count(DISTINCT CASE WHEN p.person <> f.person THEN p.person END) AS others
  FROM ends f JOIN places p ON p.source_ip = f.source_ip AND p.is_named
    AND p.day >= f.local_date - $baseline_days AND p.day <= f.local_date + 1
  GROUP BY f.person, f.local_date, f.source_ip
),
-- Ends that lie where the person was on earlier days.
near AS (
  SELECT f.person, f.local_date, f.source_ip
  FROM ends f
  JOIN points g ON g.source_ip = f.source_ip
  JOIN (SELECT DISTINCT person, day, source_ip FROM places WHERE is_named) p ON p.person = f.person
    AND p.day < f.local_date AND p.day >= f.local_date - $baseline_days
  JOIN points k ON k.source_ip = p.source_ip
  WHERE (g.x - k.x) * (g.x - k.x) + (g.y - k.y) * (g.y - k.y) + (g.z - k.z) * (g.z - k.z)
    < 4 * sin($min_km / 12742) * sin($min_km / 12742)
  GROUP BY f.person, f.local_date, f.source_ip HAVING count(DISTINCT p.day) >= $known_days
),
-- One end at least must be somewhere that neither the person nor several colleagues come from.
strange AS (
  SELECT u.person, u.local_date, u.source_ip
  FROM used u LEFT JOIN near n ON n.person = u.person AND n.local_date = u.local_date AND n.source_ip = u.source_ip
  WHERE n.source_ip IS NULL AND u.others < $known_to_others
),
kept AS (
  SELECT f.*, row_number() OVER (PARTITION BY f.person, f.local_date ORDER BY f.occurred_at, f.event_uid) AS nth,
    count(*) OVER (PARTITION BY f.person, f.local_date) AS journeys
  FROM fast f
  LEFT JOIN strange c ON c.person = f.person AND c.local_date = f.local_date AND c.source_ip = f.source_ip
  LEFT JOIN strange d ON d.person = f.person AND d.local_date = f.local_date AND d.source_ip = f.from_ip
  WHERE c.source_ip IS NOT NULL OR d.source_ip IS NOT NULL
)
SELECT
  person || '|' || local_date AS key,
  who AS subject,
  from_at AS window_start,
  occurred_at AS window_end,
  CAST(round(km) AS BIGINT) || ' km in ' || CAST(round(seconds / 60) AS BIGINT) || ' minutes' AS observed,
  'at most ' || $max_kmh || ' km/h' AS expected,
  who || ' was in ' || from_place || ' (' || from_ip || ') and then in ' || place || ' (' || source_ip || ')'
    || CASE WHEN journeys > 1 THEN '; ' || (journeys - 1) || ' more such on that day.' ELSE '.' END AS reason,
  CAST(ceil((km * 3600 / $max_kmh - seconds) / 60) AS BIGINT) || ' minutes more between them' AS cleared_by,
  list_sort([from_uid, event_uid]) AS events
FROM kept WHERE nth = 1
ORDER BY window_start, key
