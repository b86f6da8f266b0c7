"""sources actors: who acted under which spellings, and which spellings may be one person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli import options, output

COLUMNS = ("person", "name", "source", "ids", "names", "emails", "events", "last_seen", "look_alike_of")
DEFAULT_LIMIT = 50


@click.command()
@click.option("--look-alikes", is_flag=True, help="Only the spellings that may be one person.")
@options.several(options.limit, options.shape, options.store, options.config)
def actors(look_alikes: bool, limit: int | None, shape: str, store: Path, config: Path | None) -> None:
    """Who acted, under which ids, names and e-mails in each source, and who may be one person.

    What [actors] ties together is one person. Spellings that look alike and are not tied (the same id or name, an
    e-mail with a tag, ids that differ in case, a name like the beginning of an e-mail) are listed with lines to paste
    into auditbook.toml; these hold at once, without loading again. Two people of one name stop being listed when each
    has an entry there. An alias that no event carries is listed with 0 events.

    A table shows 50 rows unless --limit says otherwise; csv, json and jsonl have all.

    \b
    Examples:
      auditbook sources actors
      auditbook sources actors --look-alikes
      auditbook sources actors --format csv > people.csv
    """
    most = limit if limit is not None else DEFAULT_LIMIT if shape == "table" else 0
    with options.open_log(store, config) as log:
        if shape != "table":
            output.rows((log.look_alikes() if look_alikes else log.actors()).limit(most), shape, ())
            return
        if not look_alikes:
            _table(log.actors(), most)
        _proposals(log.look_alikes(), most)


def _table(found: Any, most: int) -> None:
    output.rows(found.limit(most), "table", COLUMNS, keys=("person",))
    _left_out(found.count(), most, "row")


def _proposals(found: Any, most: int) -> None:
    from pipeline.export import rows_as_json

    for proposal in rows_as_json(found.limit(most)):
        output.heading(f"{proposal['name']}: {', '.join(proposal['persons'])}")
        for reason in proposal["reasons"]:
            print(f"  {output.inert(reason)}")
        print()
        for line in proposal["toml"].splitlines():
            print(f"    {output.inert(line)}")
    print()
    _left_out(found.count(), most, "look-alike")


def _left_out(count: int, most: int, what: str) -> None:
    if not count:
        print(f"no {what}s")
        return
    hidden = count - most if most else 0
    more = f"; {hidden:,} more with --limit 0" if hidden > 0 else ""
    print(f"{count - max(hidden, 0):,} of {output.count(count, what)}{more}")
