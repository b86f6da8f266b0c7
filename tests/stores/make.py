"""Makes the small store that every later version must open: `python -m tests.stores.make` in the repository's root.

It is made once for each store format and then never again: a later version proves itself on what an earlier one
wrote. Kept is what is the truth (`commits/`) and the manifest; the lock and the database are made anew by whoever
needs them, and modes and the machine's name do not matter. What is in it stands in tests/test_format.py.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from pipeline import config, decide, detect, load, query
from pipeline.store import FORMAT
from tests.exports import line, put

SETTINGS = config.from_dict(
    {"organization": {"name": "Fernhollow", "timezone": "Europe/Berlin", "holidays": ["2026-10-03"]}}
)


def exports(folder: Path) -> list[str]:
    """Two nights that overlap, with what goes wrong in one of them."""
    switched_off = line(4, detailedAction="auditLogs.disable", entityType="Settings")
    changed = line(5, changes={"status": {"old": "queued", "new": None}}, ipAddress="203.0.113.7")
    monday = line(1) + b"\n" + line(2) + b"{broken\n" + line(3) + b"\xff\n" + switched_off + line(2)
    tuesday = line(3) + line(2, action="delete") + changed
    return [put(folder / "monday.jsonl", monday), put(folder / "tuesday.jsonl", tuesday)]


def make(store: Path) -> None:
    """Two loads, an evaluation, a decision."""
    with tempfile.TemporaryDirectory() as folder:
        for export in exports(Path(folder)):
            load.load([export], store=store, config=SETTINGS, instance="north")
    load.load([put(store.parent / "empty.jsonl", b"")], store=store, config=SETTINGS, source="hoops")
    detect.detect(store, config=SETTINGS)
    with query.open(store) as log:
        [found] = log.findings(detector="logging_disabled").pl().to_dicts()
    decide.decide(
        store, found["finding_id"], status="accepted", by="Rosa Dimitriou", reason="Agreed maintenance."
    )


def main() -> None:
    target = Path(__file__).with_name(f"format-{FORMAT}")
    if target.exists():
        sys.exit(f"{target} is there: a store of a format is made once.")
    os.environ["LOGNAME"] = "auditor"
    with tempfile.TemporaryDirectory() as folder, patch.object(socket, "gethostname", lambda: "example"):
        sys.argv = ["make"]
        make(Path(folder) / "store")
        shutil.copytree(Path(folder) / "store/commits", target / "commits")
        shutil.copy(Path(folder) / "store/manifest.jsonl", target)


if __name__ == "__main__":
    main()
