"""Additional Connections by their form: limits, time-outs, the own backup chain, and what is in use."""

import re
from datetime import timedelta
from typing import Any

import pytest

from secondpost.service.users import Role

FORM = {
    "nickname": "Second", "mailer": "smtp", "smtp.host": "127.0.0.1", "smtp.port": "1", "smtp.encryption": "none",
    "do": "save",
}  # fmt: skip


@pytest.fixture
async def browser(admin):
    return await admin.signed_in(Role.ADMIN)


@pytest.fixture
async def connections(admin):
    """Main, which is primary, and second."""
    connections = admin.operations.connections
    for name in ("main", "second"):
        await connections.add(name, mailer="smtp", host="127.0.0.1", port=1, encryption="none")
    return connections


async def save(browser, name="second", **fields: Any):
    return await browser.post(f"/settings/connections/{name}", data={**FORM, "enabled.asked": "1", **fields})


async def test_limits_time_outs_and_the_chain_are_kept_shown_and_taken_back(browser, connections):
    fields = {"limits.per_second": "5", "timeouts.command": "1m", "backups": "main", "enabled": "on"}
    assert (await save(browser, **fields)).status_code == 303
    kept = connections.known("second")
    assert (kept.limits.per_second, kept.limits.sessions) == (5, 20)
    assert kept.timeouts.command == timedelta(minutes=1)
    assert (kept.backups, kept.enabled) == (("main",), True)
    page = (await browser.get("/settings/connections/second")).text
    for shown in ('name="limits.per_second" value="5"', 'name="timeouts.command" value="1m"', "Empty: 10m."):
        assert shown in page
    await save(browser, **{"limits.per_second": "", "backups": "", "enabled": "on"})
    kept = connections.known("second")
    assert (kept.limits.per_second, kept.backups) == (None, ())


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("limits.per_second", "many", "Must be a whole number"),
        ("limits.sessions", "0", "Must be at least 1"),
        ("timeouts.connect", "soon", "Must be a span of time"),
    ],
)
async def test_a_wrong_limit_is_told_at_its_field(browser, connections, field, value, words):
    answer = await save(browser, **{field: value, "enabled": "on"})
    assert answer.status_code == 422
    assert f'id="field-{field.replace(".", "-")}-about">{words}' in answer.text
    assert f'value="{value}"' in answer.text


async def test_what_the_form_does_not_ask_stays(browser, connections):
    await save(browser, **{"limits.per_second": "5", "backups": "main", "enabled": "on"})
    await browser.post("/settings/connections/second", data=FORM)
    kept = connections.known("second")
    assert (kept.limits.per_second, kept.backups, kept.enabled) == (5, ("main",), True)


async def test_what_is_in_use_is_not_switched_off_by_its_form(browser, connections):
    await connections.set_backup("second")
    answer = await save(browser)
    assert answer.status_code == 422
    assert "It is in use (backup)" in answer.text
    assert connections.known("second").enabled


async def test_what_is_in_use_is_switched_off_or_deleted_once_it_is_said_what_takes_its_place(browser, connections):
    await connections.set_backup("second")
    page = (await browser.post("/settings/connections/second/switch")).text
    assert "It is in use: backup." in page
    assert connections.known("second").enabled
    await browser.post("/settings/connections/second/switch", data={"replacement": "none"})
    assert not connections.known("second").enabled
    assert connections.backup()["backup"] is None
    await browser.post("/settings/connections/second/switch")
    assert connections.known("second").enabled
    await browser.post("/settings/connections/main/delete", data={"replacement": "second"})
    assert connections.desk.primary == "second"


async def test_the_own_chain_of_the_primary_is_set_on_the_tab_general(browser, connections):
    form = {**FORM, "backups": "second", "limits.per_day": "1000"}
    assert (await browser.post("/settings/general", data=form)).status_code == 303
    kept = connections.known("main")
    assert (kept.backups, kept.limits.per_day, kept.enabled) == (("second",), 1000, True)


async def test_two_who_edit_the_same_do_not_undo_each_other_unawares(browser, connections):
    page = (await browser.get("/settings/connections/second")).text
    seen = re.findall(r'name="seen" value="(\w+)"', page)[0]
    await save(browser, nickname="Theirs", enabled="on")
    late = await save(browser, nickname="Mine", enabled="on", seen=seen)
    assert late.status_code == 422
    assert "It was changed meanwhile" in late.text
    assert 'value="Mine"' in late.text
    assert connections.known("second").nickname == "Theirs"
    again = re.findall(r'name="seen" value="(\w+)"', late.text)[0]
    assert (await save(browser, nickname="Mine", enabled="on", seen=again)).status_code == 303
    assert connections.known("second").nickname == "Mine"


async def test_a_backup_that_somebody_else_chose_is_not_undone_on_the_tab_general(browser, connections):
    seen = re.findall(r'name="seen" value="(\w+)"', (await browser.get("/settings/general")).text)[0]
    await connections.set_backup("second")
    answer = await browser.post("/settings/general", data={**FORM, "backup": "", "seen": seen})
    assert answer.status_code == 422
    assert connections.backup()["backup"] == "second"


async def test_a_secret_that_was_typed_to_verify_is_asked_for_again(browser, connections):
    typed = {**FORM, "do": "verify", "smtp.username": "ada", "smtp.password": "canary-typed"}
    page = (await browser.post("/settings/connections/new", data=typed)).text
    assert "Type it again" in page
    assert "canary-typed" not in page
    assert "Type it again" not in (await browser.post("/settings/connections/new", data=FORM | {"do": "verify"})).text


async def test_the_built_in_inbox_is_not_offered_as_a_backup(browser, connections):
    page = (await browser.get("/settings/general")).text
    assert 'id="backup-second"' in page
    assert 'id="backup-inbox"' not in page


# At the provider ------------------------------------------------------------------------------------------------------


async def test_the_page_shows_what_has_to_be_entered_at_the_provider(browser, admin, connections):
    await connections.add("postmark", mailer="postmark", token="t")
    assert "At the Provider" in (await browser.get("/settings/connections/postmark")).text
    shown = (await browser.post("/settings/connections/postmark/provider")).text
    assert await admin.operations.feedback.address("postmark") in shown
    assert "Sign In" not in shown


async def test_the_page_leads_to_where_a_person_signs_in(browser, connections):
    await connections.add("google", mailer="gmail", client_id="123", client_secret="canary-secret")
    shown = (await browser.post("/settings/connections/google/provider")).text
    assert 'href="https://accounts.google.com/o/oauth2/v2/auth?response_type=code&amp;client_id=123&amp;' in shown
    assert "/oauth/callback" in shown
    assert "webhooks" not in shown
    assert "canary-secret" not in shown


async def test_where_nothing_has_to_be_entered_nothing_is_offered(browser, connections):
    assert "At the Provider" not in (await browser.get("/settings/connections/second")).text
    assert "Nothing has to be entered" in (await browser.post("/settings/connections/second/provider")).text
