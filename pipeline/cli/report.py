"""report: documents of the store, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from pipeline.cli import filters as filtering
from pipeline.cli import options, recipe
from pipeline.cli.nightly import talk, tell

if TYPE_CHECKING:
    from pipeline.query import Log

KINDS = (
    "review", "entity", "actor", "failures", "communications", "accounting", "access", "integrity", "incident",
    "activity", "digest", "log",
)  # fmt: skip
TARGETS = {"entity": "entity", "actor": "actor", "incident": "finding"}  # a filter that says the target, too


def _targets(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Things, people or findings of the store, by what the kind is about."""
    word = TARGETS.get(str(ctx.params.get("kind")))
    return filtering.suggests(word)(ctx, param, typed) if word else []


@click.command()
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.argument("target", required=False, shell_complete=_targets)
@filtering.filters
@click.option(
    "--recipe",
    multiple=True,
    metavar="'NAME TARGET'",
    shell_complete=recipe.names,
    help="An investigation as a further part: 'ip-story 192.0.2.1'.",
)
@click.option("--prepared-by", metavar="NAME", help="A review: who prepared it.")
@click.option(
    "--reviewed-by", metavar="NAME", help="A review: who reviewed it, somebody else. With both it is FINAL."
)
@options.several(options.store, options.config, options.out, talk)
def report(
    kind: str, target: str | None, prepared_by: str | None, reviewed_by: str | None, store: Path,
    config: Path | None, out: Path, quiet: bool, verbose: bool, as_json: bool, **filters: Any,
) -> None:  # fmt: skip
    """Write a document of the store, as HTML and PDF.

    \b
    KIND            TARGET      what it tells
      review                    the compliance review, with the log page beside; FINAL with two names
      entity        TYPE:ID     one thing's life: what was approved, sent and changed, by whom
      actor         WHO         what one person did, when, from where
      incident      FINDING     a finding, or the events of the filters, as a story with evidence
      failures                  jobs and webhooks that failed, recurring causes, next steps
      communications            what was sent to whom, word for word
      accounting                invoices and payments
      access                    who may do what, and who used it
      integrity                 the chain, completeness, gaps, retention
      activity                  how people and systems interact
      digest                    since the last review, on one page
      log                       the log itself as one HTML file to filter, open and export offline

    \b
    Examples:
      auditbook report review --since 2026-10-01 --until 2026-10-31 --out october
      auditbook report review --prepared-by "Ana Silva" --reviewed-by "Dana Ruiz"
      auditbook report entity job:J-2217
      auditbook report incident ID --recipe 'ip-story 192.0.2.214' --recipe 'user-day Ana Ruiz day=2026-10-21'
      auditbook report log --since 7d --source printago
    """
    import reports
    from pipeline.errors import UsageError

    if kind in ("review", "log") and filters["recipe"]:
        raise UsageError(
            f"a {kind} has no further parts.",
            hint="--recipe is for the other kinds, such as incident or activity.",
        )
    progress = options.progress(quiet, verbose)
    progress(f"writing the {kind}")
    as_of, asked = filters.pop("as_of"), filtering.given(filters)
    with options.open_log(store, config, from_commits=True) as log:
        clock = options.read_clock(as_of, log.config)
        if kind == "log":
            written, lacking = reports.log(log, clock, **asked).write(out), None
        elif kind == "review":
            written, lacking = _review(log, asked, (clock, prepared_by, reviewed_by, progress), out)
        else:
            made = reports.paper(log, kind, _target(kind, target, asked), clock, progress, **asked)
            written, lacking = made.write(out), made.without_pdf
        head = log.head
    tell(
        {"reports": [str(path) for path in written], "head": head}, [lacking] if lacking else [],
        quiet=quiet, as_json=as_json,
    )  # fmt: skip


def _target(kind: str, target: str | None, asked: dict[str, Any]) -> str | None:
    """What the document is about: the argument, or the one filter that says the same."""
    if target is None and (said := asked.get(TARGETS.get(kind, ""))) and len(said) == 1:
        del asked[TARGETS[kind]]
        return str(said[0])
    return target


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
