"""DMARC (RFC 7489): a domain's policy, and whether what was checked belongs to the same organization.

Rule: pure but for finding the record. The organizational domain comes from the Public Suffix List (section 3.2).
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from secondpost.domains.dkim import tags
from secondpost.domains.resolver import Dns

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

POLICIES = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a domain's owner asks receivers to do with mail that fails."""

    policy: str
    subdomains: str
    strict_dkim: bool = False
    strict_spf: bool = False


@cache
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList  # it reads its list: not before somebody asks

    return PublicSuffixList()


def organizational(domain: str) -> str:
    """The domain that somebody registered; the domain itself where it is a public suffix."""
    domain = domain.lower().rstrip(".")
    return _suffixes().privatesuffix(domain) or domain


def aligned(domain: str, author: str, *, strict: bool) -> bool:
    """Whether what was checked for `domain` counts for an author's domain (section 3.1)."""
    domain, author = domain.lower().rstrip("."), author.lower().rstrip(".")
    return domain == author or (not strict and organizational(domain) == organizational(author))


def parse(text: str) -> Policy | None:
    """The policy in a TXT text; None when it is none, or wrong: receivers then act as if there were none."""
    found = tags(text)
    policy = found.get("p", "").lower()
    if not found or next(iter(found)) != "v" or found["v"] != "DMARC1" or policy not in POLICIES:
        return None
    below = found.get("sp", "").lower()
    return Policy(
        policy=policy, subdomains=below if below in POLICIES else policy,
        strict_dkim=found.get("adkim", "r").lower() == "s", strict_spf=found.get("aspf", "r").lower() == "s",
    )  # fmt: skip


async def policy_of(dns: Dns, author: str) -> Policy | None:
    """The policy that counts for an author's domain: its own, else its organization's (section 6.6.3)."""
    for domain in dict.fromkeys((author, organizational(author))):
        found = [text for text in await dns.texts(f"_dmarc.{domain}") if text.startswith("v=DMARC1")]
        if len(found) == 1 and (policy := parse(found[0])) is not None:
            return policy if domain == author else _of_subdomain(policy)
    return None


def _of_subdomain(policy: Policy) -> Policy:
    return Policy(
        policy=policy.subdomains, subdomains=policy.subdomains, strict_dkim=policy.strict_dkim,
        strict_spf=policy.strict_spf,
    )  # fmt: skip
