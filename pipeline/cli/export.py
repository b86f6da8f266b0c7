"""export: rows that match, as files for other tools and other people."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import filters as filtering
from pipeline.cli import options, output
from pipeline.cli.events import notices

if TYPE_CHECKING:
    from pipeline.query import Log
    from pipeline.rows import Rows

FORMATS = ("csv", "json", "jsonl", "parquet", "xlsx", "pdf", "html", "ocsf")
TENTHS = 10
MANY = 100_000  # from here on, plain lines say how far it is


@click.command()
@filtering.filters
@click.option(
    "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="Where to; else stdout."
)
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Else by the ending of FILE, else csv.")
@click.option("--columns", metavar="A,B,…", help="Only these columns, in this order.")
@click.option(
    "--ids-file", type=click.Path(path_type=Path), metavar="FILE",
    help="Only these events: uids or source ids, one a line.",
)  # fmt: skip
@click.option(
    "--raw-csv", is_flag=True, help="Leave cells that a spreadsheet would run as formulas as they are."
)
@options.several(options.limit, options.store, options.config, options.quiet, options.as_json)
def export(
    target: Path | None, kind: str | None, columns: str | None, ids_file: Path | None, raw_csv: bool,
    limit: int | None, store: Path, config: Path | None, quiet: bool, as_json: bool, **filters: object,
) -> None:  # fmt: skip
    """All events that match, newest first, to FILE or stdout. The filters are those of `auditbook events`.

    FILE appears when it is complete, readable by its owner only, with FILE.manifest.json beside it: the question, how
    many rows, the hash, and the head of the store. Parquet and CSV have every column unless --columns says otherwise;
    nested ones are JSON in CSV. A workbook goes on in a new sheet after 1,048,576 rows. A PDF holds 20,000 events,
    up to 500 with their changes. HTML is one page to filter and search offline, with the newest 100,000.

    \b
    Examples:
      auditbook export --since 2026-10-01 --until 2026-10-31 --output october.xlsx
      auditbook export --actor ana@example.com --action delete > deletes.csv
      auditbook export --ids-file picked.txt --output case-4411.pdf
      auditbook export --source hoops --format ocsf | gzip > hoops.ocsf.jsonl.gz
    """
    from pipeline import export as exports
    from pipeline.formats import Choice

    chosen = kind or (exports.format_of(target) if target else "csv")
    _usable(chosen, target, raw_csv, as_json)
    with options.open_log(store, config) as log:
        rows = _rows(log, filters, limit, columns, ids_file)
        say = _progress(rows, quiet or (target is None and sys.stdout.isatty()))
        choice = Choice(guarded=not raw_csv, done=say)
        if target is None:
            _to_stdout(rows, chosen, choice, quiet)
            notices(rows, sys.stderr)
            return
        told = exports.write(rows, target, chosen, choice)
        if not quiet:
            notices(rows, sys.stderr)
    options.done()
    if as_json:
        output.document(told)
    elif not quiet:
        _tell(target, told)


def _usable(kind: str, target: Path | None, raw_csv: bool, as_json: bool) -> None:
    from pipeline.errors import UsageError
    from pipeline.export import NEED_A_FILE

    if raw_csv and kind != "csv":
        raise UsageError(f"--raw-csv is about csv, not {kind}.")
    if target is None and as_json:
        raise UsageError("--json tells about a file, and the rows go to stdout.", hint="Give --output FILE.")
    if target is None and kind in NEED_A_FILE and sys.stdout.isatty():
        raise UsageError(f"a terminal cannot show {kind}.", hint="Give --output FILE.")


def _rows(
    log: Log, filters: dict[str, Any], limit: int | None, columns: str | None, ids: Path | None
) -> Rows:
    from pipeline import picked

    given = filtering.given(filters)
    if limit:
        given["limit"] = limit
    if ids is not None:
        given["uids"] = picked.uids(log.con, picked.read(ids))
    rows = log.events(**given, profile=True)
    return rows.select(*(name.strip() for name in columns.split(","))) if columns else rows


def _to_stdout(rows: Rows, kind: str, choice: Any, quiet: bool) -> None:
    from pipeline import export as exports
    from pipeline.errors import AuditbookError

    if sys.stdout.isatty():
        output.stream(rows, kind, choice)
        return
    try:
        count = exports.stream(rows, sys.stdout.buffer, kind, choice)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise AuditbookError(f"standard output cannot be written: {error.strerror}.") from error
    options.done()
    if not quiet:
        print(f"{output.count(count, 'row')}", file=sys.stderr)


def _progress(rows: Rows, quiet: bool) -> Callable[[int], None]:
    """A bar on a terminal; in a file of a nightly run a line for each tenth of a long export."""
    if quiet:
        return lambda done: None
    total = rows.count()
    say = options.progress(quiet)
    say(f"exporting {output.count(total, 'row')}")
    told = 0

    def done(count: int) -> None:
        nonlocal told
        tenth = count * TENTHS // max(total, 1)
        if sys.stderr.isatty():
            filled = count * 30 // max(total, 1)
            say(f"[{'█' * filled}{'·' * (30 - filled)}] {count:,} of {output.count(total, 'row')}")
        elif total >= MANY and tenth > told:
            told = tenth
            say(f"{count:,} of {output.count(total, 'row')}")

    return done


def _tell(target: Path, told: dict[str, Any]) -> None:
    print(f"wrote {output.inert(str(target))}: {output.count(told['rows'], 'row')}, {told['bytes']:,} bytes")
    if told.get("sheets", 1) > 1:
        print(f"on {told['sheets']} sheets: one holds 1,048,576 rows with its header")
    if told.get("cut_cells"):
        print(f"{output.count(told['cut_cells'], 'text')} cut at the 32,767 characters of a cell, and marked")
    print(f"sha256 {told['sha256']}")
