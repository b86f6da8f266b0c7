/*
title = "Automations, rule by rule"
question = "Which automation rules ran, how often, and what did they do?"
answers = "One row for each rule: how often it was triggered, what it did, on how many things."
target = "none"
scope = "entity_type = 'automation_rule' OR category = 'automation'"
scope_name = "entries of automations"
reading = """What a rule did is what the log ties to it by the rule's id. A trigger without an effect may have had one that the log does
not tie to it. A rule that is not here was not triggered, or has no id in the log."""
next_steps = "`history automation_rule:ID` has a rule's every run; a rule that triggers without effects needs a look at its conditions."
spare = ["first", "things", "failures", "messages", "source"]
[columns]
source = "The product."
rule = "The rule's id."
name = "Its name."
triggered = "How often it was triggered."
effects = "How many entries it caused."
did = "What they were."
messages = "How many messages it sent."
failures = "How many failed."
things = "On how many things."
first = "The first time."
last = "The last."
[[unseen]]
when = "actor_type = 'automation' AND len(list_filter(related_entities, lambda r: r.type = 'automation_rule')) = 0 AND entity_type IS DISTINCT FROM 'automation_rule'"
text = "{n} entries of automations do not say which rule they belong to."
*/
WITH ran AS (
  SELECT *, coalesce(CASE WHEN entity_type = 'automation_rule' THEN entity_id END, r.id) AS rule,
    coalesce(CASE WHEN entity_type = 'automation_rule' THEN entity_name END, r.name) AS rule_name,
    entity_type = 'automation_rule' AND action = 'trigger' AS is_trigger
  FROM (SELECT *, list_filter(related_entities, lambda r: r.type = 'automation_rule')[1] AS r FROM events)
),
kinds AS (
  SELECT source, rule, string_agg(did || ' x' || n, ', ' ORDER BY n DESC, did) AS did FROM (
    SELECT source, rule, coalesce(action_detail, action) AS did, count(*) AS n FROM ran
    WHERE rule IS NOT NULL AND NOT is_trigger GROUP BY ALL)
  GROUP BY ALL
)
SELECT r.source, r.rule, arg_max(r.rule_name, r.occurred_at) AS name, count(*) FILTER (r.is_trigger) AS triggered,
  count(*) FILTER (NOT r.is_trigger) AS effects, any_value(k.did) AS did, sum(len(r.communications))::BIGINT AS messages,
  count(*) FILTER (r.outcome = 'failure') AS failures, count(DISTINCT r.about) AS things, min(r.occurred_at) AS first,
  max(r.occurred_at) AS last
FROM ran r LEFT JOIN kinds k ON k.source = r.source AND k.rule = r.rule
WHERE r.rule IS NOT NULL GROUP BY r.source, r.rule ORDER BY r.source, triggered DESC, r.rule
