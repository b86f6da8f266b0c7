/*
title = "Failed jobs and what to do about them"
question = "Which background jobs failed, why, and what is the next step?"
answers = "One row for each job and error: how often, since when, whether it recovered, and what to do."
target = "none"
scope = "category = 'background_job'"
scope_name = "entries of background jobs"
reading = """Errors that differ only in numbers and long ids count as one. `recovered_at` is the first later run of that job that
succeeded. auditbook only reads: nothing is retried from here. `retried` counts entries that say so."""
next_steps = "`auditbook recipe support-bundle --set job=NAME` makes the text for the vendor, with the entry ids."
spare = ["events", "has_stack", "retryable", "retried", "first", "source"]
[parameters.recurring]
default = 3
meaning = "So many failures with one error are a case for support."
[columns]
source = "The product."
job = "The job."
failures = "How many runs failed so."
first = "The first failure."
last = "The last."
error = "The error, as it was last told."
has_stack = "Whether a stack trace was recorded."
recovered_at = "The first success after the last failure."
retried = "How many retries of these runs the log has."
retryable = "What the product says about trying again."
next_step = "What to do."
events = "The entries."
[[unseen]]
when = "in_scope AND outcome = 'failure' AND error_message IS NULL"
text = "{n} failures have no error recorded."
[[unseen]]
when = "in_scope AND outcome = 'pending' AND metadata->>'job_run_id' IS NULL"
text = "{n} entries began something and have no run id, so their end cannot be told."
*/
WITH runs AS (
  SELECT *, coalesce(action_detail, action_raw, 'unnamed job') AS job, coalesce(error_message, 'no error recorded') AS told,
    left(lower(regexp_replace(regexp_replace(coalesce(error_message, ''), '[0-9a-fA-F]{8,}(-[0-9a-fA-F]+)*', '#', 'g'),
      '[0-9]+', '#', 'g')), 200) AS signature
  FROM events WHERE category = 'background_job'
),
failed AS (
  SELECT source, coalesce(instance, '') AS tenant, job, signature, count(*) AS failures, min(occurred_at) AS first,
    max(occurred_at) AS last, arg_max(told, (occurred_at, file, line)) AS error, bool_or(error_stack IS NOT NULL) AS has_stack,
    bool_or(retryable) AS retryable, bool_or(coalesce(metadata->>'job_kind' = 'sync', false)) AS is_sync,
    list(metadata->>'job_run_id') AS run_ids, list(event_uid ORDER BY occurred_at, file, line) AS events
  FROM runs WHERE outcome = 'failure' GROUP BY ALL
),
recovered AS (
  SELECT f.source, f.tenant, f.job, f.signature, min(r.occurred_at) AS recovered_at FROM failed f
  JOIN runs r ON r.source = f.source AND coalesce(r.instance, '') = f.tenant AND r.job = f.job AND r.outcome = 'success'
    AND r.occurred_at > f.last
  GROUP BY ALL
),
retries AS (
  SELECT f.source, f.tenant, f.job, f.signature, count(*) AS retried FROM failed f
  JOIN events e ON e.source = f.source AND coalesce(e.instance, '') = f.tenant AND e.action = 'retry'
    AND list_contains(f.run_ids, e.entity_id)
  GROUP BY ALL
)
SELECT f.source, f.job, f.failures, f.first, f.last, f.error, f.has_stack, v.recovered_at, coalesce(t.retried, 0) AS retried,
  f.retryable,
  CASE WHEN v.recovered_at IS NOT NULL THEN 'nothing: a later run succeeded'
    WHEN f.failures >= $recurring THEN 'recurring: send the entry ids to support'
    WHEN f.retryable THEN 'retry it from its entry in the product'
    WHEN f.is_sync THEN 'mend the cause, then start the sync again from its integration page'
    WHEN f.retryable = false THEN 'mend the cause; the product does not retry this one'
    ELSE 'look at the entry: the log does not say whether it can be retried' END AS next_step, f.events
FROM failed f
  LEFT JOIN recovered v ON v.source = f.source AND v.tenant = f.tenant AND v.job = f.job AND v.signature = f.signature
  LEFT JOIN retries t ON t.source = f.source AND t.tenant = f.tenant AND t.job = f.job AND t.signature = f.signature
ORDER BY v.recovered_at IS NOT NULL, f.failures DESC, f.last DESC, f.job
