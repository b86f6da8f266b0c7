"""Lines of the store -> the same lines loaded again: by a repaired mapping (remap), or without a wrong file (forget).

Nothing is changed in place: a commit has the new parts and names those that it replaces, which stay in the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import catalog, conduct, engine, holds, ids, mapping, parts, purge, repaired
from pipeline import store as stores
from pipeline.config import Config, to_dict
from pipeline.crew import crew
from pipeline.errors import UsageError
from pipeline.kept import Load, Shelf, kept
from pipeline.ledger import Counts, InForce, in_force
from pipeline.load import settings_of
from pipeline.lock import locked
from pipeline.progress import Progress, silent
from pipeline.replaced import refuse_purged
from pipeline.store import Commit, Part

HASH_SHOWN = 12


@dataclass(frozen=True)
class Again:
    """What was done: the files that were read again or withdrawn, and the counts of all that it concerned before and
    after. `commit` is None when there was nothing to do."""

    kind: str
    files: tuple[str, ...]
    before: Counts
    after: Counts
    commit: Commit | None
    head: str

    def as_json(self) -> dict[str, Any]:
        return {
            "files": list(self.files), "lines": self.after.as_json(), "before": self.before.as_json(),
            "changed": self.commit is not None, "head": self.head,
        }  # fmt: skip


def remap(source: str, *, store: Path | str, config: Config, progress: Progress = silent) -> Again:
    """Make the events of a source again from its stored lines, by the mapping and the settings as they are now."""
    path = Path(store)
    stores.require(path)
    chosen = mapping.named(source, config.mappings)
    with locked(path) as interrupted:
        chain = stores.commits(path)
        files = _of_source(chain, source)
        before = sum((one.counts for one in files), Counts())
        names = tuple(one.entry["file"] for one in files)
        if not any(_is_stale(one, chosen, config) for one in files):
            return Again("remap", names, before, before, None, chain[-1].head)
        shelf = Shelf(stores.parts(chain))
        done = _read_again(path, "remap", files, [], shelf, config, interrupted, progress)
        catalog.publish(path, config)
    return Again("remap", names, before, _counts_after(done), done, done.head)


def to_forget(file: str, store: Path | str, commit: int | None = None) -> InForce:
    """The load that is meant by a file's name or by the beginning of its hash; an error unless it is one."""
    stores.require(Path(store))
    return _meant(file, commit, in_force(stores.commits(Path(store))))


def word_of(meant: InForce) -> str:
    """What is typed by somebody who has read what would be withdrawn."""
    return purge.word("forget", meant.counts.read)


def _meant(file: str, commit: int | None, files: Sequence[InForce]) -> InForce:
    found = [one for one in files if one.entry["file"] == file]
    found = found or [one for one in files if len(file) >= 6 and one.entry["sha256"].startswith(file.lower())]
    if not found:
        known = ", ".join(dict.fromkeys(one.entry["file"] for one in files)) or "nothing"
        raise UsageError(f'"{file}" is no file that is loaded.', hint=f"Loaded: {known}.")
    if commit is not None:
        found = [one for one in found if one.commit_no == commit]
        if not found:
            raise UsageError(f'"{file}" was not loaded by commit {commit}.')
    if len(found) > 1:
        raise UsageError(f'"{file}" was loaded {len(found)} times.', hint=_which(found))
    return found[0]


def _which(found: Sequence[InForce]) -> str:
    """How each of several loads is named; the same bytes may have been loaded for two sources or tenants."""
    if len({one.entry["sha256"] for one in found}) > 1:
        several = [f"{one.entry['sha256'][:HASH_SHOWN]} (commit {one.commit_no})" for one in found]
        return f"Say which by its hash: {', '.join(several)}."
    of = [f"{one.commit_no} ({one.entry['source']}, {one.entry['instance'] or 'no tenant'})" for one in found]
    return f"Say which with --commit: {', '.join(of)}."


def forget(
    file: str, *, store: Path | str, config: Config, commit: int | None = None, reason: str | None = None,
    word: str | None = None, progress: Progress = silent,
) -> Again:  # fmt: skip
    """Withdraw a load, on record: as if the file had never been loaded. Lines elsewhere that were its duplicates
    become the events. A word that is given must be the plan's."""
    path = Path(store)
    with locked(path) as interrupted:
        chain = stores.commits(path)
        files = in_force(chain)
        gone = _meant(file, commit, files)
        if word is not None:
            purge.check(word, word_of(gone))
        holds.refuse(path, gone.entry)
        same = [one for one in files if one.entry["source"] == gone.entry["source"]]
        rest = [one for one in same if one.key != gone.key]
        before = sum((one.counts for one in same), Counts())
        run = {**interrupted, **({"reason": reason} if reason else {})}
        found = stores.parts(chain)
        shelf = Shelf(found)
        if rest and _is_referred_to(found, shelf, gone.key):
            done = _read_again(path, "forget", rest, [gone], shelf, config, run, progress)
            after = _counts_after(done)
        else:
            done = _without(path, gone, shelf, config, run)
            after = sum((one.counts for one in rest), Counts())
        catalog.publish(path, config)
    return Again("forget", (gone.entry["file"],), before, after, done, done.head)


def _of_source(chain: Sequence[Commit], source: str) -> list[InForce]:
    files = in_force(chain)
    found = [one for one in files if one.entry["source"] == source and not one.entry["skipped"]]
    if not found:
        known = ", ".join(sorted({str(one.entry["source"]) for one in files if one.entry["source"]}))
        raise UsageError(f'nothing of "{source}" is loaded.', hint=f"Loaded: {known or 'nothing'}.")
    return found


def _is_stale(one: InForce, chosen: mapping.Mapping, config: Config) -> bool:
    """Whether a file would be read otherwise today."""
    tenant = one.entry["instance"]
    then = settings_of(catalog.recorded_config([one.link]), chosen, tenant)
    return (
        one.entry["mapping"] != chosen.version
        or then != settings_of(config, chosen, tenant)
        or one.link.content["versions"] != stores.versions()
    )


def _counts_after(done: Commit) -> Counts:
    return sum(
        (Counts(*(one[name] for name in Counts().as_json())) for one in done.content["inputs"]), Counts()
    )


def _read_again(
    path: Path, kind: str, files: Sequence[InForce], gone: Sequence[InForce], shelf: Shelf, config: Config,
    run: dict[str, Any], progress: Progress,
) -> Commit:  # fmt: skip
    replaced = _replaced(kind, [*files, *gone], shelf)
    content = _content(config, (*files, *gone), replaced)

    def write(folder: Path) -> dict[str, int]:
        again = [_file(one, shelf, config) for one in files]
        with crew(sum(one.input.size for one in again)) as hands:
            made = conduct.conduct(again, ids.Known([], []), folder, hands, progress)
        rows = [
            {**loaded.as_json(), "commit_no": one.commit_no}
            for loaded, one in zip(made.loaded, files, strict=True)
        ]
        content["inputs"] = repaired.with_resolved(rows, rows, repaired.written(folder, made.rows))
        return made.rows

    return stores.commit(path, kind, content, write, run, config.signing)


def _replaced(kind: str, concerned: Sequence[InForce], shelf: Shelf) -> list[Part]:
    """The parts that have lines of these files; an error when some were purged."""
    loads = {one.key for one in concerned}
    found = shelf.holding(one.key for one in concerned)
    refuse_purged(found, loads, kind)
    return found


def _file(one: InForce, shelf: Shelf, config: Config) -> conduct.File:
    entry = one.entry
    chosen = mapping.named(entry["source"], config.mappings)
    made = kept(shelf, one.key, entry["bytes"], entry.get("stopped"))
    settings = settings_of(config, chosen, entry["instance"])
    return conduct.File(
        made, entry["sha256"], chosen, settings, entry["instance"], None, one.commit_no, made.stopped
    )


def _content(config: Config, gone: Sequence[InForce], replaced: Sequence[Part]) -> dict[str, Any]:
    return {
        "config": to_dict(config),
        "inputs": [],
        "replaces": [part.name for part in replaced],
        "withdraws": [
            {"commit_no": one.commit_no, **{name: one.entry[name] for name in ("file", "sha256", "source", "instance")}}
            for one in gone
        ],
    }  # fmt: skip


def _is_referred_to(found: Sequence[Part], shelf: Shelf, gone: Load) -> bool:
    """Whether a line of another file is a duplicate of one of this file's, or an event contradicts one."""
    events = [str(part.events) for part in found if part.events is not None]
    own = [str(run.part.lines) for run in shelf.runs.get(gone, [])]
    if not own or not events:
        return False
    asked = dict(zip(("commit", "name", "digest"), gone, strict=True))
    mine = "commit_no = $commit AND file = $name AND file_sha256 = $digest"
    with engine.connect() as connection:
        row = connection.execute(
            f"""SELECT EXISTS (FROM read_parquet($lines) WHERE same_commit = $commit AND same_file_sha256 = $digest
                AND NOT ({mine}))
              OR EXISTS (FROM read_parquet($events) WHERE conflicts_with IN
                (SELECT event_uid FROM read_parquet($own) WHERE {mine} AND fate = 'event'))""",
            {**asked, "lines": [str(part.lines) for part in found], "events": events, "own": own},
        ).fetchone()
    return bool(row and row[0])


def _without(path: Path, gone: InForce, shelf: Shelf, config: Config, run: dict[str, Any]) -> Commit:
    """The parts that have lines of the file, without them."""
    concerned = _replaced("forget", [gone], shelf)
    content = _content(config, [gone], concerned)

    def write(folder: Path) -> dict[str, int]:
        rows: dict[str, int] = {}
        for number, part in enumerate(concerned, start=1):
            lines = pq.ParquetFile(part.lines).read()
            rows |= parts.rewrite(part, lines.filter(pc.invert(_is_of(lines, gone.key))), folder, number)
        return rows

    return stores.commit(path, "forget", content, write, run, config.signing)


def _is_of(lines: pa.Table, load: Load) -> pa.ChunkedArray:
    commit, name, digest = load
    same = pc.and_(pc.equal(lines.column("file"), name), pc.equal(lines.column("file_sha256"), digest))
    return pc.and_(same, pc.equal(lines.column("commit_no"), commit))
