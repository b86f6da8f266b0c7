"""report: documents of the store, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import filters as filtering
from pipeline.cli import options
from pipeline.cli.nightly import talk, tell

if TYPE_CHECKING:
    from pipeline.query import Log

KINDS = ("review", "log")


@click.command()
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@filtering.filters
@click.option("--prepared-by", metavar="NAME", help="A review: who prepared it.")
@click.option(
    "--reviewed-by", metavar="NAME", help="A review: who reviewed it, somebody else. With both it is FINAL."
)
@options.several(options.store, options.config, options.out, talk)
def report(
    kind: str, prepared_by: str | None, reviewed_by: str | None, store: Path, config: Path | None, out: Path,
    quiet: bool, verbose: bool, as_json: bool, **filters: Any,
) -> None:  # fmt: skip
    """Write a document of the store.

    KIND is `review`, the compliance review as HTML and PDF with the log page beside, or `log`: the log as one HTML file
    that filters, searches, opens and exports entries without a network.

    \b
    Examples:
      auditbook report review --since 2026-10-01 --until 2026-10-31 --out october
      auditbook report review --prepared-by "Ana Silva" --reviewed-by "Dana Ruiz"
      auditbook report log --since 7d --source printago
    """
    import reports

    options.progress(quiet, verbose)(f"writing the {kind}")
    as_of, asked = filters.pop("as_of"), filtering.given(filters)
    with options.open_log(store, config, from_commits=True) as log:
        clock = options.read_clock(as_of, log.config)
        if kind == "log":
            written, lacking = reports.log(log, clock, **asked).write(out), None
        else:
            written, lacking = _review(log, asked, (clock, prepared_by, reviewed_by), out)
        head = log.head
    tell(
        {"reports": [str(path) for path in written], "head": head}, [lacking] if lacking else [],
        quiet=quiet, as_json=as_json,
    )  # fmt: skip


def _review(
    log: Log, asked: dict[str, Any], given: tuple[Any, ...], out: Path
) -> tuple[list[Path], str | None]:
    import reports
    from pipeline.errors import UsageError

    period = asked.pop("since", None), asked.pop("until", None)
    if asked:
        raise UsageError(
            f"a review is of everything in its period, so --{next(iter(asked))} is not for it.",
            hint="`auditbook report log` takes filters.",
        )
    review = reports.review(log, *period, *given)
    return review.write(out), review.without_pdf
