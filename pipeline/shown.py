"""How answers look to people, in Jupyter and on paper: the one door from questions to reports.

Of pipeline only this, the command and the nightly run import reports, and each where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.formats import Stream
    from pipeline.query import Rows


def pdf(rows: Rows, stream: Stream) -> dict[str, Any]:
    """A selection of events as a document."""
    from reports import selection

    made, count = selection.pdf(rows)
    stream.write(made)
    return {"rows": count}
