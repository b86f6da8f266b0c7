"""Where addresses are, by databases of the user's own (MaxMind's format) -> the table `geography`. Part of detect.

Each distinct address is looked up once. Without a database the table is empty, and rules that need it say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS: dict[str, str] = {
    "source_ip": "VARCHAR",
    "country": "VARCHAR",
    "city": "VARCHAR",
    "latitude": "DOUBLE",
    "longitude": "DOUBLE",
    "accuracy_km": "BIGINT",
    "asn": "BIGINT",
    "provider": "VARCHAR",
}


@dataclass(frozen=True)
class Database:
    """One file of places, by its hash; the path is null where only the record of a store names it."""

    sha256: str
    path: Path | None = None


def databases(given: Mapping[str, Any], where: object) -> tuple[Database, ...]:
    """The files of [places] mmdb, relative to the file that names them; a recorded configuration has their hashes."""
    named = given.get("mmdb", [])
    texts = [named] if isinstance(named, str) else named
    if not isinstance(where, Path):
        return tuple(Database(text) for text in texts)
    return tuple(_database(where.parent / text, where) for text in texts)


def _database(path: Path, where: Path) -> Database:
    try:
        with path.open("rb") as file:
            return Database(hashlib.file_digest(file, "sha256").hexdigest(), path)
    except OSError as error:
        raise UsageError(
            f'places.mmdb: "{path}" cannot be read: {error.strerror}.',
            path=where,
            hint="It names a database of places in MaxMind's format, such as GeoLite2-City.mmdb.",
        ) from error


def table(
    connection: duckdb.DuckDBPyConnection, chosen: Sequence[Database], addresses: str = "places"
) -> None:
    """Make the table `geography` of the addresses in a relation."""
    files = [one.path for one in chosen if one.path is not None]
    asked = f"SELECT DISTINCT source_ip FROM {addresses} WHERE source_ip IS NOT NULL ORDER BY source_ip"
    rows = list(_looked_up(connection.execute(asked).fetchall(), files)) if files else []
    declared = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    connection.execute(f"CREATE OR REPLACE TABLE geography ({declared})")
    if rows:
        import pyarrow as pa

        connection.register("looked_up", pa.Table.from_pylist(rows, schema=_schema(connection)))
        connection.execute("INSERT INTO geography SELECT * FROM looked_up")
        connection.unregister("looked_up")


def _schema(connection: duckdb.DuckDBPyConnection) -> pa.Schema:
    return connection.sql("SELECT * FROM geography").to_arrow_table().schema


def _looked_up(addresses: Iterable[tuple[str]], files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """What the files say of each address; the first that says something wins."""
    import maxminddb

    with ExitStack() as opened:
        try:
            readers = [opened.enter_context(maxminddb.open_database(str(file))) for file in files]
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            raise UsageError(
                f"places.mmdb: {error}.", hint="MaxMind's format (.mmdb) is expected."
            ) from error
        for (address,) in addresses:
            told: dict[str, Any] = {}
            for reader in readers:
                for name, value in _place(_record(reader, address)).items():
                    told.setdefault(name, value)
            if told:
                yield {**dict.fromkeys(COLUMNS), **told, "source_ip": address}


def _record(reader: Any, address: str) -> Mapping[str, Any]:
    try:
        found = reader.get(address)
    except ValueError:  # IPv6 in a database of IPv4, or a network where one address is meant
        return {}
    return found if isinstance(found, Mapping) else {}


def _place(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record's words, of MaxMind's and of those who write its format more flatly, as our columns."""
    location, country = _part(record, "location"), record.get("country")
    told = {
        "country": _part(record, "country").get("iso_code")
        or record.get("country_code")
        or (country if isinstance(country, str) else None),
        "city": _part(_part(record, "city"), "names").get("en"),
        "latitude": location.get("latitude", record.get("latitude")),
        "longitude": location.get("longitude", record.get("longitude")),
        "accuracy_km": location.get("accuracy_radius"),
        "asn": record.get("autonomous_system_number"),
        "provider": record.get("autonomous_system_organization"),
    }
    return {name: value for name, value in told.items() if value is not None}


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = record.get(name)
    return inner if isinstance(inner, Mapping) else {}
