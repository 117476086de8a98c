"""Tools, Export and Debug Events: what leaves, what is written down, and what is never in it."""

import csv
import html
import io
import json
import re

import pytest

from secondpost.service.users import Role

SUBJECT = "=HYPERLINK(1) <b>"


@pytest.fixture
async def owner(admin):
    await admin.operations.send(sender="a@example.com", to=["b@example.net"], subject=SUBJECT, text="the content")
    return await admin.signed_in(Role.OWNER)


async def test_the_log_is_exported_as_csv_without_content_and_written_down(admin, owner):
    answer = await owner.post("/tools/export/log", data={"format": "csv", "since": "2020-01-01"})
    assert answer.headers["content-disposition"] == 'attachment; filename="email-log.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert (row["subject"], row["to"]) == (f"'{SUBJECT}", "b@example.net")
    assert "the content" not in answer.text
    assert "as csv: all that match since=2020-01-01" in (await admin.audit())[0]


async def test_the_log_is_narrowed_by_time_and_status(owner):
    assert (await owner.post("/tools/export/log", data={"format": "csv", "until": "2020-01-01"})).text.count("\n") == 1
    assert (await owner.post("/tools/export/log", data={"format": "csv", "status": "failed"})).text.count("\n") == 1


async def test_a_wrong_date_is_told_and_nothing_leaves(admin, owner):
    page = await owner.post("/tools/export/log", data={"format": "csv", "since": "yesterday"})
    assert page.status_code == 422
    assert "is not a date" in html.unescape(page.text)
    assert not any("exported" in text for text in await admin.audit())


async def test_the_settings_are_exported_without_any_secret(admin, owner):
    connections = admin.operations
    await connections.connections_add("main", mailer="smtp", host="mail.test", username="u", password="canary-1")
    await connections.connections_add("second", dsn="smtp://u:canary-2@mail2.test:587")
    await connections.connections_add("third", dsn="postmark+api://canary-3@default")
    answer = await owner.post("/tools/export/settings")
    assert "canary" not in answer.text
    found = json.loads(answer.text)
    assert found["connections"]["main"] == {"mailer": "smtp", "host": "mail.test", "username": "u"}
    assert found["connections"]["second"]["host"] == "mail2.test"
    assert found["primary"] == "main"
    assert "connections.main.password" in found["secrets_left_out"]
    assert len(found["secrets_left_out"]) == 3
    operator = await admin.signed_in(Role.OPERATOR)
    assert (await operator.post("/tools/export/settings")).status_code == 403


# Debug Events --------------------------------------------------------------------------------------------------------


async def test_events_are_filtered_and_go_on_by_key_and_the_audit_log_is_not_among_them(admin, owner):
    store, now = admin.operations.store, admin.operations.now()
    for number in range(60):
        await store.event("breaker", at=now, connection="main", text=f"open: <b>{number}</b>")
    await store.event("audit", at=now, text="ada did something")
    await store.event("fault", at=now, text="a fault")
    page = (await owner.get("/tools/events")).text
    assert "a fault" in page
    assert "ada did" not in page
    assert "&lt;b&gt;59&lt;/b&gt;" in page
    page = (await owner.get("/tools/events?kind=breaker&q=MAIN")).text
    assert "a fault" not in page
    older = re.search(r'href="(\?kind=breaker&amp;q=MAIN&amp;before=\d+)"', page)
    assert older is not None
    rest = (await owner.get(f"/tools/events{html.unescape(older.group(1))}")).text
    assert "&lt;b&gt;9&lt;/b&gt;" in rest
    assert "Older" not in rest
    assert "ada did" not in (await owner.get("/tools/events?kind=audit")).text
    assert "Nothing fits" in (await owner.get("/tools/events?q=nowhere")).text
