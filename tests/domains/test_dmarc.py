"""DMARC: policies, organizational domains and alignment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.domains import dmarc
from secondpost.domains.dmarc import Policy
from tests.nameserver import nameserver


@pytest.mark.parametrize(
    ("domain", "organization"),
    [
        ("example.com", "example.com"), ("mail.example.com", "example.com"), ("A.B.Example.CO.UK.", "example.co.uk"),
        ("co.uk", "co.uk"), ("shop.github.io", "shop.github.io"), ("localhost", "localhost"),
    ],
)  # fmt: skip
def test_the_organizational_domain_follows_the_public_suffix_list(domain, organization):
    assert dmarc.organizational(domain) == organization


@pytest.mark.parametrize(
    ("domain", "author", "relaxed", "strict"),
    [
        ("example.com", "example.com", True, True),
        ("bounce.example.com", "example.com", True, False),
        ("example.com", "news.example.com", True, False),
        ("EXAMPLE.com", "example.com.", True, True),
        ("example.org", "example.com", False, False),
        ("other.co.uk", "example.co.uk", False, False),
        ("badexample.com", "example.com", False, False),
    ],
)
def test_alignment(domain, author, relaxed, strict):
    assert dmarc.aligned(domain, author, strict=False) is relaxed
    assert dmarc.aligned(domain, author, strict=True) is strict


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("v=DMARC1; p=none", Policy(policy="none", subdomains="none")),
        ("v=DMARC1;p=reject;sp=quarantine", Policy(policy="reject", subdomains="quarantine")),
        ("v=DMARC1; p=Reject; adkim=s; aspf=S; pct=20; rua=mailto:a@b.test",
         Policy(policy="reject", subdomains="reject", strict_dkim=True, strict_spf=True)),
        ("v=DMARC1; p=reject; sp=nonsense", Policy(policy="reject", subdomains="reject")),
        ("v=DMARC1", None), ("p=reject; v=DMARC1", None), ("v=DMARC2; p=reject", None), ("", None), (";;", None),
    ],
)  # fmt: skip
def test_a_policy_is_read_or_counts_as_none(text, policy):
    assert dmarc.parse(text) == policy


@given(st.text(max_size=60))
def test_no_record_makes_it_fall_over(text):
    dmarc.parse(f"v=DMARC1;{text}")
    dmarc.parse(text)


async def test_a_subdomain_has_its_own_policy_or_the_one_of_its_organization():
    records = {
        ("_dmarc.example.com", "TXT"): ["v=DMARC1; p=reject; sp=none"],
        ("_dmarc.own.example.com", "TXT"): ["v=DMARC1; p=quarantine"],
        ("_dmarc.twice.test", "TXT"): ["v=DMARC1; p=reject", "v=DMARC1; p=none"],
    }
    async with nameserver(records) as server:
        dns = server.resolver()
        found = {name: await dmarc.policy_of(dns, name) for name in ("example.com", "own.example.com", "x.example.com")}
        assert {name: policy and policy.policy for name, policy in found.items()} == {
            "example.com": "reject", "own.example.com": "quarantine", "x.example.com": "none",
        }  # fmt: skip
        assert await dmarc.policy_of(dns, "twice.test") is None
        assert await dmarc.policy_of(dns, "nowhere.test") is None
