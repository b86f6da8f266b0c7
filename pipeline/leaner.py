"""What a process of ours need not import: libraries look for others that they could work with, which takes its time."""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder

SINGLE = {
    "OPENBLAS_NUM_THREADS": "1"
}  # numpy starts a thread for each core else, and there is no such work here


class _Without(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == self._name:
            raise ModuleNotFoundError(f"{fullname} is left out of this process", name=fullname)


def single() -> None:
    """Without threads that wait for linear algebra."""
    for name, value in SINGLE.items():
        os.environ.setdefault(name, value)


def without(name: str) -> None:
    """Leave a library out of this process, as if it were not installed; for processes that are ours alone."""
    if name not in sys.modules:
        sys.meta_path.insert(0, _Without(name))
