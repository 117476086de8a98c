"""Tools, Domain Check; and the email test that tells what it found."""

import html

import pytest

from secondpost.service.users import Role
from tests.nameserver import nameserver
from tests.provider import Provider

REJECT = {("_dmarc.shop.land", "TXT"): ["v=DMARC1; p=reject"]}


@pytest.fixture
async def owner(admin):
    await admin.operations.connections_add("mj", mailer="mailjet", key="k", secret="s", from_email="a@shop.land")
    return await admin.signed_in(Role.OPERATOR)


async def test_each_connection_is_told_what_receivers_would_see(admin, owner):
    assert 'value="shop.land"' in (await owner.get("/tools/domain-check")).text
    async with nameserver(REJECT) as server:
        admin.operations.domain_checks.resolver = server.resolver
        page = html.unescape((await owner.post("/tools/domain-check", data={"domain": "shop.land"})).text)
    assert "DMARC would fail" in page
    assert "There is no key for shop.land under mailjet." in page


async def test_a_wrong_domain_is_told_at_its_field_and_nothing_is_looked_up(admin, owner):
    async with nameserver(REJECT) as server:
        admin.operations.domain_checks.resolver = server.resolver
        page = await owner.post("/tools/domain-check", data={"domain": "<b>no domain"})
        assert server.asked == []
    assert page.status_code == 422
    assert "<b>no" not in page.text


async def test_an_email_test_that_was_taken_tells_what_the_domain_check_found(admin):
    browser = await admin.signed_in(Role.OPERATOR)
    with Provider() as provider:
        where = {"host": "127.0.0.1", "port": provider.port, "encryption": "none", "from_email": "a@shop.land"}
        await admin.operations.connections_add("relay", mailer="smtp", **where)
        await admin.operations.connections_add("mailjet", mailer="smtp", preset="mailjet", **where)
        async with nameserver(REJECT) as server:
            admin.operations.domain_checks.resolver = server.resolver
            data = {"to": "b@example.net", "connection": "relay", "html": "on"}
            assert "Success!" in (await browser.post("/tools/email-test", data=data)).text  # nothing that is surely bad
            page = (await browser.post("/tools/email-test", data=data | {"connection": "mailjet"})).text
    assert "Sent, but the domain check found something." in page
    assert "There is no DKIM key" in page
