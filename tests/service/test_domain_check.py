"""The domain check for connections: what their From rules mean for what is checked."""

from types import MappingProxyType

import pytest

from secondpost.core.connection import Connection, FromRules
from secondpost.domains.providers import FACTS, OTHER_API
from secondpost.errors import WrongInput
from secondpost.service.domain_check import DomainCheck, case_of
from tests.nameserver import SILENT, nameserver
from tests.service.connected import connections_of


def connection(mailer, sender=None, **settings):
    return Connection(name="one", mailer=mailer, sender=sender or FromRules(), settings=MappingProxyType(settings))


def test_a_forced_from_is_what_receivers_check():
    rules = FromRules(email="a@second.test", force_email=True)
    case = case_of(connection("sendgrid", rules), "shop.test", "SendGrid", "")
    assert (case.author, case.facts) == ("second.test", FACTS["sendgrid"])
    free = FromRules(email="a@second.test", force_email=False, return_path=False)
    assert case_of(connection("smtp", free, host="mail.test"), "shop.test", "SMTP", "").author == "shop.test"


def test_return_path_decides_whose_envelope_it_is():
    rules = FromRules(email="a@second.test", return_path=False)
    assert case_of(connection("smtp", rules, host="mail.test"), "shop.test", "SMTP", "").envelope == "shop.test"
    rules = FromRules(email="a@second.test", return_path=True)
    assert case_of(connection("smtp", rules, host="mail.test"), "shop.test", "SMTP", "").envelope == "second.test"


@pytest.mark.parametrize(
    ("one", "facts", "host"),
    [
        (connection("smtp", host="mail.test"), None, "mail.test"),
        (connection("smtp", preset="sendgrid"), FACTS["sendgrid"], ""),
        (connection("smtp", preset="gandi"), None, ""),
        (connection("postal"), None, ""),
        (connection("scaleway"), OTHER_API, ""),
    ],
)
def test_a_provider_is_known_by_its_mailer_or_its_preset(one, facts, host):
    case = case_of(one, "shop.test", "Title", "")
    assert (case.facts, case.host) == (facts, host)


def test_the_selector_that_a_connection_signs_with_is_looked_at_unless_a_person_names_another():
    one = connection("smtp", host="mail.test", dkim_selector="mine")
    assert case_of(one, "shop.test", "SMTP", "").selector == "mine"
    assert case_of(one, "shop.test", "SMTP", "other").selector == "other"


@pytest.mark.parametrize("domain", ["", "no domain", "a..b", "x" * 300, "-", "shop.test\r\nx"])
async def test_what_is_no_domain_is_refused(office, domain):
    with pytest.raises(WrongInput):
        await DomainCheck(connections_of(office))(domain)


async def test_each_connection_that_is_switched_on_has_its_row(office):
    connections = connections_of(office)
    await connections.add("main", mailer="scripted", sender="a@shop.test")
    await connections.add("second", mailer="scripted", sender="a@else.test")
    await connections.add("off", mailer="scripted", enabled=False)
    async with nameserver({("_dmarc.shop.test", "TXT"): ["v=DMARC1; p=reject"]}) as server:
        checks = DomainCheck(connections, server.resolver)
        rows = await checks("A@Shop.Test")
        assert [(row["connection"], row["domain"], row["changed"]) for row in rows] == [
            ("main", "shop.test", False), ("second", "else.test", True),
        ]  # fmt: skip
        assert [row["connection"] for row in await checks("shop.test", "second")] == ["second"]
        assert checks.domains() == ["shop.test", "else.test"]
        with pytest.raises(WrongInput):
            await checks("shop.test", selector="a b")


async def test_an_email_test_does_not_wait_long_and_asks_nothing_of_reserved_names(office, monkeypatch):
    monkeypatch.setattr("secondpost.service.domain_check.SHORT", 0.1)
    connections = connections_of(office)
    await connections.add("main", mailer="scripted", sender="a@slow.shop")
    await connections.add("second", mailer="scripted", sender="a@example.com")
    async with nameserver({("_dmarc.slow.shop", "TXT"): SILENT}) as server:
        checks = DomainCheck(connections, server.resolver)
        assert await checks.of_test("main") is None
        asked = len(server.asked)
        assert await checks.of_test("second") is None
        assert len(server.asked) == asked
