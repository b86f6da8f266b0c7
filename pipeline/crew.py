"""The processes that load blocks: this one, or, for large inputs, one for each core. Part of load.

A worker is a process of its own that reads requests from a pipe and ends when the pipe does. A block's bytes are not
sent: they lie in memory that both see. Requests to one worker are answered in their order.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import duckdb
import numpy as np

from pipeline import leaner, memory
from pipeline.block import Block
from pipeline.errors import AuditbookError
from pipeline.fates import Hits
from pipeline.job import Finished, Job, Prepared, Told
from pipeline.work import Worker

BLOCK_BYTES = 32 * 1024 * 1024
ROOMS = 2  # of a worker: a block is looked at where it was read to until it is written, while the next one is read
MOST_WORKERS = 8
ENDING = 5  # seconds that a process may take to end
_PR_SET_PDEATHSIG = 1


class Own:
    """This process."""

    def __init__(self) -> None:
        self._prepared: dict[int, Prepared] = {}
        self._finished: list[Finished] = []

    @cached_property
    def _worker(self) -> Worker:
        return Worker()  # when there is something to do

    @cached_property
    def _rooms(self) -> deque[memoryview]:
        return deque(memoryview(bytearray(BLOCK_BYTES)) for _ in range(ROOMS))

    def room(self) -> memoryview:
        """Where the next block is to be read to."""
        return self._rooms[0]

    def begin(self, job: Job, data: memoryview | Sequence[Block]) -> None:
        """Look at a block that lies in the room, or was judged already."""
        if isinstance(data, memoryview):
            self._rooms.rotate()
        self._prepared[job.number] = self._worker.prepare(job, data)

    def prepared(self, number: int) -> Prepared:
        return self._prepared.pop(number)

    def fates(self, number: int, told: Told) -> tuple[np.ndarray, np.ndarray, list[int]]:
        return self._worker.fates(number, told)

    def settle(self, number: int, hits: Hits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._worker.settle(number, hits)

    def finish(self, number: int, told: Told | None) -> None:
        if told is not None:
            self._worker.fates(number, told)
        self._finished.append(self._worker.finish(number))

    def finished(self) -> list[Finished]:
        done, self._finished = self._finished, []
        return done

    def wait(self) -> None:
        """Nothing is ever under way here."""

    def close(self) -> None:
        if "_worker" in vars(self):
            self._worker.close()


class Other:
    """A process that was started for this load."""

    def __init__(self, workers: int) -> None:
        self._memory = _shared(ROOMS * BLOCK_BYTES)
        self._map = mmap.mmap(self._memory, ROOMS * BLOCK_BYTES)
        self._rooms = deque(range(0, ROOMS * BLOCK_BYTES, BLOCK_BYTES))
        command = [
            sys.executable,
            "-P",
            "-c",
            "from pipeline.crew import serve; serve()",
            str(self._memory),
            str(os.getpid()),
            str(workers),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[self._memory],
            env=_environment(),
        )
        self._asked: deque[str] = deque()
        self._answers: dict[str, list[Any]] = {}
        # Answers are taken as they come: else, of requests and answers longer than a pipe, both would wait for ever.
        self._told: SimpleQueue[Any] = SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def room(self) -> memoryview:
        """Where the next block is to be read to."""
        return memoryview(self._map)[self._rooms[0] :][:BLOCK_BYTES]

    def begin(self, job: Job, data: memoryview | Sequence[Block]) -> None:
        """Look at a block that lies in the room, or was judged already."""
        if isinstance(data, memoryview):
            self._ask("prepare", job, (self._rooms[0], len(data)))
            self._rooms.rotate()
        else:
            self._ask("prepare", job, data)

    def prepared(self, number: int) -> Prepared:  # noqa: ARG002 - there is no other under way
        return self._answer("prepare")  # type: ignore[no-any-return]

    def fates(self, number: int, told: Told) -> tuple[np.ndarray, np.ndarray, list[int]]:
        self._ask("fates", number, told)
        return self._answer("fates")  # type: ignore[no-any-return]

    def settle(self, number: int, hits: Hits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._ask("settle", number, hits)
        return self._answer("settle")  # type: ignore[no-any-return]

    def finish(self, number: int, told: Told | None) -> None:
        self._ask("finish", number, told)

    def finished(self) -> list[Finished]:
        return self._answers.pop("finish", [])

    def wait(self) -> None:
        """Until what was asked is answered."""
        while self._asked:
            self._receive()

    def close(self) -> None:
        """End the process, whatever it does."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._stdout.close()
        with contextlib.suppress(BufferError):  # a room is still looked at: it is gone with who looks
            self._map.close()
        os.close(self._memory)

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _ask(self, what: str, *arguments: Any) -> None:
        try:
            pickle.dump((what, arguments), self._stdin, pickle.HIGHEST_PROTOCOL)
            self._stdin.flush()
        except OSError as error:
            raise self._lost() from error
        self._asked.append(what)

    def _answer(self, what: str) -> Any:
        while what not in self._answers:
            self._receive()
        answers = self._answers[what]
        found = answers.pop(0)
        if not answers:
            del self._answers[what]
        return found

    def _listen(self) -> None:
        try:
            while True:
                self._told.put(pickle.load(self._stdout))
        except (EOFError, OSError, pickle.UnpicklingError):
            pass  # it ended, or was ended
        finally:
            self._told.put(None)

    def _receive(self) -> None:
        told = self._told.get()
        if told is None:
            self._told.put(None)
            raise self._lost()
        outcome, value = told
        if outcome == "error":
            raise value
        self._answers.setdefault(self._asked.popleft(), []).append(value)

    def _lost(self) -> AuditbookError:
        try:
            code = self._process.wait(timeout=ENDING)
        except subprocess.TimeoutExpired:  # it waits for somebody to read what cannot be read
            self._process.kill()
            code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        hint = "Nothing was committed. Signal 9 is mostly the system being out of memory: see --memory-limit."
        return AuditbookError(f"a process that loads {how}.", hint=hint)


@contextlib.contextmanager
def crew(size: int) -> Iterator[list[Own | Other]]:
    """The workers for so many bytes of exports: of little, this process. They are gone when the load is."""
    hands: list[Own | Other] = []
    workers = cores() if size > BLOCK_BYTES else 1
    try:
        for _ in range(workers if workers > 1 else 0):
            hands.append(_started(workers))
        if not hands:
            hands.append(Own())
        yield hands
    finally:
        for hand in hands:
            hand.close()


def _started(workers: int) -> Other:
    try:
        return Other(workers)
    except OSError as error:
        raise AuditbookError(
            f"a process that loads cannot be started: {error.strerror}.",
            hint="`ulimit` (open files, processes, size of files) allows too little, or memory is out.",
        ) from error


def cores() -> int:
    """How many workers are worth while here."""
    try:
        found = len(os.sched_getaffinity(0))
    except AttributeError:
        found = os.cpu_count() or 1
    return memory.workers(max(1, min(found, MOST_WORKERS)))


def serve() -> None:
    """What a worker does: answer until nobody asks. It dies with whoever started it."""
    shared, parent, workers = map(int, sys.argv[1:4])
    _die_with(parent)
    leaner.without("pandas")  # pyarrow would import it, which takes longer than a block
    memory.hold_worker(workers)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    # Buffered, whatever Python was told; and nobody else writes among the answers, as DuckDB does that is slow.
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    sys.stdout = sys.stderr
    os.dup2(2, 1)
    data = memoryview(mmap.mmap(shared, ROOMS * BLOCK_BYTES))
    worker = Worker()
    while True:
        try:
            what, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = ("done", _answered(worker, data, what, arguments))
        except (AuditbookError, OSError, MemoryError, duckdb.Error) as error:
            answer = ("error", error)
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _answered(worker: Worker, data: memoryview, what: str, arguments: Any) -> Any:
    if what == "prepare":
        job, block = arguments
        if isinstance(block, tuple):
            begin, size = block
            block = data[begin : begin + size]
        return worker.prepare(job, block)
    if what == "fates":
        return worker.fates(*arguments)
    if what == "settle":
        return worker.settle(*arguments)
    number, told = arguments
    if told is not None:
        worker.fates(number, told)
    return worker.finish(number)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _shared(size: int) -> int:
    """Memory that a child can map: of no name, and gone with its last user."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("auditbook", 0)
    else:
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    os.ftruncate(memory, size)
    return memory


def _environment() -> dict[str, str]:
    """The child imports what this process imports, wherever it was started."""
    paths = [path or str(Path.cwd()) for path in sys.path]
    return {**leaner.SINGLE, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
