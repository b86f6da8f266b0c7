"""detectors: list, show, coverage, test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli import options, output
from pipeline.cli.group import Nouns

if TYPE_CHECKING:
    from pipeline.cases import CaseResult


@click.group(cls=Nouns)
def detectors() -> None:
    """What is looked for: list, show, coverage, test.

    \b
    Examples:
      auditbook detectors
      auditbook detectors show bulk_delete
      auditbook detectors test
    """


@detectors.command("list")
@options.several(options.shape, options.store, options.config)
def list_(shape: str, store: Path, config: Path | None) -> None:
    """Every detector, and whether the config leaves it on; where there is a store, which failed in its last evaluation.

    \b
    Example:
      auditbook detectors list --format jsonl
    """
    from pipeline import ownrules
    from pipeline import store as stores

    settings = options.read_config(config)
    known = ownrules.known(settings.rules)
    found = [
        {
            "detector": one.id,
            "severity": settings.detector(one.id).severity or one.severity,
            "enabled": settings.detector(one.id).enabled,
            "version": one.version,
            "title": one.title,
            "from": ownrules.origin(one, settings.rules),
        }
        for one in known.values()
    ]
    if shape == "table":
        columns = ("detector", "severity", "enabled", "version", "title")
        output.table((*columns, "from") if settings.rules else columns, found, keys=("detector",))
    else:
        output.structured(found, shape)
    for one in known.values():
        if one.error:
            output.note(f"the detector {one.id} cannot be evaluated: {one.error}")
    if stores.exists(store):
        with options.open_log(store, config) as log:
            options.tell_failures(log)


@detectors.command()
@click.argument("name", metavar="ID")
@options.several(options.config, options.as_json)
def show(name: str, config: Path | None, as_json: bool) -> None:
    """One detector: why it matters, what it takes for a finding, its parameters as they apply, its SQL.

    \b
    Example:
      auditbook detectors show off_hours
    """
    from pipeline import detector, ownrules
    from pipeline.errors import UsageError
    from pipeline.hours import suggestion

    settings = options.read_config(config)
    known = ownrules.known(settings.rules)
    if name not in known:
        raise UsageError(f'"{name}" is not a known detector.', hint=suggestion(name, known))
    one, chosen = known[name], settings.detector(name)
    applied = detector.values(one, chosen.parameters)
    facts = {
        "detector": one.id, "title": one.title, "severity": chosen.severity or one.severity,
        "enabled": chosen.enabled, "from": ownrules.origin(one, settings.rules), "version": one.version,
        "sha256": one.sha256, "why": one.why,
        "false_positives": one.false_positives, "next_steps": one.next_steps,
        "controls": {key: list(items) for key, items in one.controls.items()}, "attack": list(one.attack),
        "about": one.about, "scope": one.scope,
        "needs": list(one.needs), "baseline_days": one.baseline_days,
    }  # fmt: skip
    if as_json:
        output.document({**facts, "parameters": applied, "sql": one.sql})
        return
    output.record(facts.items())
    for parameter, said in one.parameters.items():
        now, default = (json.dumps(value, ensure_ascii=False) for value in (applied[parameter], said.default))
        unit = "" if isinstance(said.default, bool) else f" {said.unit}"
        output.heading(f"{parameter} = {now}{unit} (default {default}): {said.meaning}")
    print(f"\n{one.sql}")


@detectors.command()
@click.option("--detector", multiple=True, metavar="ID", help="Of this detector.")
@click.option("--source", multiple=True, metavar="ID", help="Of this source.")
@options.several(options.shape, options.store, options.config)
def coverage(
    detector: tuple[str, ...], source: tuple[str, ...], shape: str, store: Path, config: Path | None
) -> None:
    """What each detector could see of each source in the newest evaluation: works, partly, cannot or failed, and why.

    \b
    Examples:
      auditbook detectors coverage
      auditbook detectors coverage --detector off_hours --format jsonl
    """
    from pipeline.errors import UsageError

    with options.open_log(store, config) as log:
        found = log.coverage().pl().to_dicts()
    for asked, name in ((detector, "detector"), (source, "source")):
        known = sorted({row[name] for row in found})
        if unknown := sorted(set(asked) - set(known)):
            hint = f"Known are: {', '.join(known) or 'none; `auditbook detect` evaluates them'}."
            raise UsageError(f'"{unknown[0]}" is not a {name} that was evaluated.', hint=hint)
        found = [row for row in found if not asked or row[name] in asked]
    if shape == "table":
        output.table(("detector", "source", "sight", "in_scope", "why"), found, keys=("detector", "source"))
    else:
        output.structured(found, shape)


@detectors.command()
@click.argument("path", required=False, type=click.Path(path_type=Path, exists=True))
@options.as_json
@click.pass_context
def test(ctx: click.Context, path: Path | None, as_json: bool) -> None:
    """Run the cases beside each detector. PATH is a .sql file or a folder of them; else the shipped ones.

    \b
    Examples:
      auditbook detectors test
      auditbook detectors test rules/many_refunds.sql
    """
    from pipeline import cases

    results = cases.run_cases(path)
    failed = [result for result in results if not result.ok]
    if as_json:
        output.document({"cases": len(results), "failed": [vars(result) for result in failed]})
    else:
        tested = len({result.detector for result in results})
        output.table(
            ("detector", "cases", "matches", "near_misses", "failed"), _by_rule(results), keys=("detector",)
        )
        print()
        for result in failed:
            print(output.inert(f"{result.detector}: {result.case}: {result.message}"))
        print(
            f"{output.count(len(results), 'case')} of {output.count(tested, 'detector')}, {len(failed)} failed"
        )
    ctx.exit(1 if failed else 0)


def _by_rule(results: Sequence[CaseResult]) -> list[dict[str, object]]:
    rules: dict[str, list[CaseResult]] = {}
    for result in results:
        rules.setdefault(result.detector, []).append(result)
    return [
        {
            "detector": name,
            "cases": len(found),
            "matches": sum(one.is_match for one in found),
            "near_misses": sum(not one.is_match for one in found),
            "failed": sum(not one.ok for one in found),
        }
        for name, found in rules.items()
    ]
