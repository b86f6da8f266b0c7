"""How commands are grouped and how they end: errors become one sentence and an exit code here and nowhere else."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

import click

from pipeline.errors import AuditbookError

INTERRUPTED = 130
TERMINATED = 143
BROKEN_PIPE = 141
STOPPED = "stopped; what was committed stays, and the next run goes on from there."
OUT_OF_MEMORY = (
    "not enough memory, or --memory-limit is too low; what was committed stays, nothing else was committed."
)
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


class Root(click.Group):
    """The outermost command: commands in the order of the day's work, errors told in one place."""

    def __init__(
        self, *arguments: Any, also: Mapping[str, click.Command] | None = None, **settings: Any
    ) -> None:
        super().__init__(*arguments, context_settings=SETTINGS, **settings)
        self.params.append(_version_option())
        self.also = also or {}  # what is understood without its noun, and listed with it

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self.also.get(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks so
        return list(self.commands)

    def main(self, *arguments: Any, **settings: Any) -> Any:
        _speak_utf8()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _terminate)
        try:
            code = super().main(
                *arguments, **{"prog_name": "auditbook", **settings, "standalone_mode": False}
            )
            sys.stdout.flush()
        except AuditbookError as error:
            if os.environ.get("AUDITBOOK_TRACE"):
                sys.excepthook(type(error), error, error.__traceback__)
            code = _told(str(error), error.exit_code)
        except click.ClickException as error:
            code = _told(_words(error), error.exit_code)
        except _no_memory():
            code = _told(OUT_OF_MEMORY, 1)
        except (KeyboardInterrupt, click.Abort) as error:
            asked = isinstance(error, TerminatedError) or isinstance(error.__cause__, TerminatedError)
            sys.exit(_told(STOPPED, TERMINATED if asked else INTERRUPTED))
        sys.exit(_tell_witness() or (code if isinstance(code, int) else 0))

    def invoke(self, ctx: click.Context) -> Any:
        """The reader of a pipe may leave when it has enough; that is no error of ours."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(BROKEN_PIPE)


class TerminatedError(KeyboardInterrupt):
    """Somebody asked the process to end, which is done as when Ctrl-C is pressed."""


def _terminate(_number: int, _frame: object) -> None:
    raise TerminatedError


def _no_memory() -> tuple[type[BaseException], ...]:
    """DuckDB has an error of its own for it, and is imported only where it is needed."""
    duckdb = sys.modules.get("duckdb")
    return (MemoryError, duckdb.OutOfMemoryException) if duckdb else (MemoryError,)


class Nouns(click.Group):
    """A group whose first verb is understood: `auditbook findings` is `auditbook findings list`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks so
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *ctx.help_option_names}
        if not args or (args[0] not in known and args[0].startswith("-")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def _speak_utf8() -> None:
    """Files and pipes are UTF-8 whatever the machine's language; a terminal shows what it can, the rest escaped."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                encoding=None if stream.isatty() else "utf-8",
                errors="replace" if stream is sys.stdin else "backslashreplace",
            )


def _told(sentence: str, code: int) -> int:
    from pipeline import redact
    from pipeline.cli.output import inert

    print(f"auditbook: {inert(redact.text(sentence))}", file=sys.stderr)
    return code


def _tell_witness() -> int:
    """Whoever is to know of new heads is told when everything is done, and of what an error left committed as well."""
    witness = sys.modules.get("pipeline.witness")
    try:
        if witness is not None:
            witness.tell()
    except AuditbookError as error:
        return _told(str(error), error.exit_code)
    return 0


def _words(error: click.ClickException) -> str:
    """Click's message as a sentence of ours, with the command whose help says more."""
    message = " ".join(error.format_message().split())
    message = message if message.endswith((".", "?", ")")) else f"{message}."
    context = getattr(error, "ctx", None)
    return f"{message} See `{context.command_path} --help`." if context is not None else message


def _version_option() -> click.Option:
    def show(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
        if wanted:
            from importlib import metadata

            click.echo(f"auditbook {metadata.version('auditbook')}")
            ctx.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=show,
        help="Show the version.",
    )
