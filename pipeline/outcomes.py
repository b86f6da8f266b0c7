"""What an evaluation found and saw, held against what stood before it -> what is written down of it. Part of detect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from pipeline import coverage, detector, standing
from pipeline.basis import Asked
from pipeline.counting import Counts
from pipeline.evaluation import Outcome
from pipeline.findings import COVERAGE_ROWS
from pipeline.touched import EARLIEST, LATEST


@dataclass(frozen=True)
class Before:
    """What the evaluations until now say: the findings as they stand, and what the newest could see."""

    findings: dict[str, dict[str, Any]]
    covered: list[dict[str, object]]

    def named(self, asked: Asked) -> set[str]:
        """Every rule that they speak of."""
        return {*asked.before, *(str(row["detector"]) for row in self.covered)}

    def gone(self, asked: Asked) -> set[str]:
        """Those that are off since: what one found goes with it, and that it failed."""
        return self.named(asked) - asked.now.keys()


@dataclass(frozen=True)
class Made:
    """What an evaluation writes down."""

    rows: list[dict[str, object]]
    covered: list[dict[str, object]]
    bases: dict[str, str]

    def differs(self, asked: Asked, before: Before) -> bool:
        """Whether it says anything that the evaluations until now do not."""
        return bool(self.rows) or self.covered != before.covered or self.bases != asked.before


def before(connection: duckdb.DuckDBPyConnection) -> Before:
    """The findings as they stand, and what the newest evaluation said that it could see."""
    names = ", ".join(COVERAGE_ROWS)
    rows = connection.execute(
        f"SELECT {names} FROM detector_coverage WHERE newest ORDER BY detector, source"
    ).fetchall()
    return Before(standing.current(connection), [dict(zip(COVERAGE_ROWS, row, strict=True)) for row in rows])


def made(connection: duckdb.DuckDBPyConnection, asked: Asked, before: Before, outcome: Outcome) -> Made:
    """What is to be written: findings that are new, changed or gone, what every rule could see, what it depended on."""
    off = [standing.Found(name, ((EARLIEST, LATEST),), ()) for name in sorted(before.gone(asked))]
    rows = standing.differences(before.findings, [*outcome.found, *off])
    covered = _covered(asked, outcome, before.covered, coverage.configured(connection))
    # A rule that failed is evaluated over everything again.
    judged = {name: basis for name, basis in asked.now.items() if name not in outcome.failed}
    return Made(rows, covered, judged)


def _covered(
    asked: Asked,
    outcome: Outcome,
    before: Sequence[dict[str, object]],
    ready: frozenset[str],
) -> list[dict[str, object]]:
    """What each rule could see, of these events and of all before them."""
    rows: list[dict[str, object]] = []
    for rule in asked.rules:
        earlier = [row for row in before if row["detector"] == rule.id and row["counts"] and not rule.again]
        if rule.id in outcome.failed:
            rows.append(asdict(detector.failed(rule.detector, rule.overrides, outcome.failed[rule.id])))
        elif rule.id in outcome.sights:
            sight = dict(outcome.sights[rule.id])
            for row in earlier:
                source = str(row["source"])
                sight[source] = Counts.read(str(row["counts"])) + sight.get(source, Counts())
            judged = coverage.judged(rule.detector, rule.chosen, sight, outcome.people, ready, asked.sources)
            rows += [asdict(one) for one in judged]
        else:  # nothing that is new concerns it
            rows += earlier
    return sorted(rows, key=lambda row: (str(row["detector"]), str(row["source"])))
