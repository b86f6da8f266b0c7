"""How answers look to people, in Jupyter and on paper: the one door from questions to reports.

Of pipeline only this, the command and the nightly run import reports, and each where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.formats import Stream
    from pipeline.history import History
    from pipeline.query import Log
    from pipeline.recipe import Answer
    from pipeline.rows import Rows
    from pipeline.trial import Trial
    from reports.notebook import Plot


def pdf(rows: Rows, stream: Stream) -> dict[str, Any]:
    """A selection of events as a document."""
    from reports import selection

    made, count = selection.pdf(rows)
    stream.write(made)
    return {"rows": count}


def log_page(rows: Rows, stream: Stream) -> dict[str, Any]:
    """A selection of events as a page that can be searched."""
    from reports import logpage

    made, count = logpage.of_rows(rows)
    stream.write(made)
    return {"rows": count}


def table(rows: Rows) -> str:
    """Rows as a table in a notebook."""
    from reports import notebook

    return notebook.table(rows)


def plot(rows: Rows, kind: str, *columns: str) -> Plot:
    """A picture of what a question answers."""
    from reports import notebook

    return notebook.plot(rows, kind, *columns)


def event(row: dict[str, Any]) -> str:
    """One event in full."""
    from reports import notebook

    return notebook.event(row)


def store(log: Log) -> str:
    """What is in a store."""
    from reports import notebook

    return notebook.store(log)


def history(one: History) -> str:
    """One thing's life."""
    from reports import notebook

    return notebook.history(one)


def answer(one: Answer) -> str:
    """What a recipe says."""
    from reports import notebook

    return notebook.answer(one)


def trial(one: Trial) -> str:
    """What a rule would have found."""
    from reports import notebook

    return notebook.trial(one)
