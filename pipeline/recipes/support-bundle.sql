/*
title = "What support needs to know"
question = "The job keeps failing: what do I send to the vendor?"
answers = "One row for each failed entry: the product's own id of it, when, which run, the error and the stack trace."
target = "none"
scope = "category = 'background_job' AND outcome = 'failure'"
scope_name = "failed entries of background jobs"
needs = ["source_event_id", "error_message"]
reading = "`entry_id` is what the vendor can look up. Values stand as they were exported: read them before you send them."
next_steps = "`--format json` or `--format csv`, attached to the request; say since when, and what changed on your side that day."
spare = ["stack", "instance", "file", "line", "records", "event"]
[parameters.job]
default = ""
meaning = "Only this job; without it all of them."
[columns]
entry_id = "The product's id of the entry."
happened_at = "When."
source = "The product."
instance = "The tenant."
job = "The job."
run = "The product's id of the run."
records = "How many records it had handled."
error = "The error."
stack = "The stack trace, as it was recorded."
file = "The export that has the line."
line = "The line."
event = "The entry in this store."
[[unseen]]
when = "in_scope AND error_stack IS NULL"
text = "{n} of the failures have no stack trace: the error was the other side's, or none was recorded."
*/
SELECT coalesce(source_event_id, event_uid) AS entry_id, occurred_at AS happened_at, source, instance, action_detail AS job,
  metadata->>'job_run_id' AS run, TRY_CAST(metadata->>'records_processed' AS BIGINT) AS records, error_message AS error,
  error_stack AS stack, file, line, event_uid AS event
FROM events WHERE category = 'background_job' AND outcome = 'failure' AND ($job = '' OR lower(action_detail) = lower($job))
ORDER BY happened_at, file, line
