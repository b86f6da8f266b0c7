"""init and doctor: getting started, and what works on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli import options, output


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), default="auditbook.toml", show_default=True, help="Where."
)
@options.several(options.store, options.quiet)
def init(config: Path, store: Path, quiet: bool) -> None:
    """Write an auditbook.toml with comments.

    The store's folder is made as well. Nothing is overwritten.

    \b
    Example:
      auditbook init
    """
    import importlib.resources

    from pipeline import store as stores
    from pipeline.errors import AuditbookError, UsageError

    template = (importlib.resources.files("pipeline") / "auditbook.toml").read_text("utf-8")
    try:
        with config.open("x", encoding="utf-8") as stream:
            stream.write(template)
    except FileExistsError as error:
        raise UsageError(
            "is there already.", path=config, hint="Nothing was changed; edit it, or give --config."
        ) from error
    except OSError as error:
        raise AuditbookError(f"cannot be written: {error.strerror}.", path=config) from error
    stores.create(store)
    if not quiet:
        print(
            f"wrote {config}: set the name, the time zone and the hours\nmade {store}\nnext: auditbook run EXPORT…"
        )


@click.command()
@options.several(options.store, options.as_json)
@click.pass_context
def doctor(ctx: click.Context, store: Path, as_json: bool) -> None:
    """What works here, and how to mend the rest.

    Exit 1 when something that is needed is missing.

    \b
    Example:
      auditbook doctor
    """
    from pipeline import doctor as doctors

    checks = doctors.examine(store)
    if as_json:
        output.document([vars(check) for check in checks])
    for check in checks if not as_json else []:
        print(f"{check.state:<8} {check.what:<21} {output.inert(check.found)}")
        if check.mend:
            print(f"{'':<30} {check.mend}")
    ctx.exit(1 if any(check.state == "missing" for check in checks) else 0)
