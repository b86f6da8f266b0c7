"""Secrets taken out of lines before they are stored, where [sources.NAME] redact says so. Part of load.

The lines are marked: put together, they are no longer the bytes of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipeline import redact
from pipeline.block import Block
from pipeline.lines import Verdict

MARK = Verdict("event", "redacted", "secrets were replaced before it was stored")
ALSO = "; secrets were replaced before it was stored"


def of_block(block: Block) -> Block:
    """The same lines without their secrets, those that had one marked."""
    raw, found = _without(block.raw)
    raw_bytes, other = _without_bytes(block.raw_bytes)
    records, within = _without(block.records)
    rows = block.rows
    told = dict(block.told)
    for row in sorted({*found, *other, *(int(rows[place]) for place in within)}):
        verdict = told.get(row)
        told[row] = (
            MARK
            if verdict is None
            else Verdict(verdict.fate, verdict.reason, f"{redact.text(verdict.message or '')}{ALSO}")
        )
    content = {place: text for place, text in block.content.items() if place not in within}
    return replace(
        block, raw=raw, raw_bytes=raw_bytes, records=records, told=told, content=content, members={}
    )


def _without(texts: pa.Array) -> tuple[pa.Array, set[int]]:
    made = {}
    for place, text in enumerate(texts.to_pylist()):
        if text is not None and (new := redact.text(text)) != text:
            made[place] = new
    return _put(texts, made), set(made)


def _without_bytes(texts: pa.Array) -> tuple[pa.Array, set[int]]:
    """What is not UTF-8 is looked through byte by byte."""
    made = {}
    for place, text in enumerate(texts.to_pylist()):
        if text is not None and (new := redact.text(text.decode("latin-1")).encode("latin-1")) != text:
            made[place] = new
    return _put(texts, made), set(made)


def _put(texts: pa.Array, made: Mapping[int, object]) -> pa.Array:
    if not made:
        return texts
    mask = np.zeros(len(texts), bool)
    mask[list(made)] = True
    return pa.compute.replace_with_mask(texts, pa.array(mask), pa.array(list(made.values()), texts.type))
