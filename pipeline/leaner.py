"""What a process of ours need not do: libraries look for others that they could work with, and Python for garbage."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def uncollected() -> Iterator[None]:
    """Without looking for garbage, over and over, among very many small things that are all kept to the end."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
