/*
title = "Activity outside business hours"
severity = "medium"
version = 4
why = """An account that works when its owner never does may be in somebody else's hands, or doing what should not
be seen. The question is the person's own: hours that they often use are theirs, whatever the office keeps."""
false_positives = """Releases and stock-taking by a few, and travel; a person whose shift has just moved (quiet again once the
new hours are a habit, which takes habit_span_days). Where a part of the team works through the same night from addresses that
are known, it is an occasion: then only what is critical is told, and not where that class is the person's daily work. Hours that an intruder keeps for that long become a habit too.
People with a short past are not judged at all, and are counted in the detector's coverage."""
next_steps = """Ask the person what they did that night. Compare the address and the browser with their usual ones,
read what was changed, and end the sessions if they do not recognise it."""
scope = """actor_type = 'user' AND NOT actor_anonymous AND NOT is_service
  AND time_precision IS DISTINCT FROM 'day'"""
needs = ["actor_email or actor_id or actor_name"]
baseline_days = "min_baseline_days"
habits = "baseline_days + 3 days"
lookback = "2 days"
lookahead = "1 day"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AC-2(12)", "AU-6"]

[parameters.min_baseline_days]
default = 10
minimum = 1
maximum = 365
unit = "days"
meaning = "Earlier days with activity that a person needs before their hours can be judged"

[parameters.baseline_days]
default = 90
minimum = 1
maximum = 730
unit = "days"
meaning = "How far back habits are looked for"

[parameters.habit_days]
default = 3
minimum = 1
maximum = 365
unit = "days"
meaning = "On so many earlier days of the same kind (working or free) an hour must have been used to be a habit; on all of them, where there were fewer"

[parameters.habit_span_days]
default = 14
minimum = 0
maximum = 365
unit = "days"
meaning = "The first and the last of those days must lie so far apart: a few nights in a row are no habit"

[parameters.habit_percent]
default = 40
minimum = 1
maximum = 100
unit = "percent"
meaning = "An hour used on so many of the days of that kind on which the person was active is a habit, however short the span"

[parameters.company]
default = 3
minimum = 2
maximum = 10000
unit = "people"
meaning = "So many of one team at unusual hours in one night, from known addresses, are an occasion; only what is critical is told"

[parameters.company_percent]
default = 10
minimum = 1
maximum = 100
unit = "percent"
meaning = "They must also be so large a part of the team, which without teams are all who keep the same hours"

[parameters.tolerance_hours]
default = 1
minimum = 0
maximum = 11
unit = "hours"
meaning = "An hour this near to a habit is no surprise"

[parameters.min_events]
default = 2
minimum = 1
maximum = 100000
unit = "events"
meaning = "Fewer events in a night are left alone, unless one of them is critical by its class"

[parameters.night_ends]
default = 5
minimum = 0
maximum = 12
unit = "local hour"
meaning = "What happens before this hour belongs to the night that began the evening before; for those who worked through it, what happens until noon"
*/
WITH days AS (
  SELECT schedule, local_date, NOT bool_or(is_business_hours) AS is_free FROM calendar GROUP BY schedule, local_date
),
-- Who was there early and late in the small hours worked through: the end of a night shift is no new day.
through AS (
  SELECT person, local_date FROM habits WHERE actor_type = 'user' AND is_named AND hour < $night_ends
  GROUP BY person, local_date HAVING max(hour) - min(hour) >= 2
),
-- The hours outside business in which people did something, on their own clock. A night is named by the evening it began.
outside AS (
  SELECT w.*, coalesce(d.is_free, false) AS is_free
  FROM (
    SELECT e.person, e.schedule, e.local_date, e.hour,
      CASE WHEN e.hour < $night_ends OR (e.hour < 12 AND t.person IS NOT NULL) THEN e.local_date - 1 ELSE e.local_date END AS night
    FROM (
      SELECT DISTINCT person, schedule, local_date, hour FROM activity
      WHERE NOT is_business_hours AND actor_type = 'user' AND is_named AND NOT is_service
        AND time_precision IS DISTINCT FROM 'day') e
    LEFT JOIN through t ON t.person = e.person AND t.local_date = e.local_date) w
  LEFT JOIN days d ON d.schedule = w.schedule AND d.local_date = w.night
),
slots AS (
  SELECT DISTINCT h.person, h.schedule, coalesce(h.team, h.schedule) AS team, h.hour,
    CASE WHEN h.hour < $night_ends OR (h.hour < 12 AND t.person IS NOT NULL) THEN h.local_date - 1 ELSE h.local_date END AS night
  FROM habits h LEFT JOIN through t ON t.person = h.person AND t.local_date = h.local_date
  WHERE h.actor_type = 'user' AND h.is_named
),
used AS (
  SELECT s.person, s.night, s.hour, coalesce(d.is_free, false) AS is_free
  FROM slots s LEFT JOIN days d ON d.schedule = s.schedule AND d.local_date = s.night
),
asked AS (
  SELECT DISTINCT person, schedule, night, is_free, hour FROM outside
),
-- For each such hour: on how many earlier days of the same kind it, or one beside it, was used.
customs AS (
  SELECT o.person, o.night, o.hour, count(DISTINCT u.night) AS habit_days,
    coalesce(date_diff('day', min(u.night), max(u.night)), 0) AS span_days
  FROM asked o
  LEFT JOIN used u ON u.person = o.person AND u.is_free = o.is_free
    AND u.night < o.night AND u.night >= o.night - $baseline_days
    AND least(abs(u.hour - o.hour), 24 - abs(u.hour - o.hour)) <= $tolerance_hours
  GROUP BY o.person, o.night, o.hour
),
pasts AS (
  SELECT o.person, o.schedule, o.night, o.is_free, count(DISTINCT u.night) AS active_days,
    count(DISTINCT CASE WHEN u.is_free = o.is_free THEN u.night END) AS kind_days, min(u.night) AS first_night
  FROM (SELECT DISTINCT person, schedule, night, is_free FROM asked) o
  JOIN (SELECT DISTINCT person, night, is_free FROM used) u ON u.person = o.person
    AND u.night < o.night AND u.night >= o.night - $baseline_days
  GROUP BY o.person, o.schedule, o.night, o.is_free
),
-- A person who worked on both Saturdays there have been has the habit, though there were not three yet.
chances AS (
  SELECT p.person, p.night, p.active_days, p.kind_days, count(*) AS possible_days
  FROM pasts p
  JOIN days d ON d.schedule = p.schedule AND d.is_free = p.is_free AND d.local_date < p.night
    AND d.local_date >= p.first_night
  GROUP BY p.person, p.night, p.active_days, p.kind_days
),
strange AS (
  SELECT o.*, h.habit_days, h.span_days, c.active_days
  FROM outside o
  JOIN customs h ON h.person = o.person AND h.night = o.night AND h.hour = o.hour
  JOIN chances c ON c.person = o.person AND c.night = o.night
  WHERE c.active_days >= $min_baseline_days AND h.habit_days < c.possible_days
    AND (h.habit_days < $habit_days OR h.span_days < $habit_span_days)
    AND NOT (h.habit_days >= $habit_days AND h.habit_days * 100 >= c.kind_days * $habit_percent)
),
-- What was done in them.
unusual AS (
  SELECT s.*, e.who, coalesce(e.team, e.schedule) AS team, e.event_uid, e.occurred_at, strftime(e.local_at, '%H:%M') AS clock,
    e.source_ip, e.classes
  FROM strange s JOIN activity e ON e.person = s.person AND e.local_date = s.local_date AND e.hour = s.hour
  WHERE NOT e.is_business_hours AND e.actor_type = 'user' AND e.is_named AND NOT e.is_service
    AND e.time_precision IS DISTINCT FROM 'day'
),
-- What is critical by its class, and not what this person does on other days too.
classed AS (
  SELECT DISTINCT person, night, class FROM (SELECT person, night, unnest(classes) AS class FROM unusual)
  WHERE class IN ('permission', 'deletion', 'logging', 'secret', 'critical_setting')
),
duties AS (
  SELECT c.person, c.night, c.class
  FROM classed c
  JOIN (SELECT DISTINCT person, local_date, unnest(classes) AS class FROM habits WHERE actor_type = 'user' AND is_named AND len(classes) > 0) h
    ON h.person = c.person AND h.class = c.class AND h.local_date < c.night AND h.local_date >= c.night - $baseline_days
  GROUP BY c.person, c.night, c.class HAVING count(*) >= $habit_days
),
critical AS (
  SELECT DISTINCT c.person, c.night
  FROM classed c LEFT JOIN duties d ON d.person = c.person AND d.night = c.night AND d.class = c.class
  WHERE d.class IS NULL
),
-- Who comes from where nobody of them ever was is not in company, however many do.
known AS (
  SELECT DISTINCT u.source_ip, u.night
  FROM (SELECT DISTINCT source_ip, night FROM unusual) u
  JOIN (SELECT DISTINCT source_ip, day FROM places WHERE actor_type = 'user' AND is_named) p ON p.source_ip = u.source_ip
    AND p.day < u.night AND p.day >= u.night - $baseline_days
),
members AS (
  SELECT u.person, u.team, u.night, bool_and(u.source_ip IS NULL OR k.source_ip IS NOT NULL) AS is_known
  FROM unusual u LEFT JOIN known k ON k.source_ip = u.source_ip AND k.night = u.night
  GROUP BY u.person, u.team, u.night
),
crowds AS (
  SELECT team, night, count(*) AS people FROM members WHERE is_known GROUP BY team, night HAVING count(*) >= $company
),
companies AS (
  SELECT c.team, c.night
  FROM crowds c JOIN (SELECT DISTINCT person, team, night FROM slots) s ON s.team = c.team
    AND s.night <= c.night AND s.night >= c.night - $baseline_days
  GROUP BY c.team, c.night, c.people HAVING c.people * 100 >= count(DISTINCT s.person) * $company_percent
),
alone AS (
  SELECT m.person, m.night FROM members m LEFT JOIN companies c ON c.team = m.team AND c.night = m.night
  WHERE c.team IS NULL OR NOT m.is_known
),
nights AS (
  SELECT u.person, u.night, min(who) AS subject, min(schedule) AS schedule,
    min(occurred_at) AS window_start, max(occurred_at) AS window_end,
    arg_min(clock, (occurred_at, event_uid)) AS first_clock, arg_max(clock, (occurred_at, event_uid)) AS last_clock,
    count(*) AS n, max(habit_days) AS habit_days, bool_and(habit_days < $habit_days) AS is_rare,
    max(active_days) AS active_days, bool_or(is_free) AS is_free, list_sort(list(event_uid)) AS events
  FROM unusual u
  LEFT JOIN critical c ON c.person = u.person AND c.night = u.night
  LEFT JOIN alone a ON a.person = u.person AND a.night = u.night
  GROUP BY u.person, u.night
  HAVING bool_or(c.person IS NOT NULL) OR (count(*) >= $min_events AND bool_or(a.person IS NOT NULL))
)
SELECT
  person || '|' || night AS key,
  subject,
  window_start,
  window_end,
  n || CASE WHEN n = 1 THEN ' event at ' || first_clock
            ELSE ' events from ' || first_clock || ' to ' || last_clock END || ' local time' AS observed,
  'no activity outside business hours, except at hours used on ' || $habit_days || ' earlier days over '
    || $habit_span_days || ' days' AS expected,
  subject || ' was active in the night of ' || night || ', '
    || CASE WHEN is_free THEN 'a free day' ELSE 'a working day' END || ', outside business hours (' || schedule
    || '); of ' || active_days || ' earlier active days, ' || habit_days
    || CASE WHEN habit_days = 1 THEN ' day was' ELSE ' days were' END || ' at such an hour.' AS reason,
  CASE WHEN is_rare THEN 'such an hour on ' || ($habit_days - habit_days) || ' more earlier days of that kind'
       ELSE 'such hours over ' || $habit_span_days || ' days' END AS cleared_by,
  events
FROM nights
ORDER BY window_start, key
