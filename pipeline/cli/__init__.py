"""The command: parse, call one function, print. Split by noun; nothing heavy is imported before it is needed."""

from __future__ import annotations

import os

from pipeline import leaner
from pipeline.cli import (
    again,
    detectors,
    erase,
    events,
    evidence,
    export,
    findings,
    history,
    keys,
    lines,
    machine,
    nightly,
    options,
    recipe,
    report,
    retain,
    show,
    sources,
    sql,
    store,
)
from pipeline.cli.group import Root

EPILOG = """\b
Examples:
  auditbook demo                                  the sample month, loaded and reported
  auditbook run exports/                          the nightly job: load, detect, report
  auditbook events --actor ana@example.com --since 7d
  auditbook findings show 3f9a
  auditbook verify --head 51c0…                   compare with the number in a report

\b
Exit codes: 0 done, 1 failed, 2 usage, 3 findings at or above --fail-on,
  4 rejects above --max-rejects, or a file not recognised or not read to its end,
  5 verification failed, 6 another run holds the store.

\b
What Tab suggests comes from the store: eval "$(_AUDITBOOK_COMPLETE=bash_source auditbook)" (or zsh, fish)"""

cli = Root(
    "auditbook",
    help="Turn audit-log exports into evidence: every line accounted for, findings that can be re-performed, "
    "a report to sign.",
    epilog=EPILOG,
    also={"hold": retain.hold},
)
for command in (
    nightly.run,
    nightly.load,
    nightly.detect,
    report.report,
    events.events,
    show.show,
    history.history,
    recipe.recipe,
    events.values,
    export.export,
    findings.findings,
    lines.rejects,
    lines.ledger,
    again.remap,
    again.forget,
    sources.sources,
    detectors.detectors,
    store.verify,
    evidence.evidence,
    evidence.reperform,
    keys.keys,
    retain.retain,
    erase.erase,
    erase.originals,
    store.rebuild,
    sql.sql,
    nightly.demo,
    machine.init,
    machine.doctor,
):
    cli.add_command(command)
for command in (
    report.report, events.events, show.show, history.history, recipe.recipe, events.values, export.export,
    findings.findings, lines.rejects, lines.ledger, sql.sql,
):  # fmt: skip
    options.shown_to(command)


def main() -> None:
    """What the installed `auditbook` calls."""
    os.umask(0o077)  # whatever is written is its owner's alone
    leaner.single()
    leaner.without("pandas")  # pyarrow would import it, which takes longer than most commands
    cli.main(prog_name="auditbook")
