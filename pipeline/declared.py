"""What mappings and configuration declare, as small tables that rules hold events against. Tables of the catalog.

`status_graph` has every step that a source's documentation allows; `retention_policy` how long entries are to be kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from pipeline import mapping
from pipeline.config import Config

GRAPH = "source VARCHAR, entity_type VARCHAR, field VARCHAR, old VARCHAR, new VARCHAR"
POLICY = "source VARCHAR, keeps INTERVAL, told VARCHAR, is_configured BOOLEAN"


def tables(connection: duckdb.DuckDBPyConnection, config: Config) -> None:
    """The tables `status_graph` and `retention_policy`, from the mappings that the configuration names."""
    known = mapping.known(config.mappings)
    connection.execute(f"CREATE TABLE status_graph ({GRAPH})")
    steps = [step for source, one in known.items() for step in _steps(source, one.rules)]
    if steps:
        marks = ", ".join(["(?, ?, ?, ?, ?)"] * len(steps))
        connection.execute(
            f"INSERT INTO status_graph VALUES {marks}", [text for step in steps for text in step]
        )
    connection.execute(f"CREATE TABLE retention_policy ({POLICY})")
    for source in sorted({*known, *config.sources}):
        about = known[source].about if source in known else {}
        if policy := _policy(about, config.source(source).retention):
            connection.execute(
                "INSERT INTO retention_policy VALUES (?, ?::INTERVAL, ?, ?)", [source, *policy]
            )


def _steps(source: str, rules: Mapping[str, Any]) -> Iterator[list[str]]:
    for graph in rules.get("transitions", []):
        for old, following in graph["steps"].items():
            for new in following:
                yield [source, graph["entity_type"], graph["field"], old, new]


def _policy(about: Mapping[str, Any], configured: str | None) -> list[str | bool] | None:
    """What the configuration says, else the number of days that the product documents."""
    if configured is not None:
        return [configured, configured, True]
    days = about.get("retention_days")
    return [f"{days} days", f"{days} days", False] if days else None
