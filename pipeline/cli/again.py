"""remap and forget: lines of the store read again, or withdrawn."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli import options, output
from pipeline.cli.nightly import fates
from pipeline.cli.retain import asked

NEXT = "Findings are judged again by the next run, or by `auditbook detect`."


@click.command()
@click.argument("source", metavar="SOURCE")
@options.several(
    options.store, options.config, options.memory_limit, options.quiet, options.verbose, options.as_json
)
def remap(source: str, store: Path, config: Path | None, quiet: bool, verbose: bool, as_json: bool) -> None:
    """Make events again from the stored lines, after a mapping was repaired or a setting changed.

    One commit replaces what was read of SOURCE; lines that were rejected and can be read now are events then.

    \b
    Example:
      auditbook remap printago
    """
    from pipeline import again

    done = again.remap(
        source, store=store, config=options.read_config(config), progress=options.progress(quiet, verbose)
    )
    options.done()
    if as_json:
        output.document(done.as_json())
    elif not quiet:
        if done.commit is None:
            print(f"nothing to do: every line of {source} was read with this mapping and these settings")
        else:
            print(f"{source}, {output.count(len(done.files), 'file')} read again")
            print(
                f"  before: {fates(done.before.as_json())}\n  now:    {fates(done.after.as_json())}\n{NEXT}"
            )
        print(f"head {done.head}")


@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--commit", type=click.IntRange(min=1), metavar="N", help="Which of several loads of the same file."
)
@click.option("--reason", metavar="TEXT", help="Why, for the record.")
@click.option("--word", metavar="TEXT", help="The word that the plan gives; asked for on a terminal.")
@click.option("--yes", is_flag=True, help="Do not ask for the word. Asked is on a terminal only.")
@click.option("--plan", "plan_only", is_flag=True, help="Say what would be done, and do nothing.")
@options.several(
    options.store, options.config, options.memory_limit, options.quiet, options.verbose, options.as_json
)
def forget(
    file: str, commit: int | None, reason: str | None, word: str | None, yes: bool, plan_only: bool, store: Path,
    config: Path | None, quiet: bool, verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Withdraw a wrong load, on record: the store is as if FILE had never been loaded.

    FILE is a name as `auditbook ledger` has it, or the beginning of its hash. Lines of other files that were duplicates
    of its lines become the events in their place. The file can be loaded again. What is withdrawn is said in
    numbers; on a terminal the word that the plan gives is then asked for. A file with events on hold stays.

    \b
    Examples:
      auditbook forget staging-export.jsonl --plan
      auditbook forget staging-export.jsonl --reason "from the staging system" --yes
    """
    from pipeline import again

    meant = again.to_forget(file, store, commit)
    entry, counts = meant.entry, meant.counts.as_json()
    plan = (
        f"{entry['file']} ({entry['source'] or 'passed over'}, sha256 {entry['sha256'][:12]}, loaded by commit "
        f"{meant.commit_no}): {fates(counts)}"
    )
    if plan_only and as_json:
        output.document({"plan": entry, "lines": counts, "word": again.word_of(meant)})
        return
    if not quiet and not as_json:
        print(output.inert(f"{'would withdraw' if plan_only else 'withdrawing'} {plan}"))
    if plan_only:
        return
    if not yes and word is None and sys.stdin.isatty():
        word = asked(again.word_of(meant))
    done = again.forget(
        file, store=store, config=options.read_config(config), commit=meant.commit_no, reason=reason, word=word,
        progress=options.progress(quiet, verbose),
    )  # fmt: skip
    options.done()
    if as_json:
        output.document(done.as_json())
    elif not quiet:
        if entry["source"]:
            print(f"  {entry['source']} before: {fates(done.before.as_json())}")
            print(f"  {entry['source']} now:    {fates(done.after.as_json())}")
        print(f"{NEXT}\nhead {done.head}")
