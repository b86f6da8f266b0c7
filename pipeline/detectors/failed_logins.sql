/*
title = "Many failed sign-ins"
severity = "medium"
version = 1
why = """Somebody is trying passwords. That none has worked yet is luck, and the accounts that are tried are known to them."""
false_positives = """A program that still has an old password: it fails evenly, around the clock, from one known address."""
next_steps = """Block the address, or ask the product's vendor to. See whether any sign-in from it worked (fail_then_success), and
warn the owners of the accounts that were tried."""
scope = "action = 'login'"
needs = ["actor_id or actor_email or actor_name or source_ip", "outcome"]
attack = ["T1110"]
lookback = "window_minutes + 2 days"
reads = "action = 'login' AND outcome = 'failure'"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.5", "A.8.16"]
pci = ["8.3.4", "10.2.1.4", "10.4.1"]
hipaa = ["164.308(a)(5)(ii)(C)"]
nist = ["AC-7", "AU-6", "SI-4"]

[parameters.threshold]
default = 20
minimum = 2
maximum = 1000000
unit = "failures"
meaning = "So many failed sign-ins of one account, or from one address, within the window"

[parameters.window_minutes]
default = 60
minimum = 1
maximum = 1440
unit = "minutes"
meaning = "The length of the sliding window; both ends belong to it"
*/
WITH failures AS (
  SELECT event_uid, source, person, who, is_named, source_ip, occurred_at, local_date
  FROM activity WHERE action = 'login' AND outcome = 'failure' AND NOT actor_anonymous
),
sided AS (
  SELECT 'account' AS side, person AS name, who AS subject, event_uid, source, person, source_ip, occurred_at, local_date
  FROM failures WHERE is_named
  UNION ALL
  SELECT 'address', source_ip, source_ip, event_uid, source, person, source_ip, occurred_at, CAST(timezone('UTC', occurred_at) AS DATE)
  FROM failures WHERE source_ip IS NOT NULL
),
counted AS (
  SELECT *, count(*) OVER (PARTITION BY side, name ORDER BY occurred_at
    RANGE BETWEEN $window_minutes * INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW) AS in_window
  FROM sided
),
covered AS (
  SELECT *, max(in_window) OVER (PARTITION BY side, name ORDER BY occurred_at
    RANGE BETWEEN CURRENT ROW AND $window_minutes * INTERVAL 1 MINUTE FOLLOWING) AS best
  FROM counted
),
days AS (
  SELECT side, name, local_date, min(subject) AS subject, min(occurred_at) AS window_start, max(occurred_at) AS window_end,
    count(*) AS n, max(best) AS most, count(DISTINCT person) AS accounts, count(DISTINCT source_ip) AS addresses,
    string_agg(DISTINCT source, ', ' ORDER BY source) AS sources, list_sort(list(event_uid)) AS events
  FROM covered WHERE best >= $threshold
  GROUP BY side, name, local_date
),
-- An address that tried one account only is told under the account.
kept AS (
  SELECT * FROM days WHERE side = 'account' OR accounts > 1
    OR NOT EXISTS (SELECT 1 FROM days d WHERE d.side = 'account' AND list_has_any(d.events, days.events))
)
SELECT
  side || '|' || name || '|' || local_date AS key,
  subject,
  window_start,
  window_end,
  n || ' failed sign-ins, ' || most || ' of them within ' || $window_minutes || ' minutes' AS observed,
  'fewer than ' || $threshold || ' within ' || $window_minutes || ' minutes' AS expected,
  CASE WHEN side = 'account' THEN 'Signing in as ' || subject || ' failed ' || n || ' times in ' || sources || ' on ' || local_date
         || ', from ' || addresses || CASE WHEN addresses = 1 THEN ' address.' ELSE ' addresses.' END
       ELSE n || ' sign-ins from ' || subject || ' failed in ' || sources || ' on ' || local_date || ', of ' || accounts
         || CASE WHEN accounts = 1 THEN ' account.' ELSE ' accounts.' END END AS reason,
  (most - $threshold + 1) || CASE WHEN most = $threshold THEN ' failure fewer' ELSE ' failures fewer' END AS cleared_by,
  events
FROM kept
ORDER BY window_start, key
