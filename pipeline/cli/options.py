"""The options that recur, and what they mean: where the store is, which config holds, what the clock says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.columns import SEVERITIES

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.config import Config
    from pipeline.progress import Progress
    from pipeline.query import Log

Command = TypeVar("Command", bound=Callable[..., Any])
CONFIG = Path("auditbook.toml")
AUDIENCE = "auditbook.audience"
STORE = "store"


def _hold_to(_ctx: click.Context, _param: click.Parameter, text: str | None) -> None:
    if text:
        from pipeline import memory

        memory.limit(memory.read(text))


_path = click.Path(path_type=Path)
store = click.option(
    "--store", type=_path, default=STORE, envvar="AUDITBOOK_STORE", show_default="./store, or AUDITBOOK_STORE",
    help="Folder of the store.",
)  # fmt: skip
config = click.option("--config", type=_path, show_default="./auditbook.toml if there", help="Settings.")
out = click.option("--out", type=_path, default="out", show_default="./out", help="Folder for reports.")
as_of = click.option("--as-of", metavar="TIME", show_default="now", help="The clock of a report.")
source = click.option("--source", metavar="ID", help="Which product the exports come from; else recognised.")
instance = click.option(
    "--instance", metavar="NAME", help="Tenant or shop of the exports, whatever they say."
)
quiet = click.option("-q", "--quiet", is_flag=True, help="No progress, no summary.")
verbose = click.option("-v", "--verbose", is_flag=True, help="Progress with the time that it took.")
as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout instead of the summary."
)
memory_limit = click.option(
    "--memory-limit", metavar="SIZE", envvar="AUDITBOOK_MEMORY_LIMIT", expose_value=False, callback=_hold_to,
    help="Take no more memory than 2GB, say; all processes together.",
)  # fmt: skip
SHAPES = ("table", "csv", "json", "jsonl")


def several(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Decorators as one, first on top."""
    return lambda command: reduce(lambda made, decorate: decorate(made), reversed(decorators), command)


def shape_of(*more: str) -> Callable[[Command], Command]:
    """How rows are printed: a table for people, the others for programs, `more` for some rows only."""
    return several(
        click.option(
            "--format", "shape", type=click.Choice([*SHAPES, *more]), default="table", show_default=True,
            help="How rows are printed.",
        ),
        click.option("--json", "shape", flag_value="json", help="The same as --format json."),
    )  # fmt: skip


shape = shape_of()
limit = click.option(
    "--limit", type=click.IntRange(min=0, max=2**63 - 1), metavar="N", help="At most N rows (0: all)."
)
fail_on = click.option(
    "--fail-on", type=click.Choice(SEVERITIES), help="Exit 3 when such a finding, or a worse, is open."
)
max_rejects = click.option(
    "--max-rejects", type=click.IntRange(min=0), metavar="N", help="Exit 4 above N rejects."
)


def shown_to(command: click.Command) -> click.Command:
    """The command with --audience; groups have it on each of theirs."""
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        shown_to(one)
    if not isinstance(command, click.Group):
        command.params.append(_audience_option())
    return command


def _audience_option() -> click.Option:
    def keep(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
        ctx.meta[AUDIENCE] = value

    return click.Option(
        ["--audience"], type=click.Choice(["full", "internal", "external"]), expose_value=False, callback=keep,
        show_default="internal", help="For whom: full shows secrets, external hides people and free text.",
    )  # fmt: skip


def read_config(path: Path | None) -> Config:
    """The config that was named, else the one in this folder, else the defaults."""
    from pipeline import config as configs

    return configs.read(path or (CONFIG if CONFIG.exists() else None))


def open_log(store: Path, path: Path | None, *, from_commits: bool = False) -> Log:
    """The store for reading; a config that differs from the last run's is laid over it, which takes a moment.

    `from_commits` trusts nothing but the commits: what goes into a report is read from them, not from the cache.
    """
    from pipeline import catalog, query
    from pipeline import store as stores
    from pipeline.config import to_dict

    stores.require(store)
    recorded = catalog.recorded_config(stores.commits(store))
    chosen = recorded if path is None and not CONFIG.exists() else read_config(path)
    same = to_dict(chosen) == to_dict(recorded)
    settings = read_config(path) if path is not None or CONFIG.exists() else chosen
    log = query.Log(store, None if same and not from_commits else chosen, _audience(), settings.privacy)
    log.presets = chosen.presets
    note_reading(store, settings)
    return log


def _audience() -> str | None:
    context = click.get_current_context(silent=True)
    return context.meta.get(AUDIENCE) if context else None


def note_reading(store: Path, settings: Config) -> None:
    """Who read what with which command, for the next record, if that is asked for; a reading that cannot be noted is
    not done."""
    if not settings.log_reads:
        return
    import getpass
    import socket

    from pipeline import issued, redact
    from pipeline import store as stores
    from pipeline.errors import AuditbookError

    entry = {
        "user": stores.as_utf8(getpass.getuser()), "host": socket.gethostname(), "at": stores.now(),
        "arguments": redact.arguments(stores.as_utf8(text) for text in sys.argv[1:]),
    }  # fmt: skip
    if not issued.note(store, entry, "reads"):
        raise AuditbookError(
            "the reading cannot be noted, and [audit] log_reads asks for it.", path=store / issued.READS
        )


def tell_failures(log: Log) -> None:
    """Which rules broke in the newest evaluation, wherever findings or rules are listed."""
    from pipeline.cli import output
    from pipeline.findings import failures

    for failure in failures(log.con):
        output.note(failure)


def read_clock(text: str | None, config: Config) -> datetime | None:
    """A time that was typed; without a zone it is the organization's."""
    from datetime import datetime

    from pipeline.errors import UsageError
    from pipeline.hours import zone

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f'--as-of: "{text}" is not a time.',
            hint="Write 2026-10-31, 2026-10-31T18:00 or 2026-10-31T18:00Z.",
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone(config.organization.timezone))


def progress(quiet: bool, verbose: bool = False) -> Progress:
    """Where stages say what they do: one changing line on a terminal, plain lines into a file, nothing when quiet."""
    from pipeline.cli.meter import Meter
    from pipeline.progress import silent

    return silent if quiet else Meter(verbose)


def done() -> None:
    """Take the changing line away before the summary is printed."""
    from pipeline.cli import meter

    meter.done()
