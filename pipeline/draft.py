"""A first mapping for an unknown export, with scrubbed lines and the events they become (`sources new`)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import compose, forms, inputs, mapping, normalize, work
from pipeline.errors import AuditbookError, UsageError
from pipeline.export import canonical
from pipeline.fields import EMAIL, ISO, Field, embedded, is_ip
from pipeline.lines import BLOCK_BYTES
from pipeline.mapping import Mapping
from pipeline.scan import Scanner

READ = 5_000
SHOWN, OF_EACH = 40, 3
LEFT_OUT = frozenset(
    {"event_uid", "file", "file_sha256", "mapping_version", "schema_version", "ip_key", "conflicts_with"}
)


@dataclass(frozen=True)
class Written:
    """The files, and which field each column was guessed to be."""

    files: tuple[Path, ...]
    guesses: tuple[dict[str, str], ...]


def write(name: str, export: str, out: Path) -> Written:
    """Write NAME.toml, NAME.jsonl and NAME.expected.jsonl; nothing that is there is overwritten."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UsageError(
            f'"{name}" cannot name a source.', hint="Small letters, digits and _; a letter first."
        )
    files = tuple(out / f"{name}{ending}" for ending in (".toml", ".jsonl", ".expected.jsonl"))
    for path in files:
        if path.exists():
            raise UsageError("is there already.", path=path, hint="Remove it, or choose another name.")
    [one, *_] = inputs.find([export])
    records = _records(one)
    made = compose.rules(name.replace("_", " ").capitalize(), records) if records else None
    if made is None:
        what = "no field of its lines is a time" if records else "has no lines of JSON objects"
        raise AuditbookError(f"{what}; an event needs one.", path=export)
    text = toml(made.rules)
    lines = [json.dumps(_scrubbed(record, made.kept), ensure_ascii=False) for record in _some(records, made)]
    events = _events(mapping.read(name, text, where=str(files[0])), lines)
    out.mkdir(parents=True, exist_ok=True)
    for path, content in zip(files, (text, _joined(lines), _joined(events)), strict=True):
        path.write_text(content, "utf-8")
    guesses = (
        {"column": c, "from": f.path, "example": next(iter(f.texts), "")} for c, f in made.guessed.items()
    )
    return Written(files, tuple(guesses))


def toml(rules: Dictionary[str, Any]) -> str:
    """Rules as the text of a mapping."""
    plain = [
        f"{key} = {_inline(value)}" for key, value in rules.items() if not isinstance(value, (dict, list))
    ]
    parts = ["# A draft: read it, mend it, and check it with `auditbook sources check`.", *plain]
    for key, value in rules.items():
        if isinstance(value, dict) and value:
            parts += ["", f"[{key}]", *(f"{_name(k)} = {_inline(v)}" for k, v in value.items())]
        for table in value if isinstance(value, list) else ():
            parts += ["", f"[[{key}]]", *(f"{_name(k)} = {_inline(v)}" for k, v in table.items())]
    return "\n".join(parts) + "\n"


def sparse(event: Dictionary[str, Any]) -> dict[str, Any]:
    """An event without what is null, empty or false: small enough to read."""
    return {
        name: _sparse(name, value) for name, value in event.items() if name not in LEFT_OUT and _says(value)
    }


def _sparse(name: str, value: Any) -> Any:
    if name not in ("changes", "related_entities", "communications"):
        return value
    return [
        {key: inner for key, inner in one.items() if key in ("old", "new") or _says(inner)} for one in value
    ]


def _says(value: Any) -> bool:
    return value is not None and value != [] and value is not False


def _records(one: inputs.Input) -> list[dict[str, Any]]:
    with one.open() as stream:
        blocks = forms.splitter(one, None).blocks(stream, BLOCK_BYTES)
        texts = [text for block in blocks for text in block.column("record").to_pylist()[:READ] if text]
    return [json.loads(text) for text in texts[:READ]]


def _some(records: Sequence[dict[str, Any]], made: compose.Draft) -> list[dict[str, Any]]:
    """A few records of each kind, in their order."""
    action = made.guessed.get("action_raw")
    kinds = (
        action.values if action is not None and len(action.values) == len(records) else [None] * len(records)
    )
    seen: Counter[str] = Counter()
    chosen = []
    for record, kind in zip(records, kinds, strict=True):
        seen[str(kind)] += 1
        if seen[str(kind)] <= (OF_EACH if action is not None else SHOWN):
            chosen.append(record)
    return chosen[:SHOWN]


def _events(made: Mapping, lines: Sequence[str]) -> list[str]:
    told = events(made, _joined(lines).encode())
    return [json.dumps(sparse(row), ensure_ascii=False) for row in told if row["reject_reason"] is None]


def events(made: Mapping, data: bytes) -> list[dict[str, Any]]:
    """What a mapping makes of lines, without a store; `reject_reason` says why one is no event."""
    with contextlib.closing(work.connect()) as connection:
        plan = normalize.compile_mapping(made, normalize.Settings())
        block = Scanner(made.repeated).scan(data, first=True)
        told = normalize.events(connection, plan, block.records, block.keys).events
    numbered = told.append_column("line", pa.array(block.rows + 1))
    return [canonical(row) for row in numbered.to_pylist()]


def _joined(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _scrubbed(value: Any, kept: set[str], keys: tuple[str, ...] = ()) -> Any:
    """The same record about nobody: every text and number that is not a kind, a status or a time gets another value."""
    if isinstance(value, dict):
        return {key: _scrubbed(inner, kept, (*keys, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_scrubbed(inner, kept, (*keys, str(place))) for place, inner in enumerate(value)]
    if isinstance(value, (bool, type(None))) or Field(keys).path in kept:
        return value
    inner = embedded(value)
    if inner is not None:
        return json.dumps(_scrubbed(inner, kept), ensure_ascii=False)
    if isinstance(value, (int, float)):
        return 0 if "e" in str(value) else type(value)(_other(str(value)))
    return _other(value)


def _other(text: str) -> str:
    """Another text of the same shape; the same text always becomes the same other one."""
    number = int(hashlib.sha256(text.encode()).hexdigest(), 16)
    if EMAIL.match(text):
        return f"person{number % 1000}@example.com"
    if is_ip(text):
        return f"192.0.2.{number % 254 + 1}"
    if ISO.match(text):
        return text
    shapes = {"d": "123456789", "l": "bcdfghjklmnpqrstvwxz", "u": "BCDFGHJKLMNPQRSTVWXZ"}

    def other(found: re.Match[str]) -> str:
        nonlocal number
        alphabet = shapes["d" if found[0].isdigit() else "u" if found[0].isupper() else "l"]
        number, place = divmod(number or int(hashlib.sha256(text.encode()).hexdigest(), 16), len(alphabet))
        return alphabet[place]

    return re.sub(r"[^\W_]", other, text)


def _name(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_name(key)} = {_inline(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
