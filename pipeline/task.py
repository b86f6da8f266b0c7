"""A rule to evaluate, over which stretches of time, and what it mentions of the events. Part of detect."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline import activity
from pipeline.rulefile import Detector, Value
from pipeline.summary import Span
from pipeline.touched import DAY, Reach

# Rules that look no further share one table of all events, the others one of what they read: for those that read little
# it is worth it soon.
SHORT, SHORTER = 9 * DAY, 3 * DAY
LONG = 100 * DAY  # of habits: who looks further back reads them where they are kept
DERIVED_FROM = {
    "event_changes": {"changes"},
    "event_entities": {"entity_type", "entity_id", "entity_ids", "parent_entity_type", "parent_entity_id",
                       "related_entities"},
    "event_messages": {"communications"},
    "correlation_groups": {"correlation_id", "file", "line"},
    "job_runs": {"category", "metadata", "action_detail", "outcome", "error_message", "instance", "file", "line"},
}  # fmt: skip
LATE = {"sentence"}  # made when a rule reads it, of the few events that it picks
_WORD = re.compile(r"[a-z_0-9]+")


@dataclass(frozen=True)
class Task:
    """A rule to evaluate: with these parameters, over the stretches in which its windows end."""

    rule: Detector
    chosen: Mapping[str, Value]
    overrides: Mapping[str, object]
    severity: str
    reach: Reach
    windows: tuple[Span, ...]
    again: bool  # whether everything is judged anew, and not only what is new

    @property
    def schema(self) -> str:
        return f'"r_{self.rule.id}"'

    @property
    def is_short(self) -> bool:
        back, ahead = self.reach.back, self.reach.ahead
        far = SHORT if self.rule.reads == "true" else SHORTER
        return back is not None and ahead is not None and max(back, ahead) <= far

    @property
    def is_long(self) -> bool:
        return self.reach.habits is None or self.reach.habits > LONG


def used(rules: Sequence[Detector]) -> set[str]:
    """The columns that some rule mentions; to read one too many costs little, one too few would be an error."""
    found = {word for rule in rules for word in words(rule)}
    found = found.union(*(activity.COMPUTED[name][1] for name in LATE & found))
    return found | {name for table in DERIVED_FROM.keys() & found for name in DERIVED_FROM[table]}


def words(rule: Detector) -> set[str]:
    """The words of a rule's statement and conditions, columns and tables among them."""
    body = rule.sql.partition("*/")[2]
    return asked(rule) | set(_WORD.findall(f"{body} {rule.reads} actor_email"))


def asked(rule: Detector) -> set[str]:
    """What is asked to count what a rule sees."""
    return set(_WORD.findall(" ".join([rule.scope, *rule.needs])))
