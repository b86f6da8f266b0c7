"""The options that filter the log, the same on every command that reads it, with what Tab suggests for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from pipeline.cli import options

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def suggests(what: str) -> Complete:
    """Suggestions from the store that the command line names; none where there is no store to ask."""

    def complete(ctx: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
        from pipeline.errors import AuditbookError

        try:
            from pipeline import values

            store = Path(ctx.params.get("store") or ctx.lookup_default("store") or options.STORE)
            with options.open_log(store, ctx.params.get("config")) as log:
                found = values.suggestions(log, what, typed)
        except AuditbookError:
            return []
        return [CompletionItem(value, help=told) for value, told in found]

    return complete


def _many(
    name: str, metavar: str, help: str, **settings: Any
) -> Callable[[options.Command], options.Command]:
    word = name.strip("-").replace("-", "_")
    return click.option(
        name, multiple=True, metavar=metavar, help=help, shell_complete=suggests(word), **settings
    )


filters = options.several(
    _many("--source", "ID", "Of this product."),
    _many("--instance", "NAME", "Of this tenant or shop."),
    _many("--actor", "WHO", "By this person: id, name or email."),
    _many("--actor-type", "TYPE", "By users, customers, …; `all` lifts what a source's view hides."),
    _many("--type", "TYPE", "Of this event family of the source: BACKGROUND_JOB, …"),
    _many("--action", "VERB", "create, update, delete, …; bulk_delete: of many at once."),
    _many("--detail", "GLOB", "The source's own name of the action: printJob.*"),
    _many("--entity", "TYPE[:ID]", "About such things, or everything that names this one; bulk ids count."),
    _many("--outcome", "OUTCOME", "success, failure, …, or the source's own word: FAILED."),
    _many("--category", "NAME", "printer, settings, payment, …"),
    _many("--ip", "ADDRESS", "From this address, or network: 203.0.113.0/24."),
    _many("--correlation", "ID", "Entries that belong together."),
    _many("--text", "TEXT", "With this in what it says, about whom or about what; as it stands, in any case."),
    click.option(
        "--since", metavar="TIME", shell_complete=suggests("since"),
        help="Not before (2026-10-01, 2026-10-01T08:00, today, 24h, 7d; all).",
    ),
    click.option(
        "--until", metavar="TIME", shell_complete=suggests("until"), help="Not after; a bare date includes that day."
    ),
    click.option("--on", metavar="DATE", shell_complete=suggests("on"), help="On this day."),
    click.option("--critical", is_flag=True, help="Permissions, settings, deletions, bulk, secrets, logging."),
    click.option(
        "--finding", multiple=True, metavar="[ID]", is_flag=False, flag_value="any", shell_complete=suggests("finding"),
        help="Behind this finding; without ID, behind any.",
    ),
    click.option("--newcomer", metavar="SPAN", help="By people first seen within this time (30d)."),
    _many("--preset", "NAME", "A question with a name: investigate, triage-syncs, new-hire-day, your own."),
    _many("--sort", "COL[:desc]", "In this order; else newest first."),
    click.option("--as-of", metavar="TIME", show_default="now", help="What 24h, 7d and today count from."),
)  # fmt: skip


def given(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that were typed, as keywords."""
    asked = {name: list(value) if isinstance(value, tuple) else value for name, value in filters.items()}
    return {name: value for name, value in asked.items() if value not in (None, [], False)}
