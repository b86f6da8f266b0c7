"""The machine's own Chromium for the tests that look at pages: what it logs and what it asks for is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A sandbox of Chromium's own needs rights that a container's root does not have.
ARGUMENTS = ["--no-sandbox"] if os.geteuid() == 0 else []


@dataclass
class Tab:
    """One open page, and what it said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def status(self) -> str:
        """How much is shown."""
        return str(self.page.inner_text("#status"))

    def column(self, name: str) -> list[str]:
        """What the rows show in one column, first lines only."""
        return [text.split("\n")[0] for text in self.page.locator(f"#rows .row .c-{name}").all_inner_texts()]

    def at(self, address: str) -> None:
        """Follow a link within the page."""
        self.page.evaluate(
            "address => new Promise(done => {addEventListener('hashchange', () => setTimeout(done), {once: true}); "
            "location.hash = address})",
            address,
        )


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser; skips where there is none."""
    from playwright.sync_api import sync_playwright

    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine: on Debian, apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tab(browser: Any, path: Path, address: str = "", **settings: Any) -> Iterator[Tab]:
    """A page in a browser that is offline, ready to be used."""
    context = browser.new_context(offline=True, locale="en-US", timezone_id="Asia/Tokyo", **settings)
    try:
        opened = Tab(context.new_page())
        opened.page.on("console", lambda message: opened.said.append(message.text))
        opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.page.on("request", lambda request: opened.asked.append(request.url))
        opened.page.goto(path.as_uri() + address)
        opened.page.wait_for_selector("body[data-ready]")
        yield opened
        assert opened.said == []
        assert [url.split("#")[0] for url in opened.asked if not url.startswith("blob:")] == [path.as_uri()]
    finally:
        context.close()
