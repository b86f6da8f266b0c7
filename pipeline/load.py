"""Files -> lines with fates, and events: one commit. First stage of the nightly run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import catalog, changes, drift, fates, forms, inputs, mapping, mojibake, normalize
from pipeline import store as stores
from pipeline.config import Config, to_dict
from pipeline.errors import AuditbookError, UsageError
from pipeline.inputs import Input, Reader, UnreadableError
from pipeline.ledger import Counts, LoadedFile, LoadResult
from pipeline.lines import BLOCK_BYTES, Stopped
from pipeline.lock import locked
from pipeline.mapping import Mapping
from pipeline.recognise import source_of

Progress = Callable[[str], None]
FATES = ("event", "duplicate", "reject", "blank")
_Identity = tuple[str, str, str | None, str | None, str | None]


@dataclass
class _Writers:
    """The two growing files of a commit."""

    folder: Path
    commit_no: int
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


@dataclass(frozen=True)
class _Judged:
    """A file, and as what it will be loaded; `why` it will not, if so."""

    file: Input
    digest: str
    chosen: Mapping | None
    tenant: str | None
    why: str | None
    stopped: Stopped | None = None

    @property
    def identity(self) -> _Identity:
        """The same file as the same source of the same tenant is loaded once; a whole one is another than a cut one."""
        stopped = self.stopped.message if self.stopped else None
        return self.file.name, self.digest, self.chosen.source if self.chosen else None, self.tenant, stopped


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
    found = check(exports, source, config)
    with locked(Path(store)) as interrupted:
        result = load_found(found, Path(store), config, source, instance, progress, interrupted)
        # What the database shows was made with what is on record: a load of nothing new puts nothing there.
        recorded = config if result.commit else catalog.recorded_config(stores.commits(Path(store)))
        aside = catalog.publish(Path(store), recorded)
    return replace(result, messages=(*result.messages, *((aside,) if aside else ())))


def check(exports: Sequence[str], source: str | None, config: Config) -> list[Input]:
    """What will be loaded; usage errors come before anything is locked or written."""
    mapping.known(config.mappings)
    if source is not None:
        mapping.named(source, config.mappings)
    if "-" in exports and source is None:
        raise UsageError("standard input has no name to recognise.", hint="Say what it is with --source.")
    return inputs.find(exports, config.load)


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
    judged = [_judged(one, source, instance, config) for one in found]
    fresh, already = _sorted_out(judged, chain)
    left_out = tuple(f"{item.file.name}: {item.why}" for item in judged if item.why is not None)
    head = chain[-1].head if chain else stores.GENESIS
    told = LoadResult(len(found), (), tuple(already), left_out, (), None, head)
    if not fresh:
        return told
    loaded: list[LoadedFile] = []
    content: dict[str, Any] = {"config": to_dict(config), "inputs": []}

    def write(folder: Path) -> dict[str, int]:
        writers = _Writers(folder, chain[-1].number + 1 if chain else 1)
        with duckdb.connect() as connection:
            prepare(connection, chain)
            for item in fresh:
                progress(f"loading {item.file.name}")
                loaded.append(_load_file(connection, writers, item, config))
        content["inputs"] = [one.as_json() for one in loaded]
        return writers.close()

    run = {"interrupted": interrupted} if interrupted else {}
    done = stores.commit(store, "load", content, write, run)
    return replace(told, loaded=tuple(loaded), messages=tuple(_messages(loaded)), commit=done, head=done.head)


def _sorted_out(judged: Sequence[_Judged], chain: Sequence[stores.Commit]) -> tuple[list[_Judged], list[str]]:
    """What is new, and the names of what was loaded before, in an earlier run or a moment ago."""
    known: set[_Identity] = {
        (one["file"], one["sha256"], one["source"], one["instance"], one.get("stopped"))
        for link in chain
        for one in link.content.get("inputs", [])
    }
    fresh, already = [], []
    for item in judged:
        if item.identity in known:
            already.append(item.file.name)
        else:
            fresh.append(item)
        known.add(item.identity)
    return fresh, already


def prepare(connection: duckdb.DuckDBPyConnection, chain: Sequence[stores.Commit]) -> None:
    """A connection on which blocks of this store's new files can be judged."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(changes.LEAVES_MACRO)
    fates.prepare(connection, [str(path) for link in chain if (path := link.file("lines.parquet"))])


def _judged(one: Input, source: str | None, instance: str | None, config: Config) -> _Judged:
    """What a file is; a tenant that was typed goes before one that is configured."""
    try:
        digest, stopped = one.digest() if one.readable else ("", None)
        chosen, why = source_of(one, source, config.mappings)
    except UnreadableError as error:
        if not one.in_folder:
            raise
        return _Judged(one, "", None, instance, error.message.rstrip("."))
    settings = config.sources.get(chosen.source) if chosen else None
    return _Judged(one, digest, chosen, instance or (settings.instance if settings else None), why, stopped)


def _load_file(
    connection: duckdb.DuckDBPyConnection, writers: _Writers, item: _Judged, config: Config
) -> LoadedFile:
    one, digest, chosen, tenant, why = item.file, item.digest, item.chosen, item.tenant, item.why
    if why is not None:
        return LoadedFile(one.name, digest, one.size, None, tenant, None, Counts(), None, None, why)
    splitter = forms.splitter(one, chosen)
    plan = normalize.compile_mapping(chosen, settings_of(config, chosen, tenant)) if chosen else None
    counted: Counter[str] = Counter()
    times: list[str] = []
    unknown: Counter[tuple[str, str]] = Counter()
    mangled = mojibake.Seen()
    with one.open() as stream:
        for block in splitter.blocks(stream, BLOCK_BYTES):
            mangled.look(block)
            lines, events = fates.decide(connection, plan, block, one.name, digest, writers.commit_no)
            writers.add("lines.parquet", lines)
            if plan is not None and events is not None:
                unknown.update(drift.unknown_values(connection, plan.watched))
                writers.add("events.parquet", events)
                times += fates.span(connection)
            counted.update(lines.column("fate").to_pylist())
    _must_add_up(one, splitter, counted, stream, digest)
    return LoadedFile(
        one.name, digest, splitter.offset, chosen.source if chosen else None, tenant,
        chosen.version if chosen else None, Counts(splitter.line, *(counted[fate] for fate in FATES)),
        min(times, default=None), max(times, default=None), None, drift.by_column(unknown),
        item.stopped.message if item.stopped else None,
        mangled.message(one.name),
    )  # fmt: skip


def _must_add_up(
    one: Input, splitter: forms.Form, counted: Counter[str], stream: Reader, digest: str
) -> None:
    if stream.sha256() != digest:
        raise AuditbookError(
            "changed while it was being read.", path=one.path, hint="Load it again when it is complete."
        )
    if sum(counted.values()) != splitter.line or splitter.offset != stream.bytes:
        raise AuditbookError(
            f"{splitter.line} lines were read and {sum(counted.values())} accounted for; nothing was committed.",
            path=one.path,
            hint="This is a fault of auditbook: please report it.",
        )


def settings_of(config: Config, chosen: Mapping, tenant: str | None) -> normalize.Settings:
    """How one source is read: its zone is the configured one, else what its product documents, else everybody's."""
    own = config.sources.get(chosen.source)
    known = (own.timezone if own else None) or chosen.rules["time"].get("timezone")
    zone = known or config.organization.timezone
    configured = bool(known) or config.organization.timezone_configured
    return normalize.Settings(tenant, zone, configured, own.day_first if own else None)


def _messages(loaded: Sequence[LoadedFile]) -> Iterator[str]:
    for one in loaded:
        if one.stopped:
            yield f"{one.file}: {one.stopped}"
        if one.mangled:
            yield one.mangled
        if one.counts.rejects:
            noun = "line" if one.counts.rejects == 1 else "lines"
            yield f"{one.file}: {one.counts.rejects} {noun} rejected; `auditbook rejects` shows them."
        if one.unknown_values:
            named = "; ".join(
                f"{column}: {', '.join(list(v)[:5])}" for column, v in one.unknown_values.items()
            )
            yield f"{one.file}: its mapping has no word for {named}; `auditbook sources check` counts them."
