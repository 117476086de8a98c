"""Every page can be used by everybody: axe-core finds nothing, in light and dark, and 360 pixels are wide enough.

Light and dark differ in colors and in nothing else (see admin.css), so of dark pages only these are looked at.
"""

import os
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import ME, PASSWORD, set_up
from tests.gateway import Gateway

PATHS = [
    "/dashboard",
    "/reports",
    "/reports?days=30&by=domain",
    "/queue",
    "/inbox",
    "/unclear",
    "/settings/general", "/settings/connections", "/settings/connections/new", "/settings/connections/{name}",
    "/settings/connections/{name}/delete", "/tools/email-test", "/join/nothing",
    "/account", "/account/codes", "/settings/access", "/settings/access/user?email=ada@example.com",
    "/settings/access/user/remove?email=ada@example.com", "/settings/access/audit",
    "/settings/access/revoke?kind=credential&name=shop",
    "/settings/routing", "/settings/routing/new", "/settings/routing/{route}", "/settings/routing/{route}/delete",
    "/settings/routing/try", "/wizard", "/wizard/connection?mailer=smtp", "/wizard/backup", "/wizard/test",
    "/wizard/done", "/settings/controls", "/settings/controls/new", "/settings/misc",
    "/tools/drill",
    "/tools/domain-check",
    "/tools/export",
    "/tools/events",
]  # fmt: skip
AXE = Axe()
ALL = {"resultTypes": ["violations"]}
COLORS = ALL | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
SHOTS = os.environ.get("SCREENSHOTS")  # a folder: pictures of every page are put there, to be looked at


def test_every_page_is_accessible_and_narrow(tmp_path, primary, backup, visit):
    with Gateway(tmp_path, primary=primary) as gateway:
        gateway.ask(
            "connections_add",
            name="second",
            mailer="smtp",
            nickname="Second",
            host="127.0.0.1",
            encryption="none",
            port=backup.port,
        )
        gateway.ask("connections_verify", name="second")
        gateway.ask("backup_set", name="second")
        gateway.ask("credentials_add", name="shop", senders=["@example.com"], per_minute=60)
        gateway.ask("keys_add", name="reports", scopes=["read-all"])
        gateway.ask("drill", to="ada@example.com")
        page = visit(gateway, viewport={"width": 1280, "height": 800})
        page.goto("/sign-in")
        look(page, "sign-in")
        set_up(page, gateway)
        route = _make_route(page)
        for path in PATHS:
            page.goto(path.format(name="second", route=route))
            look(page, path.replace("{route}", "route"))
        page.goto("/settings/routing/try")
        page.get_by_label("A message, or its header").fill("Subject: Your invoice\nTo: anna@example.com")
        page.get_by_role("button", name="Try it").click()
        page.get_by_text("matches, and decides").wait_for()
        look(page, "tried")
        page.goto("/settings/connections/new")
        page.get_by_role("button", name="Save Settings").click()
        page.get_by_text("Nothing was saved.").wait_for()
        look(page, "mistake")
        page.goto("/tools/domain-check")
        page.get_by_label("Domain").fill("shop.test")
        page.get_by_role("button", name="Check", exact=True).click()
        page.get_by_role("heading", name="Second (Other SMTP)").wait_for()
        look(page, "domain-checked")
        page.goto("/tools/email-test")
        page.get_by_role("button", name="Send Email").click()
        page.get_by_text("Success!").wait_for()
        look(page, "tested")
        page.keyboard.press("?")
        page.get_by_role("dialog", name="Keyboard").wait_for()
        assert AXE.run(page).violations_count == 0
        page.get_by_role("button", name="Close").click()


def test_what_only_a_color_tells_is_seen_where_the_system_chooses_the_colors(tmp_path, visit):
    with Gateway(tmp_path) as gateway:
        page = visit(gateway, forced_colors="active", reduced_motion="reduce")
        set_up(page, gateway)
        page.goto("/settings/connections/new")
        color = "one => getComputedStyle(one).backgroundColor"
        on, off = page.get_by_label("Force From Email"), page.get_by_label("Force From Name")
        assert on.evaluate(color) != off.evaluate(color)
        assert on.evaluate("one => getComputedStyle(one).transitionDuration") == "0s"


def test_who_was_signed_out_comes_back_to_where_they_were(tmp_path, visit):
    with Gateway(tmp_path) as gateway:
        page = visit(gateway)
        set_up(page, gateway)
        page.goto("/settings/log")
        page.context.clear_cookies()
        page.get_by_role("button", name="Save Settings").click()
        page.get_by_text("You were signed out meanwhile. Nothing was changed.").wait_for()
        page.get_by_label("Email Address").fill(ME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Save Settings").click()
        page.get_by_text("Settings were successfully saved.").wait_for()


def test_a_button_that_is_pressed_twice_sends_once(tmp_path, primary, visit):
    with Gateway(tmp_path, primary=primary) as gateway:
        page = visit(gateway)
        set_up(page, gateway)
        page.goto("/tools/email-test")
        page.get_by_role("button", name="Send Email").dblclick()
        page.get_by_text("Success!").wait_for()
        assert len(primary.mail) == 1


def _make_route(page):
    """A route with two groups and a rule that is wrong at first; its id."""
    page.goto("/settings/routing/new")
    page.get_by_label("Name").fill("Invoices")
    page.get_by_role("button", name="Save Settings").last.click()
    page.get_by_text("Give a value to compare with").wait_for()
    page.get_by_label("Value").fill("invoice")
    page.get_by_role("button", name="Add New Group").click()
    page.get_by_label("Value").nth(1).fill("bill")
    page.get_by_role("button", name="Save Settings").last.click()
    link = page.get_by_role("link", name="Edit Invoices").get_attribute("href")
    return link.rpartition("/")[2]


def look(page, name):
    """Nothing is too wide, and axe-core finds nothing."""
    for width in (390, 1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} at {width}"
        if SHOTS and width != 360:
            page.screenshot(path=Path(SHOTS) / f"{name.strip('/').replace('/', '-')}-{width}.png", full_page=True)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360, f"{name}, all of it open"
    page.set_viewport_size({"width": 1280, "height": 800})
    for scheme, rules in (("dark", COLORS), ("light", ALL)):
        page.emulate_media(color_scheme=scheme)
        found = AXE.run(page, options=rules)
        assert found.violations_count == 0, f"{name}, {scheme}: {found.generate_report()}"
