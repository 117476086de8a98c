"""Email Controls and Misc by their forms."""

import pytest

from secondpost.service.users import Role

RULE = {
    "name": "No invoices", "property.0": "subject", "operator.0": "contains", "value.0": "invoice", "enabled": "on",
    "do": "save",
}  # fmt: skip


@pytest.fixture
async def browser(admin):
    return await admin.signed_in(Role.ADMIN)


async def test_a_rule_is_built_and_blocks_at_once_without_smart_routing(admin, browser):
    assert "nothing is blocked" in (await browser.get("/settings/controls")).text
    page = (await browser.post("/settings/controls/new", data={**RULE, "do": "and.0"})).text
    assert "Block mail if the following conditions are met" in page
    assert 'name="connection"' not in page
    answer = await browser.post("/settings/controls/new", data=RULE)
    assert answer.headers["location"] == "/settings/controls"
    sent = await admin.operations.send(sender="shop@example.com", to=["a@example.net"], subject="invoice", text="hi")
    assert (await admin.operations.log_show(sent["id"]))["deliveries"][0]["reason"] == "blocked by the rule No invoices"
    assert admin.operations.connections.routes.show() == []


async def test_a_rule_is_replayed_edited_switched_off_and_deleted(admin, browser):
    await admin.operations.send(sender="shop@example.com", to=["a@example.net"], subject="invoice", text="hi")
    page = (await browser.post("/settings/controls/new", data={**RULE, "do": "replay"})).text
    assert "1 message of the last 1 message would move" in page
    await browser.post("/settings/controls/new", data=RULE)
    (id,) = admin.operations.misc.controls.kept
    await browser.post(f"/settings/controls/{id}", data={**RULE, "name": "No bills"})
    await browser.post(f"/settings/controls/{id}/switch")
    assert "Skipped: it is switched off" in (await browser.get("/settings/controls")).text
    assert "Delete the rule No bills?" in (await browser.get(f"/settings/controls/{id}/delete")).text
    await browser.post(f"/settings/controls/{id}/delete")
    assert admin.operations.misc.controls.show() == []


async def test_do_not_send_is_switched_on_and_off(admin, browser):
    await browser.post("/settings/misc", data={"do_not_send": "on"})
    assert admin.operations.connections.desk.do_not_send
    assert " checked" in (await browser.get("/settings/misc")).text
    await browser.post("/settings/misc", data={})
    assert not admin.operations.connections.desk.do_not_send
    assert [text.rpartition(": ")[2] for text in await admin.audit()][:2] == [
        "switched Do Not Send off",
        "switched Do Not Send on",
    ]
