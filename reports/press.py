"""The child process of pdf.py: one order in on stdin, one PDF out. Imports nothing of auditbook.

A warning of the renderer is an error: a report that lost an image, a rule or a glyph silently is not evidence.
"""

from __future__ import annotations

import base64
import ctypes
import gc
import json
import logging
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

PDEATHSIG = 1  # of Linux's prctl


class Warned(logging.Handler):
    """Keeps what the renderer complains about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class Pages(logging.Handler):
    """Says every tenth page that is laid out."""

    def emit(self, record: logging.LogRecord) -> None:
        page = re.search(r"Page (\d+)$", record.getMessage())
        if page and int(page.group(1)) % 10 == 0:
            print(f"page {page.group(1)}", file=sys.stderr, flush=True)


def main() -> int:
    """0 done · 3 the renderer warned · 4 a library is missing · 5 out of memory; the reason goes to stdout."""
    order = json.load(sys.stdin)
    _die_with(order["parent"])
    _limit(resource.RLIMIT_AS, order["memory"])
    _limit(resource.RLIMIT_CPU, int(order["seconds"]) + 1)
    gc.set_threshold(
        200_000, 20, 100
    )  # a document's boxes live as long as it does: looking for others took a seventh
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


def _die_with(parent: int) -> None:
    """Nobody waits for the document of a process that was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


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
    stages = logging.getLogger("weasyprint.progress")
    stages.setLevel(logging.INFO)
    stages.addHandler(Pages())
    faces = {Path(face["path"]).as_uri(): Path(face["path"]) for face in order["faces"]}

    class OwnFontsOnly(weasyprint.URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, _headers: object = None) -> Any:
            if url == order["logo"]:
                kind, content = url.removeprefix("data:").split(";base64,")
                return URLFetcherResponse(url, base64.b64decode(content), {"Content-Type": kind})
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
    options = {
        "pdf_variant": "pdf/a-3a", "pdf_tags": True, "pdf_identifier": order["identifier"].encode(),
    }  # fmt: skip

    document = weasyprint.HTML(
        string=Path(order["html"]).read_text("utf-8"), url_fetcher=fetcher, media_type="print"
    )
    rendered = document.render(font_config=fonts, stylesheets=[style], **options)
    _describe(rendered.metadata, order, fetcher)
    rendered.write_pdf(order["pdf"], finisher=_bound(order) if order["annex"] else None, **options)
    return warned.said


def _bound(order: dict[str, Any]) -> Callable[[Any, Any], None]:
    """What writes the document with its annex behind."""
    binding, sheets = _beside("binding"), _beside("sheets")
    faces = {name: binding.Face(*face) for name, face in order["annex"]["faces"].items()}

    def write(pdf: Any, output: Any, *_: object) -> None:
        laid = sheets.plan(order["annex"])
        binding.bind(pdf, sheets, laid, faces, output, order["identifier"])

    def finish(_: Any, pdf: Any) -> None:
        pdf.write = partial(write, pdf)

    return finish


def _beside(name: str) -> Any:
    """A module of this folder without the package around it, which would load the store's engine."""
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _describe(metadata: Any, order: dict[str, Any], fetcher: Any) -> None:
    """Fixed dates, the evidence as attached files, and the second standard beside the first."""
    from weasyprint import Attachment

    at = datetime.fromisoformat(order["as_of"])
    metadata.created = metadata.modified = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata.attachments = [
        Attachment(
            string=Path(one["path"]).read_text("utf-8"), name=one["name"], description=one["description"],
            relationship="Data", created=at, modified=at, url_fetcher=fetcher,
        )
        for one in order["attached"]
    ]  # fmt: skip
    of_one = metadata.generate_rdf_metadata
    metadata.generate_rdf_metadata = lambda *given: of_one(*given).replace(
        b"</rdf:RDF>", ACCESSIBLE + b"</rdf:RDF>"
    )


# WeasyPrint names one standard; PDF/A wants the names of another one declared.
ACCESSIBLE = b"""<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"><pdfuaid:part>1</pdfuaid:part>
</rdf:Description><rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA identification</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>Part of ISO 14289 that the file conforms to</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>"""


if __name__ == "__main__":
    sys.exit(main())
