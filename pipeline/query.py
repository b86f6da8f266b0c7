"""Questions to a store: one filter object for the shell, Python and the reports. Reads, never writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from pipeline import audience as audience_of
from pipeline import catalog, entities, identity, pseudonyms, sifted, views
from pipeline import store as stores
from pipeline.audience import Shown
from pipeline.config import Config, Privacy
from pipeline.filters import Store, clock
from pipeline.question import KEYWORDS, question, understood
from pipeline.rows import Laid, Rows
from pipeline.vocabulary import names as known

if TYPE_CHECKING:
    from pipeline.history import History
    from pipeline.recipe import Answer
    from pipeline.rulefile import Value
    from pipeline.trial import Trial


Asking = TypeVar("Asking", bound=Callable[..., "Rows"])


def open(store: Path | str = "store", config: Config | None = None, audience: str | None = None) -> Log:
    """Open a store for reading; blocks nobody and is blocked by nobody.

    `audience` is whom it is shown to: full, internal (secrets are replaced; the default) or external (people are
    pseudonyms, and there is no free text).
    """
    return Log(Path(store), config, audience)


def _completed(*names: str) -> Callable[[Asking], Asking]:
    """Name the keywords of a method, so that Tab offers them and help() lists them."""

    def named(method: Asking) -> Asking:
        keywords = [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in names]
        first = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
        vars(method)["__signature__"] = Signature([first, *keywords], return_annotation="Rows")
        return method

    return named


class Log:
    """A store as it stood when it was opened; `refresh()` sees what later runs added."""

    def __init__(
        self, store: Path, config: Config | None = None, audience: str | None = None,
        privacy: Privacy | None = None, head: str | None = None,
    ) -> None:  # fmt: skip
        self.store = store
        self._config = config
        self._until = head
        privacy = privacy or (config.privacy if config else Privacy())
        self.shown = Shown(audience or privacy.audience, privacy)
        self.presets: Mapping[str, Mapping[str, Any]] = config.presets if config else {}
        self._connect()

    def _connect(self) -> None:
        stores.require(self.store)
        chain = self.chain = stores.up_to(stores.commits(self.store), self._until)
        self.con: duckdb.DuckDBPyConnection = catalog.connect_to(chain, self.store, self._config, self.shown)
        self.head = chain[-1].head if chain else stores.GENESIS
        self.config = self._config if self._config is not None else catalog.recorded_config(chain)

    def again(self) -> Log:
        """The same store, opened once more for the same audience."""
        return Log(self.store, self.config, self.shown.audience, self.shown.privacy, self._until)

    def refresh(self) -> Log:
        """See the commits that were made since; returns itself. What was asked before answers as of then."""
        self._connect()  # the connection of before lasts as long as somebody's rows need it
        return self

    def close(self) -> None:
        """Let go of the store."""
        self.con.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        from pipeline import shown

        return shown.store(self)

    def __repr__(self) -> str:
        [(events, sources)] = self.con.execute(
            "SELECT count(*), count(DISTINCT source) FROM events"
        ).fetchall()
        return f"Log({str(self.store)!r}: {events:,} events of {sources} sources, head {self.head[:12]})"

    def sql(self, query: str, parameters: Sequence[object] | Mapping[str, object] | None = None) -> Rows:
        """Any SELECT over the tables of the store."""
        return Rows(self.con, query, parameters if parameters is not None else (), whole=True)

    @_completed(*KEYWORDS)
    def events(self, **filters: object) -> Rows:
        """The events that match; keywords as the options of `auditbook events`, lists mean OR. Newest first.

        `profile=True` lays a source's own defaults under the question, as the command does; `.notices()` says what
        they leave out. `as_of` is the clock of relative times.
        """
        if self.shown.audience == "external":
            filters = pseudonyms.translated(self.con, filters)
        asked = question(
            self.con, self.config.organization.timezone, self.presets, self.config.mappings, filters,
            self.shown, self._index,
        )  # fmt: skip
        kept = asked.nearby.relation if asked.nearby else audience_of.verbatim(self.shown, "events")
        quick = f"(SELECT * FROM {kept} WHERE {asked.quick})"
        query = f"SELECT * FROM ({audience_of.over(self.shown, 'events', quick)}) WHERE {asked.where}"
        as_stored = asked.where == "true" and self.shown.audience != "external"
        return Rows(
            self.con, query, [*asked.quick_values, *asked.values], order=asked.order, asked=asked.asked, question=asked,
            over=Laid(query, _LIKE_EVENTS, quick if as_stored else None, self.shown),
        ).limit(asked.limit)  # fmt: skip

    def _index(self, names: tuple[str, ...]) -> entities.Found | None:
        """Where events are that may have one of some names; to others things have other names."""
        if self.shown.audience == "external":
            return None
        return entities.found(self.con, self.store, self.chain, names)

    def values(self, column: str, like: str | None = None, **filters: object) -> Rows:
        """The values of a column among the events that match, most frequent first, with how many have each."""
        from pipeline import values

        return values.values(self, column, like, **filters)

    def event(self, uid: str) -> Event:
        """One event in full, by its uid, the beginning of it, or the source's own id.

        With its raw line and place, the other entries of its correlation, the findings that name it, and its load.
        """
        from pipeline import entry

        return Event(entry.entry(self, uid))

    @_completed(*sifted.KEYWORDS)
    def findings(self, **filters: object) -> Rows:
        """Findings, most severe first; by severity, detector or state, and by the filters of `events`.

        A time is about a finding's window; every other filter about the events behind it, of which one is enough.
        """
        known(filters, set(sifted.KEYWORDS), "filter")
        asked = understood(filters, self.presets)
        zone = self.config.organization.timezone
        store = Store(self.con, zone, clock(asked.get("as_of"), zone))
        columns = [row[0] for row in self.con.execute("DESCRIBE findings").fetchall()]
        where, values = sifted.where(store, asked)
        query = f"SELECT * FROM findings WHERE {where} ORDER BY {sifted.order(asked.get('sort'), columns)}"
        return Rows(self.con, query, values).limit(asked.get("limit"))

    def cases(self) -> Rows:
        """Findings put together: what one person did on one day is one case. Newest first."""
        return Rows(self.con, "SELECT * FROM cases ORDER BY local_date DESC, window_start DESC, case_id")

    def coverage(self) -> Rows:
        """What each detector could see of each source when it was last evaluated, and why it saw no more."""
        return Rows(self.con, _COVERAGE)

    def evaluate(self, detector: str, **parameters: Value) -> Trial:
        """What a detector would find with other parameters; nothing is written. `auditbook detectors show` has them."""
        from pipeline import trial

        return trial.evaluate(self, detector, parameters)

    def history(
        self, entity: str, *, at: object = None, sort: str = "oldest", lane: object = None, source: object = None,
        instance: object = None, since: object = None, until: object = None, as_of: object = None,
        limit: int | None = None,
    ) -> History:  # fmt: skip
        """One thing's life, `TYPE:ID`, with what it is linked to; nothing after `at`; `sort` is oldest or newest."""
        from pipeline import history

        narrowed = {"source": source, "instance": instance, "since": since, "until": until, "as_of": as_of}
        return history.of(self, entity, {"at": at, "sort": sort, "lane": lane, "limit": limit, **narrowed})

    def recipe(self, name: str, target: str | None = None, **options: object) -> Answer:
        """One of the investigations of `auditbook recipe`; options are its parameters, source, since, until, as_of."""
        from pipeline import recipe

        return recipe.run(self, name, target, options)

    def recipes(self) -> Rows:
        """What `recipe` can answer."""
        from pipeline import recipefile

        return self.sql(recipefile.LIST, [recipefile.listed()])

    def ledger(self) -> Rows:
        """One row for each file that was loaded: what became of its lines."""
        return self.sql(
            "SELECT * EXCLUDE (commit_no, mapping_version), commit_no FROM files ORDER BY commit_no, file"
        )

    def actors(self) -> Rows:
        """Who acted, person by person and source by source, under every id, name and e-mail that they have there."""
        return self.sql(identity.ACTORS)

    def look_alikes(self) -> Rows:
        """Spellings that may be one person and are not tied in [actors], with the lines that would tie them."""
        return self.sql(identity.LOOK_ALIKES)

    def rejects(self, *, resolved: bool = False) -> Rows:
        """The lines that did not load, with the reason; with `resolved` also those that a later load has repaired.

        A file that was passed over whole has no line."""
        return self.sql(
            f"""SELECT file, line, byte_offset, reason, message, text, file_sha256, commit_no, resolved_by FROM rejects
            WHERE $resolved OR resolved_by IS NULL
            UNION ALL SELECT f.file, NULL, NULL, 'file_skipped', f.skipped, NULL, f.sha256, f.commit_no, NULL
            FROM {views.PASSED_OVER} ORDER BY file, line NULLS FIRST, commit_no""",
            {"resolved": resolved},
        )


class Event(dict[str, Any]):
    """One event in full: a dictionary of its columns that shows itself in a notebook."""

    def _repr_html_(self) -> str:
        from pipeline import shown

        return shown.event(self)


_LIKE_EVENTS = views.NOTHING["events"]
_COVERAGE = """SELECT detector, source,
    CASE WHEN status = 'failed' THEN 'failed' WHEN status = 'not_evaluable' THEN 'cannot'
      WHEN missing IS NULL AND why IS NULL THEN 'works' ELSE 'partly' END AS sight,
    in_scope, missing, baseline_days, baseline_needed, baseline_events,
    coalesce(error, why, 'Not said: ' || missing || '.') AS why
  FROM detector_coverage WHERE newest ORDER BY detector, source"""
