"""The dashboard as a page, and how it keeps itself fresh."""

import asyncio
import json
from contextlib import AsyncExitStack

import aiohttp
import pytest

from secondpost.admin.pages import dashboard
from secondpost.service.users import Role


@pytest.fixture
async def watch(admin, monkeypatch):
    """Opens the stream as a browser does."""
    monkeypatch.setattr(dashboard, "PACE", 0.05)
    async with aiohttp.ClientSession() as http, AsyncExitStack() as opened:

        async def open_(browser):
            headers = {"Cookie": f"secondpost={browser.cookies['secondpost']}", "Sec-Fetch-Site": "same-origin"}
            return await opened.enter_async_context(http.get(f"{admin.us}/dashboard/live", headers=headers))

        yield open_


async def next_part(stream) -> str:
    async with asyncio.timeout(10):
        while line := await stream.content.readline():
            if line.startswith(b"data: "):
                return str(json.loads(line[6:]))
    return ""


async def test_a_person_lands_on_it(admin):
    browser = await admin.signed_in(Role.VIEWER)
    assert (await browser.get("/")).headers["location"] == "/dashboard"


async def test_with_nothing_set_up_it_says_that_nothing_is_sent(admin):
    page = await (await admin.signed_in(Role.VIEWER)).get("/dashboard")
    assert "All mail is kept in the Inbox" in page.text
    assert "No mail in the last 24 hours." in page.text


async def test_it_offers_only_what_its_reader_may_open(admin):
    await admin.operations.send(sender="a@example.com", to=["b@example.com"], subject="x", text="y")
    viewer = await (await admin.signed_in(Role.VIEWER)).get("/dashboard")
    owner = await (await admin.signed_in(Role.OWNER)).get("/dashboard")
    assert "/tools/email-test" not in viewer.text
    assert "/tools/email-test" in owner.text


async def test_what_changes_is_sent_to_the_page_and_what_does_not_is_not(admin, watch):
    browser = await admin.signed_in(Role.VIEWER)
    stream = await watch(browser)
    assert stream.content_type == "text/event-stream"
    assert "All mail is kept in the Inbox" in await next_part(stream)
    admin.operations.connections.desk.do_not_send = True
    assert "Do Not Send is switched on" in await next_part(stream)


async def test_it_ends_with_the_session_and_watching_does_not_prolong_it(admin, watch):
    browser = await admin.signed_in(Role.VIEWER)
    (session,) = await admin.operations.sessions.all()
    stream = await watch(browser)
    await next_part(stream)
    await asyncio.sleep(0.2)
    assert (await admin.operations.sessions.all())[0].seen == session.seen
    await admin.operations.sessions.end(session.id)
    assert await next_part(stream) == ""
    assert (await watch(browser)).url.path == "/sign-in"


async def test_it_ends_when_the_gateway_stops(admin, watch):
    browser = await admin.signed_in(Role.VIEWER)
    stream = await watch(browser)
    await next_part(stream)
    admin.operations.stopping.set()
    assert await next_part(stream) == ""
    assert dashboard.watching == set()


async def test_watchers_are_not_too_many(admin, watch, monkeypatch):
    monkeypatch.setattr(dashboard, "MOST", 1)
    browser = await admin.signed_in(Role.VIEWER)
    stream = await watch(browser)
    await next_part(stream)
    assert (await watch(browser)).status == 503


async def test_a_proxy_is_told_not_to_hold_it_back_and_only_who_reads_is_a_watcher(admin, watch):
    browser = await admin.signed_in(Role.VIEWER)
    assert (await watch(browser)).headers["X-Accel-Buffering"] == "no"
    before = set(dashboard.watching)
    assert (await browser.request("HEAD", "/dashboard/live")).status_code == 200
    assert dashboard.watching == before


async def test_a_drill_is_named_as_people_name_the_connection(admin):
    await admin.operations.connections_add("first-1a2b", mailer="capture", nickname="First")
    await admin.operations.connections_add("second", mailer="capture", nickname="Second")
    await admin.operations.backup_set("second")
    await admin.operations.drill_begin(5, "first-1a2b")
    page = (await (await admin.signed_in(Role.VIEWER)).get("/dashboard")).text
    assert "A drill: First (Inbox) refuses mail on purpose" in page
    await admin.operations.drill_end()
    assert (await admin.operations.drills.results())[0]["text"].startswith("First (Inbox) refused 0 messages")
