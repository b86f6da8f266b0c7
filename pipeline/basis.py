"""Which rules an evaluation runs, and what the outcome of each depends on beside the events. Part of detect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline import activity, mapping, ownrules
from pipeline import store as stores
from pipeline.config import Config, to_dict
from pipeline.detector import Detector
from pipeline.errors import UsageError
from pipeline.evaluation import Rule

# Parts of the configuration that rules see.
_JUDGED_BY = ("organization", "actors", "teams", "sources", "places")


@dataclass(frozen=True)
class Asked:
    """The rules that an evaluation is asked for; what the outcome of each depends on, now and when it was last made."""

    rules: Sequence[Rule]
    now: Mapping[str, str]
    before: Mapping[str, str]
    there: frozenset[str]  # every rule that has a file, left on or not
    sources: Mapping[str, mapping.Mapping]

    @property
    def again(self) -> bool:
        """Whether something that was judged is judged again."""
        return any(rule.again for rule in self.rules)


def asked(chain: Sequence[stores.Commit], config: Config, *, lost: bool) -> Asked:
    """Which rules the configuration leaves on, ours and the user's own; all of them again when evidence was lost."""
    known = ownrules.known(config.rules)
    if unknown := sorted(set(config.detectors) - set(known)):
        raise UsageError(
            f"[detectors.{unknown[0]}] is not a detector.", hint=f"Known are: {', '.join(sorted(known))}."
        )
    chosen = [one for name, one in known.items() if config.detector(name).enabled]
    sources = mapping.known(config.mappings)
    versions = {source: one.version for source, one in sources.items()}
    now = {one.id: _basis(one, config, versions) for one in chosen}
    last = next((link for link in reversed(chain) if link.kind == "detect"), None)
    before = dict(last.content.get("bases", {})) if last else {}
    rules = [_rule(one, config, lost or before.get(one.id) != now[one.id]) for one in chosen]
    return Asked(rules, now, before, frozenset(known), sources)


def _rule(one: Detector, config: Config, again: bool) -> Rule:
    settings = config.detector(one.id)
    return Rule(one, settings.parameters, settings.severity or one.severity, again)


def _basis(one: Detector, config: Config, mappings: Mapping[str, str]) -> str:
    """A hash of what the outcome of a rule depends on beside the events; rules read also what mappings declare."""
    settings = to_dict(config)
    own = settings.get("detectors", {}).get(one.id, {})
    shared = {name: settings.get(name) for name in _JUDGED_BY}
    return stores.sha256_text(
        stores.canonical([one.sha256, own, shared, mappings, stores.versions(), activity.VERSION])
    )[:16]
