"""Would DMARC pass if this connection sent it? Each answer against a DNS server of our own."""

from dataclasses import replace

import pytest

from secondpost.domains import check
from secondpost.domains.check import Case
from secondpost.domains.providers import FACTS
from tests.domains.test_dkim import record, rsa_key
from tests.nameserver import FAILING, nameserver

KEY = record(rsa_key(1024))
REJECT = ("_dmarc.shop.test", "TXT"), ["v=DMARC1; p=reject"]
MAILJET = Case(author="shop.test", envelope="shop.test", title="Mailjet", facts=FACTS["mailjet"])
OWN = Case(author="shop.test", envelope="shop.test", title="mail.shop.test", facts=None, host="mail.shop.test")
OFFICE = Case(author="shop.test", envelope="shop.test", title="Microsoft 365", facts=FACTS["office365"])
PROVIDER = ("spf.protection.outlook.com", "TXT"), ["v=spf1 ip4:192.0.2.0/24 -all"]


async def found(case, *records):
    async with nameserver(dict(records)) as server:
        passes, items = await check.check(server.resolver(), case)
    return passes, {item.name: item for item in items}


async def test_a_key_of_the_domain_is_enough():
    passes, items = await found(MAILJET, REJECT, (("mailjet._domainkey.shop.test", "TXT"), [KEY]))
    assert passes is True
    assert [items[name].state for name in ("SPF", "DKIM", "DMARC")] == ["bad", "good", "good"]


async def test_without_the_key_everybody_would_refuse_it():
    passes, items = await found(MAILJET, REJECT)
    assert passes is False
    assert "no key for shop.test under mailjet" in items["DKIM"].text
    assert "would be lost" in items["DMARC"].text
    assert "console" in items["DKIM"].todo


async def test_a_key_that_is_of_no_use_is_not_a_key():
    passes, items = await found(MAILJET, REJECT, (("mailjet._domainkey.shop.test", "TXT"), ["v=DKIM1; p="]))
    assert passes is False
    assert "revoked" in items["DKIM"].text


@pytest.mark.parametrize(
    ("record", "passes", "state"),
    [
        ("v=spf1 include:spf.protection.outlook.com -all", True, "good"),
        ("v=spf1 ip4:192.0.2.0/23 -all", True, "good"),  # the include, written out
        ("v=spf1 include:spf.mailjet.com -all", False, "bad"),
        ("v=spf1 -all", False, "bad"),
        ("v=spf1 nonsense", False, "bad"),
        ("no record", False, "bad"),
    ],
)
async def test_spf_has_to_name_the_providers_servers(record, passes, state):
    mailjet = ("spf.mailjet.com", "TXT"), ["v=spf1 ip4:198.51.100.0/24 -all"]
    verdict, items = await found(OFFICE, REJECT, PROVIDER, mailjet, (("shop.test", "TXT"), [record]))
    assert (verdict, items["SPF"].state) == (passes, state)
    assert items["SPF"].todo or state == "good"


async def test_an_envelope_of_another_organization_does_not_count():
    records = REJECT, PROVIDER, (("else.test", "TXT"), ["v=spf1 include:spf.protection.outlook.com -all"])
    passes, items = await found(replace(OFFICE, envelope="else.test"), *records)
    assert passes is False
    assert "Return Path" in items["SPF"].todo


async def test_strict_alignment_wants_the_very_domain():
    strict = ("_dmarc.shop.test", "TXT"), ["v=DMARC1; p=reject; aspf=s; adkim=s"]
    below = ("bounce.shop.test", "TXT"), ["v=spf1 include:spf.protection.outlook.com -all"]
    case = replace(OFFICE, envelope="bounce.shop.test")
    assert (await found(case, REJECT, PROVIDER, below))[0] is True
    assert (await found(case, strict, PROVIDER, below))[0] is False


async def test_a_key_of_the_organization_counts_for_its_subdomains_unless_it_is_strict():
    key = ("selector1._domainkey.shop.test", "TXT"), [KEY]
    case = replace(OFFICE, author="news.shop.test", envelope="news.shop.test")
    assert (await found(case, REJECT, PROVIDER, key))[0] is True
    strict = ("_dmarc.shop.test", "TXT"), ["v=DMARC1; p=reject; adkim=s"]
    assert (await found(case, strict, PROVIDER, key))[0] is False


async def test_a_bounce_domain_that_the_customer_sets_up_is_looked_at():
    case = Case(author="shop.test", envelope="shop.test", title="Resend", facts=FACTS["resend"])
    amazon = ("amazonses.com", "TXT"), ["v=spf1 ip4:192.0.2.0/24 -all"]
    assert (await found(case, REJECT, amazon))[0] is False
    assert (await found(case, REJECT, amazon, (("send.shop.test", "TXT"), ["v=spf1 include:amazonses.com ~all"])))[0]


async def test_a_server_of_ones_own_is_checked_by_its_address_and_never_condemned():
    host = ("mail.shop.test", "A"), ["10.1.1.1", "8.8.4.4"]  # receivers see the second
    passes, items = await found(OWN, REJECT, host, (("shop.test", "TXT"), ["v=spf1 ip4:8.8.4.4 -all"]))
    assert (passes, items["SPF"].state, items["DKIM"].state) == (True, "good", "open")
    passes, items = await found(OWN, REJECT, host, (("shop.test", "TXT"), ["v=spf1 -all"]))
    assert (passes, items["SPF"].state) == (None, "open")  # it may send from elsewhere, and sign
    assert "Add ip4:8.8.4.4" in items["SPF"].todo
    assert "Name the DKIM selector" in items["DKIM"].todo


@pytest.mark.parametrize("host", ["", "127.0.0.1", "10.0.0.1", "::1", "nowhere.test"])
async def test_a_server_that_receivers_do_not_see_tells_nothing(host):
    _, items = await found(replace(OWN, host=host), REJECT)
    assert (items["SPF"].state, items["SPF"].title) == ("open", "SPF cannot be checked")


async def test_a_selector_that_a_person_names_decides():
    key = ("mine._domainkey.shop.test", "TXT"), [KEY]
    assert (await found(replace(OWN, selector="mine"), REJECT, key))[0] is True
    _, items = await found(replace(OWN, selector="other"), REJECT, key)
    assert items["DKIM"].state == "bad"


async def test_no_policy_is_told_with_the_record_to_add():
    _, items = await found(MAILJET)
    assert items["DMARC"].state == "open"
    assert "_dmarc.shop.test: v=DMARC1; p=none" in items["DMARC"].todo


async def test_what_cannot_be_found_out_is_not_guessed():
    assert (await found(MAILJET, (("_dmarc.shop.test", "TXT"), FAILING)))[0] is None
    passes, items = await found(MAILJET, REJECT, (("mailjet._domainkey.shop.test", "TXT"), FAILING))
    assert (passes, items["DKIM"].state) == (None, "open")
    passes, items = await found(OFFICE, REJECT, (("spf.protection.outlook.com", "TXT"), FAILING))
    assert (passes, items["SPF"].state) == (None, "open")
