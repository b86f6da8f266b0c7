"""The command in a process that stops before a named moment, so that its parent can kill it just there.

`python -m tests.stopper EVENT TEXT NTH ARGUMENT…`: EVENT is one of Python's audit events (os.rename, open, …), TEXT
must occur in its arguments. Says "here" on stdout and then waits for ever. EVENT `any` is every event of the run
itself, `count` says at the end how many those are; `worker` kills the worker that is asked for TEXT the NTH time.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import Any

from pipeline import crew
from pipeline.cli import main

# What happens as often as the interpreter likes is no moment of the run.
NOT_OURS = ("object.", "marshal.", "import", "compile", "exec", "code.", "gc.", "sys.", "ctypes.")


def stop_before(event: str, text: str, nth: int) -> None:
    left = nth
    ours = os.getpid()

    def hook(happening: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        wanted = not happening.startswith(NOT_OURS) if event in ("any", "count") else happening == event
        if wanted and os.getpid() == ours and (not text or text in str(arguments)):
            left -= 1
            if left == 0:
                os.write(1, b"here\n")
                os.read(0, 1)

    sys.addaudithook(hook)
    if event == "count":
        atexit.register(lambda: os.write(1, f"{-left}\n".encode()))


def kill_worker(asked: str, nth: int) -> None:
    ask, left = crew.Other._ask, nth

    def hook(self: crew.Other, what: str, *arguments: Any) -> None:
        nonlocal left
        left -= what == asked
        if left == 0:
            os.kill(self._process.pid, signal.SIGKILL)
        ask(self, what, *arguments)

    crew.Other._ask = hook  # type: ignore[method-assign]
    crew.cores = lambda: 2


if __name__ == "__main__":
    name, text, nth = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if name == "worker":
        kill_worker(text, nth)
    else:
        stop_before(name, text, nth)
    sys.argv = ["auditbook", *sys.argv[4:]]
    main()
