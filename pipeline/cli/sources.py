"""sources: which products are understood, what is known about their logs, and the loop of who writes a mapping."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options, output
from pipeline.cli.actors import actors
from pipeline.cli.group import Nouns

if TYPE_CHECKING:
    from pipeline.dryrun import Check

NOT_DOCUMENTED = "not documented"
ABOUT = ("documentation", "retention", "logging", "permissions", "entry_url", "notes")


@click.group(cls=Nouns)
def sources() -> None:
    """Which products' exports are understood: list, show, check, new, actors.

    \b
    Examples:
      auditbook sources
      auditbook sources show hoops
      auditbook sources check exports/printago.jsonl
      auditbook sources new acme --from exports/acme.jsonl
      auditbook sources actors
    """


@sources.command("list")
@options.several(options.shape, options.config)
def list_(shape: str, config: Path | None) -> None:
    """Every source with its mapping's version.

    \b
    Example:
      auditbook sources list --format json
    """
    from pipeline import mapping

    found = [
        {"source": one.source, "title": one.title, "version": one.version, "recognised_by": one.keys}
        for one in mapping.known(options.read_config(config).mappings).values()
    ]
    if shape == "table":
        output.table(("source", "title", "version", "recognised_by"), found, keys=("source",))
    else:
        output.structured(found, shape)


@sources.command()
@click.argument("name")
@options.several(options.config, options.as_json)
def show(name: str, config: Path | None, as_json: bool) -> None:
    """What the product says about its log, and which columns its mapping fills.

    \b
    Example:
      auditbook sources show printago
    """
    from pipeline import mapping

    one = mapping.named(name, options.read_config(config).mappings)
    facts = {"source": one.source, "title": one.title, "version": one.version, "recognised_by": one.keys}
    columns = sorted(one.rules["columns"])
    if as_json:
        output.document({**facts, "about": one.about, "columns": columns})
        return
    about = {
        key: one.about.get(key) or NOT_DOCUMENTED for key in ABOUT if key != "notes" or one.about.get(key)
    }
    output.record([*facts.items(), *about.items(), ("columns", columns)])


@sources.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@options.several(options.source, options.config, options.as_json)
def check(files: tuple[str, ...], source: str | None, config: Path | None, as_json: bool) -> None:
    """What a load would make of FILE, without a store: fates, columns, and what the mapping does not know.

    \b
    Examples:
      auditbook sources check exports/printago.jsonl
      auditbook sources check export.jsonl --source acme --json
    """
    from pipeline import dryrun, redact

    found = dryrun.check(files, config=options.read_config(config), source=source)
    if as_json:
        output.document(redact.document(dryrun.document(found)))
        return
    for one in found:
        _tell(one)


@sources.command()
@click.argument("name")
@click.option("--from", "export", required=True, metavar="FILE", help="An export of the product.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=".",
    show_default="this folder",
    help="Folder to write into.",
)
def new(name: str, export: str, out: Path) -> None:
    """Write a first mapping from an export of an unknown product, with scrubbed lines and the events they become.

    The three files are a draft to read and mend: what could not be told from names, shapes and values is left out.

    \b
    Example:
      auditbook sources new acme --from exports/acme.jsonl --out mappings
    """
    from pipeline import draft, redact

    made = draft.write(name, export, out)
    for path in made.files:
        print(f"wrote {path}")
    print()
    output.table(("column", "from", "example"), redact.document(made.guesses), keys=("column", "from"))
    print(
        f'\nTo use it: [sources] path = "{out}" in auditbook.toml, then `auditbook sources check {export}`.'
    )


sources.add_command(actors)


def _tell(one: Check) -> None:
    from pipeline import redact

    facts = redact.document(one.as_json())
    parts = " + ".join(f"{facts[name]:,} {name}" for name in ("events", "duplicates", "rejects", "blank"))
    print(f"{one.mapping.source}: {facts['read']:,} lines read = {parts}")
    _table("Columns", ("column", "filled", "share"), _coverage(facts["columns"], facts["events"]))
    never = [name for name, count in facts["columns"].items() if not count]
    print("\n" + textwrap.fill(f"Never filled: {', '.join(never)}.", 110))
    examples = facts["unmapped_examples"]
    unmapped = [{"field": n, "lines": c, "example": examples[n]} for n, c in facts["unmapped"].items()]
    _table("Fields that nothing reads (kept in unmapped)", ("field", "lines", "example"), unmapped)
    unknown = [
        {"column": column, "value": text, "lines": lines}
        for column, texts in facts["unknown_values"].items()
        for text, lines in texts.items()
    ]
    _table("Values that the mapping has no word for", ("column", "value", "lines"), unknown)
    _table("Rejects", ("file", "line", "reason", "message"), facts["rejects_shown"])
    _tell_days(one.mapping.source, facts["ambiguous_day_order"])
    output.heading("First events")
    for event in facts["first_events"]:
        print()
        output.record(event.items())


def _table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    if rows:
        output.heading(title)
        output.table(columns, rows, keys=columns[:1])


def _coverage(columns: dict[str, int], events: int) -> list[dict[str, Any]]:
    return [
        {"column": name, "filled": count, "share": f"{100 * count / events:.0f} %" if events else ""}
        for name, count in columns.items()
        if count
    ] + [
        {"column": ", ".join(name for name, count in columns.items() if not count), "filled": 0, "share": ""}
    ]


def _tell_days(source: str, days: dict[str, int]) -> None:
    if not days["either"]:
        return
    told = f"{output.count(days['either'], 'time')} can be read day first or month first"
    order = "day_first" if days["day_first"] > days["month_first"] else "month_first"
    if days[order]:
        others = output.count(days[order], "other")
        told += f"; {others} can only be {order.replace('_', ' ')}"
    print(f"\n{told}. Settle it with [sources.{source}] day_first = true or false.")
