"""The Inbox: mail that was kept instead of sent."""

import asyncio

import pytest

from secondpost.service import inbox
from secondpost.service.users import Role


async def kept(admin, *subjects: str) -> None:
    """Mail that the built-in Inbox has taken."""
    for subject in subjects:
        await admin.operations.send(sender="shop@example.com", to=["ada@example.net"], subject=subject, text="secret")
    async with asyncio.timeout(10):
        while any(row["status"] != "accepted" for row in (await admin.operations.log_list())["rows"]):
            await asyncio.sleep(0.01)


async def test_an_empty_one_says_what_comes_here(admin):
    assert "Nothing was kept yet." in (await (await admin.signed_in(Role.VIEWER)).get("/inbox")).text


async def test_it_lists_what_was_kept_and_shows_no_content(admin):
    await kept(admin, "<b>Welcome</b>")
    viewer = (await (await admin.signed_in(Role.VIEWER)).get("/inbox")).text
    operator = (await (await admin.signed_in(Role.OPERATOR)).get("/inbox")).text
    assert "&lt;b&gt;Welcome&lt;/b&gt;" in viewer
    assert "secret" not in viewer + operator
    assert "/content" not in viewer
    assert "/content" in operator
    assert await admin.audit() == []


async def test_pages_go_on_by_key_and_keep_to_their_inbox(admin, monkeypatch):
    monkeypatch.setattr(inbox, "ROWS", 2)
    await kept(admin, "One", "Two", "Three")
    browser = await admin.signed_in(Role.VIEWER)
    first = (await browser.get("/inbox")).text
    link = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "connection=inbox" in link
    second = (await browser.get(link)).text
    assert ("Three" in first, "One" in first, "One" in second) == (True, False, True)


async def test_deleting_all_is_asked_first_and_recorded(admin, monkeypatch):
    monkeypatch.setattr(inbox, "BATCH", 2)
    await kept(admin, "One", "Two", "Three")
    browser = await admin.signed_in(Role.ADMIN)
    asked = await browser.post("/inbox/delete", data={"connection": "inbox"})
    assert "gone for good" in asked.text
    assert "One" in (await browser.get("/inbox")).text
    await browser.post("/inbox/delete", data={"connection": "inbox", "sure": "1"})
    assert "3 messages deleted." in (await browser.get("/inbox")).text
    assert (await admin.operations.log_list())["rows"] == []
    assert any("deleted all 3 messages of the Inbox inbox" in line for line in await admin.audit())


@pytest.mark.parametrize("name", ["nothing", "<script>"])
async def test_an_inbox_that_is_not_there_is_told_so(admin, name):
    browser = await admin.signed_in(Role.ADMIN)
    answer = await browser.get("/inbox", params={"connection": name})
    assert answer.status_code == 400
    assert "<script>" not in answer.text.partition("<main")[2]
    assert (await browser.post("/inbox/delete", data={"connection": name, "sure": "1"})).status_code == 400
