"""Tools, Fallback Drill: what the page asks for, and what it keeps from happening."""

import html

import pytest

from secondpost.service.users import Role


@pytest.fixture
async def owner(admin):
    """Beside the Inbox as Primary, a second Inbox is the backup."""
    await admin.operations.connections_add("first", mailer="capture", nickname="First")
    await admin.operations.connections_add("second", mailer="capture", nickname="Second")
    await admin.operations.backup_set("second")
    return await admin.signed_in(Role.OWNER)


async def test_the_way_of_the_drill_is_shown_and_written_down(admin, owner):
    assert "has not proved itself yet" in (await owner.get("/tools/drill")).text
    answer = await owner.post("/tools/drill", data={"to": "a@example.net", "connection": "first"})
    assert answer.status_code == 303
    page = (await owner.get("/tools/drill")).text
    assert "The backup proved itself" in page
    assert "The backup carried it" in page
    assert "drilled the fallback from first with a message to a@example.net" in (await admin.audit())[0]


async def test_a_bad_address_is_told_and_nothing_is_sent(admin, owner):
    page = await owner.post("/tools/drill", data={"to": "nobody"})
    assert page.status_code == 422
    assert "Please use a valid email address" in page.text
    assert (await admin.operations.log_list())["rows"] == []


async def test_real_mail_needs_a_yes_and_ends_at_a_click(admin, owner):
    drills = admin.operations.drills
    page = await owner.post("/tools/drill/begin", data={"connection": "first", "minutes": "5"})
    assert page.status_code == 422
    assert '<details class="card" open><summary>Drill with real mail' in page.text
    assert drills.real is None
    page = await owner.post("/tools/drill/begin", data={"connection": "first", "minutes": "x", "yes": "on"})
    assert "from 1 to 60" in page.text
    assert drills.real is None
    await owner.post("/tools/drill/begin", data={"connection": "first", "minutes": "5", "yes": "on"})
    assert (await admin.operations.drills.store.get("drill plan", "now"))["connection"] == "first"
    assert "refuses real mail on purpose" in (await owner.get("/tools/drill")).text
    assert "A drill: First (Inbox) refuses mail on purpose" in (await owner.get("/dashboard")).text
    operator = await admin.signed_in(Role.OPERATOR)
    assert (await operator.post("/tools/drill/end")).status_code == 303
    assert drills.real is None


async def test_a_schedule_is_kept_and_a_wrong_one_is_not(admin, owner):
    await owner.post("/tools/drill/schedule", data={"on": "on", "days": "30", "to": "a@example.net"})
    assert (await admin.operations.drills.schedule())["days"] == 30
    for wrong in ({"days": "0.5"}, {"to": "nobody"}):
        data = {"on": "on", "days": "1", "to": "b@example.net"} | wrong
        assert (await owner.post("/tools/drill/schedule", data=data)).status_code == 422
    assert (await admin.operations.drills.schedule())["to"] == "a@example.net"
    await owner.post("/tools/drill/schedule", data={"days": "30", "to": "a@example.net"})
    assert await admin.operations.drills.schedule() is None


async def test_without_a_backup_it_says_what_to_do(admin):
    await admin.operations.connections_add("first", mailer="smtp", host="127.0.0.1", port=9)
    owner = await admin.signed_in(Role.OWNER)
    page = await owner.post("/tools/drill", data={"to": "a@example.net", "connection": "first"})
    assert "choose a Backup Connection first" in html.unescape(page.text)
