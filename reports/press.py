"""The child process of pdf.py: one order in on stdin, one PDF out. Imports nothing of auditbook.

A warning of the renderer is an error: a report that lost an image, a rule or a glyph silently is not evidence.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any


class Warned(logging.Handler):
    """Keeps what the renderer complains about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def main() -> int:
    """0 done · 3 the renderer warned · 4 a library is missing · 5 out of memory; the reason goes to stdout."""
    order = json.load(sys.stdin)
    _limit(resource.RLIMIT_AS, order["memory"])
    _limit(resource.RLIMIT_CPU, int(order["seconds"]) + 1)
    with redirect_stdout(sys.stderr):  # libraries print advice; stdout is for the reason alone
        code, reason = _outcome(order)
    sys.stdout.write(reason)
    return code


def _outcome(order: dict[str, Any]) -> tuple[int, str]:
    try:
        import weasyprint  # noqa: F401
    except (OSError, ImportError) as error:
        return 4, f"missing: {error}"
    try:
        warned = _press(order)
    except MemoryError:
        return 5, "memory"
    return (3, "; ".join(warned)[:2000]) if warned else (0, "")


def _limit(what: int, amount: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard == resource.RLIM_INFINITY or amount < hard:
        try:
            resource.setrlimit(what, (amount, hard))
        except ValueError:  # macOS does not know every limit
            return


def _press(order: dict[str, Any]) -> list[str]:
    import weasyprint
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcherResponse

    warned = Warned()
    logging.getLogger("weasyprint").addHandler(warned)
    faces = {Path(face["path"]).as_uri(): Path(face["path"]) for face in order["faces"]}

    class OwnFontsOnly(weasyprint.URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, _headers: object = None) -> Any:
            if url not in faces:
                raise ValueError(f"{url[:80]} is not one of the report's fonts")
            return URLFetcherResponse(url, faces[url].read_bytes(), {"Content-Type": "font/ttf"})

    fetcher, fonts = OwnFontsOnly(), FontConfiguration()
    style = weasyprint.CSS(
        string="".join(
            f'@font-face{{font-family:"{face["family"]}";font-style:{face["style"]};'
            + (f"font-weight:{face['weight']};" if face["weight"] else "")
            + f'src:url("{Path(face["path"]).as_uri()}")}}'
            for face in order["faces"]
        ),
        font_config=fonts, url_fetcher=fetcher,
    )  # fmt: skip
    document = weasyprint.HTML(
        string=Path(order["html"]).read_text("utf-8"), url_fetcher=fetcher, media_type="print"
    )
    document.write_pdf(
        order["pdf"],
        stylesheets=[style],
        font_config=fonts,
        pdf_tags=True,
        pdf_identifier=order["identifier"].encode(),
    )
    return warned.said


if __name__ == "__main__":
    sys.exit(main())
