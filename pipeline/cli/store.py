"""verify and rebuild: the store itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli import options, output

if TYPE_CHECKING:
    from pipeline.found import Verification

VERIFICATION_FAILED = 5


@click.command()
@click.option(
    "--head", metavar="HASH", help="The number in a report: is it in this chain, and how much followed?"
)
@click.option("--seal", metavar="HASH", help="The same for a seal, which also covers who ran what, and when.")
@click.option(
    "--public-key",
    metavar="KEY",
    help="Who must have signed it: 64 digits, or a file; else [signing] public_key.",
)
@click.argument("documents", nargs=-1, metavar="[FILE]…", type=click.Path(path_type=Path))
@options.several(options.store, options.config, options.as_json, options.quiet)
@click.pass_context
def verify(
    ctx: click.Context, head: str | None, seal: str | None, public_key: str | None, documents: tuple[Path, ...],
    store: Path, config: Path | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Check the chain, every hash and signature, and what was made of them, offline. Exit 5 names the first break.

    FILE is a report that was handed out: is it, byte for byte, one that the chain tells of? That the newest commits
    were cut off is found only with a number that was kept elsewhere: --head or --seal, from a report or a witness. That
    the chain was rewritten as a whole is found with the public key.

    \b
    Examples:
      auditbook verify
      auditbook verify --head 51c0a7b2e9d4
      auditbook verify out/2026-11-02/review.pdf --public-key auditor.pub
    """
    from pipeline import chain, redact

    trusted = public_key or options.read_config(config).signing.public_key
    found = chain.verify(store, head, seal, trusted, documents)
    facts = redact.document(found.as_json())
    if as_json:
        output.document(facts)
    elif found.ok and not quiet:
        _tell_verified(found, "head" if head else "seal", trusted=bool(trusted))
    if not quiet:
        for message in found.notes:
            output.note(message)
    if facts["broken"]:
        broken = facts["broken"]
        commit = "" if broken["commit"] is None else f"commit {broken['commit']:06d}"
        where = "/".join(part for part in (commit, broken["file"]) if part)
        print(f"auditbook: {output.inert(' '.join(filter(None, (where, broken['what']))))}", file=sys.stderr)
    ctx.exit(0 if found.ok else VERIFICATION_FAILED)


def _tell_verified(found: Verification, given: str, *, trusted: bool) -> None:
    """What was checked, for people."""
    followed = found.after
    after = (
        ""
        if followed is None
        else f"; the given {given} is in it, {output.count(followed, 'commit')} followed"
    )
    kept = (
        f"{output.count(found.commits, 'commit')}, {output.count(found.files, 'file')}, {found.bytes:,} bytes"
    )
    print(f"ok: {kept}{after}")
    if found.removed:
        print(f"{output.count(found.removed, 'file')} replaced by later commits and removed; the hashes stay")
    if found.signed:
        known = "the key that was given" if trusted else "compare it with the key that you hold: --public-key"
        print(f"{found.signed} of them signed, the last with {found.public_key} ({known})")
    print("".join(f"{output.inert(line)}\n" for line in found.documents), end="")
    print(f"head {found.head}\nseal {found.seal}")


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
