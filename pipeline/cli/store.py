"""verify and rebuild: the store itself."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli import options, output

VERIFICATION_FAILED = 5


@click.command()
@click.option(
    "--head", metavar="HASH", help="The number in a report: is it in this chain, and how much followed?"
)
@click.option("--seal", metavar="HASH", help="The same for a seal, which also covers who ran what, and when.")
@options.several(options.store, options.as_json, options.quiet)
@click.pass_context
def verify(
    ctx: click.Context, head: str | None, seal: str | None, store: Path, as_json: bool, quiet: bool
) -> None:
    """Check the chain and every hash, offline. Exit 5 names the first break.

    That the newest commits were cut off is found only with a number that was kept elsewhere: --head or --seal, from a
    report.

    \b
    Examples:
      auditbook verify
      auditbook verify --head 51c0a7b2e9d4
    """
    from pipeline import chain

    found = chain.verify(store, head, seal)
    facts = found.as_json()
    if as_json:
        output.document(facts)
    elif found.ok and not quiet:
        followed = facts.get("commits_after_head")
        after = (
            ""
            if followed is None
            else f"; the given {'head' if head else 'seal'} is in it, {output.count(followed, 'commit')} followed"
        )
        kept = f"{output.count(found.commits, 'commit')}, {output.count(found.files, 'file')}, {found.bytes:,} bytes"
        print(f"ok: {kept}{after}\nhead {found.head}\nseal {found.seal}")
    if facts["broken"]:
        broken = facts["broken"]
        commit = "" if broken["commit"] is None else f"commit {broken['commit']:06d}"
        where = "/".join(part for part in (commit, broken["file"]) if part)
        print(f"auditbook: {output.inert(' '.join(filter(None, (where, broken['what']))))}", file=sys.stderr)
    ctx.exit(0 if found.ok else VERIFICATION_FAILED)


@click.command()
@options.several(options.store, options.quiet)
def rebuild(store: Path, quiet: bool) -> None:
    """Make the database again from the commits.

    \b
    Example:
      auditbook rebuild --store /srv/audit/store
    """
    from pipeline import catalog

    made = catalog.rebuild(store)
    if not quiet:
        print(f"rebuilt {made}")
