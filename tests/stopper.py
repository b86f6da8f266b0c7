"""The command in a process that stops before a named moment, so that its parent can kill it just there.

`python -m tests.stopper EVENT TEXT NTH ARGUMENT…`: EVENT is one of Python's audit events (os.rename, open, …), TEXT
must occur in its arguments. Says "here" on stdout and then waits for ever.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from pipeline.cli import main


def stop_before(event: str, text: str, nth: int) -> None:
    left = nth

    def hook(happening: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if happening == event and text in str(arguments):
            left -= 1
            if left == 0:
                os.write(1, b"here\n")
                os.read(0, 1)

    sys.addaudithook(hook)


if __name__ == "__main__":
    stop_before(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    sys.argv = ["auditbook", *sys.argv[4:]]
    main()
