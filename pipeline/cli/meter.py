"""What a run says while it works: one line that changes on a terminal, plain lines into a file."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass, field

from pipeline import redact
from pipeline.cli.output import inert

BAR_FROM = 2.0  # seconds: what is done sooner needs no bar
WIDTH = 24
CLEAR = "\r\x1b[2K"


@dataclass
class Meter:
    """Says what is being done; on a terminal with a bar, the rate and the time left, where the amount is known."""

    verbose: bool = False
    _started: float = field(default_factory=time.monotonic)
    _text: str = ""
    _since: float = field(default_factory=time.monotonic)  # when the present amount was first told
    _from: int = 0
    _total: int = 0

    def __call__(self, text: str, done: int = 0, total: int = 0, /) -> None:
        now = time.monotonic()
        if total != self._total:
            self._since, self._from, self._total = now, done, total
        if sys.stderr.isatty() and not self.verbose:
            told = inert(redact.text(text))
            if total and now - self._since >= BAR_FROM and done > self._from:
                told = f"{told}  {amount(done, total, (done - self._from) / (now - self._since))}"
            print(
                f"{CLEAR}{told[: shutil.get_terminal_size().columns - 1]}",
                end="",
                file=sys.stderr,
                flush=True,
            )
        elif text != self._text and (self.verbose or _stage(text) != _stage(self._text)):
            took = f"[{now - self._started:6.1f} s] " if self.verbose else ""
            told = text if self.verbose else _stage(text)
            print(f"{took}{inert(redact.text(told))}", file=sys.stderr, flush=True)
        self._text = text


def _stage(text: str) -> str:
    """What stands before the dot: a log is told of each stage once, and of each step only when it asks (-v)."""
    return text.partition(" · ")[0]


def amount(done: int, total: int, rate: float) -> str:
    """A bar of bytes, how fast it goes and how long it will take."""
    share = min(done / total, 1)
    full = round(share * WIDTH)
    left = round((total - done) / rate) if done < total else 0
    return f"{'━' * full}{'─' * (WIDTH - full)} {share:4.0%}  {rate / 1e6:,.0f} MB/s  {left // 60}:{left % 60:02d} left"


def done() -> None:
    """Take the changing line away before the summary is printed."""
    if sys.stderr.isatty():
        print(CLEAR, end="", file=sys.stderr, flush=True)
