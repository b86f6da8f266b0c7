/*
title = "Preflight, run by run"
question = "When was preflight run, what did it find, and when was each issue resolved?"
answers = "One row for each run, and one for each stretch during which an issue was there."
target = "entity"
optional_target = true
example = "job:job_2041"
scope = "action_detail = 'preflight_completed'"
scope_name = "preflight runs"
reading = """An issue is resolved by the first later run of the same job that no longer names it; when it comes back, that is
another row. A row without `resolved_at` was still there in the last run. Nothing says what was repaired, only that the next
run did not find it."""
next_steps = "`auditbook recipe exported-without-approval` for what was exported all the same; `history` for who did what between two runs."
spare = ["last_seen", "severity", "who"]
[columns]
about = "The job."
what = "run or issue."
item = "The item that has the issue."
code = "The issue's code."
severity = "error, warning or info."
first_seen = "The run, or the first run that found the issue."
last_seen = "The last run that found it."
resolved_at = "The first run without it."
open_for = "From the first run that found it to the one without it."
errors = "Errors that the run counted."
warnings = "Warnings that the run counted."
who = "Who ran it first."
event = "That run's entry."
[[unseen]]
when = "in_scope AND TRY_CAST(metadata->>'error_count' AS INT) > 0 AND json_array_length(metadata->'issues') IS NOT DISTINCT FROM NULL"
text = "{n} runs count issues without listing them; when those were resolved is not known."
[[unseen]]
when = "in_scope AND metadata->>'error_count' IS NULL"
text = "{n} runs do not say how many errors they found."
*/
WITH runs AS (
  SELECT *, row_number() OVER w AS n, coalesce(instance, '') AS tenant, metadata->'issues' AS issues FROM events
  WHERE action_detail = 'preflight_completed'
  WINDOW w AS (PARTITION BY source, instance, about ORDER BY occurred_at, file, line)
),
issues AS (
  SELECT DISTINCT source, tenant, about, n, issue->>'itemId' AS item, issue->>'code' AS code, issue->>'severity' AS severity
  FROM (SELECT source, tenant, about, n, unnest(issues::JSON[]) AS issue FROM runs WHERE json_array_length(issues) > 0)
),
stretches AS (
  SELECT source, tenant, about, item, code, severity, min(n) AS first_n, max(n) AS last_n
  FROM (SELECT *, n - row_number() OVER (PARTITION BY source, tenant, about, item, code ORDER BY n) AS island FROM issues)
  GROUP BY source, tenant, about, item, code, severity, island
)
SELECT s.about, 'issue' AS what, s.item, s.code, s.severity, f.occurred_at AS first_seen, l.occurred_at AS last_seen,
  g.occurred_at AS resolved_at,
  CASE WHEN epoch(g.occurred_at) - epoch(f.occurred_at) >= 86400
    THEN format('{}d ', ((epoch(g.occurred_at) - epoch(f.occurred_at)) // 86400)::BIGINT) ELSE '' END
    || strftime(TIMESTAMP '2000-01-01' + to_seconds((epoch(g.occurred_at) - epoch(f.occurred_at)) % 86400), '%H:%M:%S') AS open_for,
  NULL::BIGINT AS errors, NULL::BIGINT AS warnings, f.who, f.event_uid AS event
FROM stretches s
  JOIN runs f ON f.source = s.source AND f.tenant = s.tenant AND f.about = s.about AND f.n = s.first_n
  JOIN runs l ON l.source = s.source AND l.tenant = s.tenant AND l.about = s.about AND l.n = s.last_n
  LEFT JOIN runs g ON g.source = s.source AND g.tenant = s.tenant AND g.about = s.about AND g.n = s.last_n + 1
UNION ALL
SELECT about, 'run', NULL, NULL, NULL, occurred_at, NULL, NULL, NULL, TRY_CAST(metadata->>'error_count' AS BIGINT),
  TRY_CAST(metadata->>'warning_count' AS BIGINT), who, event_uid FROM runs
ORDER BY about, first_seen, what DESC, item, code
