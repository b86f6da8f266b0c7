/*
title = "Failed sign-ins, then one that worked"
severity = "high"
version = 1
why = """Guessing looks like this: many wrong passwords, and then the right one. The same from one address over many accounts
is a list of stolen passwords being tried."""
false_positives = """A person who forgot a new password, or a device that kept an old one. They come from a usual address and end
with a reset. Machines are left out."""
next_steps = """Compare the address of the sign-in that worked with the person's usual ones. If it is not theirs, end the sessions,
change the password, and read what was done since. Look for other accounts that were tried from the same address."""
scope = "action = 'login' AND actor_type IN ('user', 'customer', 'unknown')"
needs = ["actor_id or actor_email or actor_name or source_ip", "outcome"]
attack = ["T1110"]
lookback = "window_minutes + 1 day"
reads = "action = 'login'"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.5.17", "A.8.5", "A.8.16"]
pci = ["8.3.4", "10.2.1.4", "10.4.1"]
hipaa = ["164.308(a)(5)(ii)(C)"]
nist = ["AC-7", "AU-6", "SI-4"]

[parameters.threshold]
default = 5
minimum = 2
maximum = 100000
unit = "failures"
meaning = "So many failed sign-ins of one account before one that worked"

[parameters.address_threshold]
default = 10
minimum = 2
maximum = 100000
unit = "failures"
meaning = "So many failed sign-ins from one address, over two accounts or more, before one that worked"

[parameters.window_minutes]
default = 30
minimum = 1
maximum = 1440
unit = "minutes"
meaning = "How far back from the sign-in that worked failures count; both ends belong to it"
*/
WITH logins AS (
  SELECT event_uid, source, person, who, is_named, local_date, occurred_at, source_ip, CASE WHEN outcome = 'failure' THEN 1 ELSE 0 END AS failed
  FROM activity
  WHERE action = 'login' AND actor_type IN ('user', 'customer', 'unknown') AND outcome <> 'pending' AND NOT actor_anonymous
),
counted AS (
  SELECT *,
    CASE WHEN is_named THEN sum(failed) OVER (PARTITION BY person ORDER BY occurred_at
      RANGE BETWEEN $window_minutes * INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW) ELSE 0 END AS by_account,
    CASE WHEN source_ip IS NOT NULL THEN sum(failed) OVER (PARTITION BY source_ip ORDER BY occurred_at
      RANGE BETWEEN $window_minutes * INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW) ELSE 0 END AS by_address
  FROM logins
),
worked AS (
  SELECT * FROM counted WHERE failed = 0 AND (by_account >= $threshold OR by_address >= $address_threshold)
),
before AS (
  SELECT w.event_uid AS uid, f.event_uid, f.person, f.source_ip, f.occurred_at, w.person = f.person AND w.is_named AS is_account,
    coalesce(w.source_ip = f.source_ip, false) AS is_address
  FROM worked w JOIN logins f ON f.failed = 1 AND f.person = w.person
    AND f.occurred_at <= w.occurred_at AND f.occurred_at >= w.occurred_at - $window_minutes * INTERVAL 1 MINUTE
  UNION
  SELECT w.event_uid, f.event_uid, f.person, f.source_ip, f.occurred_at, w.person = f.person AND w.is_named, true
  FROM worked w JOIN logins f ON f.failed = 1 AND f.source_ip = w.source_ip
    AND f.occurred_at <= w.occurred_at AND f.occurred_at >= w.occurred_at - $window_minutes * INTERVAL 1 MINUTE
),
told AS (
  SELECT uid, count(*) FILTER (is_account) AS account_n, count(*) FILTER (is_address) AS address_n,
    count(DISTINCT person) FILTER (is_address) AS accounts, min(occurred_at) AS first_at,
    list_distinct(list(event_uid)) AS events
  FROM before GROUP BY uid
),
judged AS (
  SELECT w.*, t.account_n, t.address_n, t.accounts, t.first_at, t.events, t.account_n >= $threshold AS is_account
  FROM worked w JOIN told t ON t.uid = w.event_uid
  WHERE t.account_n >= $threshold OR (t.address_n >= $address_threshold AND t.accounts >= 2)
),
-- The first sign-in of the day that worked so; later ones of the day are after the fact.
firsts AS (
  SELECT *, row_number() OVER (PARTITION BY person, local_date ORDER BY occurred_at, event_uid) AS place,
    CASE WHEN is_account THEN account_n - $threshold ELSE address_n - $address_threshold END + 1 AS excess
  FROM judged
)
SELECT
  person || '|' || local_date AS key,
  who AS subject,
  first_at AS window_start,
  occurred_at AS window_end,
  CASE WHEN is_account THEN account_n || ' failed sign-ins of the account'
       ELSE address_n || ' failed sign-ins from ' || source_ip || ' over ' || accounts || ' accounts' END
    || ' within ' || $window_minutes || ' minutes, then one that worked' AS observed,
  CASE WHEN is_account THEN 'fewer than ' || $threshold ELSE 'fewer than ' || $address_threshold END
    || ' failures before a sign-in that works' AS expected,
  who || ' signed in to ' || source || coalesce(' from ' || source_ip, '') || ' on ' || local_date || ' after '
    || CASE WHEN is_account THEN account_n || ' failures.' ELSE address_n || ' failures from that address over ' || accounts || ' accounts.' END AS reason,
  CASE WHEN excess = 1 THEN '1 failure fewer' ELSE excess || ' failures fewer' END AS cleared_by,
  list_sort(list_distinct(events || [event_uid])) AS events
FROM firsts WHERE place = 1
ORDER BY window_start, key
