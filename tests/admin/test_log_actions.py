"""What can be done with messages of the Email Log: send again, export, delete."""

import asyncio
import io
import re
import zipfile

from openpyxl import load_workbook

from secondpost.admin import permissions
from secondpost.admin.pages import log_export
from secondpost.admin.permissions import Permission
from secondpost.service import export
from secondpost.service.users import Role
from tests.admin.conftest import Admin, Browser
from tests.admin.test_log import put


async def over(browser: Browser, path: str) -> str:
    for _ in range(200):
        answer = await browser.get(path)
        if "Refresh" not in answer.headers:
            return answer.text
    raise AssertionError(path)


async def last(admin: Admin):
    return (await admin.operations.log_list(limit=1))["rows"][0]


async def test_a_message_is_sent_again_to_other_recipients_and_both_tell_of_it(admin):
    id = await put(admin, "Order")
    browser = await admin.signed_in(Role.OPERATOR)
    assert "anna@example.org" in (await browser.get(f"/log/{id}/resend")).text
    answer = await browser.post(f"/log/{id}/resend", data={"to": "bob@example.net\ncarol@example.org"})
    new = answer.headers["Location"].rpartition("/")[2]
    entry = await admin.operations.log_show(new)
    assert (entry["parent"], entry["to"]) == (id, ["bob@example.net", "carol@example.org"])
    assert f'href="/log/{id}"' in (await browser.get(f"/log/{new}")).text
    assert f"sent again as {new}" in (await browser.get(f"/log/{id}")).text
    assert f"sent message {id} again as {new}" in (await admin.audit())[0]


async def test_recipients_are_checked_and_what_was_typed_stays(admin):
    id = await put(admin)
    browser = await admin.signed_in(Role.OPERATOR)
    for to, told in (("not an address, ann@example.org", "not an address"), (" \n", "no recipient")):
        answer = await browser.post(f"/log/{id}/resend", data={"to": to})
        assert answer.status_code == 422
        assert told in answer.text
    assert (await last(admin))["id"] == id


async def test_many_are_sent_again_after_one_question(admin):
    ids = [await put(admin, f"Order {number}") for number in range(3)]
    browser = await admin.signed_in(Role.OPERATOR)
    asked = await browser.post("/log/resend", data=[("id", one) for one in ids])
    assert "Send 3 messages again?" in asked.text
    assert (await last(admin))["id"] == ids[-1]
    answer = await browser.post("/log/resend", data=[("id", one) for one in ids] + [("confirmed", "1")])
    page = await over(browser, answer.headers["Location"])
    assert "3 messages sent again" in page
    assert 'max="3" value="3"' in page
    assert len((await admin.operations.log_list())["rows"]) == 6


async def test_what_cannot_be_sent_again_is_told_and_stops_nothing(admin):
    ids = [await put(admin, "Order"), "0bn4v6kq2x7rd"]
    browser = await admin.signed_in(Role.OPERATOR)
    answer = await browser.post("/log/resend", data=[("id", one) for one in ids] + [("confirmed", "1")])
    page = await over(browser, answer.headers["Location"])
    assert "1 message sent again" in page
    assert "The content of 0bn4v6kq2x7rd is not kept" in page


async def test_all_that_match_can_be_chosen(admin):
    await put(admin, "Order")
    await put(admin, "Order", to=["bob@example.net"])
    browser = await admin.signed_in(Role.ADMIN)
    asked = await browser.post("/log/delete", data={"all": "1", "query": "q=bob"})
    assert "Delete 1 message?" in asked.text
    await browser.post("/log/delete", data={"all": "1", "query": "q=bob", "confirmed": "1"})
    assert [row["to"] for row in (await admin.operations.log_list())["rows"]] == [["anna@example.org"]]
    assert "deleted 1 messages of the log" in (await admin.audit())[0]


async def test_nothing_chosen_is_told(admin):
    browser = await admin.signed_in(Role.ADMIN)
    for path in ("resend", "delete", "export"):
        answer = await browser.post(f"/log/{path}", data={"query": ""})
        assert answer.status_code == 400
        assert "No message is chosen" in answer.text


async def test_a_deleted_message_is_gone_with_its_content(admin):
    id = await put(admin)
    browser = await admin.signed_in(Role.ADMIN)
    await browser.post("/log/delete", data={"id": id, "confirmed": "1"})
    assert (await browser.get(f"/log/{id}")).status_code == 400
    assert (await browser.get(f"/log/{id}/source")).status_code == 400


async def test_rows_are_exported_and_no_cell_acts(admin):
    id = await put(admin, "=1+1")
    browser = await admin.signed_in(Role.OPERATOR)
    answer = await browser.post("/log/export", data={"id": id, "format": "csv"})
    assert "'=1+1" in answer.text
    assert answer.headers["Content-Disposition"] == 'attachment; filename="email-log.csv"'
    assert "Hello Anna" not in answer.text
    assert "exported messages of the log as csv" in (await admin.audit())[0]
    book = load_workbook(io.BytesIO(await browser.file("/log/export", {"all": "1", "query": "", "format": "xlsx"})))
    assert [cell.value for cell in list(book.active.iter_rows())[1]][3] == "'=1+1"


async def test_messages_are_exported_in_a_zip(admin):
    id = await put(admin)
    browser = await admin.signed_in(Role.OPERATOR)
    archive = zipfile.ZipFile(io.BytesIO(await browser.file("/log/export", {"id": id, "format": "eml"})))
    assert archive.namelist() == [f"{id}.eml"]
    assert b"Hello Anna" in archive.read(f"{id}.eml")


async def test_an_unknown_format_exports_nothing(admin):
    id = await put(admin)
    answer = await (await admin.signed_in(Role.OPERATOR)).post("/log/export", data={"id": id, "format": "exe"})
    assert answer.status_code == 400


async def test_content_cannot_be_guessed_by_choosing_all_that_match(admin, monkeypatch):
    monkeypatch.setitem(permissions.ROLES, Role.VIEWER, frozenset({Permission.EXPORT, Permission.READ}))
    await put(admin)
    browser = await admin.signed_in(Role.VIEWER)
    data = {"all": "1", "query": "q=Hello&in=content", "format": "csv"}
    assert (await browser.post("/log/export", data=data)).status_code == 400
    assert (await browser.post("/log/export", data={"all": "1", "query": "", "format": "eml"})).status_code == 400


async def test_a_form_that_is_sent_twice_sends_one_message_again(admin):
    id = await put(admin, "Order")
    browser = await admin.signed_in(Role.OPERATOR)
    once = re.findall(r'name="once" value="(\w+)"', (await browser.get(f"/log/{id}/resend")).text)[0]
    data = {"to": "bob@example.net", "once": once}
    first, second = [await browser.post(f"/log/{id}/resend", data=data) for _ in range(2)]
    assert first.headers["Location"] == second.headers["Location"]
    assert len((await admin.operations.log_list())["rows"]) == 2


async def test_a_question_that_is_answered_twice_is_one_job(admin):
    ids = [("id", await put(admin, f"Order {number}")) for number in range(2)]
    browser = await admin.signed_in(Role.OPERATOR)
    once = re.findall(r'name="once" value="(\w+)"', (await browser.post("/log/resend", data=ids)).text)[0]
    sent = [browser.post("/log/resend", data=[*ids, ("confirmed", "1"), ("once", once)]) for _ in range(2)]
    paths = {answer.headers["Location"] for answer in await asyncio.gather(*sent)}
    assert len(paths) == 1
    await over(browser, paths.pop())
    assert len((await admin.operations.log_list())["rows"]) == 4


async def test_an_export_that_is_refused_leaves_no_file_open(admin, monkeypatch):
    ids = [("id", await put(admin, f"Order {number}")) for number in range(2)]
    monkeypatch.setattr(export, "MOST_MESSAGES", 1)
    file = log_export._file()
    monkeypatch.setattr(log_export, "_file", lambda: file)
    answer = await (await admin.signed_in(Role.OPERATOR)).post("/log/export", data=[*ids, ("format", "eml")])
    assert answer.status_code == 400
    assert "A zip takes at most 1 messages" in answer.text
    assert file.closed
