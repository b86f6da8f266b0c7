"""HTML for paper -> PDF, in a child process with limits; it may read the report's own fonts and nothing else."""

from __future__ import annotations

import importlib.resources
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

from pipeline import scratch
from pipeline.errors import AuditbookError
from pipeline.progress import Progress, silent
from reports.text import by_number

SECONDS, PATIENCE = (
    300,
    4,
)  # of work, and how many times as long it may take on a machine that has other work too
UNNUMBERED = "@page{@bottom-right{content:none}}</style>"
PAGE = "page "  # how a line of the child begins that names the page it is at
MEMORY_BYTES = 3 * 1024**3
OUT_OF_MEMORY = (
    signal.SIGKILL,
    signal.SIGSEGV,
    signal.SIGABRT,
    signal.SIGBUS,
)  # how a system or a library says it
PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0"
# What a child needs of the caller's surroundings to find Python's packages and the system's libraries. Nothing else
# gets in: not the zone, not the language, not the home directory's font settings.
PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")


@dataclass(frozen=True)
class Attached:
    """A file inside the PDF."""

    name: str
    description: str
    text: str


@dataclass(frozen=True)
class Annex:
    """A table behind the document's last page, however long: its rows are read as they are drawn.

    How many pages there are is known then, so that the document leaves their numbers to it.
    """

    columns: tuple[str, ...]
    rows: Iterable[Sequence[str]]
    running: tuple[str, str, str]  # above left and right, below
    paper: str = "A4"
    marked: int = 10  # letters of the first column that make a bookmark when they change: a day


# A variable face has every weight, and says so itself.
FACES = (
    ("Plex Sans", "fontpkg_ibm_plex_sans", "IBMPlexSans[wdth,wght].ttf", "normal", ""),
    ("Plex Sans", "fontpkg_ibm_plex_sans", "IBMPlexSans-Italic[wdth,wght].ttf", "italic", ""),
    ("Plex Mono", "fontpkg_ibm_plex_mono", "IBMPlexMono-Regular.ttf", "normal", "400"),
    ("Plex Mono", "fontpkg_ibm_plex_mono", "IBMPlexMono-SemiBold.ttf", "normal", "600"),
)


def missing() -> str | None:
    """What the machine lacks to make PDFs, in one sentence with the package to install; None when nothing."""
    try:
        # WeasyPrint prints a page of advice where the command's answer goes.
        with _temporary_files_in("pango"), redirect_stdout(io.StringIO()):
            import weasyprint.text.ffi  # noqa: F401
    except (OSError, ImportError) as error:
        return _lacking(str(error))
    return None


@contextmanager
def _temporary_files_in(purpose: str) -> Iterator[None]:
    """What others put among the temporary files is swept with a folder of ours, should we be killed: Python asks a
    compiler where a library is, and that one is given a file to write to."""
    before = tempfile.tempdir
    with scratch.folder(purpose) as folder:
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


def press(
    html: bytes,
    *,
    as_of: datetime,
    identifier: str,
    logo: str | None = None,
    attached: Sequence[Attached] = (),
    annex: Annex | None = None,
    seconds: float = SECONDS,
    memory: int = MEMORY_BYTES,
    progress: Progress = silent,
) -> bytes:
    """The PDF of one document; the same bytes for the same input, wherever and by whomever it is made."""
    with ExitStack() as held, scratch.folder("pdf") as folder:
        faces = [
            {"family": family, "path": str(_font(held, package, file)), "style": style, "weight": weight}
            for family, package, file, style, weight in FACES
        ]
        order: dict[str, object] = {
            "parent": os.getpid(), "faces": faces, "memory": memory, "seconds": seconds, "identifier": identifier,
            "annex": _rows(folder, annex, faces) if annex else None,
            "logo": logo, "as_of": as_of.isoformat(), "attached": _files(folder, attached),
            "html": str(folder / "report.html"), "pdf": str(folder / "report.pdf"),
        }  # fmt: skip
        page = html.decode().replace("</style>", UNNUMBERED, 1) if order["annex"] else html.decode()
        (folder / "report.html").write_text(_printable(page, _known(faces)), "utf-8")
        (folder / "fonts.conf").write_text(_fonts_conf(folder, faces), "utf-8")
        _run(order, folder, _surroundings(folder, as_of), progress)
        return (folder / "report.pdf").read_bytes()


def _files(folder: Path, attached: Sequence[Attached]) -> list[dict[str, str]]:
    """The attachments as files that the child reads."""
    listed = []
    for n, one in enumerate(attached):
        path = folder / f"attached-{n}"
        path.write_text(one.text, "utf-8", newline="")
        listed.append({"name": one.name, "description": one.description, "path": str(path)})
    return listed


def _rows(folder: Path, annex: Annex, faces: list[dict[str, str]]) -> dict[str, object] | None:
    """The rows of an annex in a file, a row a line; nothing when there is none."""
    path, some = folder / "annex.jsonl", False
    sans, mono = faces[0], faces[2]
    known = _known([sans, mono])
    with path.open("w", encoding="utf-8") as file:
        for row in annex.rows:
            some = True
            cells = [_printable(text.replace("\t", "    "), known) for text in row]
            file.write(json.dumps(cells, ensure_ascii=False) + "\n")
    drawn = {"S": ("IBMPlexSans", sans["path"]), "M": ("IBMPlexMono", mono["path"])}
    return {
        "rows": str(path), "columns": annex.columns, "paper": annex.paper, "marked": annex.marked,
        "running": [_printable(text, known) for text in annex.running], "faces": drawn,
    } if some else None  # fmt: skip


def _run(order: dict[str, object], folder: Path, environment: dict[str, str], progress: Progress) -> None:
    # -P and a path instead of -m: a folder called reports or pipeline where the command is run is not imported.
    worker = importlib.resources.files("reports") / "press.py"
    seconds = float(str(order["seconds"]))
    with importlib.resources.as_file(worker) as script:
        child = subprocess.Popen(
            [sys.executable, "-P", str(script)],
            cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        expired = threading.Event()

        def end() -> None:
            expired.set()
            child.kill()

        late = threading.Timer(seconds * PATIENCE, end)
        late.start()
        try:
            with child:
                said, told = _heard(child, json.dumps(order), progress)
        finally:
            late.cancel()
    if expired.is_set() or child.returncode == -signal.SIGXCPU:
        raise AuditbookError(
            f"The PDF was not done after {order['seconds']} seconds and was given up; the HTML is complete."
        )
    if child.returncode != 0:
        raise AuditbookError(_reason(child.returncode, told, said))


def _heard(child: subprocess.Popen[str], order: str, progress: Progress) -> tuple[str, str]:
    """What the child says of its errors, and its reason; the pages that it names are passed on as they come."""
    assert child.stdin and child.stdout and child.stderr
    with suppress(BrokenPipeError), child.stdin as stream:
        stream.write(order)
    said = []
    for line in child.stderr:
        if line.startswith(PAGE):
            progress(f"printing · {line.strip()}")
        else:
            said.append(line)
    return "".join(said), child.stdout.read()


def _reason(code: int, told: str, stderr: str) -> str:
    if told.startswith("missing: "):
        return f"{_lacking(told.removeprefix('missing: '))} The HTML is complete."
    last = stderr.strip().splitlines()[-1:]
    if told.startswith("memory") or last == ["MemoryError"]:
        return "The PDF needed more memory than it may use; the HTML is complete. Report on a shorter period."
    if code < 0:
        ended = signal.Signals(-code)
        why = ", perhaps for want of memory" if ended in OUT_OF_MEMORY else ""
        return f"The PDF's process was ended by {ended.name}{why}; the HTML is complete."
    said = told.strip() or "".join(last) or f"exit {code}"
    return f"The PDF could not be made: {said.removesuffix('.')}. The HTML is complete."


def _lacking(error: str) -> str:
    what = (
        "Pango"
        if "pango" in error.lower() or "gobject" in error.lower()
        else error.strip().splitlines()[0][:120]
    )
    return f"PDFs need {what}, which is not on this machine: on Debian, apt-get install {PACKAGES}."


def _known(faces: list[dict[str, str]]) -> set[int]:
    """The characters that the faces have."""
    from fontTools.ttLib import TTFont

    known = {10}
    for face in faces:
        with TTFont(face["path"], lazy=True) as font:
            known |= set(font.getBestCmap())
    return known


def _printable(page: str, known: set[int]) -> str:
    """Characters that no face has are shown by their number: on paper a box would say nothing."""
    return page.translate({code: by_number(chr(code)) for code in {ord(one) for one in page} - known})


def _surroundings(folder: Path, as_of: datetime) -> dict[str, str]:
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed | {
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "TMPDIR": str(folder),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
        "SOURCE_DATE_EPOCH": str(int(as_of.timestamp())),
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
    }


def _font(held: ExitStack, package: str, file: str) -> Path:
    return held.enter_context(
        importlib.resources.as_file(importlib.resources.files(package) / "files" / file)
    )


# No folder of the machine's fonts: what these faces lack is shown as a box, the same everywhere.
def _fonts_conf(folder: Path, faces: list[dict[str, str]]) -> str:
    folders = sorted({str(Path(face["path"]).parent) for face in faces})
    listed = "".join(f"<dir>{escape(name)}</dir>" for name in folders)
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n'
        f"<fontconfig>{listed}<cachedir>{escape(str(folder / 'cache'))}</cachedir></fontconfig>\n"
    )
