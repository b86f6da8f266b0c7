"""sql: any question to the store, read-only."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli import options, output


@click.command()
@click.argument("query", required=False)
@click.option(
    "--param", "-p", "params", multiple=True, metavar="NAME=VALUE", help="The text that $NAME stands for."
)
@click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write FILE, as `auditbook export` does.",
)
@options.several(options.shape, options.store, options.config)
def sql(
    query: str | None,
    params: tuple[str, ...],
    target: Path | None,
    shape: str,
    store: Path,
    config: Path | None,
) -> None:
    """Ask the store in SQL, read-only. Without QUERY the question is read from stdin.

    The tables and their columns: docs/tables.md, or `auditbook sql "show tables"` and "describe events". Values are
    texts; $n::INT makes a number of one.

    \b
    Examples:
      auditbook sql "select source, count(*) from events group by all"
      auditbook sql "from events where entity_id = $id order by occurred_at" --param id=job_2041
      auditbook sql --format csv < deletes_by_week.sql
      auditbook sql "from event_changes where field = 'role'" --output roles.xlsx
    """
    import duckdb

    from pipeline import asked
    from pipeline.errors import UsageError

    if query is None and sys.stdin.isatty():
        raise UsageError("no question.", hint="Give it in quotes, or on stdin.")
    question = query if query is not None else sys.stdin.read()
    with options.open_log(store, config) as log:
        found = asked.ask(log, question, dict(map(_param, params)))
        try:
            if target is not None:
                print(f"wrote {output.inert(str(found.write(target)))}")
            else:
                output.rows(found, shape, found.columns)
        except duckdb.Error as error:
            raise asked.wrong(log, question, error) from error


def _param(text: str) -> tuple[str, str]:
    from pipeline.errors import UsageError

    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f'--param: "{text}" is not a name and a value.', hint="Write it like id=job_2041.")
    return name.removeprefix("$"), value
