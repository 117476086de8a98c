"""One's own account: password, one-time codes, sessions."""

import html
import re

import pyotp
import pytest

from secondpost.service.users import Role
from tests.admin.conftest import PASSWORD

NEW = "seven green umbrellas"


@pytest.fixture
async def viewer(admin):
    return await admin.signed_in(Role.VIEWER)


async def switch_on(browser):
    page = (await browser.get("/account/codes")).text
    secret = re.search(r'name="secret" value="(\w+)"', page)
    assert secret is not None
    data = {"secret": secret.group(1), "code": pyotp.TOTP(secret.group(1)).now(), "current": PASSWORD}
    return secret.group(1), await browser.post("/account/codes", data=data)


async def test_a_password_is_changed_and_every_other_session_ends(admin, viewer):
    other = await admin.signed_in(Role.VIEWER)
    data = {"current": PASSWORD, "password": NEW, "again": NEW}
    assert (await viewer.post("/account/password", data=data)).status_code == 303
    assert (await viewer.get("/account")).status_code == 200
    assert (await other.get("/account")).status_code == 303
    users = admin.operations.users
    assert await users.sign_in("viewer@example.com", PASSWORD, "") is None
    assert await users.sign_in("viewer@example.com", NEW, "") is not None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"current": "wrong", "password": NEW, "again": NEW}, "not your password"),
        ({"current": PASSWORD, "password": NEW, "again": NEW + "x"}, "differ"),
        ({"current": PASSWORD, "password": "short", "again": "short"}, "12 to 256"),
        ({}, "not your password"),
    ],
)
async def test_a_mistake_changes_no_password(admin, viewer, data, told):
    page = await viewer.post("/account/password", data=data)
    assert page.status_code == 422
    assert told in page.text
    assert await admin.operations.users.sign_in("viewer@example.com", PASSWORD, "") is not None


async def test_who_guesses_the_password_at_an_open_browser_has_to_wait(viewer):
    wrong = {"current": "wrong", "password": NEW, "again": NEW}
    for _ in range(5):
        assert "not your password" in (await viewer.post("/account/password", data=wrong)).text
    right = {"current": PASSWORD, "password": NEW, "again": NEW}
    assert "Too many failed tries" in (await viewer.post("/account/password", data=right)).text


async def test_one_time_codes_are_switched_on_with_a_picture_and_off_with_the_password(admin, viewer):
    page = (await viewer.get("/account/codes")).text
    assert 'src="data:image/svg+xml' in page
    other = await admin.signed_in(Role.VIEWER)
    secret, done = await switch_on(viewer)
    assert "One-time codes are switched on." in done.text
    recovery = re.findall(r"^[0-9a-f]{10}$|(?<=>)[0-9a-f]{10}|[0-9a-f]{10}(?=<)", done.text, re.MULTILINE)
    assert len(recovery) == 8
    assert (await other.get("/account")).status_code == 303
    users = admin.operations.users
    assert await users.sign_in("viewer@example.com", PASSWORD, "") is None
    assert await users.sign_in("viewer@example.com", PASSWORD, recovery[0]) is not None
    shown = (await viewer.get("/account")).text
    assert "7 recovery codes" in shown
    assert secret not in shown
    assert "not your password" in (await viewer.post("/account/codes/off", data={"current": "wrong"})).text
    assert await users.sign_in("viewer@example.com", PASSWORD, "") is None
    await viewer.post("/account/codes/off", data={"current": PASSWORD})
    assert await users.sign_in("viewer@example.com", PASSWORD, "") is not None


async def test_the_picture_says_what_a_device_needs():
    from secondpost.admin.pages.account import picture

    assert picture("A" * 32, "ada@example.com").startswith("data:image/svg+xml")
    assert picture("A" * 32, "ada@example.com") != picture("B" * 32, "ada@example.com")


@pytest.mark.parametrize(
    ("change", "told"), [({"code": "000000"}, "not the code"), ({"current": "wrong"}, "not your password")]
)
async def test_a_wrong_code_or_password_switches_nothing_on(admin, viewer, change, told):
    secret = pyotp.random_base32()
    data = {"secret": secret, "code": pyotp.TOTP(secret).now(), "current": PASSWORD} | change
    page = await viewer.post("/account/codes", data=data)
    assert page.status_code == 422
    assert told in html.unescape(page.text)
    assert secret in page.text  # the device has it already
    assert (await admin.operations.users.known("viewer@example.com")).totp == ""


async def test_a_weak_secret_is_not_taken(admin, viewer):
    weak = "A" * 24
    data = {"secret": weak, "code": pyotp.TOTP(weak).now(), "current": PASSWORD}
    assert f'value="{weak}"' not in (await viewer.post("/account/codes", data=data)).text
    assert (await admin.operations.users.known("viewer@example.com")).totp == ""


async def test_sessions_are_ended_ones_own_and_no_others(admin, viewer):
    other, owner = await admin.signed_in(Role.VIEWER), await admin.signed_in(Role.OWNER)
    (theirs,) = await admin.operations.sessions.all("owner@example.com")
    assert (await viewer.post("/account/sessions", data={"id": theirs.id})).status_code == 400
    assert (await owner.get("/account")).status_code == 200
    await viewer.post("/account/sessions")
    assert (await other.get("/account")).status_code == 303
    assert (await viewer.get("/account")).status_code == 200
