"""erase and originals: a person is forgotten, and the input files that are kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli import options, output
from pipeline.cli.retain import APPLY, LATER, WORD, asked, going

if TYPE_CHECKING:
    from pipeline.erasure import Plan


@click.command()
@click.argument("persons", nargs=-1, required=True, metavar="PERSON…")
@click.option("--reason", metavar="TEXT", help="Why, for the record: do not name the person.")
@click.option("--by", metavar="NAME", help="Who answers for it.")
@options.several(APPLY, WORD, options.store, options.config, options.as_json, options.quiet)
def erase(
    persons: tuple[str, ...], reason: str | None, by: str | None, really: bool, word: str | None, store: Path,
    config: Path | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Forget a person: every line that says an id or e-mail address of theirs.

    PERSON is an e-mail address or an id; what [actors] ties to it and what was seen with it goes too. It plans; --apply
    asks for the word that the plan gives, and does it in one commit that leaves a tombstone. What is on hold stays.

    \b
    Examples:
      auditbook erase ana@example.com
      auditbook erase ana@example.com --apply --by "Dana Ruiz" --reason "request 2026-118"
    """
    from pipeline import erasure

    settings = options.read_config(config)
    found = erasure.plan(store, settings, persons)
    if not really:  # what it tells of a person is read, too
        options.note_reading(store, settings)
        if as_json:
            output.document(found.as_json())
        elif not quiet:
            _tell(found)
        return
    erasure.answered_for(by or "", reason or "")
    if word is None and (found.due.anything or found.rows):
        if not as_json:
            _tell(found)
        word = asked(found.word)
    found, done = erasure.apply(store, settings, persons, word=word, reason=reason or "", by=by or "")
    if as_json:
        output.document({**found.as_json(), "head": done.head if done else None})
    elif done is None:
        print("the store says nothing of this person; nothing was changed")
    elif not quiet:
        print(f"erased {output.count(found.due.lines, 'line')} in one commit; {LATER}\nhead {done.head}")


def _tell(plan: Plan) -> None:
    from pipeline import redact

    spelled = redact.text(", ".join(plan.spellings))
    print(f"looked for: {output.inert(spelled)}\n{going(plan.due)}")
    print(f"{output.count(plan.rows, 'row')} of findings, decisions and holds would have the name replaced")
    if plan.held:
        print(f"{output.count(plan.held, 'event')} on hold stay")
    if plan.records:
        noun = output.count(plan.records, "record")
        print(
            f"{noun} of the chain, with configuration and arguments, name this person and cannot be rewritten"
        )
    print(f'`auditbook erase --apply` does it; its word is "{plan.word}"')


@click.command()
@click.argument("which", required=False, metavar="[FILE]")
@click.option("--output", "target", type=click.Path(path_type=Path), help="Write the bytes of FILE here.")
@options.several(options.store, options.config, options.shape)
def originals(
    which: str | None, target: Path | None, store: Path, config: Path | None, shape: str
) -> None:  # fmt: skip
    """List the input files that are kept byte for byte ([originals] keep = true), or give one back.

    \b
    Examples:
      auditbook originals
      auditbook originals printago.jsonl.gz --output printago.jsonl.gz
    """
    from pipeline import originals as archive
    from pipeline import store as stores

    stores.require(store)
    options.note_reading(store, options.read_config(config))
    chain = stores.commits(store)
    if which is None:
        columns = ["file", "sha256", "bytes", "commit_no"]
        found = list(archive.kept(chain).values())
        if shape == "table":
            output.table(columns, found, ["sha256"])
        else:
            output.structured(found, shape)
        return
    one = archive.named(chain, which)
    if target is None:
        for chunk in archive.read(store, one["sha256"]):
            sys.stdout.buffer.write(chunk)
        return
    from pipeline import outfile

    outfile.replace({target: lambda file: file.writelines(archive.read(store, one["sha256"]))})
    print(f"wrote {target}: {one['bytes']:,} bytes, sha256 {one['sha256']}")
