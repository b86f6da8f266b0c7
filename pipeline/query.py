"""Questions to a store: one filter object for the shell, Python and the reports. Reads, never writes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline import catalog
from pipeline import store as stores
from pipeline.columns import EVENT_COLUMNS
from pipeline.config import Config
from pipeline.errors import UsageError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

# What a filter asks of an event: the SQL is ours, the values are bound.
FILTERS: dict[str, str] = {
    "source": "source = ?",
    "instance": "instance = ?",
    "actor": (
        "(lower(?) IN (lower(actor_id), lower(actor_name), lower(actor_email), lower(actor_key)) OR actor_key IN "
        "(SELECT actor_key FROM actors WHERE lower(?) IN (lower(person), lower(display_name))))"
    ),
    "actor_type": "actor_type = ?",
    "action": "action = ?",
    "detail": "action_detail GLOB ?",
    "outcome": "outcome = ?",
    "category": "category = ?",
    "correlation": "correlation_id = ?",
    "text": "contains(lower(concat_ws(' ', message, action_detail, entity_name, reason, error_message)), lower(?))",
}
ENTITY = (
    "event_uid IN (SELECT event_uid FROM event_entities WHERE (? IS NULL OR entity_type = ?) AND "
    "(? IS NULL OR entity_id = ?)) OR (? IS NULL AND entity_type = ?)"
)
_AGO = re.compile(r"^(\d+)([hdw])$")
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")


def open(store: Path | str = "store", config: Config | None = None) -> Log:  # noqa: A001 - `pipeline.open` is the name users type
    """Open a store for reading; blocks nobody and is blocked by nobody."""
    return Log(Path(store), config)


class Log:
    """A store as it stood when it was opened; `refresh()` sees what later runs added."""

    def __init__(self, store: Path, config: Config | None = None) -> None:
        self.store = store
        self._config = config
        self._connect()

    def _connect(self) -> None:
        self.con = catalog.connect(self.store, self._config)
        chain = stores.commits(self.store)
        self.head = chain[-1].head if chain else stores.GENESIS
        self.config = self._config if self._config is not None else catalog.recorded_config(chain)

    def refresh(self) -> Log:
        """See the commits that were made since; returns itself."""
        self.con.close()
        self._connect()
        return self

    def close(self) -> None:
        self.con.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        counted = self.con.execute("SELECT count(*), count(DISTINCT source) FROM events").fetchone() or (0, 0)
        return f"Log({str(self.store)!r}: {counted[0]:,} events of {counted[1]} sources, head {self.head[:12]})"

    def sql(self, query: str, parameters: Sequence[object] | Mapping[str, object] | None = None) -> Rows:
        """Any SELECT over the tables of the store."""
        return Rows(self.con, query, parameters if parameters is not None else ())

    def events(self, **filters: object) -> Rows:
        """The events that match; keywords as on the command line, lists mean OR. Newest first."""
        where, values = conditions(self, filters)
        return Rows(
            self.con, f"SELECT * FROM events WHERE {where} ORDER BY occurred_at DESC, file DESC, line DESC", values
        ).limit(filters.get("limit"))

    def event(self, uid: str) -> dict[str, Any]:
        """One event in full, by its uid or the beginning of it, with its raw line and where that stands."""
        found = self.sql(
            """SELECT e.*, l.raw, l.byte_offset, l.line_sha256 FROM events e LEFT JOIN event_lines l USING (event_uid)
            WHERE starts_with(e.event_uid, ?) OR e.source_event_id = ? LIMIT 2""",
            [uid.lower(), uid],
        ).pl()
        if found.height != 1:
            problem = "is no event" if found.is_empty() else "is the beginning of several events"
            raise UsageError(f'"{uid}" {problem} of this store.', hint="`auditbook events` lists them with their uids.")
        return found.to_dicts()[0]

    def findings(self, **filters: object) -> Rows:
        """Findings, most severe first; filter by severity, detector or state."""
        allowed = {"severity", "detector", "state", "limit"}
        _known(filters, allowed, "filter")
        where = ["true"]
        values: list[object] = []
        for name in sorted(allowed - {"limit"}):
            if chosen := _several(filters.get(name)):
                where.append(f"{name} IN ({', '.join('?' * len(chosen))})")
                values += chosen
        order = "CASE severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END"
        query = f"SELECT * FROM findings WHERE {' AND '.join(where)} ORDER BY {order}, window_start, finding_id"
        return Rows(self.con, query, values).limit(filters.get("limit"))

    def ledger(self) -> Rows:
        """One row for each file that was loaded: what became of its lines."""
        return self.sql("SELECT * EXCLUDE (commit_no, mapping_version), commit_no FROM files ORDER BY commit_no, file")

    def rejects(self) -> Rows:
        """The lines that did not load, with the reason."""
        return self.sql("SELECT * FROM rejects ORDER BY file, line")


@dataclass(frozen=True)
class Rows:
    """A question not yet asked. Every method makes a new one or an answer; nothing changes the question."""

    con: duckdb.DuckDBPyConnection
    query: str
    values: Sequence[object] | Mapping[str, object] = ()
    most: int | None = None

    def limit(self, most: object) -> Rows:
        """At most so many rows; None or 0 means all."""
        return replace(self, most=int(str(most)) if most else None)

    @property
    def sql(self) -> str:
        """The SQL as it will be run."""
        return self.query + (f" LIMIT {self.most}" if self.most is not None else "")

    def _relation(self) -> duckdb.DuckDBPyRelation:
        return self.con.sql(self.sql, params=self.values or None)

    def arrow(self) -> pyarrow.Table:
        """As an Arrow table."""
        return self._relation().to_arrow_table()

    def pl(self) -> polars.DataFrame:
        """As a polars frame."""
        import polars

        frame = polars.from_arrow(self.arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def df(self) -> pandas.DataFrame:
        """As a pandas frame."""
        return self._relation().df()

    def count(self) -> int:
        """How many rows."""
        row = self.con.execute(f"SELECT count(*) FROM ({self.sql})", self.values or None).fetchone()
        return int(row[0]) if row else 0

    def by(self, *columns: str) -> Rows:
        """Counts by the values of these columns, most first."""
        for column in columns:
            _known({column: None}, set(self.columns), "column")
        names = ", ".join(f'"{column}"' for column in columns)
        return Rows(
            self.con, f"SELECT {names}, count(*) AS n FROM ({self.sql}) GROUP BY ALL ORDER BY n DESC, {names}", self.values
        )

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._relation().columns)

    def write(self, path: Path | str) -> Path:
        """Write the rows to a .csv, .jsonl or .parquet file; CSV cells are made safe against formulas."""
        from pipeline import export

        return export.write(self, Path(path))

    def __len__(self) -> int:
        return self.count()

    def __repr__(self) -> str:
        return repr(self.limit(self.most or 20).pl())

    def _repr_html_(self) -> str:
        shown = self.limit(min(self.most or 50, 50)).pl()
        wanted = [name for name in SHOWN if name in shown.columns] if set(SHOWN) <= set(shown.columns) else shown.columns
        return str(shown.select(wanted)._repr_html_())


SHOWN = ("occurred_at", "source", "actor_name", "actor_email", "action", "action_detail", "entity_type", "entity_id", "outcome")


def conditions(log: Log, filters: Mapping[str, object]) -> tuple[str, list[object]]:
    """AND across filters, OR within one; a value that the store does not know is an error that lists the known ones."""
    _known(filters, {*FILTERS, "entity", "since", "until", "as_of", "limit"}, "filter")
    where, values = ["true"], []
    for name, sql in FILTERS.items():
        if chosen := _several(filters.get(name)):
            _check_values(log, name, chosen)
            where.append("(" + " OR ".join([sql] * len(chosen)) + ")")
            values += [value for value in chosen for _ in range(sql.count("?"))]
    if chosen := _several(filters.get("entity")):
        where.append("(" + " OR ".join([ENTITY] * len(chosen)) + ")")
        values += [value for entity in chosen for value in _entity_values(entity)]
    as_of = filters.get("as_of")
    for name, sign in (("since", ">="), ("until", "<")):
        if filters.get(name) is not None:
            where.append(f"occurred_at {sign} ?::TIMESTAMPTZ")
            values.append(moment(log, filters[name], end=name == "until", as_of=as_of).isoformat())
    return " AND ".join(where), values


def moment(log: Log, text: object, *, end: bool = False, as_of: object = None) -> datetime:
    """A time, a date (in the organization's zone, the whole of it), or so long ago: `24h`, `7d`, `2w`."""
    if isinstance(text, datetime):
        return text if text.tzinfo else text.replace(tzinfo=timezone.utc)
    written = str(text).strip()
    if ago := _AGO.match(written):
        unit = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[ago.group(2)]
        now = as_of if isinstance(as_of, datetime) else datetime.now(timezone.utc)
        return now - int(ago.group(1)) * unit
    zone = log.config.organization.timezone
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise UsageError(
            f'"{written}" is not a time.', hint="Write 2026-10-31, 2026-10-31T18:00, 2026-10-31T18:00Z, 24h or 7d."
        ) from error
    if found.tzinfo is not None:
        return found
    if end and _DATE.match(written):
        found += timedelta(days=1)
    row = log.con.execute("SELECT epoch_us(timezone(?, ?::TIMESTAMP))", [zone, found.isoformat()]).fetchone()
    assert row is not None
    return datetime.fromtimestamp(row[0] / 1_000_000, timezone.utc)


def _entity_values(entity: str) -> list[object]:
    kind, _, name = entity.partition(":")
    folded = fold_entity(kind)
    identity = name or None
    return [folded, folded, identity, identity, identity, folded]


def fold_entity(kind: str) -> str | None:
    """`PrintJobs`, `print_jobs` and `print_job` are the same type."""
    if not kind:
        return None
    word = re.sub(r"[\s\-]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", kind)).lower()
    if word.endswith("ies"):
        return word[:-3] + "y"
    if re.search(r"(ch|sh|x|ss)es$", word):
        return word[:-2]
    return word if re.search(r"(ss|us|is)$", word) else word.removesuffix("s")


def _check_values(log: Log, name: str, chosen: Sequence[object]) -> None:
    if name not in ("source", "instance", "actor_type", "action", "outcome", "category"):
        return
    known = [row[0] for row in log.con.execute(f"SELECT DISTINCT {name} FROM events WHERE {name} IS NOT NULL ORDER BY 1").fetchall()]
    for value in chosen:
        if value not in known:
            raise UsageError(f'no event has {name} "{value}".', hint=f"Known are: {', '.join(known) or 'none yet'}.")


def _known(given: Mapping[str, object], allowed: set[str], what: str) -> None:
    for name in given:
        if name not in allowed:
            near = difflib.get_close_matches(name, sorted(allowed), n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(sorted(allowed))}."
            raise UsageError(f'"{name}" is not a {what}.', hint=hint)


def _several(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


assert set(SHOWN) <= set(EVENT_COLUMNS)
