"""The Setup Wizard by its forms alone: when it is offered, what each step keeps, and what it refuses."""

import asyncio

import pytest

from secondpost.admin.snippets import snippets
from secondpost.service.users import Role

SMTP = {"mailer": "smtp", "smtp.host": "127.0.0.1", "smtp.port": "1", "smtp.encryption": "none"}


@pytest.fixture
async def browser(admin):
    return await admin.signed_in(Role.ADMIN)


@pytest.fixture
def connections(admin):
    return admin.operations.connections


async def where(browser, path="/"):
    return (await browser.get(path)).headers["location"]


async def test_it_is_offered_while_nothing_is_configured_and_not_once_it_was_left(admin, browser):
    assert await where(browser) == "/wizard"
    assert "/wizard" not in await where(await admin.signed_in(Role.OPERATOR))
    await browser.post("/wizard/leave")
    assert await where(browser) != "/wizard"
    assert 'href="/wizard"' in (await browser.get("/settings/general")).text


async def test_it_is_not_offered_where_something_is_configured(browser, connections):
    await connections.add("main", mailer="capture")
    assert await where(browser) != "/wizard"


async def test_a_connection_that_does_not_answer_is_told_stage_by_stage_and_not_kept(browser, connections):
    answer = await browser.post("/wizard/connection", data={"role": "primary", **SMTP, "smtp.password": "canary"})
    assert answer.status_code == 422
    assert "127.0.0.1 port 1 refused the connection" in answer.text
    assert '<li class="yes"><strong>DNS</strong>' in answer.text
    assert '<li class="no"><strong>TCP</strong>' in answer.text
    assert "canary" not in answer.text
    assert connections.kept == {}


async def test_it_is_kept_although_signing_in_failed_when_that_is_wanted(browser, connections):
    answer = await browser.post("/wizard/connection", data={"role": "primary", **SMTP, "anyway": "on"})
    assert answer.headers["location"] == "/wizard/checked?role=primary"
    assert connections.desk.primary in connections.kept
    assert "kept, although signing in failed" in (await browser.get("/wizard/checked?role=primary")).text


@pytest.mark.parametrize(
    ("fields", "words"), [({"smtp.port": "many"}, "Must be a whole number"), ({"smtp.host": ""}, "has no SMTP Host")]
)
async def test_a_mistake_is_told_and_nothing_is_kept(browser, connections, fields, words):
    answer = await browser.post("/wizard/connection", data={"role": "primary", **SMTP, **fields})
    assert answer.status_code == 422
    assert words in answer.text
    assert connections.kept == {}


@pytest.mark.parametrize("path", ["/wizard/connection?mailer=nothing", "/wizard/connection"])
async def test_a_mailer_that_is_not_there_is_refused(browser, path):
    assert (await browser.get(path)).status_code == 400


async def test_a_step_is_taken_twice_and_makes_no_second_connection(browser, connections):
    for nickname in ("Second", "Other"):
        for role in ("primary", "backup"):
            await browser.post("/wizard/connection", data={"role": role, "mailer": "capture", "nickname": nickname})
    assert len(connections.kept) == 2
    assert connections.known(connections.desk.backup).nickname == "Other"


async def test_the_from_is_kept_and_checked(browser, connections):
    assert await where(browser, "/wizard/from") == "/wizard/backup"
    await browser.post("/wizard/connection", data={"role": "primary", "mailer": "capture"})
    answer = await browser.post("/wizard/from", data={"from_email": "no address"})
    assert answer.status_code == 422
    assert "Must be one address" in answer.text
    form = {"from_email": "shop@example.com", "force_from_email": "on", "from_name": "Shop"}
    assert (await browser.post("/wizard/from", data=form)).headers["location"] == "/wizard/backup"
    sender = connections.known(connections.desk.primary).sender
    assert (sender.email, sender.force_email, sender.name, sender.return_path) == (
        "shop@example.com", True, "Shop", False,
    )  # fmt: skip


async def test_an_additional_connection_that_is_there_can_be_the_backup(browser, connections):
    await connections.add("main", mailer="capture")
    await connections.add("second", mailer="capture")
    assert '<option value="second"' in (await browser.get("/wizard/backup")).text
    await browser.post("/wizard/backup", data={"backup": "second"})
    assert connections.backup()["backup"] == "second"


async def test_the_test_goes_by_both_and_a_bad_address_is_told(browser, connections):
    await connections.add("main", mailer="capture")
    await connections.add("second", mailer="capture")
    await connections.set_backup("second")
    page = (await browser.post("/wizard/test", data={"to": "ada@example.com"})).text
    assert page.count("Success! Accepted by") == 2
    assert (await browser.post("/wizard/test", data={"to": "nobody"})).status_code == 422


async def test_it_waits_for_the_first_message_of_an_app_and_no_other(admin, browser):
    await admin.operations.email_test("ada@example.com")
    assert "Waiting for your first message" in (await browser.get("/wizard/done")).text
    assert (await browser.get("/wizard/first")).text == ""
    draft = {"sender": "shop@example.com", "recipients": ("a@example.net",), "content": b"Subject: Hello\r\n\r\nhi\r\n"}
    await admin.submit(entrypoint="smtp", **draft)
    await asyncio.sleep(0)
    assert (await browser.get("/wizard/first")).text == "yes"
    page = (await browser.get("/wizard/done")).text
    assert "Your first message is here" in page
    assert "<q>Hello</q> came by smtp" in page


def test_each_snippet_names_where_to_send_and_leaves_no_gap():
    told = snippets(host="127.0.0.1", port=2525, sender="shop@example.com", to="ada@example.com")
    assert list(told) == ["WordPress", "PHP", "Django", "Flask", "FastAPI", "Node", "curl", "sendmail", "Postfix"]
    for name, text in told.items():
        assert not {"@HOST@", "@PORT@", "@FROM@", "@TO@"} & set(text.split("'")), name
        assert "@HOST" not in text
        assert ("2525" in text) is (name not in {"PHP", "sendmail"}), name
