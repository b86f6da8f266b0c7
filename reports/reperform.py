"""A report that was handed out, made again from the commits of its time and compared, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import reports
from pipeline import beside, catalog, query, replaced, scratch
from pipeline import store as stores
from pipeline.config import Config, config_sha256
from pipeline.errors import UsageError
from reports.onrecord import settled


@dataclass(frozen=True)
class Compared:
    """One document of a report: the hash on record, the hash of what was made now (None: it was not made)."""

    name: str
    recorded: str
    made: str | None

    @property
    def same(self) -> bool:
        return self.recorded == self.made


def reperform(store: Path | str, report: str, config: Config) -> tuple[dict[str, Any], list[Compared]]:
    """Make a report again: a file of it, or the beginning of its id; what the record says of it, and the outcome."""
    path = Path(store)
    stores.require(path)
    chain = stores.commits(path)
    entry = beside.entry_of(path, chain, report)
    then = stores.up_to(chain, entry["head"])
    _refuse_gone(then, chain)
    asked = entry["asked"]
    chosen = next(
        (
            one
            for one in (catalog.recorded_config(then), config)
            if config_sha256(one) == asked["config_sha256"]
        ),
        None,
    )
    if chosen is None:
        raise UsageError(
            f"report {entry['report_id']} was made with a configuration that no commit has.",
            hint="Give it: --config.",
        )
    with (
        query.Log(path, chosen, asked["audience"], config.privacy, entry["head"]) as log,
        scratch.folder("reperform") as out,
    ):
        log.presets = config.presets
        made = _again(log, entry["kind"], asked)
        hashes = {file.name: stores.sha256_file(file) for file in made.place(out)}
    return entry, [
        Compared(name, digest, hashes.get(name)) for name, digest in sorted(entry["files"].items())
    ]


def _again(log: query.Log, kind: str, asked: dict[str, Any]) -> reports.Review | reports.Page | reports.Paper:
    as_of = datetime.fromisoformat(asked["as_of"])
    if kind == "review":
        return reports.review(
            log, asked["since"], asked["until"], as_of, asked["prepared_by"], asked["reviewed_by"]
        )  # fmt: skip
    filters = settled(dict(asked["filters"]))
    return reports.log(log, as_of, **filters) if kind == "log" else reports.paper(
        log, kind, asked["target"], as_of, **filters  # type: ignore[arg-type]
    )  # fmt: skip


def _refuse_gone(then: list[stores.Commit], chain: list[stores.Commit]) -> None:
    """What was purged since cannot be read again, and no report of it made."""
    by = replaced.superseded(chain)
    for link in then:
        for name in link.content["files"]:
            place = f"{link.folder.name}/{name}"
            if place in by and not (link.folder / name).exists() and by[place] > len(then):
                raise UsageError(
                    f"{place} was replaced by commit {by[place]} and is gone: that report cannot be made again.",
                    hint="`auditbook verify FILE` still says whether it is the one that was handed out.",
                )
