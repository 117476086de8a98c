"""Pictures of the web admin for these pages: `.venv/bin/python docs/pictures.py` makes docs/pictures anew.

A gateway between two local providers has carried a morning's mail, and its primary failed for a while.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import CHROMIUM, FLAGS, ME, PASSWORD, set_up  # noqa: E402  # the tests are no installed package
from tests.gateway import Gateway  # noqa: E402
from tests.provider import Provider, hang_up, wait_until  # noqa: E402

FOLDER = ROOT / "docs" / "pictures"
SUBJECTS = ("Your order {}", "Your invoice {}", "Reset your password", "A question about order {}", "Welcome, Anna")
PAGES = {
    "dashboard": "/dashboard",
    "log": "/log",
    "queue": "/queue",
    "unclear": "/unclear",
    "inbox": "/inbox",
    "reports": "/reports",
    "general": "/settings/general",
    "connections": "/settings/connections",
    "log-settings": "/settings/log",
    "controls": "/settings/controls",
    "routing": "/settings/routing",
    "access": "/settings/access",
    "misc": "/settings/misc",
    "email-test": "/tools/email-test",
    "drill": "/tools/drill",
    "export": "/tools/export",
    "events": "/tools/events",
    "domain-check": "/tools/domain-check",
    "wizard": "/wizard",
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Provider() as primary,
        Provider() as backup,
        Gateway(Path(folder), settings={"smtp": {"hostname": "mail.shop.example"}}) as gateway,
        sync_playwright() as playwright,
    ):
        connect(gateway, primary, backup)
        morning(gateway, primary)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for scheme in ("light", "dark"):
            address = f"http://127.0.0.1:{gateway.http_port}"
            take(browser.new_context(base_url=address, color_scheme=scheme, locale="en-US").new_page(), gateway, scheme)
        browser.close()


def connect(gateway: Gateway, primary: Provider, backup: Provider) -> None:
    for name, nickname, provider in (("main", "Main", primary), ("second", "Second", backup)):
        settings = {key: value for key, value in provider.connection().items() if key not in ("nickname", "timeouts")}
        gateway.ask("connections_add", name=name, nickname=nickname, from_email="shop@shop.example", **settings)
        gateway.ask("connections_verify", name=name)
    gateway.ask("backup_set", name="second")
    gateway.ask("credentials_add", name="shop", senders=["@shop.example"], per_minute=60)
    gateway.ask("keys_add", name="reports", scopes=["read-all"])


def morning(gateway: Gateway, primary: Provider) -> None:
    send(gateway, range(40))
    primary.refuse()
    send(gateway, range(40, 60))
    primary.heal()
    wait_until(lambda: "open" not in [row["state"] for row in gateway.ask("connections_list")[1]], 60)
    send(gateway, range(60, 75))
    primary.on("taken", hang_up)
    send(gateway, range(75, 76))
    gateway.ask("drill", to="ada@example.com")


def send(gateway: Gateway, numbers: range) -> None:
    for number in numbers:
        gateway.send(mark=SUBJECTS[number % len(SUBJECTS)].format(1000 + number))
    wait_until(lambda: gateway.ask("queue")[1]["waiting"] == 0, 60, gateway.report)


def take(page: Page, gateway: Gateway, scheme: str) -> None:
    if scheme == "light":
        set_up(page, gateway)
    else:
        sign_in(page)
    page.goto("/log")
    message = page.locator(".log .title").nth(30).get_attribute("href") or "/log"
    for name, path in (PAGES | {"message": message}).items():
        if scheme == "dark" and name not in ("dashboard", "message"):
            continue
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(path)
            page.screenshot(path=FOLDER / f"{name}-{scheme}-{width}.jpg", type="jpeg", quality=80)


def sign_in(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("Email Address").fill(ME)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


if __name__ == "__main__":
    main()
