"""A store lives through any order of loads, repeated and killed ones, remaps, withdrawals and rebuilds.

After each step it is held against a model of a few lines: which lines are events, which repeat one, what every file's
bytes are. `make kills` plays longer (GAMES=n).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import pipeline
from pipeline import again
from pipeline.catalog import rebuild
from pipeline.config import from_dict
from pipeline.load import load
from tests.conftest import ROOT
from tests.exports import line, put, without_id

ZONES = ("UTC", "Asia/Tokyo")
LINES = st.one_of(
    st.tuples(st.integers(0, 9), st.sampled_from(["update", "delete"])).map(
        lambda made: line(made[0], action=made[1])
    ),
    st.integers(0, 2).map(without_id),
    st.sampled_from([b"\n", b"{broken\n", b"\xff\n", b"[1]\n"]),
)
CONTENTS = st.lists(LINES, min_size=1, max_size=12).map(b"".join)
NAMES = st.sampled_from(["a.jsonl", "b.jsonl", "c.jsonl"])
Loaded = tuple[str, bytes]


def expected(files: list[Loaded]) -> list[tuple[str, int, int, int, int, int]]:
    """The ledger of these files, loaded in this order."""
    known: set[tuple[object, ...]] = set()
    ledger = []
    for name, content in files:
        counts, equal = Counter[str](), Counter[bytes]()
        for text in content.splitlines():
            if not text:
                counts["blank"] += 1
            elif not text.startswith(b'{"'):
                counts["reject"] += 1
            else:
                identity = (text, equal[text] if b'"id"' not in text else 0)
                equal[text] += 1
                counts["duplicate" if identity in known else "event"] += 1
                known.add(identity)
        read = len(content.splitlines())
        ledger.append((name, read, *(counts[fate] for fate in ("event", "duplicate", "reject", "blank"))))
    return ledger


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def empty(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="machine-"))
        self.store, self.files, self.zone = self.place / "store", list[Loaded](), 0

    def teardown(self) -> None:
        if hasattr(self, "place"):
            assert not self.files or pipeline.verify(self.store).ok
            shutil.rmtree(self.place)

    @property
    def config(self) -> pipeline.config.Config:
        return from_dict({"organization": {"timezone": ZONES[self.zone]}})

    def export(self, name: str, content: bytes) -> str:
        return put(self.place / "exports" / name, content)

    @rule(name=NAMES, content=CONTENTS)
    def loads(self, name: str, content: bytes) -> None:
        done = load([self.export(name, content)], store=self.store, config=self.config, source="printago")
        assert (done.commit is None) == ((name, content) in self.files)
        if done.commit:
            self.files.append((name, content))

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def loads_again(self, data: st.DataObject) -> None:
        name, content = data.draw(st.sampled_from(self.files))
        export = self.export(name, content)
        assert load([export], store=self.store, config=self.config, source="printago").commit is None

    @rule(name=NAMES, content=CONTENTS, moment=st.integers(200, 1500))
    def is_killed(self, name: str, content: bytes, moment: int) -> None:
        """A load in a process of its own; afterwards it is there whole, or not at all."""
        export = self.export(name, content)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stopper", "any", "", str(moment), "load", export, "--store",
             str(self.store), "--source", "printago", "-q"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        if process.stdout.readline() == b"here\n":
            process.send_signal(signal.SIGKILL)
        process.communicate()
        if (self.store / "commits").is_dir():
            with pipeline.open(self.store) as log:
                if log.ledger().count() > len(self.files):
                    self.files.append((name, content))

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def forgets(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.files))
        digest = hashlib.sha256(one[1]).hexdigest()
        if [hashlib.sha256(content).hexdigest() for _, content in self.files].count(digest) == 1:
            again.forget(digest, store=self.store, config=self.config)
            self.files.remove(one)

    @precondition(lambda self: self.files)
    @rule()
    def remaps(self) -> None:
        self.zone = 1 - self.zone
        again.remap("printago", store=self.store, config=self.config)

    @precondition(lambda self: self.files)
    @rule()
    def rebuilds(self) -> None:
        (self.store / "auditbook.duckdb").unlink()
        shutil.rmtree(self.store / "ids")
        rebuild(self.store)

    @invariant()
    def is_as_the_model_says(self) -> None:
        if not getattr(self, "files", None):
            return
        with pipeline.open(self.store) as log:
            con = log.con
            ledger = con.execute(
                'SELECT file, "read", events, duplicates, rejects, blank FROM files ORDER BY commit_no'
            ).fetchall()
            assert ledger == expected(self.files)
            bytes_of: dict[int, bytes] = {}
            for commit, text, ends in con.execute(
                "SELECT commit_no, coalesce(raw_bytes, raw::BLOB), newline FROM lines ORDER BY commit_no, line"
            ).fetchall():
                bytes_of[commit] = bytes_of.get(commit, b"") + text + (b"\n" if ends else b"")
            assert list(bytes_of.values()) == [content for _, content in self.files]
            events = con.execute("SELECT count(*), count(DISTINCT event_uid) FROM events").fetchall()
            assert events == [(sum(row[2] for row in ledger),) * 2]


GAMES = int(os.environ.get("GAMES", "5"))
StoreMachine.TestCase.settings = settings(
    max_examples=GAMES, stateful_step_count=10, deadline=None, derandomize="GAMES" not in os.environ,
    database=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip
TestStore = StoreMachine.TestCase
