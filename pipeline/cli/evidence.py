"""evidence and reperform: what is handed to somebody who does not take our word for it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli import options, output

DIFFERENT = 5


@click.command()
@click.argument("what", metavar="FINDING|TYPE:ID|REPORT")
@click.option(
    "--out", "target", type=click.Path(path_type=Path), required=True, help="The archive: case.zip."
)
@click.option(
    "--audience",
    type=click.Choice(["full", "internal", "external"]),
    help="full: lines as they are, secrets too. A case names people: it is not for external eyes.",
)
@options.several(options.store, options.config, options.as_json, options.quiet)
def evidence(
    what: str,
    target: Path,
    audience: str | None,
    store: Path,
    config: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Hand out what stands behind a finding, a thing or a report, with a program that checks it.

    The archive holds the raw lines, the events, the rules and their parameters, every record of the chain, and
    verify.py, which needs nothing but Python. That it was handed out, and its hash, are a commit.

    \b
    Examples:
      auditbook evidence 3f9a --out case.zip
      auditbook evidence job:job_2041 --out case.zip --audience full
      auditbook evidence out/2026-11-02/review.pdf --out case.zip
    """
    from pipeline import bundle

    case, done = bundle.hand_out(store, what, target, options.read_config(config), audience)
    if as_json:
        facts = {
            "kind": case.kind,
            "what": case.what,
            "events": len(case.uids),
            "findings": len(case.findings),
            "gone": case.gone,
        }
        output.document({**facts, "file": str(target), "head": done.head})
    elif not quiet:
        print(output.inert(f"wrote {target}: {case.kind} {case.what}, {case.told}"))
        print(
            f"check it with: unzip {output.inert(target.name)} -d case && python3 case/verify.py\nhead {done.head}"
        )


@click.command()
@click.argument("report", metavar="REPORT")
@options.several(options.store, options.config, options.as_json, options.quiet)
@click.pass_context
def reperform(
    ctx: click.Context, report: str, store: Path, config: Path | None, as_json: bool, quiet: bool
) -> None:
    """Make a report again from the commits of its time, and compare. Exit 5 when a byte differs.

    REPORT is a file of it as it was handed out, or its id.

    \b
    Example:
      auditbook reperform out/2026-11-02/review.html
    """
    from reports.reperform import reperform as again

    entry, found = again(store, report, options.read_config(config))
    same = all(one.same for one in found)
    if as_json:
        documents = [{**vars(one), "same": one.same} for one in found]
        output.document(
            {"report_id": entry["report_id"], "head": entry["head"], "ok": same, "documents": documents}
        )
    elif not quiet:
        print(f"{entry['kind']} {entry['report_id']}, as of head {entry['head']}")
        for one in found:
            print(f"  {output.inert(one.name)}: {'the same, byte for byte' if one.same else 'NOT the same'}")
    if not same:
        print("auditbook: what was made again is not what was handed out.", file=sys.stderr)
    ctx.exit(0 if same else DIFFERENT)
