"""What a rule would find with other parameters: evaluated over a store as it is, and committed nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import detector as detectors
from pipeline import ownrules
from pipeline.detector import Coverage, Finding, Value
from pipeline.errors import UsageError
from pipeline.filters import known
from pipeline.query import Log
from pipeline.rows import Rows

if TYPE_CHECKING:
    import polars

_ROW = (
    "STRUCT(finding_id VARCHAR, severity VARCHAR, state VARCHAR, title VARCHAR, subject VARCHAR, "
    "window_start TIMESTAMPTZ, window_end TIMESTAMPTZ, observed VARCHAR, expected VARCHAR, reason VARCHAR, "
    "events VARCHAR[])"
)


@dataclass(frozen=True)
class Trial:
    """One rule with the parameters that were tried. `state` says how each finding stands beside the store's own
    settings: both, only here, or gone; `findings` has the first two."""

    detector: str
    parameters: Mapping[str, Value]
    changed: Mapping[str, Value]  # what was changed -> as it is set
    findings: Rows
    gone: Rows
    before: int
    coverage: tuple[Coverage, ...]

    def count(self) -> int:
        """How many findings there would be."""
        return self.findings.count()

    def pl(self) -> polars.DataFrame:
        """The findings as a polars frame."""
        return self.findings.pl()

    @property
    def sight(self) -> str:
        """What the rule could look at, and where it could not judge."""
        looked = [
            f"{one.in_scope:,} events of {one.source}" for one in self.coverage if one.status == "evaluated"
        ]
        blind = [f"{one.source}: {one.why.rstrip('.')}" for one in self.coverage if one.why]
        return "; ".join([f"looked at {', '.join(looked) or 'nothing'}", *blind])

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return (
            f"{self.detector}({told}): {self.count():,} findings, {self.before:,} as it is set; {self.sight}"
        )

    def _repr_html_(self) -> str:
        from pipeline import shown

        return shown.trial(self)


def evaluate(log: Log, name: str, parameters: Mapping[str, Value]) -> Trial:
    """Evaluate a rule over the store with some parameters changed; nothing is written."""
    rules = ownrules.ran(log.chain)
    known({name: None}, set(rules), "detector")
    one, settings = rules[name], log.config.detector(name)
    try:
        tried = detectors.values(one, {**settings.parameters, **parameters})
    except UsageError as error:
        raise UsageError(error.message.removeprefix(f"[detectors.{name}] "), hint=error.hint) from error
    severity = settings.severity or one.severity
    now = detectors.evaluate(log.con, one, settings.parameters, severity)
    found = detectors.evaluate(log.con, one, tried, severity)
    set_as = detectors.values(one, settings.parameters)
    before, after = {finding.finding_id for finding in now}, {finding.finding_id for finding in found}
    return Trial(
        detector=name,
        parameters=tried,
        changed={key: value for key, value in set_as.items() if tried[key] != value},
        findings=_rows(log, found, before, "only here"),
        gone=_rows(log, [finding for finding in now if finding.finding_id not in after], set(), "gone"),
        before=len(now),
        coverage=tuple(detectors.coverage(log.con, one, tried)),
    )


def _rows(log: Log, findings: Sequence[Finding], before: set[str], otherwise: str) -> Rows:
    """Findings as rows of a question, which can be asked further like any other."""
    names = [part.split()[0] for part in _ROW.removeprefix("STRUCT(").split(", ")]
    values = [
        {name: "both" if name == "state" and one.finding_id in before else otherwise if name == "state"
         else list(one.events) if name == "events" else getattr(one, name) for name in names}
        for one in findings
    ]  # fmt: skip
    query = f"SELECT * FROM (SELECT unnest(f) FROM (SELECT unnest(?::{_ROW}[]) AS f))"
    return Rows(log.con, query, [values], order=(("window_start", "ASC"), ("finding_id", "ASC")))
