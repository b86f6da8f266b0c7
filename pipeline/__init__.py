"""auditbook as a library: open a store and ask, or do what the command does. Heavy imports wait for their use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.catalog import rebuild
    from pipeline.chain import verify
    from pipeline.errors import AuditbookError
    from pipeline.nightly import run
    from pipeline.query import Log, open

__all__ = ["AuditbookError", "Log", "open", "rebuild", "run", "verify"]

_ROOMS = {
    "AuditbookError": "errors",
    "Log": "query",
    "open": "query",
    "rebuild": "catalog",
    "run": "nightly",
    "verify": "chain",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(import_module(f"pipeline.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
