"""Files -> lines with fates, and events: one commit. First stage of the nightly run."""

from __future__ import annotations

import hashlib
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
from pipeline.ledger import Counts, LoadedFile, LoadResult
from pipeline.lines import BLOCK_BYTES, Splitter
from pipeline.lock import locked
from pipeline.mapping import Mapping
from pipeline.recognise import source_of

Progress = Callable[[str], None]
FATES = ("event", "duplicate", "reject", "blank")


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
    with locked(Path(store)) as interrupted:
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
        chosen, why = source_of(one, source)
        tenant = instance or _configured_instance(config, chosen)
        if why is not None:
            unrecognised.append(f"{one.name}: {why}")
        if (one.name, digest, tenant) in known:
            already.append(one.name)
        else:
            fresh.append((one, digest, chosen, tenant, why))
    if not fresh:
        return LoadResult(
            len(found),
            (),
            tuple(already),
            tuple(unrecognised),
            (),
            None,
            chain[-1].head if chain else stores.GENESIS,
        )
    loaded: list[LoadedFile] = []

    def write(folder: Path) -> dict[str, int]:
        writers = _Writers(folder)
        with duckdb.connect() as connection:
            prepare(connection, chain)
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
        len(found),
        tuple(loaded),
        tuple(already),
        tuple(unrecognised),
        tuple(_messages(loaded)),
        done,
        done.head,
    )


def _and_inputs(rows: dict[str, int], content: dict[str, Any], loaded: list[LoadedFile]) -> dict[str, int]:
    content["inputs"] = [one.as_json() for one in loaded]
    return rows


def prepare(connection: duckdb.DuckDBPyConnection, chain: Sequence[stores.Commit]) -> None:
    """A connection on which blocks of this store's new files can be judged."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(changes.LEAVES_MACRO)
    fates.prepare(connection, [str(path) for link in chain if (path := link.file("lines.parquet"))])


def _configured_instance(config: Config, chosen: Mapping | None) -> str | None:
    settings = config.sources.get(chosen.source) if chosen else None
    return settings.instance if settings else None


def _skip(one: Input, digest: str, tenant: str | None, why: str) -> LoadedFile:
    return LoadedFile(
        one.name, digest, one.path.stat().st_size, None, tenant, None, Counts(), None, None, why
    )


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

    def read(self, size: int, /) -> bytes:
        chunk = self.stream.read(size)
        self.digest.update(chunk)
        self.bytes += len(chunk)
        return chunk


def _must_add_up(one: Input, splitter: Splitter, counted: Counter[str], hashed: _Hashed, digest: str) -> None:
    if hashed.digest.hexdigest() != digest:
        raise AuditbookError(
            "changed while it was being read.", path=one.path, hint="Load it again when it is complete."
        )
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


def _messages(loaded: Sequence[LoadedFile]) -> Iterator[str]:
    for one in loaded:
        if one.counts.rejects:
            noun = "line" if one.counts.rejects == 1 else "lines"
            yield f"{one.file}: {one.counts.rejects} {noun} rejected; `auditbook rejects` shows them."
