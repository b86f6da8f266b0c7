"""What stands beside the commits, held against them: caches, the manifest, originals, rules, reports that were made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipeline import caches, engine, issued, rulefile
from pipeline import store as stores
from pipeline.caches import MEND, Told
from pipeline.errors import UsageError
from pipeline.found import Beside, Break
from pipeline.store import Commit


def check(store: Path, chain: Sequence[Commit], documents: Sequence[Path]) -> Beside:
    """The first thing beside the commits that says otherwise than they; else notes, and what the documents are."""
    slow = (caches.database, caches.identities, caches.named)
    with engine.connect() as connection, ThreadPoolExecutor(len(slow)) as pool:
        later = [pool.submit(what, connection.cursor(), store, chain) for what in slow]
        told, problem = _told(store, chain, documents)
        count, problem = (0, problem) if problem else _reports(store, chain)
        problem = problem or _originals(store, chain)
        if problem is not None:
            return Beside(problem)
        notes: list[str] = []
        for found in (*(one.result() for one in later), _manifest(store, chain)):
            if found[1] is not None:
                return Beside(found[1])
            notes += found[0]
    return Beside(None, (*notes, *_rules(chain)), tuple(told), count)


def _told(store: Path, chain: Sequence[Commit], documents: Sequence[Path]) -> tuple[list[str], Break | None]:
    """What each document is, up to the first that is none of ours."""
    told: list[str] = []
    for document in documents:
        said, problem = _document(document, store, chain)
        if problem is not None:
            return told, problem
        told.append(said)
    return told, None


def _reports(store: Path, chain: Sequence[Commit]) -> tuple[int, Break | None]:
    """The files of reports that are where they were written: how many, and the first that is another one now."""
    wanted: dict[Path, set[str]] = {}
    for entry, _ in _entries(store, chain):
        for name, digest in entry["files"].items():
            if "folder" in entry:
                wanted.setdefault(Path(entry["folder"]) / name, set()).add(digest)
    there = [path for path in sorted(wanted) if os.access(path, os.R_OK) and path.is_file()]
    for path in there:
        if stores.sha256_file(path) not in wanted[path]:
            return 0, Break(None, str(path), "it was changed: it is not the report that was written there.")
    return len(there), None


def _rules(chain: Sequence[Commit]) -> list[str]:
    """Installed rules that are not the files which the newest evaluation ran."""
    last = next((link for link in reversed(chain) if link.kind == "detect"), None)
    ran = last.content.get("rules", {}) if last else {}
    now, own = rulefile.hashes(), {text for link in chain for text in link.content.get("rule_texts", {})}
    other = sorted(name for name, digest in ran.items() if now.get(name) != digest and digest not in own)
    if not other:
        return []
    return [f"{', '.join(other)}: the installed rule is not the file that the last evaluation ran."]


def _originals(store: Path, chain: Sequence[Commit]) -> Break | None:
    if not any("originals" in link.content for link in chain):
        return None
    from pipeline import originals

    for one in originals.kept(chain).values():
        path = store / originals.FOLDER / f"{one['sha256']}.zst"
        if not path.is_file():
            return Break(one["commit_no"], path.name, f"the original of {one['file']} is missing.")
        if stores.sha256_file(path) != one["packed_sha256"]:
            what = f"the original of {one['file']} was changed: its sha256 is not the recorded one."
            return Break(one["commit_no"], path.name, what)
    return None


def _manifest(store: Path, chain: Sequence[Commit]) -> Told:
    name = "manifest.jsonl"
    try:
        said = (store / name).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return [f"{name} is not there; {MEND}."], None
    wanted = [stores.canonical(link.record) for link in chain]
    if said == wanted:
        return [], None
    if said == wanted[: len(said)]:
        return [f"{name} ends before the newest commit; {MEND}."], None
    return [], Break(None, name, f"it says otherwise than the records: it was changed; {MEND}.")


def _document(path: Path, store: Path, chain: Sequence[Commit]) -> tuple[str, Break | None]:
    """What a file is that was handed out, and the commit whose record has its hash."""
    digest = _digest(path)
    for entry, where in _entries(store, chain):
        if digest in entry["files"].values():
            return (
                f"{path.name} is {entry['kind']} {entry['report_id']}, as of head {entry['head'][:12]}, in {where}",
                None,
            )
    return "", Break(
        None, path.name, "is no report that the chain tells of: it was changed, or made elsewhere."
    )


def entry_of(store: Path, chain: Sequence[Commit], report: str) -> dict[str, Any]:
    """What the chain says of a report, by a file of it or by the beginning of its id."""
    path = Path(report)
    digest = _digest(path) if path.is_file() else None
    found = [
        entry for entry, _ in _entries(store, chain)
        if (digest in entry["files"].values() if digest else entry["report_id"].startswith(report))
    ]  # fmt: skip
    if not found:
        raise UsageError(
            f"{report} is no report that the chain tells of.",
            hint="Give a file of it as it was handed out, or its id.",
        )
    return found[-1]


def _entries(store: Path, chain: Sequence[Commit]) -> list[tuple[dict[str, Any], str]]:
    records = [link.record for link in chain]
    told = [(entry, f"commit {link.number}") for link in chain for entry in issued.recorded([link.record])]
    return told + [
        (entry, "no commit yet, the next one takes it in") for entry in issued.unrecorded(store, records)
    ]


def _digest(path: Path) -> str:
    try:
        return stores.sha256_file(path)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}.", path=path) from error
