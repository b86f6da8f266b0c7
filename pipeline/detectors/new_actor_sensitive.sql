/*
title = "A new account does something sensitive"
severity = "medium"
version = 2
why = """An account that was made to be misused is used at once. New people begin with small things; rights, keys, exports and
settings come later."""
false_positives = """A new administrator, and a program that was set up to do just that. What many people of the product do anyway
is not counted as sensitive."""
next_steps = """Find out who made the account and for whom. Match what it did with the person's work, and close it if nobody knows
it."""
scope = "actor_type IN ('user', 'api_key', 'unknown') AND NOT actor_anonymous"
needs = ["actor_email or actor_id or actor_name"]
classes = ["permission", "admin_grant", "secret", "token_created", "export", "logging", "critical_setting", "mfa_weakened", "protection", "identity_provider", "public_access", "deletion"]
baseline_days = "min_history_days"
attack = ["T1136"]
lookback = "new_days + 2 days"
reads = "actor_type IN ('user', 'api_key', 'unknown') AND len(classes) > 0"
habits = "history_days + new_days + 2 days"

[controls]
soc2 = ["CC6.2", "CC6.3", "CC7.2"]
iso27001 = ["A.5.16", "A.5.18", "A.8.16"]
pci = ["7.2.2", "10.2.1.5", "10.4.1"]
hipaa = ["164.308(a)(3)(ii)(A)", "164.308(a)(1)(ii)(D)"]
nist = ["AC-2", "AC-6", "AU-6"]

[parameters.new_days]
default = 3
minimum = 1
maximum = 90
unit = "days"
meaning = "So many days from the first event an account is new"

[parameters.min_history_days]
default = 14
minimum = 1
maximum = 365
unit = "days"
meaning = "The product's log must reach back so far before the account's first event: else everybody is new"

[parameters.history_days]
default = 90
minimum = 1
maximum = 730
unit = "days"
meaning = "How far back earlier events of the account are looked for"

[parameters.ordinary_percent]
default = 20
minimum = 1
maximum = 100
unit = "percent"
meaning = "What this share of the product's people do, each on several days, is ordinary there, and not sensitive"

[parameters.practice_days]
default = 2
minimum = 1
maximum = 365
unit = "days"
meaning = "Somebody who did so on so many days does it: what happened once to many is not ordinary"

[parameters.min_people]
default = 5
minimum = 1
maximum = 100000
unit = "people"
meaning = "So many people must have used the product before: of fewer nobody can say what is ordinary"
*/
WITH days AS (
  SELECT person, local_date, min(first_at) AS first_at FROM habits
  WHERE actor_type IN ('user', 'api_key', 'unknown') AND NOT actor_anonymous AND is_named GROUP BY person, local_date
),
gaps AS (
  SELECT *, lag(local_date) OVER (PARTITION BY person ORDER BY local_date) AS before FROM days
),
starts AS (
  SELECT person, local_date AS first_day, first_at FROM gaps WHERE before IS NULL OR before < local_date - $history_days
),
done AS (
  SELECT e.event_uid, e.person, e.who, e.source, e.local_date, e.occurred_at, s.first_day, s.first_at, unnest(e.classes) AS class,
    coalesce(e.action_detail, e.action_raw, e.action, 'an entry') AS told
  FROM activity e JOIN starts s ON s.person = e.person AND e.local_date >= s.first_day AND e.local_date < s.first_day + $new_days
  JOIN spans p ON p.source = e.source AND p.first_at <= s.first_at - $min_history_days * INTERVAL 1 DAY
  WHERE e.actor_type IN ('user', 'api_key', 'unknown') AND NOT e.actor_anonymous
    AND len(e.classes) > 0
),
sensitive AS (
  SELECT * FROM done WHERE class IN ('permission', 'admin_grant', 'secret', 'token_created', 'export', 'logging', 'critical_setting',
    'mfa_weakened', 'protection', 'identity_provider', 'public_access', 'deletion')
),
asked AS (SELECT DISTINCT source, first_day FROM sensitive),
people AS (
  SELECT a.source, a.first_day, count(DISTINCT h.person) AS n
  FROM asked a JOIN habits h ON h.source = a.source AND h.local_date < a.first_day AND h.local_date >= a.first_day - $history_days
  WHERE h.actor_type = 'user' AND h.is_named
  GROUP BY a.source, a.first_day
),
classed AS (
  SELECT source, person, local_date, unnest(classes) AS class FROM habits WHERE actor_type = 'user' AND is_named
    AND len(classes) > 0
),
practised AS (
  SELECT a.source, a.first_day, c.class, c.person
  FROM asked a JOIN classed c ON c.source = a.source AND c.local_date < a.first_day AND c.local_date >= a.first_day - $history_days
  GROUP BY a.source, a.first_day, c.class, c.person HAVING count(DISTINCT c.local_date) >= $practice_days
),
doers AS (
  SELECT source, first_day, class, count(*) AS n FROM practised GROUP BY source, first_day, class
),
rare AS (
  SELECT s.* FROM sensitive s
  JOIN people p ON p.source = s.source AND p.first_day = s.first_day
  LEFT JOIN doers d ON d.source = s.source AND d.first_day = s.first_day AND d.class = s.class
  WHERE p.n >= $min_people AND coalesce(d.n, 0) * 100 < p.n * $ordinary_percent
)
SELECT
  person || '|' || first_day AS key,
  min(who) AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  count(DISTINCT event_uid) || CASE WHEN count(DISTINCT event_uid) = 1 THEN ' sensitive event' ELSE ' sensitive events' END
    || ' within ' || $new_days || ' days of the first' AS observed,
  'nothing sensitive from an account so new' AS expected,
  min(who) || ', first seen on ' || first_day || ', did in ' || string_agg(DISTINCT source, ', ' ORDER BY source) || ': '
    || left(string_agg(DISTINCT told, ', ' ORDER BY told), 300) || ' (' || string_agg(DISTINCT class, ', ' ORDER BY class) || ').' AS reason,
  'an earlier event of the account, ' || $new_days || ' days before' AS cleared_by,
  list_sort(list_distinct(list(event_uid))) AS events
FROM rare
GROUP BY person, first_day
ORDER BY window_start, key
