"""Which source a file is, from its first lines. Part of load."""

from __future__ import annotations

import json
from typing import Any

from pipeline import mapping
from pipeline.errors import UsageError
from pipeline.inputs import Input
from pipeline.mapping import Mapping

RECOGNISED_FROM = 64 * 1024


def source_of(one: Input, source: str | None) -> tuple[Mapping | None, str | None]:
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
        raise UsageError(
            why + ".", path=one.path, hint=f"Say which with --source: {', '.join(mapping.shipped())}."
        )
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
