"""Settings as a document: nothing secret leaves unasked, and nothing wrong comes in, not even in part."""

import html
import json

import pytest

from secondpost.service.users import Role

RULE = {"name": "Invoices", "any": [{"all": [{"property": "subject", "operator": "contains", "value": "invoice"}]}]}


@pytest.fixture
async def browser(admin):
    return await admin.signed_in(Role.ADMIN)


@pytest.fixture
async def connections(admin):
    connections = admin.operations.connections
    await connections.add("main", mailer="postmark", token="canary-token")
    await connections.add("second", dsn="smtp://ada:canary-password@127.0.0.1:1")
    await connections.change("main", {**connections.kept["main"], "backups": ["second"]})
    await connections.set_backup("second")
    await connections.routes.put("", {**RULE, "connection": "second"})
    await admin.operations.misc.controls.put("", {**RULE, "block": True})
    await admin.operations.misc.limits.change({"per_day": 500})
    return connections


async def export(browser, **fields):
    return json.loads((await browser.post("/settings/misc/export", data=fields)).text)


async def bring(browser, document):
    text = document if isinstance(document, str) else json.dumps(document)
    return await browser.post("/settings/misc/import", data={"document": text})


async def test_an_export_has_no_secret_unless_it_is_asked_for(admin, browser, connections):
    plain = await export(browser)
    assert "canary" not in json.dumps(plain)
    assert plain["connections"]["second"]["host"] == "127.0.0.1"
    assert (plain["primary"], plain["backup"]) == ("main", "second")
    whole = json.dumps(await export(browser, secrets="on"))
    assert "canary-token" in whole
    assert "canary-password" in whole
    assert any("exported the settings with secrets" in text for text in await admin.audit())


async def test_limits_over_all_are_chosen_and_recorded(admin, browser):
    limits = admin.operations.misc.limits
    answer = await browser.post("/settings/misc/limits", data={"per_hour": "100", "per_day": ""})
    assert answer.headers["Location"] == "/settings/misc"
    assert limits.rates == {"per_hour": 100}
    assert 'name="per_hour" value="100"' in (await browser.get("/settings/misc")).text
    assert "messages per hour: 100" in (await admin.audit())[0]
    await browser.post("/settings/misc/limits", data={})
    assert limits.rates == {}


async def test_a_limit_that_the_file_sets_is_locked(admin, browser):
    limits = admin.operations.misc.limits
    limits.configure({"per_day": (500, "secondpost.toml")})
    text = (await browser.get("/settings/misc")).text
    assert 'name="per_day" value="500" inputmode="numeric" autocomplete="off" disabled' in text
    assert "Set by secondpost.toml; change it there." in text
    await browser.post("/settings/misc/limits", data={"per_day": "9", "per_minute": "20"})
    assert limits.rates == {"per_minute": 20, "per_day": 500}


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "9" * 30, "²"])
async def test_what_is_no_limit_is_told_and_shown_again(admin, browser, text):
    answer = await browser.post("/settings/misc/limits", data={"per_day": text, "per_hour": "5"})
    assert answer.status_code == 422
    assert "A limit is a whole number of messages, at least 1. Nothing was saved." in answer.text
    assert f'name="per_day" value="{text}"' in answer.text
    assert admin.operations.misc.limits.rates == {}


async def test_what_was_exported_comes_back_as_it_was(admin, browser, connections):
    whole = await export(browser, secrets="on")
    for id in list(connections.routes.kept):
        await connections.routes.remove(id)
    await connections.change("main", {"mailer": "capture"})
    await connections.set_backup(None)
    await admin.operations.misc.limits.change({})
    assert (await bring(browser, whole)).status_code == 303
    assert await export(browser, secrets="on") == whole


async def test_a_secret_that_the_export_lacks_stays(browser, connections):
    await bring(browser, await export(browser))
    assert connections.kept["main"]["token"] == "canary-token"


@pytest.mark.parametrize(
    "change",
    [
        "no json", [], {"secondpost": 2}, {"odd": 1}, {"connections": []}, {"connections": {"main": 1}},
        {"connections": {"third": {"mailer": "postmark"}}}, {"connections": {"third": {"mailer": "nothing"}}},
        {"connections": {"third": {"mailer": "capture", "backups": ["gone"]}}}, {"primary": "gone"}, {"primary": 1},
        {"primary": "second"}, {"smart_routing": []}, {"smart_routing": {"enabled": True, "routes": [RULE]}},
        {"email_controls": [{**RULE, "connection": "main"}]}, {"email_controls": 1}, {"limits": 1},
        {"limits": {"per_day": 0}}, {"limits": {"per_year": 1}},
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_wrong_is_refused_whole(browser, connections, change):
    before = await export(browser, secrets="on")
    new = {**before, "connections": {**before["connections"], "fresh": {"mailer": "capture"}}}
    answer = await bring(browser, new | change if isinstance(change, dict) else change)
    assert answer.status_code == 422
    assert await export(browser, secrets="on") == before


@pytest.mark.parametrize("document", ["not JSON at all", '{"secondpost": 9}'])
async def test_an_import_that_is_wrong_is_told_at_its_field_and_stays_there(browser, document):
    answer = await bring(browser, document)
    assert answer.status_code == 422
    assert 'aria-describedby="odd import-hint" aria-invalid="true"' in answer.text
    assert html.escape(document, quote=False).replace('"', "&#34;") in answer.text
