"""Email Reports as a page and as a file."""

import asyncio
import csv
import io

import pytest

from secondpost.core.event import Sequel
from secondpost.core.ids import parse_id
from secondpost.service.costly import Costly
from secondpost.service.users import Role


@pytest.fixture
async def sent(admin):
    """Mail that the Inbox has taken."""
    for subject in ("=cmd|' /C calc'!A1", "<script>alert(1)</script>", ""):
        await admin.operations.send(sender="shop@example.com", to=["b@Example.net"], subject=subject, text="x")
    async with asyncio.timeout(10):
        while any(row["status"] != "accepted" for row in (await admin.operations.log_list())["rows"]):
            await asyncio.sleep(0.01)


async def test_without_mail_it_says_so(admin):
    assert "No mail was accepted on these days." in (await (await admin.signed_in(Role.VIEWER)).get("/reports")).text


async def test_it_counts_by_day_and_by_what_is_asked_for(admin, sent):
    browser = await admin.signed_in(Role.VIEWER)
    page = (await browser.get("/reports?days=30&by=domain")).text
    assert "example.net" in page
    assert "<strong>3</strong> sent by Primary" in page
    assert "Inbox" in (await browser.get("/reports?by=connection")).text
    assert "&lt;script&gt;" in (await browser.get("/reports?by=subject")).text
    assert "(no subject)" in (await browser.get("/reports?by=subject")).text


async def test_what_became_of_mail_is_counted_where_a_provider_tells_it(admin, sent):
    browser = await admin.signed_in(Role.OPERATOR)
    assert "Bounced" not in (await browser.get("/reports")).text
    first, *_ = (await admin.operations.log_list())["rows"]
    told = {"message": parse_id(first["id"]), "sequel": (0, Sequel.BOUNCED)}
    await admin.operations.store.event("bounced", at=admin.operations.now(), **told)
    admin.operations.reports.costly = Costly()  # what was counted before is forgotten
    page = (await browser.get("/reports")).text
    assert "<dt>Bounced</dt><dd>1</dd>" in page
    assert "2 of it no provider has told about" in page
    rows = list(csv.DictReader(io.StringIO((await browser.get("/reports/csv?by=subject")).text)))
    assert sorted((row["bounced"], row["delivered"]) for row in rows) == [("", ""), ("", ""), ("1", "0")]


@pytest.mark.parametrize("query", ["since=2026-01-31&until=", "since=x&until=y", "since=2026-02-02&until=2026-02-01"])
async def test_days_that_are_none_are_told_and_the_usual_ones_shown(admin, query):
    answer = await (await admin.signed_in(Role.VIEWER)).get(f"/reports?{query}")
    assert answer.status_code == 422
    assert "Choose" in answer.text


async def test_the_file_is_for_those_who_may_export_and_no_cell_is_a_formula(admin, sent):
    assert (await (await admin.signed_in(Role.VIEWER)).get("/reports/csv")).status_code == 403
    answer = await (await admin.signed_in(Role.OPERATOR)).get("/reports/csv?by=subject")
    assert answer.headers["content-disposition"].startswith('attachment; filename="report-subject-')
    heading, *rows = list(csv.reader(io.StringIO(answer.text)))
    assert heading[:4] == ["Subject", "deliveries", "sent", "by primary"]
    assert sorted(row[0] for row in rows) == ["", "'=cmd|' /C calc'!A1", "<script>alert(1)</script>"]
    assert all(row[1:4] == ["1", "1", "1"] for row in rows)
    assert any("downloaded a report by subject" in line for line in await admin.audit())


async def test_a_days_numbers_lead_to_the_messages_in_the_log(admin, sent):
    browser = await admin.signed_in(Role.VIEWER)
    page = (await browser.get("/reports?by=domain")).text
    link = page.partition('href="/log?q=example.net')[2].partition('"')[0].replace("&amp;", "&")
    found = (await browser.get(f"/log?q=example.net{link}")).text
    assert "&lt;script&gt;" in found
