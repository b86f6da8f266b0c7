/*
title = "A secret stands in the log"
severity = "high"
version = 1
why = """Whoever may read the log can use what stands in it: a key, a token, a password. The product promises [REDACTED] in such
places; here the thing itself was written."""
false_positives = """Examples of the vendor's documentation; keys that are meant to be public; long codes that only look like
one."""
next_steps = """Replace the secret now, as if it were known to everybody who can see the log; then ask the vendor to remove it
and to redact it from now on. auditbook shows it only to whoever reads the raw line."""
about = "log"
scope = "true"
lookback = "2 days"
needs = ["changes or metadata or message or unmapped"]
attack = ["T1552.001"]

[controls]
soc2 = ["CC6.1", "CC6.7", "C1.1"]
iso27001 = ["A.8.11", "A.8.12", "A.5.17"]
pci = ["3.5.1", "8.3.2", "10.3.1"]
hipaa = ["164.312(a)(2)(iv)", "164.312(d)"]
nist = ["IA-5", "SC-28", "AU-9"]
*/
WITH named AS (
  SELECT field FROM (SELECT DISTINCT c.field AS field FROM (SELECT unnest(changes) AS c FROM activity))
  WHERE regexp_matches(field, '(?i)(^|[^a-z])(password|passwd|secret|token|api[_ -]?key|private[_ -]?key|credential|client[_ -]?secret)s?$|(Password|Secret|Token|ApiKey|PrivateKey)$')
),
-- A secret is long: most values need no look, in a field of that name or in another.
changed AS (
  SELECT event_uid, c.field AS field, c.old AS old, c.new AS new, c.field IN (SELECT field FROM named) AS is_named
  FROM (SELECT event_uid, unnest(changes) AS c FROM activity)
  WHERE strlen(c.old) >= 15 OR strlen(c.new) >= 15 OR c.field IN (SELECT field FROM named)
),
fields AS (
  SELECT event_uid, field, is_named, CAST(value AS JSON)->>'$' AS text
  FROM (
    SELECT event_uid, field, is_named, old AS value FROM changed
    UNION ALL
    SELECT event_uid, field, is_named, new FROM changed)
  WHERE is_named OR strlen(value) >= 15
),
texts AS (
  SELECT event_uid, 'the field ' || field AS place, is_named, text FROM fields WHERE text <> '[REDACTED]'
  UNION ALL
  SELECT event_uid, 'metadata', false, CAST(metadata AS VARCHAR) FROM activity WHERE metadata IS NOT NULL
  UNION ALL
  SELECT event_uid, 'what has no column', false, CAST(unmapped AS VARCHAR) FROM activity WHERE unmapped IS NOT NULL
  UNION ALL
  SELECT event_uid, 'the description', false, message FROM activity WHERE message IS NOT NULL
  UNION ALL
  SELECT event_uid, 'the reason', false, reason FROM activity WHERE reason IS NOT NULL
  UNION ALL
  SELECT event_uid, 'the error', false, error_message FROM activity WHERE error_message IS NOT NULL
),
-- One look at each text for anything that begins like a secret; what it is comes after it, for the few that do.
suspects AS (
  SELECT * FROM texts
  WHERE is_named
    OR regexp_matches(text, 'AKIA|ASIA|gh[pousr]_|github_pat_|xox[abeoprs]-|sk_live_|rk_live_|ock_|eyJ|PRIVATE KEY|AIza|SG\.|whsec_|glpat-|[Bb]earer |(?i)(password|passwd|secret|token|api_?key)"\s*:\s*"')
),
kinds AS (
  SELECT *, CASE
    WHEN regexp_matches(text, '(^|[^A-Za-z0-9])(AKIA|ASIA)[0-9A-Z]{16}([^A-Za-z0-9]|$)') THEN 'an AWS access key'
    WHEN regexp_matches(text, '(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})') THEN 'a GitHub token'
    WHEN regexp_matches(text, 'xox[abeoprs]-[A-Za-z0-9-]{10,}') THEN 'a Slack token'
    WHEN regexp_matches(text, '(sk|rk)_live_[A-Za-z0-9]{16,}') THEN 'a Stripe key'
    WHEN regexp_matches(text, 'whsec_[A-Za-z0-9+/]{16,}') THEN 'a webhook secret'
    WHEN regexp_matches(text, '(^|[^A-Za-z0-9])ock_[A-Za-z0-9]{12,}') THEN 'an OnCloudWine key'
    WHEN regexp_matches(text, 'glpat-[A-Za-z0-9_-]{20}') THEN 'a GitLab token'
    WHEN regexp_matches(text, 'AIza[0-9A-Za-z_-]{35}') THEN 'a Google key'
    WHEN regexp_matches(text, 'SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}') THEN 'a SendGrid key'
    WHEN regexp_matches(text, 'eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.') THEN 'a signed token'
    WHEN regexp_matches(text, '-----BEGIN [A-Z ]*PRIVATE KEY-----') THEN 'a private key'
    WHEN regexp_matches(text, '[Bb]earer [A-Za-z0-9._~+/-]{20,}') THEN 'a bearer token'
    WHEN is_named AND length(text) BETWEEN 8 AND 500 AND NOT regexp_matches(text, '(\*{3}|•|…|\.{3}|^\[.*\]$|^\s*$|^(true|false|null|enabled|disabled|required|optional)$|^[0-9 :TZ.+-]+$| )')
      THEN 'a value in a field of that name'
    WHEN regexp_matches(text, '(?i)"[a-z_ -]*(password|passwd|secret|token|api_?key)"\s*:\s*"[^"*\[… ]{8,}"') THEN 'a value under such a name'
    END AS kind
  FROM suspects
)
SELECT
  e.source || '|' || coalesce(e.instance, '') || '|' || k.place || '|' || k.kind || '|' || e.local_date AS key,
  e.source || coalesce(' (' || e.instance || ')', '') || ', ' || k.place AS subject,
  min(e.occurred_at) AS window_start,
  max(e.occurred_at) AS window_end,
  k.kind || ' in ' || count(DISTINCT e.event_uid)
    || CASE WHEN count(DISTINCT e.event_uid) = 1 THEN ' entry' ELSE ' entries' END AS observed,
  '[REDACTED]' AS expected,
  'In ' || k.place || ' of ' || string_agg(DISTINCT coalesce(e.action_detail, e.action_raw, 'an entry'), ', '
    ORDER BY coalesce(e.action_detail, e.action_raw, 'an entry')) || ' stands what looks like ' || k.kind || '.' AS reason,
  '[REDACTED] in its place' AS cleared_by,
  list_sort(list_distinct(list(e.event_uid))) AS events
FROM kinds k JOIN activity e ON e.event_uid = k.event_uid
WHERE k.kind IS NOT NULL
GROUP BY e.source, e.instance, k.place, k.kind, e.local_date
ORDER BY window_start, key
