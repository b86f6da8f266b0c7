"""Files -> lines with fates, and events: one commit. First stage of the nightly run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import catalog, conduct, drift, ids, inputs, leaner, mapping, originals, repaired
from pipeline import store as stores
from pipeline.config import Config, to_dict
from pipeline.crew import crew
from pipeline.errors import UsageError
from pipeline.inputs import Digest, Input, UnreadableError
from pipeline.ledger import LoadedFile, LoadResult, in_force
from pipeline.lines import Stopped
from pipeline.lock import locked
from pipeline.mapping import Mapping
from pipeline.normalize import Settings
from pipeline.progress import Progress, silent
from pipeline.recognise import Known, source_of

FIELDS_TOLD = 8
KEPT_BYTES = 128 * 1024 * 1024  # of small files, from when they are recognised until they are loaded
_Identity = tuple[str, str, str | None, str | None, str | None]


@dataclass(frozen=True)
class Judged:
    """A file, and as what it will be loaded; `why` it will not, if so."""

    file: Input
    digest: str
    chosen: Mapping | None
    tenant: str | None
    why: str | None
    stopped: Stopped | None = None
    content: bytes | None = None  # all of it, where that is little

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
    progress: Progress = silent,
) -> LoadResult:
    """Load exports into the store as one commit, and bring the catalog up to date."""
    found = check(exports, source, config, instance)
    with locked(Path(store)) as interrupted:
        result = load_found(found, Path(store), config, source, instance, progress, interrupted)
        # What the database shows was made with what is on record: a load of nothing new puts nothing there.
        recorded = config if result.commit else catalog.recorded_config(stores.commits(Path(store)))
        aside = catalog.publish(Path(store), recorded)
    return replace(result, messages=(*result.messages, *((aside,) if aside else ())))


def check(
    exports: Sequence[str], source: str | None, config: Config, instance: str | None = None
) -> list[Input]:
    """What will be loaded; usage errors come before anything is locked or written."""
    if instance is not None and not instance.strip():  # a variable of a script that is not set, say
        raise UsageError("--instance is empty.", hint="Name the tenant, or leave it out.")
    mapping.known(config.mappings)
    if source is not None:
        mapping.named(source, config.mappings)
    if "-" in exports and source is None:
        raise UsageError("standard input has no name to recognise.", hint="Say what it is with --source.")
    return inputs.find(exports, config.load)


@leaner.uncollected()
def load_found(
    found: Sequence[Input],
    store: Path,
    config: Config,
    source: str | None,
    instance: str | None,
    progress: Progress,
    interrupted: dict[str, Any],
) -> LoadResult:
    """The load itself; the caller holds the lock. Workers start while it is found out what is new."""
    chain = stores.commits(store)
    known = mapping.known(config.mappings)
    with crew(sum(one.size for one in found)) as hands:
        judged = list(_within(KEPT_BYTES, (_judged(one, source, instance, known) for one in found)))
        fresh, already = _sorted_out(judged, chain)
        left_out = tuple(f"{item.file.name}: {item.why}" for item in judged if item.why is not None)
        head = chain[-1].head if chain else stores.GENESIS
        told = LoadResult(len(found), (), tuple(already), left_out, (), None, head)
        return _committed(told, fresh, chain, store, config, hands, progress, interrupted) if fresh else told


def _committed(
    told: LoadResult,
    fresh: Sequence[Judged],
    chain: Sequence[stores.Commit],
    store: Path,
    config: Config,
    hands: Sequence[conduct.Hand],
    progress: Progress,
    interrupted: dict[str, Any],
) -> LoadResult:
    """What is new as one commit."""
    content: dict[str, Any] = {"config": to_dict(config), "inputs": []}
    made: conduct.Made | None = None

    def write(folder: Path) -> dict[str, int]:
        nonlocal made
        if config.keep_originals:
            originals.sweep(store, chain)
            content["originals"] = originals.keep(
                store, [(one.file, one.digest) for one in fresh if one.digest]
            )
        number = chain[-1].number + 1 if chain else 1
        files = [_file(item, config, number) for item in fresh]
        made = conduct.conduct(files, ids.known(store, chain), folder, hands, progress)
        rows = [one.as_json() for one in made.loaded]
        earlier = repaired.may_be_repaired(rows, chain)
        lines = [*repaired.lines_of(earlier), *repaired.written(folder, made.rows)]
        content["fields"] = made.fields
        content["drift"] = drift.drifted(chain, made.fields, _events_by_source(made.loaded))
        content["inputs"] = repaired.with_resolved(rows, [one.known() for one in earlier], lines, number)
        return made.rows

    run = {"interrupted": interrupted} if interrupted else {}
    done = stores.commit(store, "load", content, write, run, config.signing)
    assert made is not None
    ids.keep(store, done, made.identities, made.blocks)
    messages = (*_messages(made.loaded), *_drift_told(content["drift"]))
    return replace(
        told, loaded=tuple(made.loaded), messages=messages, commit=done, head=done.head, seconds=made.seconds,
        drift=content["drift"],
    )  # fmt: skip


def _events_by_source(loaded: Sequence[LoadedFile]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in loaded:
        found[one.source or ""] += one.counts.events + one.counts.duplicates
    return found


def _drift_told(drift_of: dict[str, dict[str, list[str]]]) -> Iterator[str]:
    for source, found in drift_of.items():
        if new := found.get("new"):
            yield f"{source}: {_listed(new)} never seen before; what no mapping reads is kept in `unmapped`."
        if gone := found.get("vanished"):
            before = f"in each of the {drift.VANISHED_AFTER} loads before and in none of these lines"
            yield f"{source}: {_listed(gone)} {before}."


def _listed(fields: Sequence[str]) -> str:
    more = f" and {len(fields) - FIELDS_TOLD} more" if len(fields) > FIELDS_TOLD else ""
    return f"{'field' if len(fields) == 1 else 'fields'} {', '.join(fields[:FIELDS_TOLD])}{more}"


def _file(item: Judged, config: Config, commit_no: int) -> conduct.File:
    settings = settings_of(config, item.chosen, item.tenant) if item.chosen else Settings()
    return conduct.File(
        item.file, item.digest, item.chosen, settings, item.tenant, item.why, commit_no, item.stopped, item.content
    )  # fmt: skip


def _sorted_out(judged: Sequence[Judged], chain: Sequence[stores.Commit]) -> tuple[list[Judged], list[str]]:
    """What is new, and the names of what was loaded before, in an earlier run or a moment ago."""
    known: set[_Identity] = {
        (one["file"], one["sha256"], one["source"], one["instance"], one.get("stopped"))
        for one in (file.entry for file in in_force(chain))
    }
    fresh, already = [], []
    for item in judged:
        if item.identity in known:
            already.append(item.file.name)
        else:
            fresh.append(item)
        known.add(item.identity)
    return fresh, already


def _judged(one: Input, source: str | None, instance: str | None, known: Known) -> Judged:
    """What a file is."""
    try:
        found = one.digest() if one.readable else Digest("", None, b"")
        chosen, why = source_of(one, source, known, found.begun)
    except UnreadableError as error:
        if not one.in_folder:
            raise
        return Judged(one, "", None, instance, error.message.rstrip("."))
    whole = not found.stopped and len(found.begun) < inputs.RECOGNISED_FROM
    return Judged(one, found.sha256, chosen, instance, why, found.stopped, found.begun if whole else None)


def _within(room: int, judged: Iterable[Judged]) -> Iterator[Judged]:
    """Small files need not be opened again as long as there is room for what they hold."""
    for one in judged:
        room -= len(one.content or b"")
        yield one if room >= 0 else replace(one, content=None)


def settings_of(config: Config, chosen: Mapping, tenant: str | None) -> Settings:
    """How one source is read: a tenant that was typed is everybody's, one that is configured is theirs who name none;
    its zone is the configured one, else what its product documents, else everybody's."""
    own = config.source(chosen.source)
    known = own.timezone or chosen.rules["time"].get("timezone")
    zone = known or config.organization.timezone
    configured = bool(known) or config.organization.timezone_configured
    return Settings(tenant, own.instance, zone, configured, own.day_first, own.redact)


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
