/*
title = "Runs of background jobs"
question = "What did the background jobs do, and how did each end?"
answers = "One row for each run, folded from its entries: start, progress, end."
target = "entity"
optional_target = true
example = "background_job:SYNC_SQUARE_STOCK"
scope = "category = 'background_job'"
scope_name = "entries of background jobs"
reading = """The outcome is that of the last entry; `pending` means that no end was recorded. A run that the log gives no id is a run
of one entry."""
next_steps = "`auditbook recipe failed-jobs` for those that failed."
spare = ["events", "records", "run", "ended"]
[columns]
job = "Which job."
run = "The product's id of the run."
started = "Time of its first entry."
ended = "Time of its last entry."
seconds = "How long it took."
entries = "How many entries tell of it."
outcome = "How it ended."
records = "How many records it handled, as it said last."
error = "What went wrong, in the product's words."
events = "Its entries, in order."
[[unseen]]
when = "category = 'background_job' AND metadata->>'job_run_id' IS NULL"
text = "{n} entries have no id of their run and stand alone."
*/
SELECT arg_min(action_detail, (occurred_at, file, line)) AS job, metadata->>'job_run_id' AS run, min(occurred_at) AS started,
  max(occurred_at) AS ended, round(epoch(max(occurred_at)) - epoch(min(occurred_at)), 3) AS seconds, count(*) AS entries,
  arg_max(outcome, (occurred_at, file, line)) AS outcome,
  TRY_CAST(arg_max(metadata->>'records_processed', (occurred_at, file, line)) AS BIGINT) AS records,
  arg_max(error_message, (occurred_at, file, line)) AS error, list(event_uid ORDER BY occurred_at, file, line) AS events
FROM events WHERE category = 'background_job'
GROUP BY source, instance, metadata->>'job_run_id', coalesce(metadata->>'job_run_id', event_uid)
ORDER BY started, job, run
