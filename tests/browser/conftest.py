"""A real Chromium in front of the real gateway, used as a person would: by what is written on the page.

Rule: the browser is the system's (`./dev setup`); without it these tests are skipped, and with CI=true they fail.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.gateway import Gateway

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
ME, PASSWORD = "ada@example.com", "quiet harbor lantern"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not longer than a module: the driver has an event loop of its own, beside which no other can run."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium: ./dev setup installs it")
        pytest.skip("no Chromium: ./dev setup installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """`visit(gateway)` opens the web admin in a new browser; whatever a page logs as an error fails the test."""
    errors: list[str] = []
    pages: list[Page] = []

    def note(message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            errors.append(message.text)

    def open_(gateway: Gateway, **options: Any) -> Page:
        context = browser.new_context(base_url=f"http://127.0.0.1:{gateway.http_port}", **options)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        pages.append(page)
        return page

    yield open_
    for page in pages:
        page.context.close()
    assert errors == []


def set_up(page: Page, gateway: Gateway) -> None:
    """Make the owner's account by the single-use link."""
    link = gateway.ask("setup_url")[1]["url"]
    page.goto(link[link.index("/join/") :])
    page.get_by_label("Email Address").fill(ME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, again").fill(PASSWORD)
    page.get_by_role("button", name="Create Account").click()
