"""How much memory a run may take, if somebody said so: of this process, of its workers, of DuckDB in both."""

from __future__ import annotations

import os
import re
import resource
import sys

import duckdb

from pipeline.errors import UsageError

VARIABLE = "AUDITBOOK_MEMORY_LIMIT"
LEAST = 400_000_000
OF_A_PROCESS = 700_000_000  # what one that loads needs to work at its usual speed
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def read(text: str) -> int:
    """`2GB`, `1.5G`, `800MiB` or a number of bytes."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?)?B?\s*", text.upper())
    if not found:
        raise UsageError(f'--memory-limit: "{text}" is no size.', hint="Write 2GB, 1.5G or 800MiB.")
    size = int(float(found[1]) * UNITS[found[2] or ""])
    if size < LEAST:
        raise UsageError(f"--memory-limit: {text} is too little.", hint="Give 400MB or more.")
    return size


def limit(size: int) -> None:
    """Hold this process, and those that it starts, to so many bytes together."""
    os.environ[VARIABLE] = str(size)
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the usual one reserves a gigabyte, which would count
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())
    _hold(size)


def workers(wanted: int) -> int:
    """How many processes fit beside this one."""
    size = limited()
    return wanted if size is None else max(1, min(wanted, size // OF_A_PROCESS - 1))


def hold_worker(workers: int) -> None:
    """Called in a worker: its share."""
    size = limited()
    if size is not None:
        _hold(size // (workers + 1))


def limited() -> int | None:
    """The limit of the run, if there is one."""
    text = os.environ.get(VARIABLE)
    return int(text) if text and text.isdigit() else None


def hold(connection: duckdb.DuckDBPyConnection) -> None:
    """DuckDB puts on disk what does not fit into half of what the process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if limited() is not None and soft != resource.RLIM_INFINITY:
        connection.execute(f"SET memory_limit = '{soft // 2} B'")


def _hold(size: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
