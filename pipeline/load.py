"""Files -> lines with fates, and events: one commit. First stage of the nightly run."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import catalog, changes, fates, inputs, mapping, normalize
from pipeline import store as stores
from pipeline.config import Config, to_dict
from pipeline.errors import AuditbookError, UsageError
from pipeline.inputs import Input
from pipeline.lines import BLOCK_BYTES, Splitter
from pipeline.mapping import Mapping

Progress = Callable[[str], None]
FATES = ("event", "duplicate", "reject", "blank")
RECOGNISED_FROM = 64 * 1024


@dataclass(frozen=True)
class Counts:
    """The sum that every report prints: read = events + duplicates + rejects + blank."""

    read: int = 0
    events: int = 0
    duplicates: int = 0
    rejects: int = 0
    blank: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(self.as_tuple(), other.as_tuple(), strict=True)))

    def as_tuple(self) -> tuple[int, ...]:
        return (self.read, self.events, self.duplicates, self.rejects, self.blank)

    def as_json(self) -> dict[str, int]:
        return dict(zip(("read", "events", "duplicates", "rejects", "blank"), self.as_tuple(), strict=True))


@dataclass(frozen=True)
class LoadedFile:
    """One line of the ledger."""

    file: str
    sha256: str
    bytes: int
    source: str | None
    instance: str | None
    mapping: str | None
    counts: Counts
    first_event: str | None
    last_event: str | None
    skipped: str | None = None

    def as_json(self) -> dict[str, Any]:
        row = {key: value for key, value in vars(self).items() if key != "counts"}
        return {**row, **self.counts.as_json()}


@dataclass(frozen=True)
class LoadResult:
    """What a load did. `commit` is None when nothing was new."""

    files: int
    loaded: tuple[LoadedFile, ...]
    already_loaded: tuple[str, ...]
    unrecognised: tuple[str, ...]
    messages: tuple[str, ...]
    commit: stores.Commit | None
    head: str

    @property
    def counts(self) -> Counts:
        return sum((one.counts for one in self.loaded), Counts())

    def as_json(self) -> dict[str, Any]:
        by_source: dict[str, Counts] = {}
        for one in self.loaded:
            if one.source:
                by_source[one.source] = by_source.get(one.source, Counts()) + one.counts
        times = [t for one in self.loaded for t in (one.first_event, one.last_event) if t]
        return {
            "files": self.files,
            "already_loaded": len(self.already_loaded),
            "unrecognised": list(self.unrecognised),
            "lines": self.counts.as_json(),
            "sources": {source: counts.as_json() for source, counts in sorted(by_source.items())},
            "events_from": min(times, default=None),
            "events_until": max(times, default=None),
            "head": self.head,
        }


@dataclass
class _Writers:
    """The two growing files of a commit."""

    folder: Path
    open: dict[str, pq.ParquetWriter] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, table: pa.Table) -> None:
        if name not in self.open:
            self.open[name] = pq.ParquetWriter(self.folder / name, table.schema, compression="zstd")
        if table.num_rows:
            self.open[name].write_table(table)
        self.rows[name] += table.num_rows

    def close(self) -> dict[str, int]:
        for writer in self.open.values():
            writer.close()
        return dict(self.rows)


def load(
    exports: Sequence[str],
    *,
    store: Path | str = "store",
    config: Config,
    source: str | None = None,
    instance: str | None = None,
    progress: Progress = lambda text: None,
) -> LoadResult:
    """Load exports into the store as one commit, and bring the catalog up to date."""
    found = check(exports, source)
    with stores.locked(Path(store)) as interrupted:
        result = load_found(found, Path(store), config, source, instance, progress, interrupted)
        catalog.publish(Path(store), config)
    return result


def check(exports: Sequence[str], source: str | None) -> list[Input]:
    """What will be loaded; usage errors come before anything is locked or written."""
    if source is not None:
        mapping.named(source)
    if "-" in exports and source is None:
        raise UsageError("standard input has no name to recognise.", hint="Say what it is with --source.")
    return inputs.find(exports)


def load_found(
    found: Sequence[Input],
    store: Path,
    config: Config,
    source: str | None,
    instance: str | None,
    progress: Progress,
    interrupted: dict[str, Any],
) -> LoadResult:
    """The load itself; the caller holds the lock."""
    chain = stores.commits(store)
    known = {(i["file"], i["sha256"], i["instance"]) for c in chain for i in c.content.get("inputs", [])}
    fresh, already, unrecognised = [], [], []
    for one in found:
        digest = one.sha256() if one.readable else ""
        chosen, why = _source_of(one, source)
        tenant = instance or _configured_instance(config, chosen)
        if why is not None:
            unrecognised.append(f"{one.name}: {why}")
        if (one.name, digest, tenant) in known:
            already.append(one.name)
        else:
            fresh.append((one, digest, chosen, tenant, why))
    if not fresh:
        return LoadResult(
            len(found), (), tuple(already), tuple(unrecognised), (), None, chain[-1].head if chain else stores.GENESIS
        )
    loaded: list[LoadedFile] = []

    def write(folder: Path) -> dict[str, int]:
        writers = _Writers(folder)
        with duckdb.connect() as connection:
            prepare(connection, store, chain)
            for one, digest, chosen, tenant, why in fresh:
                progress(f"loading {one.name}")
                loaded.append(
                    _skip(one, digest, tenant, why)
                    if why is not None
                    else _load_file(connection, writers, one, digest, chosen, tenant, config)
                )
        return writers.close()

    content: dict[str, Any] = {"config": to_dict(config), "inputs": []}
    done = stores.commit(
        store,
        "load",
        content,
        lambda folder: _and_inputs(write(folder), content, loaded),
        {"interrupted": interrupted} if interrupted else {},
    )
    return LoadResult(
        len(found), tuple(loaded), tuple(already), tuple(unrecognised), tuple(_messages(loaded, config)), done, done.head
    )


def _and_inputs(rows: dict[str, int], content: dict[str, Any], loaded: list[LoadedFile]) -> dict[str, int]:
    content["inputs"] = [one.as_json() for one in loaded]
    return rows


def prepare(connection: duckdb.DuckDBPyConnection, store: Path, chain: Sequence[stores.Commit]) -> None:
    """A connection on which blocks of this store's new files can be judged."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(changes.LEAVES_MACRO)
    fates.prepare(connection, [str(path) for link in chain if (path := link.file("lines.parquet"))])


def _source_of(one: Input, source: str | None) -> tuple[Mapping | None, str | None]:
    """The mapping for a file, or why there is none: an error for a file that was named, a skip inside a folder."""
    if source is not None:
        return mapping.named(source), None
    if one.readable:
        records = _first_records(one)
        if not records and not _has_text(one):
            return mapping.shipped().get(one.path.name.split(".")[0]), None
        chosen = mapping.recognise(records)
        if chosen is not None:
            return chosen, None
        near = mapping.nearest(records)
        why = "no source was recognised from its first lines"
        why += f"; nearest: {', '.join(near)}" if near else ""
    else:
        why = "only JSON lines can be read"
    if not one.in_folder:
        raise UsageError(why + ".", path=one.path, hint=f"Say which with --source: {', '.join(mapping.shipped())}.")
    return None, why


def _first_records(one: Input) -> list[dict[str, Any]]:
    with one.open() as stream:
        head = stream.read(RECOGNISED_FROM)
    records = []
    for line in head.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:50]:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def _has_text(one: Input) -> bool:
    with one.open() as stream:
        return bool(stream.read(RECOGNISED_FROM).strip())


def _configured_instance(config: Config, chosen: Mapping | None) -> str | None:
    settings = config.sources.get(chosen.source) if chosen else None
    return settings.instance if settings else None


def _skip(one: Input, digest: str, tenant: str | None, why: str) -> LoadedFile:
    return LoadedFile(one.name, digest, one.path.stat().st_size, None, tenant, None, Counts(), None, None, why)


def _load_file(
    connection: duckdb.DuckDBPyConnection,
    writers: _Writers,
    one: Input,
    digest: str,
    chosen: Mapping | None,
    tenant: str | None,
    config: Config,
) -> LoadedFile:
    splitter = Splitter(chosen.repeated if chosen else ())
    plan = normalize.compile_mapping(chosen, settings_of(config, chosen, tenant)) if chosen else None
    counted: Counter[str] = Counter()
    times: list[str] = []
    with one.open() as stream:
        hashed = _Hashed(stream)
        for block in splitter.blocks(hashed, BLOCK_BYTES):
            lines, events = fates.decide(connection, plan, block, one.name, digest)
            writers.add("lines.parquet", lines)
            if events is not None:
                writers.add("events.parquet", events)
                times += fates.span(connection)
            counted.update(lines.column("fate").to_pylist())
    _must_add_up(one, splitter, counted, hashed, digest)
    return LoadedFile(
        one.name, digest, splitter.offset, chosen.source if chosen else None, tenant,
        chosen.version if chosen else None, Counts(splitter.line, *(counted[fate] for fate in FATES)),
        min(times, default=None), max(times, default=None),
    )  # fmt: skip


class _Hashed:
    """A stream that hashes and counts what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.digest, self.bytes = stream, hashlib.sha256(), 0

    def read(self, size: int) -> bytes:
        chunk = self.stream.read(size)
        self.digest.update(chunk)
        self.bytes += len(chunk)
        return chunk


def _must_add_up(one: Input, splitter: Splitter, counted: Counter[str], hashed: _Hashed, digest: str) -> None:
    if hashed.digest.hexdigest() != digest:
        raise AuditbookError("changed while it was being read.", path=one.path, hint="Load it again when it is complete.")
    if sum(counted.values()) != splitter.line or splitter.offset != hashed.bytes:
        raise AuditbookError(
            f"{splitter.line} lines were read and {sum(counted.values())} accounted for; nothing was committed.",
            path=one.path,
            hint="This is a fault of auditbook: please report it.",
        )


def settings_of(config: Config, chosen: Mapping, tenant: str | None) -> normalize.Settings:
    """What the configuration says about reading one source: its own zone, else the organization's."""
    own = config.sources.get(chosen.source)
    zone = own.timezone if own and own.timezone else config.organization.timezone
    configured = bool(own and own.timezone) or config.organization.timezone_configured
    return normalize.Settings(tenant, zone, configured, own.day_first if own else None)


def _messages(loaded: Sequence[LoadedFile], config: Config) -> Iterator[str]:
    for one in loaded:
        if one.counts.rejects:
            noun = "line" if one.counts.rejects == 1 else "lines"
            yield f"{one.file}: {one.counts.rejects} {noun} rejected; `auditbook rejects` shows them."

