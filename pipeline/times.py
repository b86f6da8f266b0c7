"""How a source writes time -> one UTC instant, how exact it is, and why a text is not a time. Part of normalize."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import iso
from pipeline.distinct import put, whole
from pipeline.expressions import Expressions
from pipeline.modifiers import quote
from pipeline.paths import pointer, segments
from pipeline.zones import with_offset

DAY = r"\d{4}-\d{2}-\d{2}"
CLOCK = r"\d{2}:\d{2}:\d{2}(\.\d+)?"
LOOSE_CLOCK = r"[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?"
ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)"
LOOSE_ZONE = r" ?(Z|z|UTC|GMT|[+-]\d{2}(:?\d{2})?)"
BASIC = r"^\d{8}T\d{6}Z$"
MAIL = r"^([A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}(:\d{2})? "
SLASHED = r"^(\d{1,2})[/.-](\d{1,2})[/.-]\d"
EXAMPLE = datetime(2026, 10, 31, 23, 47)  # noqa: DTZ001 - a clock's face, in no zone
EPOCHS = {
    "epoch": "a number of seconds, milliseconds, microseconds or nanoseconds since 1970",
    "epoch_s": "seconds since 1970",
    "epoch_ms": "milliseconds since 1970",
}
MICROSECONDS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}


@dataclass(frozen=True)
class Clock:
    """SQL for a record's time. `raw` is made of the record's texts; all else is made of the column `raw`: `zoned` (an
    instant) and `local` (a clock's face) first, then the instant, why there is none, and the columns about it.
    `message` says it in words, of `raw` and the column `record`. `iso` and `epoch` say which of the usual times there
    may be, and `local` where the zone of a clock's face is from, if it is UTC's."""

    raw: str
    layers: Sequence[Dictionary[str, str]]
    columns: Dictionary[str, str]
    message: str
    iso: bool
    epoch: bool
    local: str | None


def columns(
    build: Expressions, rules: Dictionary[str, Any], zone: str, zone_configured: bool, day_first: bool | None
) -> Clock:
    """The compiled [time] table of a mapping under the settings of one load."""
    paths = [rules["path"]] if isinstance(rules["path"], str) else rules["path"]
    texts = f"coalesce({', '.join(map(build.text, paths))})" if len(paths) > 1 else build.text(paths[0])
    if "nanoseconds" in rules:
        texts = _with_fraction(texts, build.text(rules["nanoseconds"]))
    values = ", ".join(
        f"nullif(json_extract(record, {quote(pointer(path))}), 'null'::JSON)" for path in paths
    )
    forms = [rules["format"]] if isinstance(rules["format"], str) else list(rules["format"])
    written_day_first = rules.get("day_first", True)
    patterns = [form for form in forms if "%" in form]
    if day_first not in (None, written_day_first):
        patterns = [_swapped(form) for form in patterns]
    faces = [form for form in patterns if "%z" not in form.lower()]
    named = " or ".join("$." + ".".join(segments(path)) for path in paths)
    expected = f" is not a time. Expected {_expected(forms, patterns)}."
    return Clock(
        raw=texts,
        layers=(
            {"zoned": _zoned("raw", forms, [form for form in patterns if form not in faces])},
            {"local": _local("raw", forms, faces)},
            {"instant": f"coalesce(zoned, {_in_zone('local', zone)})"},
        ),
        columns={
            "occurred_at": "instant",
            "time_precision": _precision("raw", forms),
            "tz_source": _zone_source("raw", forms, zone_configured),
            "parse_warnings": _warnings("raw", zone, faces if day_first is None else []),
            "reject_reason": """CASE WHEN instant IS NULL
              THEN CASE WHEN raw IS NULL THEN 'missing_required' ELSE 'bad_time' END END""",
        },
        message=f"""CASE WHEN raw IS NULL THEN {quote(named + " is missing: an event needs a time.")}
          ELSE {quote(named + ": ")} || CAST(coalesce({values}) AS VARCHAR) || {quote(expected)} END""",
        iso="iso" in forms,
        epoch=set(forms) & set(EPOCHS) == {"epoch"},
        local=("configured" if zone_configured else "assumed") if zone == "UTC" else None,
    )


def read(
    connection: duckdb.DuckDBPyConnection, clock: Clock, raw: pa.Array, records: pa.Array
) -> dict[str, pa.Array]:
    """The columns about time, and why a record has none."""
    if clock.iso and (usual := iso.usual(raw, clock.epoch, clock.local)) is not None:
        others = pa.array(usual.others)
        columns = {**usual.columns, **_no_rejects(len(raw))}
        if len(others):
            rest = _generally(connection, clock, raw.take(others), records.take(others))
            columns = {name: put(column, usual.others, rest[name]) for name, column in columns.items()}
    else:
        columns = _generally(connection, clock, raw, records)
    coded = {name: columns[name].dictionary_encode() for name in ("time_precision", "tz_source")}
    return {**columns, **coded, "occurred_at_raw": raw}  # the same to the byte, whoever read them


def _generally(
    connection: duckdb.DuckDBPyConnection, clock: Clock, raw: pa.Array, records: pa.Array
) -> dict[str, pa.Array]:
    coded = raw if isinstance(raw, pa.DictionaryArray) else raw.dictionary_encode(null_encoding="encode")
    source = "texts"
    for layer in clock.layers:
        source = f"(SELECT *, {', '.join(f'{sql} AS {name}' for name, sql in layer.items())} FROM {source})"
    wanted = ", ".join(f"{sql} AS {name}" for name, sql in clock.columns.items())
    texts = pa.concat_arrays([coded.dictionary.cast(pa.string()), pa.array([None], pa.string())])
    connection.register("texts", pa.table({"raw": texts}))
    made = connection.sql(f"SELECT {wanted} FROM {source}").to_arrow_table()
    connection.unregister("texts")
    places = pc.fill_null(coded.indices, len(coded.dictionary))
    columns = {name: whole(made.column(name)).take(places) for name in made.column_names}
    columns["reject_message"] = _messages(connection, clock, columns["reject_reason"], raw, records)
    return columns


def _no_rejects(length: int) -> dict[str, pa.Array]:
    return {name: pa.nulls(length, pa.string()) for name in ("reject_reason", "reject_message")}


def _messages(
    connection: duckdb.DuckDBPyConnection, clock: Clock, reasons: pa.Array, raw: pa.Array, records: pa.Array
) -> pa.Array:
    """Words for the records without a time; they are few."""
    rejected = pc.is_valid(reasons)
    few = {"raw": raw.filter(rejected), "record": records.filter(rejected)}
    connection.register("few", pa.table(few))
    made = connection.sql(f"SELECT {clock.message} AS words FROM few").to_arrow_table()
    connection.unregister("few")
    return pc.replace_with_mask(pa.nulls(len(records), pa.string()), rejected, whole(made.column("words")))


def instant_of_iso(raw: str) -> str:
    """SQL: the instant of a text with a zone, in ISO 8601 as it should be and as it is met, or as mail has it."""
    digits = f"replace(upper(regexp_extract({raw}, '^{DAY}{LOOSE_CLOCK}')), ',', '.')"
    offset = f"regexp_replace(regexp_extract({raw}, '{LOOSE_ZONE}$', 1), '^[A-Za-z]+$', '+00')"
    seconds = f"CASE WHEN length({digits}) = 16 THEN ':00' ELSE '' END"
    mail = f"regexp_replace({raw}, '^[A-Z][a-z]{{2}}, ', '')"
    forms = ["%d %b %Y %H:%M:%S %z", "%d %b %Y %H:%M %z"]
    named = ["%d %b %Y %H:%M:%S %Z", "%d %b %Y %H:%M %Z"]
    return f"""CASE
      WHEN regexp_matches({raw}, '^{DAY}[T ]{CLOCK}{ZONE}$') THEN {_bounded(f"TRY_CAST({raw} AS TIMESTAMPTZ)")}
      WHEN regexp_matches({raw}, '^{DAY}{LOOSE_CLOCK}{LOOSE_ZONE}$')
        THEN {_bounded(f"TRY_CAST({digits} || {seconds} || {offset} AS TIMESTAMPTZ)")}
      WHEN regexp_matches({raw}, '{BASIC}') THEN timezone('UTC', try_strptime({raw}, '%Y%m%dT%H%M%SZ'))
      WHEN regexp_matches({raw}, '{MAIL}')
        THEN coalesce({_strptime(mail, forms)}, {_strptime(mail, named)}) END"""


def _with_fraction(seconds: str, nanoseconds: str) -> str:
    """SQL: whole epoch seconds with what a product says of them in a second number, which has no leading zeros."""
    whole = f"regexp_matches({seconds}, '^\\d+$') AND regexp_matches({nanoseconds}, '^\\d{{1,9}}$')"
    return f"{seconds} || CASE WHEN {whole} THEN '.' || lpad({nanoseconds}, 9, '0') ELSE '' END"


def _zoned(raw: str, forms: list[str], patterns: list[str]) -> str:
    found = [_epoch(raw, form) for form in forms if form in EPOCHS]
    found += [instant_of_iso(raw)] if "iso" in forms else []
    if abbreviated := [form.replace("%Z", "%z") for form in patterns if "%Z" in form]:
        found.append(_bounded(_strptime(with_offset(raw), abbreviated)))
    found += [_bounded(_strptime(raw, patterns))] if patterns else []
    return f"coalesce({', '.join(found)})" if found else "NULL::TIMESTAMPTZ"


def _local(raw: str, forms: list[str], faces: list[str]) -> str:
    found = []
    if "iso" in forms:
        text = f"replace(upper({raw}), ',', '.')"
        found.append(
            f"CASE WHEN regexp_matches({raw}, '^{DAY}({LOOSE_CLOCK})?$') THEN TRY_CAST({text} AS TIMESTAMP) END"
        )
    found += [_strptime(raw, faces)] if faces else []
    return f"CASE WHEN zoned IS NULL THEN coalesce({', '.join(found)}) END" if found else "NULL::TIMESTAMP"


def _strptime(raw: str, forms: list[str]) -> str:
    return f"try_strptime({raw}, [{', '.join(map(quote, forms))}])"


def _in_zone(local: str, zone: str) -> str:
    return f"timezone({quote(zone)}, {local})"


def _epoch(raw: str, form: str) -> str:
    number = f"TRY_CAST({raw} AS DECIMAL(28, 6))"
    if form == "epoch":
        micros = (
            f"CASE WHEN {number} < 1e11 THEN {number} * 1000000 WHEN {number} < 1e14 THEN {number} * 1000 "
            f"WHEN {number} < 1e17 THEN {number} ELSE {number} / 1000 END"
        )
        return f"CASE WHEN {number} >= 0 AND {number} < 7258118400000000000 THEN {_of_micros(micros)} END"
    unit = MICROSECONDS[form]
    most = 7258118400_000_000 // unit
    return f"CASE WHEN {number} BETWEEN 0 AND {most} THEN {_of_micros(f'{number} * {unit}')} END"


def _of_micros(micros: str) -> str:
    return f"make_timestamptz(CAST(round({micros}) AS BIGINT))"


def _bounded(instant: str) -> str:
    """Nobody's audit log begins before 1970; years beyond 2200 are another unit misread."""
    return f"CASE WHEN year({instant}) BETWEEN 1970 AND 2200 THEN {instant} END"


def _swapped(form: str) -> str:
    """Day and month change places; a format that begins with the year is never written the other way."""
    if form.startswith("%Y"):
        return form
    return form.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")


def _warnings(raw: str, zone: str, faces: list[str]) -> str:
    """What a reader of the time must know: which came first, day or month, and a time that a clock skipped."""
    found = [
        f"CASE WHEN local IS NOT NULL AND timezone({quote(zone)}, "
        f"{_in_zone('local', zone)}) <> local THEN ['nonexistent_local_time'] ELSE [] END"
    ]
    if any("%m" in form and not form.startswith("%Y") for form in faces):
        day, month = (f"TRY_CAST(regexp_extract({raw}, '{SLASHED}', {group}) AS INTEGER)" for group in (1, 2))
        either = f"coalesce({day} <= 12 AND {month} <= 12 AND {day} <> {month}, false)"
        found.insert(0, f"CASE WHEN {either} THEN ['day_order_assumed'] ELSE [] END")
    return f"list_concat({', '.join(found)})::VARCHAR[]" if len(found) > 1 else f"{found[0]}::VARCHAR[]"


def _expected(forms: list[str], patterns: list[str]) -> str:
    words = ["ISO 8601"] if "iso" in forms else []
    words += [EPOCHS[form] for form in forms if form in EPOCHS]
    words += ["a time like " + EXAMPLE.strftime(patterns[0])] if patterns else []
    return " or ".join(words)


def _precision(raw: str, forms: list[str]) -> str:
    number = f"regexp_matches({raw}, '^\\d+(\\.\\d+)?$')"
    seconds = "false" if forms == ["epoch_ms"] else f"NOT contains({raw}, '.')"
    if "epoch_ms" not in forms and "epoch" in forms:
        seconds += f" AND length({raw}) < 12"
    numbers = (
        f"WHEN {number} THEN CASE WHEN {seconds} THEN 's' ELSE 'ms' END " if set(forms) & set(EPOCHS) else ""
    )
    return (
        f"CASE {numbers}WHEN regexp_matches({raw}, ':\\d\\d[.,]\\d') THEN 'ms' "
        f"WHEN regexp_matches({raw}, ':\\d\\d:\\d\\d') OR regexp_matches({raw}, '{BASIC}') THEN 's' "
        f"WHEN regexp_matches({raw}, '\\d:\\d\\d') THEN 'min' ELSE 'day' END"
    )


def _zone_source(raw: str, forms: list[str], zone_configured: bool) -> str:
    epoch = f"WHEN zoned IS NOT NULL AND regexp_matches({raw}, '^[\\d.]+$') THEN 'epoch' "
    return (
        f"CASE {epoch if set(forms) & set(EPOCHS) else ''}WHEN zoned IS NOT NULL THEN 'in_value' "
        f"ELSE {quote('configured' if zone_configured else 'assumed')} END"
    )
