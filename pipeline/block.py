"""Lines of files of one source, judged, in columns: what the judge hands to everything after it. Part of load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.lines import Verdict

EVENT, REJECT, BLANK = 0, 1, 2
CODES = {"event": EVENT, "reject": REJECT, "blank": BLANK}


@dataclass(frozen=True)
class Block:
    """`raw` is null where `raw_bytes` has what is not UTF-8; `told` has reason and message of the lines that hold no
    record; `records` are the JSON texts of the others, in order. `offset` counts from the block's own beginning.
    `content` has the hashes of records that are not what the line says, by place among the records; `keys` is every
    key that any record has at its top; `members` are columns of normalize that were taken out of them already."""

    raw: pa.Array
    raw_bytes: pa.Array
    newline: np.ndarray
    offset: np.ndarray
    fate: np.ndarray
    told: Mapping[int, Verdict]
    records: pa.Array
    keys: frozenset[str]
    content: Mapping[int, str] = field(default_factory=dict)
    members: Mapping[str, pa.Array] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        return len(self.fate)

    @property
    def rows(self) -> np.ndarray:
        """The lines that hold a record."""
        return np.flatnonzero(self.fate == EVENT)


def joined(blocks: Sequence[Block]) -> Block:
    """Blocks one after another; offsets stay those of each."""
    if len(blocks) == 1:
        return blocks[0]
    told: dict[int, Verdict] = {}
    content: dict[int, str] = {}
    lines = records = 0
    for one in blocks:
        told |= {lines + row: verdict for row, verdict in one.told.items()}
        content |= {records + row: text for row, text in one.content.items()}
        lines, records = lines + one.lines, records + len(one.records)
    raw, raw_bytes, texts = (
        pa.concat_arrays([getattr(one, name) for one in blocks]) for name in ("raw", "raw_bytes", "records")
    )
    newline, offset, fate = (
        np.concatenate([getattr(one, name) for one in blocks]) for name in ("newline", "offset", "fate")
    )
    keys = frozenset[str]().union(*(one.keys for one in blocks))
    members = {
        name: pa.concat_arrays([one.members[name].cast(pa.string()) for one in blocks])
        for name in blocks[0].members
        if all(name in one.members for one in blocks)
    }
    return Block(raw, raw_bytes, newline, offset, fate, told, texts, keys, content, members)


def of_table(table: pa.Table, keys: frozenset[str]) -> Block:
    """A table of lines.BLOCK_SCHEMA, as the splitters of the other forms make it."""
    table = table.combine_chunks()
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    fate = np.array([CODES[text] for text in columns["fate"].to_pylist()], np.int8)
    odd = np.flatnonzero(fate != EVENT)
    reasons, messages = (columns[name].to_pylist() for name in ("reason", "message"))
    names = ("reject", "blank")
    told = {int(r): Verdict(names[fate[r] - 1], reasons[r], messages[r]) for r in odd}
    good = pa.array(fate == EVENT)
    offset = np.asarray(columns["byte_offset"])
    hashes = columns["record_sha256"].filter(good).to_pylist()
    same = pc.equal(columns["raw"], columns["record"]).filter(good).to_pylist()
    content = {n: text for n, (text, plain) in enumerate(zip(hashes, same, strict=True)) if not plain}
    return Block(
        raw=columns["raw"],
        raw_bytes=columns["raw_bytes"],
        newline=np.asarray(columns["newline"].cast(pa.int8())).astype(bool),
        offset=offset - (offset[0] if len(offset) else 0),
        fate=fate,
        told=told,
        records=columns["record"].filter(good),
        keys=keys,
        content=content,
    )
