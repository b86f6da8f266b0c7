"""sources: which products are understood, and what is known about their logs."""

from __future__ import annotations

import click

from pipeline.cli import options, output
from pipeline.cli.group import Nouns


@click.group(cls=Nouns)
def sources() -> None:
    """Which products' exports are understood: list, show.

    \b
    Examples:
      auditbook sources
      auditbook sources show hoops
    """


@sources.command("list")
@options.shape
def list_(shape: str) -> None:
    """Every source with its mapping's version.

    \b
    Example:
      auditbook sources list --format json
    """
    from pipeline import mapping

    found = [
        {"source": one.source, "title": one.title, "version": one.version, "recognised_by": one.keys}
        for one in mapping.shipped().values()
    ]
    if shape == "table":
        output.table(("source", "title", "version", "recognised_by"), found, keys=("source",))
    else:
        output.structured(found, shape)


@sources.command()
@click.argument("name")
@options.as_json
def show(name: str, as_json: bool) -> None:
    """What the product says about its log, and which columns its mapping fills.

    \b
    Example:
      auditbook sources show printago
    """
    from pipeline import mapping

    one = mapping.named(name)
    facts = {"source": one.source, "title": one.title, "version": one.version, "recognised_by": one.keys}
    if as_json:
        output.document({**facts, "about": one.about, "columns": sorted(one.rules["columns"])})
        return
    output.record([*facts.items(), *one.about.items(), ("columns", sorted(one.rules["columns"]))])
