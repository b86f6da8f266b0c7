/*
title = "Failed, and nothing says why"
severity = "low"
version = 2
why = """The product promises that the error stands on every entry that failed. One without it cannot be followed up, and a
failure that nobody can explain is one that comes back."""
false_positives = """Jobs that a person stopped; products that keep the error elsewhere, which a mapping could bring here."""
next_steps = """Ask the vendor for the error, with the ids of the entries below. If the product keeps it in a field that is not
mapped, map it: `auditbook sources check` lists those fields."""
scope = "outcome = 'failure' AND (category = 'background_job' OR event_type_raw IS NOT NULL)"
lookback = "2 days"
needs = ["outcome"]

[controls]
soc2 = ["CC7.2", "CC7.3"]
iso27001 = ["A.8.15"]
pci = ["10.2.2", "10.7.2"]
hipaa = ["164.308(a)(1)(ii)(D)"]
nist = ["AU-3", "SI-11"]
*/
WITH silent AS (
  SELECT event_uid, source, coalesce(instance, '') AS instance, occurred_at, local_date,
    coalesce(action_detail, action_raw, 'unnamed entry') AS job
  FROM activity
  WHERE outcome = 'failure' AND (category = 'background_job' OR event_type_raw IS NOT NULL)
    AND coalesce(trim(error_message), '') = '' AND coalesce(trim(error_stack), '') = ''
    -- What was retried or answered says in its response what went wrong.
    AND coalesce(metadata->>'response', '') = ''
)
SELECT
  source || '|' || replace(instance, '|', '%7C') || '|' || replace(job, '|', '%7C') || '|' || local_date AS key,
  job || ' (' || source || coalesce(', ' || nullif(instance, ''), '') || ')' AS subject,
  min(occurred_at) AS window_start,
  max(occurred_at) AS window_end,
  count(*) || CASE WHEN count(*) = 1 THEN ' failure' ELSE ' failures' END || ' without an error' AS observed,
  'an error message or a stack trace on every failure' AS expected,
  job || ' failed' || CASE WHEN count(*) = 1 THEN '' ELSE ' ' || count(*) || ' times on ' || local_date END
    || ', and the entry says neither an error nor a stack trace.' AS reason,
  'an error message on each of these entries' AS cleared_by,
  list_sort(list(event_uid)) AS events
FROM silent
GROUP BY source, instance, job, local_date
ORDER BY window_start, key
