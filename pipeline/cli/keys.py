"""keys: what the commits are signed with."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli import options, output
from pipeline.cli.group import Nouns


@click.group(cls=Nouns)
def keys() -> None:
    """What the commits are signed with: make a key, show the public half, introduce another."""


@keys.command("list")
@options.several(options.store, options.config)
def show(store: Path, config: Path | None) -> None:
    """Show the configured key's public half, and the keys that signed the store.

    \b
    Example:
      auditbook keys
    """
    from pipeline import signing
    from pipeline import store as stores

    own = signing.signer(options.read_config(config).signing)
    print(f"configured  {own.public if own else 'none'}")
    seen: dict[str, list[int]] = {}
    for link in stores.commits(store) if stores.exists(store) else ():
        if "signed_with" in link.record["run"]:
            seen.setdefault(link.record["run"]["signed_with"], []).append(link.number)
    for key, numbers in seen.items():
        print(f"signed      {key}  commits {numbers[0]} to {numbers[-1]}")


@keys.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Make an Ed25519 key in FILE, readable by its owner alone, and show the public half.

    Keep it where whoever can write the store cannot read it; give the public half to whoever verifies.

    \b
    Example:
      auditbook keys new /etc/auditbook/signing.pem
    """
    from pipeline import signing

    made = signing.new(file)
    print(
        f'wrote {output.inert(str(file))}\npublic key {made.public}\nnext: [signing] key = "{output.inert(str(file))}"'
    )


@keys.command()
@click.option(
    "--to", required=True, metavar="KEY", help="The new key's public half: 64 digits, or a file with it."
)
@options.several(options.store, options.config, options.quiet)
def rotate(to: str, store: Path, config: Path | None, quiet: bool) -> None:
    """Introduce the next key, in a commit that the present one signs.

    From then on [signing] must name the new one. Whoever verifies with the first public key follows to the next.

    \b
    Example:
      auditbook keys rotate --to next.pub
    """
    from pipeline import keys as pairs

    done = pairs.rotate(store, options.read_config(config), to)
    if not quiet:
        print(f"the next commits are signed with {done.content['next_key']}\nhead {done.head}")
