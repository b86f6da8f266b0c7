/*
title = "A day unlike others of its kind"
severity = "low"
version = 2
why = """When a source says far more or far less than on such a weekday, something changed for everybody: an integration
that runs wild, an export that was cut, a log that was turned off for some."""
false_positives = """Seasons and campaigns, for some days: the level of the last days is taken into account. Holidays are
neither judged nor compared with."""
next_steps = """Find which actors and actions make the difference. Where there is less than usual, ask first whether the export
is complete."""
about = "log"
scope = "occurred_at IS NOT NULL"
needs = ["occurred_at"]
lookback = "2 days"
lookahead = "2 days"
habits = "baseline_days + 2 days"

[controls]
soc2 = ["CC6.1", "CC7.2"]
iso27001 = ["A.8.15", "A.8.16"]
pci = ["10.2.1.1", "10.4.1"]
hipaa = ["164.308(a)(1)(ii)(D)", "164.312(b)"]
nist = ["AU-6", "SI-4"]

[parameters.baseline_days]
default = 56
minimum = 14
maximum = 365
unit = "days"
meaning = "How far back days are compared"

[parameters.min_samples]
default = 4
minimum = 2
maximum = 50
unit = "days"
meaning = "Earlier days of the same weekday that are needed"

[parameters.level_days]
default = 7
minimum = 1
maximum = 50
unit = "days"
meaning = "The level of so many last days is taken into account"

[parameters.times]
default = 2
minimum = 2
maximum = 1000
unit = "times"
meaning = "A day must have so many times what is expected, or so many times less"

[parameters.deviations]
default = 4
minimum = 1
maximum = 1000
unit = "deviations"
meaning = "It must also be so many deviations (1.4826 MAD of the logarithms) away"

[parameters.min_difference]
default = 50
minimum = 1
maximum = 1000000
unit = "events"
meaning = "A smaller difference is left alone"
*/
WITH days AS (
  SELECT h.source, c.local_date, c.weekday, sum(h.n) AS n
  FROM habits h JOIN calendar c ON c.schedule = 'organization' AND c.slot = h.slot
  WHERE NOT c.is_holiday GROUP BY h.source, c.local_date, c.weekday
),
-- A day is judged when the log goes on after it.
ended AS (
  SELECT c.local_date FROM calendar c WHERE c.schedule = 'organization' GROUP BY c.local_date
  HAVING max(c.slot) < (SELECT max(last_at) FROM spans)
),
medians AS (
  SELECT d.source, d.local_date, p.weekday, median(p.n) AS middle, count(*) AS samples
  FROM days d JOIN days p ON p.source = d.source
    AND p.local_date < d.local_date AND p.local_date >= d.local_date - $baseline_days
  GROUP BY d.source, d.local_date, p.weekday
),
residuals AS (
  SELECT d.source, d.local_date, ln((p.n + 1) / (m.middle + 1)) AS residual,
    row_number() OVER (PARTITION BY d.source, d.local_date ORDER BY p.local_date DESC) AS back
  FROM days d
  JOIN days p ON p.source = d.source AND p.local_date < d.local_date AND p.local_date >= d.local_date - $baseline_days
  JOIN medians m ON m.source = d.source AND m.local_date = d.local_date AND m.weekday = p.weekday
),
levels AS (
  SELECT source, local_date, median(residual) FILTER (back <= $level_days) AS level, mad(residual) AS spread
  FROM residuals GROUP BY source, local_date
),
judged AS (
  SELECT d.source, d.local_date, d.n, m.samples, m.middle, l.level, l.spread,
    ln((d.n + 1) / (m.middle + 1)) - l.level AS residual, (m.middle + 1) * exp(l.level) - 1 AS usual
  FROM days d
  JOIN ended x ON x.local_date = d.local_date
  JOIN medians m ON m.source = d.source AND m.local_date = d.local_date AND m.weekday = d.weekday
  JOIN levels l ON l.source = d.source AND l.local_date = d.local_date
),
breaks AS (
  SELECT *, CAST(round(usual) AS BIGINT) AS told FROM judged
  WHERE samples >= $min_samples AND abs(residual) >= ln($times) AND abs(residual) >= $deviations * 1.4826 * spread
    AND abs(n - usual) >= $min_difference
)
SELECT
  b.source || '|' || b.local_date AS key,
  b.source AS subject,
  min(e.occurred_at) AS window_start,
  max(e.occurred_at) AS window_end,
  b.n || ' events' AS observed,
  'about ' || b.told || ', less than ' || $times || ' times more or less' AS expected,
  b.source || ' on ' || b.local_date
    || CASE WHEN b.residual > 0 THEN ': more' ELSE ': less' END
    || ' than on such a weekday; the median of '
    || b.samples || ' of them is ' || b.middle || ', the level of the last days ' || round(100 * exp(b.level)) || ' %.' AS reason,
  CASE WHEN b.residual > 0
       THEN 'fewer than ' || CAST(ceil(greatest($times * (b.usual + 1) - 1, b.usual + $min_difference)) AS BIGINT) || ' events'
       ELSE 'more than ' || CAST(floor(least((b.usual + 1) / $times - 1, b.usual - $min_difference)) AS BIGINT) || ' events' END AS cleared_by,
  list_sort(list(e.event_uid)) AS events
FROM breaks b
JOIN calendar c ON c.schedule = 'organization' AND c.local_date = b.local_date
JOIN activity e ON e.source = b.source AND time_bucket(INTERVAL 15 MINUTE, e.occurred_at) = c.slot
GROUP BY b.source, b.local_date, b.n, b.told, b.residual, b.samples, b.middle, b.level, b.usual
ORDER BY window_start, key
