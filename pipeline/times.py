"""How a source writes time -> one UTC instant, how exact it is, and why a text is not a time. Part of normalize."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.expressions import Expressions, pointer, quote

ZONE = r"(Z|z|[+-]\d{2}(:?\d{2})?)"
ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)?"
SLASHED = r"^(\d{1,2})[/.-](\d{1,2})[/.-]\d"
EXAMPLE = datetime(2026, 10, 31, 23, 47)  # noqa: DTZ001 - a clock's face, in no zone
EXPECTED = {"iso": "ISO 8601", "epoch_s": "seconds since 1970", "epoch_ms": "milliseconds since 1970"}


@dataclass(frozen=True)
class Clock:
    """SQL for a record's time: the instant, why there is none (code and words), and the columns about it."""

    instant: str
    reason: str
    message: str
    columns: Dictionary[str, str]


def columns(
    build: Expressions, rules: Dictionary[str, Any], zone: str, zone_configured: bool, day_first: bool | None
) -> Clock:
    """The compiled [time] table of a mapping under the settings of one load."""
    raw, form = build.text(rules["path"]), rules["format"]
    formats: list[str] = []
    local, warnings = "NULL::TIMESTAMP", "[]"
    if form == "iso":
        local, instant = (
            _iso_local(raw),
            f"coalesce({instant_of_iso(raw)}, {_in_zone(_iso_local(raw), zone)})",
        )
    elif isinstance(form, str):
        instant = _epoch(raw, 1 if form == "epoch_ms" else 1000)
    else:
        written_day_first = rules.get("day_first", True)
        wanted = written_day_first if day_first is None else day_first
        formats = form if wanted == written_day_first else [_swapped(f) for f in form]
        local = f"try_strptime({raw}, [{', '.join(map(quote, formats))}])"
        instant = _in_zone(local, zone)
        if day_first is None:
            warnings = f"CASE WHEN {_either_order(raw)} THEN ['day_order_assumed'] ELSE [] END"
    skipped = f"CASE WHEN {_in_zone(local, zone)}::VARCHAR IS NOT NULL AND timezone({quote(zone)}, "
    skipped += f"{_in_zone(local, zone)}) <> {local} THEN ['nonexistent_local_time'] ELSE [] END"
    expected = EXPECTED[form] if isinstance(form, str) else "a time like " + EXAMPLE.strftime(formats[0])
    named = quote("$." + ".".join(pointer(rules["path"])[1:].split("/")))
    shown = f"CAST(j[{build.slot(rules['path'])}] AS VARCHAR)"
    return Clock(
        instant=instant,
        reason=f"""CASE WHEN instant IS NULL
          THEN CASE WHEN {raw} IS NULL THEN 'missing_required' ELSE 'bad_time' END END""",
        message=f"""CASE WHEN instant IS NULL THEN CASE WHEN {raw} IS NULL
          THEN {named} || ' is missing: an event needs a time.'
          ELSE {named} || ': ' || {shown} || {quote(f" is not a time. Expected {expected}.")} END END""",
        columns={
            "occurred_at": "instant",
            "occurred_at_raw": raw,
            "time_precision": _precision(raw, form),
            "tz_source": _zone_source(raw, form, zone_configured),
            "parse_warnings": f"list_concat({warnings}::VARCHAR[], {skipped})",
        },
    )


def instant_of_iso(raw: str) -> str:
    """SQL: the instant of an ISO 8601 text with a zone, else null."""
    return f"CASE WHEN regexp_matches({raw}, '{ISO}{ZONE}$') THEN {_bounded(f'TRY_CAST({raw} AS TIMESTAMPTZ)')} END"


def _iso_local(raw: str) -> str:
    return f"CASE WHEN regexp_matches({raw}, '{ISO}$') THEN TRY_CAST({raw} AS TIMESTAMP) END"


def _in_zone(local: str, zone: str) -> str:
    return f"timezone({quote(zone)}, {local})"


def _epoch(raw: str, milliseconds: int) -> str:
    number = f"TRY_CAST({raw} AS DECIMAL(20, 6))"
    micros = f"CAST(round({number} * {milliseconds * 1000}) AS BIGINT)"
    return (
        f"CASE WHEN {number} * {milliseconds} BETWEEN 0 AND 7258118400000 THEN make_timestamptz({micros}) END"
    )


def _bounded(instant: str) -> str:
    """Nobody's audit log begins before 1970; years beyond 2200 are another unit misread."""
    return f"CASE WHEN year({instant}) BETWEEN 1970 AND 2200 THEN {instant} END"


def _swapped(form: str) -> str:
    """Day and month change places; a format that begins with the year is never written the other way."""
    if form.startswith("%Y"):
        return form
    return form.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")


def _either_order(raw: str) -> str:
    day, month = (f"TRY_CAST(regexp_extract({raw}, '{SLASHED}', {group}) AS INTEGER)" for group in (1, 2))
    return f"coalesce({day} <= 12 AND {month} <= 12 AND {day} <> {month}, false)"


def _precision(raw: str, form: Any) -> str:
    if form == "epoch_ms":
        return "'ms'"
    if form == "epoch_s":
        return f"CASE WHEN contains({raw}, '.') THEN 'ms' ELSE 's' END"
    return (
        f"CASE WHEN regexp_matches({raw}, ':\\d\\d[.,]\\d') THEN 'ms' "
        f"WHEN regexp_matches({raw}, ':\\d\\d:\\d\\d') THEN 's' "
        f"WHEN regexp_matches({raw}, '\\d:\\d\\d') THEN 'min' ELSE 'day' END"
    )


def _zone_source(raw: str, form: Any, zone_configured: bool) -> str:
    local = "'configured'" if zone_configured else "'assumed'"
    if form == "iso":
        return f"CASE WHEN regexp_matches({raw}, '{ZONE}$') AND contains({raw}, ':') THEN 'in_value' ELSE {local} END"
    return "'epoch'" if isinstance(form, str) else local
