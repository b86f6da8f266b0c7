"""Which rules an evaluation runs, and what the outcome of each depends on beside the events. Part of detect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline import activity, mapping, ownrules
from pipeline import store as stores
from pipeline.config import Config, to_dict
from pipeline.detector import Detector
from pipeline.errors import UsageError
from pipeline.evaluation import Rule

# Parts of the configuration that rules see.
_JUDGED_BY = ("organization", "actors", "teams", "sources", "places")


def enabled(config: Config) -> list[Detector]:
    """The rules that the configuration leaves on, ours and the user's own."""
    known = ownrules.known(config.rules)
    if unknown := sorted(set(config.detectors) - set(known)):
        raise UsageError(
            f"[detectors.{unknown[0]}] is not a detector.", hint=f"Known are: {', '.join(sorted(known))}."
        )
    return [one for name, one in known.items() if config.detector(name).enabled]


def rule(one: Detector, config: Config, again: bool) -> Rule:
    """A rule with its settings; `again` when all that it found is to be found anew."""
    settings = config.detector(one.id)
    return Rule(one, settings.parameters, settings.severity or one.severity, again)


def _basis(one: Detector, config: Config, mappings: Mapping[str, str]) -> str:
    """What the outcome of a rule depends on beside the events; rules read also what mappings declare."""
    settings = to_dict(config)
    own = settings.get("detectors", {}).get(one.id, {})
    shared = {name: settings.get(name) for name in _JUDGED_BY}
    return stores.sha256_text(
        stores.canonical([one.sha256, own, shared, mappings, stores.versions(), activity.VERSION])
    )[:16]


def of(rules: Sequence[Detector], config: Config) -> dict[str, str]:
    """A hash of all that, by rule: one whose hash is another is evaluated over everything."""
    mappings = {source: one.version for source, one in mapping.known(config.mappings).items()}
    return {one.id: _basis(one, config, mappings) for one in rules}
