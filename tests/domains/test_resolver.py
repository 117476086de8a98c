"""Asking a real DNS server: what is there, what is not, and what cannot be found out."""

import pytest

from secondpost.domains import resolver
from secondpost.domains.resolver import LookupFailed, Resolver
from tests.nameserver import FAILING, SILENT, nameserver

LONG = "v=DKIM1; p=" + "A" * 500


async def test_what_is_there_is_found_and_asked_for_once():
    records = {
        ("a.test", "TXT"): ["v=spf1 -all", LONG], ("a.test", "A"): ["192.0.2.1"], ("a.test", "AAAA"): ["2001:db8::1"],
        ("a.test", "MX"): ["20 second.test.", "10 first.test."],
    }  # fmt: skip
    async with nameserver(records) as server:
        dns = server.resolver()
        assert set(await dns.texts("a.test")) == {"v=spf1 -all", LONG}
        assert await dns.addresses("a.test") == ["192.0.2.1", "2001:db8::1"]
        assert await dns.exchanges("a.test") == ["first.test", "second.test"]
        await dns.texts("a.test")
        assert server.asked.count("TXT a.test") == 1


async def test_what_is_not_there_is_an_empty_answer():
    async with nameserver({("a.test", "A"): ["192.0.2.1"]}) as server:
        dns = server.resolver()
        assert await dns.texts("a.test") == []
        assert await dns.texts("nowhere.test") == []


@pytest.mark.parametrize("how", [SILENT, FAILING])
async def test_a_server_without_an_answer_is_an_error_in_time(how, monkeypatch):
    monkeypatch.setattr(resolver, "LIFETIME", 0.2)
    async with nameserver({("a.test", "TXT"): how}) as server:
        with pytest.raises(LookupFailed, match=r"a\.test"):
            await server.resolver().texts("a.test")


async def test_a_name_that_cannot_be_one_is_an_error():
    with pytest.raises(LookupFailed):
        await Resolver(servers=("127.0.0.1",), port=9).texts("x" * 70 + ".test")
