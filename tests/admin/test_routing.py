"""Smart Routing by its form alone: rows come and go by buttons, what was typed stays, and nothing wrong is kept."""

import re
from typing import Any

import pytest

from secondpost.service.users import Role

ROW = {"property.0": "subject", "operator.0": "contains", "value.0": "invoice"}
ROUTE = {"name": "Invoices", "action": "send", "connection": "inbox", "enabled": "on", "do": "save", **ROW}
LETTER = {"sender": "shop@example.com", "to": ["a@example.net"], "text": "hi"}


@pytest.fixture
async def browser(admin):
    return await admin.signed_in(Role.ADMIN)


@pytest.fixture
def routes(admin):
    return admin.operations.connections.routes


async def post(browser, path="/new", **fields: Any):
    return await browser.post(f"/settings/routing{path}", data={**ROUTE, **fields})


def values(page: str) -> list[str]:
    return re.findall(r'name="value\.\d+" value="(.*?)"', page)


async def test_a_route_is_added_listed_and_put_to_work(browser, routes, admin):
    assert (await post(browser, priority="urgent")).status_code == 303
    (row,) = routes.show()
    assert (row["name"], row["connection"], row["priority"]) == ("Invoices", "inbox", "urgent")
    page = (await browser.get("/settings/routing")).text
    assert "Skipped: Smart Routing is not enabled" in page
    await browser.post("/settings/routing", data={"enabled": "on"})
    assert "Skipped" not in (await browser.get("/settings/routing")).text
    assert [rule.name for rule in admin.operations.connections.desk.rules] == ["Invoices"]
    told = await admin.audit()
    assert any("kept the route Invoices" in text for text in told)


async def test_rows_and_groups_come_and_go_and_what_was_typed_stays(browser, routes):
    page = (await post(browser, do="and.0")).text
    assert values(page) == ["invoice", ""]
    two = [("property.0", "subject"), ("operator.0", "is"), ("value.0", "a"),
           ("property.0", "to"), ("operator.0", "is"), ("value.0", "b")]  # fmt: skip
    page = (await browser.post("/settings/routing/new", data=[("name", "Kept"), *two, ("do", "group")])).text
    assert values(page) == ["a", "b", ""]
    assert 'name="value.1" value=""' in page
    assert 'value="Kept"' in page
    page = (await browser.post("/settings/routing/new", data=[*two, ("do", "remove.0.0")])).text
    assert values(page) == ["b"]
    assert values((await post(browser, do="remove.0.0")).text) == []
    assert routes.show() == []


@pytest.mark.parametrize(
    "button",
    ["and.9", "remove.0.9", "remove.x", "remove.0.0.0", "and." + "9" * 5000],
    ids=["beyond", "row_beyond", "no_number", "too_many", "endless"],
)
async def test_a_button_that_does_not_fit_the_form_saves_nothing(browser, routes, button):
    assert (await post(browser, do=button)).status_code == 200
    assert routes.show() == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "needs a name"),
        ({"value.0": ""}, "Give a value to compare with"),
        ({"property.0": "recipient_count", "operator.0": "is", "value.0": "many"}, "is a number"),
        ({"property.0": "recipient_count", "operator.0": "contains", "value.0": "3"}, "cannot be asked with"),
        ({"property.0": "nothing"}, "unknown property"),
        ({"operator.0": "matches_regex", "value.0": "("}, "cannot be used"),
        ({"connection": "gone"}, "no connection"),
        ({"backups": "gone"}, "no connection"),
        ({"priority": "soon"}, "soon"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_told_and_nothing_is_kept(browser, routes, fields, words):
    answer = await post(browser, **fields)
    assert answer.status_code == 422
    assert "Nothing was saved." in answer.text
    assert words in answer.text
    assert routes.show() == []


async def test_a_route_can_block_and_then_sets_no_connection(browser, routes):
    await post(browser, action="block")
    (row,) = routes.show()
    assert row["block"]
    assert "connection" not in row


async def test_a_route_is_edited_moved_switched_and_deleted_after_being_asked(browser, routes):
    await post(browser)
    await post(browser, name="Second")
    first, _ = routes.kept
    assert values((await browser.get(f"/settings/routing/{first}")).text) == ["invoice"]
    await post(browser, f"/{first}", name="Bills")
    await post(browser, f"/{first}/move", to="down")
    await post(browser, f"/{first}/switch")
    assert [(row["name"], row["enabled"]) for row in routes.show()] == [("Second", True), ("Bills", False)]
    assert "Delete the route Bills?" in (await browser.get(f"/settings/routing/{first}/delete")).text
    await post(browser, f"/{first}/delete")
    assert [row["name"] for row in routes.show()] == ["Second"]
    assert (await browser.get(f"/settings/routing/{first}")).status_code == 400


async def test_a_pasted_message_is_explained_rule_by_rule(browser):
    await post(browser, **{"value.0": "<b>bill"})
    page = (await browser.post("/settings/routing/try", data={"message": "Subject: your <b>bill"})).text
    assert "The route “Invoices” decides." in page
    assert "Smart Routing is not enabled." in page
    assert "<b>bill" not in page
    page = (await browser.post("/settings/routing/try", data={"message": "Subject: order"})).text
    assert "No route matches: it uses the Primary Connection." in page
    assert (await browser.post("/settings/routing/try", data={"message": " "})).status_code == 400


async def test_a_message_of_the_log_is_explained_and_the_look_at_it_recorded(browser, admin):
    await post(browser)
    sent = await admin.operations.send(subject="your invoice", **LETTER)
    page = (await browser.get("/settings/routing/try")).text
    assert f'value="{sent["id"]}"' in page
    page = (await browser.post("/settings/routing/try", data={"picked": sent["id"]})).text
    assert "The route “Invoices” decides." in page
    assert any(f"looked at message {sent['id']}" in text for text in await admin.audit())
    for odd in ("nonsense", "0000000000001"):
        assert (await browser.post("/settings/routing/try", data={"picked": odd})).status_code == 400


async def test_a_draft_is_replayed_over_the_log_before_it_is_kept(browser, routes, admin):
    for subject in ("invoice 1", "order", "invoice 2"):
        await admin.operations.send(subject=subject, **LETTER)
    page = (await post(browser, do="replay", action="block")).text
    assert "2 messages of the last 3 messages would move" in page
    assert routes.show() == []
    await post(browser, action="block")
    page = (await browser.post("/settings/routing/try", data={"do": "replay"})).text
    assert "2 messages of the last 3 messages would move" in page
