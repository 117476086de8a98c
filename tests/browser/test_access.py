"""People and programs are let in by what is written on the page, with script and without."""

import re

import pyotp
import pytest

from tests.browser.conftest import ME, PASSWORD, set_up
from tests.gateway import Gateway


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_colleague_is_invited_and_sees_what_the_role_allows(script, tmp_path, visit):
    with Gateway(tmp_path) as gateway:
        page = visit(gateway, java_script_enabled=script)
        set_up(page, gateway)
        page.goto("/settings/access")
        page.get_by_text("Add a user").click()
        page.get_by_label("Email Address").fill("ben@example.com")
        page.get_by_label("Role").select_option("Operator")
        page.get_by_role("button", name="Add User").click()
        link = page.get_by_role("status").locator("code").inner_text()

        other = visit(gateway, java_script_enabled=script)
        other.goto(link[link.index("/join/") :])
        other.get_by_label("Password", exact=True).fill(PASSWORD)
        other.get_by_label("Password, again").fill(PASSWORD)
        other.get_by_role("button", name="Save Password").click()
        other.get_by_role("link", name="Tools").wait_for()
        assert other.get_by_role("link", name="Settings").count() == 0

        page.goto("/settings/access")
        page.get_by_role("link", name="Edit ben@example.com").click()
        page.get_by_role("link", name="Remove ben@example.com").click()
        page.get_by_role("button", name="Remove ben@example.com").click()
        page.get_by_text("ben@example.com was removed.").wait_for()
        other.reload()
        other.get_by_role("button", name="Sign in").wait_for()


def test_one_time_codes_are_switched_on_and_asked_for(tmp_path, visit):
    with Gateway(tmp_path) as gateway:
        page = visit(gateway)
        set_up(page, gateway)
        page.get_by_role("link", name=ME).click()
        page.get_by_role("link", name="Switch One-time Codes On").click()
        picture = page.get_by_role("img", name="QR code")
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
        secret = page.locator(".once code").inner_text()
        page.get_by_label("One-time Code").fill(pyotp.TOTP(secret).now())
        page.get_by_label("Your Password").fill(PASSWORD)
        page.get_by_role("button", name="Switch On").click()
        recovery = page.get_by_label("Recovery codes").inner_text().split()
        assert all(re.fullmatch(r"[0-9a-f]{10}", code) for code in recovery)
        page.get_by_role("button", name="Sign out").click()

        for code in ("", recovery[0]):
            page.get_by_label("Email Address").fill(ME)
            page.get_by_label("Password", exact=True).fill(PASSWORD)
            if not page.get_by_label("One-time code").is_visible():
                page.get_by_text("I use one-time codes").click()
            page.get_by_label("One-time code").fill(code)
            page.get_by_role("button", name="Sign in").click()
            page.get_by_text("is wrong" if not code else "Sign out").wait_for()
