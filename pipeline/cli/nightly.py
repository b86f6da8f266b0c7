"""run, load, detect, demo: what does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options
from pipeline.cli.output import count, document, inert, note
from pipeline.columns import SEVERITIES

if TYPE_CHECKING:
    from pipeline.ledger import LoadResult

FINDINGS_FOUND = 3
INCOMPLETE = 4
EXPORTS = click.argument("exports", nargs=-1, required=True, metavar="EXPORT…")
talk = options.several(options.memory_limit, options.quiet, options.verbose, options.as_json)


@click.command()
@EXPORTS
@options.several(options.store, options.config, options.out, options.source, options.instance, options.as_of)
@options.several(options.fail_on, options.max_rejects, talk)
@click.pass_context
def run(
    ctx: click.Context, exports: tuple[str, ...], store: Path, config: Path | None, out: Path, source: str | None,
    instance: str | None, as_of: str | None, fail_on: str | None, max_rejects: int | None, quiet: bool,
    verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Load, detect, report: the nightly job.

    EXPORT is a file, a folder or a glob of .jsonl, .ndjson, .json or .csv files, each also .gz .zst .bz2 .xz; `-` is
    stdin, with --source. What was loaded before is not loaded again.

    \b
    Examples:
      auditbook run exports/
      auditbook run exports/printago-*.jsonl.gz --instance north
      auditbook run exports/ --fail-on high --json > run.json
    """
    from pipeline import nightly

    settings = options.read_config(config)
    result = nightly.night(
        exports, store=store, out=out, config=settings, source=source, instance=instance,
        as_of=options.read_clock(as_of, settings), progress=options.progress(quiet, verbose),
    )  # fmt: skip
    facts = result.as_json() | _profile(result.loaded, verbose=verbose)
    tell(facts, result.messages, quiet=quiet, as_json=as_json)
    ctx.exit(_code(facts, result.unrecognised, fail_on, max_rejects))


@click.command()
@EXPORTS
@options.several(options.store, options.config, options.source, options.instance, options.max_rejects, talk)
@click.pass_context
def load(
    ctx: click.Context, exports: tuple[str, ...], store: Path, config: Path | None, source: str | None,
    instance: str | None, max_rejects: int | None, quiet: bool, verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Load exports into the store, and nothing else.

    \b
    Examples:
      auditbook load exports/
      zcat night.jsonl.gz | auditbook load - --source hoops
    """
    from pipeline import load as loading

    settings = options.read_config(config)
    result = loading.load(
        exports, store=store, config=settings, source=source, instance=instance,
        progress=options.progress(quiet, verbose),
    )  # fmt: skip
    facts = result.as_json() | _profile(result, verbose=verbose)
    tell(facts, result.messages, quiet=quiet, as_json=as_json)
    ctx.exit(_code(facts, result.unrecognised, None, max_rejects))


@click.command()
@click.option(
    "--since", metavar="TIME", help="Evaluate again what ended from then on; else only what is new."
)
@click.option("--until", metavar="TIME", help="And before then; a bare date includes that day.")
@options.several(options.store, options.config, options.fail_on, talk)
@click.pass_context
def detect(
    ctx: click.Context, since: str | None, until: str | None, store: Path, config: Path | None, fail_on: str | None,
    quiet: bool, verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Evaluate the detectors over what is new in the store; a rule that changed, over everything.

    \b
    Examples:
      auditbook detect --fail-on critical
      auditbook detect --since 2026-10-01 --until 2026-10-31
    """
    from pipeline import detect as detecting

    settings = options.read_config(config)
    result = detecting.detect(
        store, config=settings, progress=options.progress(quiet, verbose),
        stretch=detecting.stretch_of(since, until, settings),
    )  # fmt: skip
    tell(result.as_json(), result.messages, quiet=quiet, as_json=as_json)
    ctx.exit(_code(result.as_json(), (), fail_on, None))


@click.command()
@options.several(options.store, options.out, options.as_of, talk)
def demo(store: Path, out: Path, as_of: str | None, quiet: bool, verbose: bool, as_json: bool) -> None:
    """The sample month of an example company.

    Loaded, searched and reported, and at the end what to open.

    \b
    Example:
      auditbook demo --store /tmp/demo/store --out /tmp/demo/out
    """
    import importlib.resources

    from pipeline import nightly

    with importlib.resources.as_file(importlib.resources.files("sample_data")) as folder:
        _only_samples(store, folder)
        settings = options.read_config(folder / "auditbook.toml")
        result = nightly.night(
            [str(folder)], store=store, out=out, config=settings, as_of=options.read_clock(as_of, settings),
            progress=options.progress(quiet, verbose),
        )  # fmt: skip
    tell(result.as_json(), result.messages, quiet=quiet, as_json=as_json)
    if not quiet and not as_json:
        print(f"\nOpen {result.reports[0]}, then try:\n  auditbook findings --store {store}")


def _only_samples(store: Path, folder: Path) -> None:
    """The sample month is never mixed into a store of somebody's own."""
    from pipeline import store as stores
    from pipeline.errors import UsageError

    if not stores.exists(store):
        return
    samples = {stores.sha256_file(path) for path in folder.glob("*.jsonl")}
    loaded = {one["sha256"] for link in stores.commits(store) for one in link.content.get("inputs", [])}
    if not loaded <= samples:
        raise UsageError("holds other exports already.", path=store, hint="Give the demo another --store.")


def _profile(loaded: LoadResult, *, verbose: bool) -> dict[str, Any]:
    """Where a load's time went, added up over its processes."""
    return {"profile": {what: round(taken, 3) for what, taken in loaded.seconds.items()}} if verbose else {}


def _code(
    facts: Mapping[str, Any], unrecognised: Sequence[str], fail_on: str | None, max_rejects: int | None
) -> int:
    """Incomplete goes before found: findings over half the input say little."""
    rejects = facts["lines"]["rejects"] if "lines" in facts else 0
    if unrecognised or facts.get("stopped") or (max_rejects is not None and rejects > max_rejects):
        return INCOMPLETE
    bad = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on else ()
    return FINDINGS_FOUND if any(facts["findings"]["by_severity"][severity] for severity in bad) else 0


def tell(facts: Mapping[str, Any], messages: Sequence[str], *, quiet: bool, as_json: bool) -> None:
    """What was done: one document for programs, a few lines for people; notices go to stderr."""
    options.done()
    skipped = [f"skipped {text}. {_remedy(text)}" for text in facts.get("unrecognised", [])]
    for message in (*messages, *skipped):
        note(message)
    if as_json:
        document(facts)
    elif not quiet:
        for line in _summary(facts):
            print(inert(line))


def _remedy(why: str) -> str:
    """What can be done about a file that was passed over."""
    from pipeline import recognise

    if recognise.UNKNOWN in why:
        return "Load it with --source."
    if recognise.NO_EXPORT in why:
        return "Give it such a name if it is an export; else keep it elsewhere."
    return "It is loaded by the first run that can read it."


def _summary(facts: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    if "lines" in facts:
        lines += _loaded(facts)
    if "findings" in facts:
        found, rules = facts["findings"], facts["detectors"]
        severities = ", ".join(f"{n} {name}" for name, n in found["by_severity"].items() if n)
        lines.append(
            f"{count(found['open'], 'open finding')}{f' ({severities})' if severities else ''}; by this evaluation "
            f"{found['new']} new, {found['changed']} changed, {found['withdrawn']} withdrawn"
        )
        blind = f", {rules['not_evaluable']} of them could judge nothing" if rules["not_evaluable"] else ""
        lines.append(
            f"{count(rules['run'], 'detector')} evaluated{blind}; `auditbook detectors coverage` says why"
        )
    lines += [f"wrote {path}" for path in facts.get("reports", [])]
    return [*lines, f"head {facts['head']}"] if "head" in facts else lines


def _loaded(facts: Mapping[str, Any]) -> list[str]:
    again = facts.get("already_loaded", 0)
    known = f", {again} of them loaded before" if again else ""
    lines = [f"{count(facts['files'], 'file')}{known}: {fates(facts['lines'])}"]
    width = max((len(name) for name in facts["sources"]), default=0)
    if len(facts["sources"]) > 1:
        lines += [f"  {name:<{width}}  {fates(lines_)}" for name, lines_ in facts["sources"].items()]
    if facts.get("events_from"):
        lines.append(f"events from {facts['events_from']} until {facts['events_until']}")
    return lines


def fates(lines: Mapping[str, int]) -> str:
    return (
        f"{count(lines['read'], 'line')} = {count(lines['events'], 'event')} + "
        f"{count(lines['duplicates'], 'duplicate')} + {count(lines['rejects'], 'reject')} + {lines['blank']} blank"
    )
