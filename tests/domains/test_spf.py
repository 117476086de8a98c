"""SPF as receivers evaluate it: matches, limits, macros, and records that are wrong."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.domains import spf
from secondpost.domains.spf import Result
from tests.nameserver import FAILING, nameserver

IP = "192.0.2.10"


def zone(*records, **names):
    """SPF records of a.test, b.test …, and addresses of hosts."""
    found = {(f"{chr(97 + number)}.test", "TXT"): [text] for number, text in enumerate(records)}
    return found | {(name.replace("_", "."), "A"): addresses for name, addresses in names.items()}


async def check(records, address=IP):
    async with nameserver(records) as server:
        return await spf.check_host(server.resolver(), address, "a.test")


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", Result.PASS),
        ("v=spf1 ip4:192.0.2.10 -all", Result.PASS),
        ("v=spf1 ip4:198.51.100.0/24 -all", Result.FAIL),
        ("v=spf1 ip4:198.51.100.0/24 ~all", Result.SOFTFAIL),
        ("v=spf1 ?all", Result.NEUTRAL),
        ("v=spf1", Result.NEUTRAL),
        ("V=SPF1 IP4:192.0.2.10 -ALL", Result.PASS),
        ("v=spf1 -ip4:192.0.2.10 +all", Result.FAIL),
        ("v=spf1 ip6:2001:db8::/32 -all", Result.FAIL),
        ("v=spf1 unknown=modifier ip4:192.0.2.10", Result.PASS),
        ("v=spf10 +all", Result.NONE),
        ("v=spf1 ptr -all", Result.FAIL),
        ("v=spf1 ip4:192.0.2 -all", Result.PERMERROR),
        ("v=spf1 ip4:2001:db8::/32 -all", Result.PERMERROR),
        ("v=spf1 ipv4:192.0.2.10 -all", Result.PERMERROR),
        ("v=spf1 a/33 -all", Result.PERMERROR),
        ("v=spf1 include: -all", Result.PERMERROR),
    ],
)
async def test_a_record_decides(record, result):
    assert (await check(zone(record))).result is result


async def test_an_ipv6_address_is_matched_by_its_own_networks():
    records = zone("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all")
    assert (await check(records, "2001:db8::25")).result is Result.PASS
    assert (await check(records, "2001:db9::25")).result is Result.FAIL


@pytest.mark.parametrize(
    "term", ["a", "a:mail.test", "a/24", "a:mail.test/24", "mx", "mx:a.test/24", "exists:%{i}.x.test"]
)
async def test_names_are_looked_up(term):
    records = zone(f"v=spf1 {term} -all", a_test=[IP], mail_test=[IP])
    records |= {("a.test", "MX"): ["10 mail.test."], (f"{IP}.x.test", "A"): ["127.0.0.2"]}
    assert (await check(records)).result is Result.PASS
    assert (await check(records, "203.0.113.9")).result is Result.FAIL


async def test_a_network_reaches_as_far_as_its_prefix():
    records = zone("v=spf1 a/24 -all", a_test=["192.0.2.200"])
    assert (await check(records)).result is Result.PASS
    assert (await check(records, "192.0.3.10")).result is Result.FAIL


@pytest.mark.parametrize(
    ("inner", "result"),
    [
        (f"v=spf1 ip4:{IP} -all", Result.PASS),
        ("v=spf1 -all", Result.SOFTFAIL),  # no match: the outer record goes on
        ("v=spf1 ?all", Result.SOFTFAIL),
        ("no spf", Result.PERMERROR),
        ("v=spf1 nonsense", Result.PERMERROR),
    ],
)
async def test_an_include_matches_only_where_it_passes(inner, result):
    assert (await check(zone("v=spf1 include:b.test ~all", inner))).result is result


async def test_a_redirect_is_followed_where_nothing_matches():
    assert (await check(zone("v=spf1 redirect=b.test", f"v=spf1 ip4:{IP} -all"))).result is Result.PASS
    assert (await check(zone("v=spf1 redirect=b.test", "v=spf1 -all"))).result is Result.FAIL
    assert (await check(zone("v=spf1 redirect=nowhere.test"))).result is Result.PERMERROR


async def test_more_than_ten_lookups_are_too_many():
    chain = [f"v=spf1 include:{chr(98 + number)}.test -all" for number in range(10)]
    assert (await check(zone(*chain, f"v=spf1 ip4:{IP} -all"))).result is Result.PASS
    finding = await check(zone(f"v=spf1 include:b.test {'a ' * 1}-all", *chain[1:], "v=spf1 a:x.test a:y.test -all"))
    assert finding.result is Result.PERMERROR
    assert "more than 10 lookups" in finding.why


async def test_a_record_that_includes_itself_ends():
    assert (await check(zone("v=spf1 include:a.test -all"))).result is Result.PERMERROR


async def test_more_than_two_empty_answers_are_too_many():
    assert (await check(zone(f"v=spf1 a:x.test a:y.test ip4:{IP} -all"))).result is Result.PASS
    finding = await check(zone(f"v=spf1 a:x.test a:y.test a:z.test ip4:{IP} -all"))
    assert finding.result is Result.PERMERROR


async def test_two_records_are_none_that_counts():
    finding = await check({("a.test", "TXT"): ["v=spf1 +all", "v=spf1 -all"]})
    assert finding.result is Result.PERMERROR
    assert "2 SPF records" in finding.why


async def test_a_dns_that_fails_is_told_as_that():
    assert (await check({("a.test", "TXT"): FAILING})).result is Result.TEMPERROR
    assert (await check(zone("v=spf1 include:b.test -all") | {("b.test", "TXT"): FAILING})).result is Result.TEMPERROR


async def test_an_address_is_found_that_a_provider_sends_from():
    records = zone("v=spf1 include:b.test ~all", "v=spf1 -ip4:203.0.113.1 ip4:198.51.100.0/24 -all")
    async with nameserver(records) as server:
        assert await spf.sample(server.resolver(), "a.test") == "198.51.100.0"
        assert await spf.sample(server.resolver(), "nowhere.test") == ""


@given(st.text(max_size=60))
def test_no_record_makes_it_fall_over(text):
    with suppress(spf.RecordError):
        spf.parse(f"v=spf1 {text}")
