"""The domain check: would DMARC pass if this connection sent mail of that domain?

Rule: every finding says what is there, what it means for the mail, and what to do; what is not known is not guessed.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, assert_never

from secondpost.domains import dkim, dmarc, spf
from secondpost.domains.dmarc import Policy
from secondpost.domains.providers import Facts
from secondpost.domains.resolver import Dns, LookupFailed
from secondpost.domains.spf import Result

GOOD, OPEN, BAD = "good", "open", "bad"
EFFECT = {
    "none": "The domain asks mailboxes to take it all the same, but many treat it with suspicion.",
    "quarantine": "The domain asks mailboxes to put such mail into the spam folder.",
    "reject": "The domain asks mailboxes to refuse such mail: it would be lost.",
}
SIGN = "Set up DKIM for {author} in the provider's console, and put the record that it shows into the DNS."


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Who sends how. `author`: the domain of From; `envelope`: that of the envelope's sender, if we choose it."""

    author: str
    envelope: str
    title: str  # what people call the provider or its server
    facts: Facts | None  # None: a server of somebody's own
    host: str = ""
    selector: str = ""  # a person names it


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One finding."""

    name: str
    state: str
    title: str
    text: str
    todo: str = ""

    def plain(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "state", "title", "text", "todo")}


async def check(dns: Dns, case: Case) -> tuple[bool | None, list[Item]]:
    """Whether DMARC would pass (None: not known), and what was found."""
    try:
        policy = await dmarc.policy_of(dns, case.author)
    except LookupFailed as error:
        text = "Nothing can be said of the domain now."
        return None, [Item(name="DNS", state=OPEN, title="The DNS does not answer", text=text, todo=f"Look up {error}")]
    by_spf = await _spf(dns, case, policy)
    by_dkim = await _dkim(dns, case, policy)
    states = {by_spf.state, by_dkim.state}
    passes = True if GOOD in states else None if OPEN in states else False
    return passes, [by_spf, by_dkim, _dmarc(case, policy, passes=passes)]


async def _spf(dns: Dns, case: Case, policy: Policy | None) -> Item:
    if case.facts is not None and case.facts.bounces == "own":
        text = f"{case.title} puts its own domain into the envelope, so SPF cannot speak for {case.author}."
        return Item(name="SPF", state=BAD, title="SPF does not count here", text=text, todo="DKIM has to carry it.")
    below = case.facts.bounces if case.facts else ""
    domain = f"{below}.{case.author}" if below else case.envelope
    if not dmarc.aligned(domain, case.author, strict=policy is not None and policy.strict_spf):
        text = f"The envelope's sender is at {domain}, which is not of the same organization as {case.author}."
        todo = "Switch Return Path on, so that the envelope's sender is the From Email."
        return Item(name="SPF", state=BAD, title="SPF is about another domain", text=text, todo=todo)
    try:
        address = await _address(dns, case)
    except (LookupFailed, spf.RecordError):
        address = ""
    if not address:
        text = f"From which addresses {case.title} sends cannot be found out."
        return Item(name="SPF", state=OPEN, title="SPF cannot be checked", text=text)
    return _told(case, domain, address, await spf.check_host(dns, address, domain))


async def _address(dns: Dns, case: Case) -> str:
    """One that mail by this connection comes from."""
    if case.facts is not None and case.facts.spf:
        return await spf.sample(dns, case.facts.spf)
    host = case.host
    found = [host] if host.replace(".", "").isdigit() or ":" in host else await dns.addresses(host) if host else []
    return next((one for one in found if ip_address(one).is_global), "")  # another is not what receivers see


def _told(case: Case, domain: str, address: str, found: spf.Finding) -> Item:
    own = case.facts is None or not case.facts.spf
    term = f"ip{6 if ':' in address else 4}:{address}" if own else f"include:{case.facts.spf if case.facts else ''}"
    match found.result:
        case Result.PASS:
            text = f"{domain} lets {case.title} send for it."
            return Item(name="SPF", state=GOOD, title="SPF would pass", text=text)
        case Result.NONE:
            text = f"{domain} has no SPF record."
            todo = f"Add a TXT record at {domain}: v=spf1 {term} ~all"
            return Item(name="SPF", state=BAD, title="There is no SPF record", text=text, todo=todo)
        case Result.TEMPERROR:
            return Item(name="SPF", state=OPEN, title="SPF cannot be checked", text=f"The DNS failed: {found.why}.")
        case Result.PERMERROR:
            text = f"The SPF record of {domain} cannot be used: {found.why}."
            return Item(name="SPF", state=BAD, title="The SPF record is broken", text=text, todo="Mend the record.")
        case Result.FAIL | Result.SOFTFAIL | Result.NEUTRAL:
            text = f"{domain} does not name {case.title} ({address}): the result is {found.result}."
            todo = f"Add {term} to the SPF record of {domain}."
            # A relay of one's own may send from other addresses than it listens on.
            return Item(name="SPF", state=OPEN if own else BAD, title="SPF would not pass", text=text, todo=todo)
        case _:
            assert_never(found.result)


async def _dkim(dns: Dns, case: Case, policy: Policy | None) -> Item:
    selectors = (case.selector,) if case.selector else case.facts.selectors if case.facts else ()
    strict = policy is not None and policy.strict_dkim
    domains = dict.fromkeys((case.author,) if strict else (case.author, dmarc.organizational(case.author)))
    faults: list[str] = []
    for domain in domains:
        for selector in selectors:
            name = f"{selector}._domainkey.{domain}"
            try:
                keys = [key for text in await dns.texts(name) if (key := dkim.parse(text)) is not None]
            except LookupFailed:
                return Item(name="DKIM", state=OPEN, title="DKIM cannot be checked", text=f"The DNS failed at {name}.")
            if keys and not keys[0].fault:
                text = f"The key {name} is there ({keys[0].kind}, {keys[0].bits} bits)."
                return Item(name="DKIM", state=GOOD, title="DKIM would pass, if this key signs", text=text)
            faults += [f"{name}: {key.fault}." for key in keys]
    return _without_key(case, selectors, faults)


def _without_key(case: Case, selectors: tuple[str, ...], faults: list[str]) -> Item:
    todo = SIGN.format(author=case.author)
    if faults:
        return Item(name="DKIM", state=BAD, title="The DKIM key is of no use", text=" ".join(faults), todo=todo)
    tried = ", ".join(selectors)
    if case.selector or (case.facts is not None and case.facts.fixed):
        text = f"There is no key for {case.author} under {tried}."
        return Item(name="DKIM", state=BAD, title="There is no DKIM key", text=text, todo=todo)
    text = f"Under which selector {case.title} signs is not known" + (f"; not under {tried}." if tried else ".")
    todo = "Name the DKIM selector: the provider's console shows it, before ._domainkey."
    return Item(name="DKIM", state=OPEN, title="DKIM cannot be checked", text=text, todo=todo)


def _dmarc(case: Case, policy: Policy | None, *, passes: bool | None) -> Item:
    if policy is None:
        text = f"{case.author} has none. Large mailboxes ask for one, and nobody is told when others send in its name."
        todo = f"Add a TXT record at _dmarc.{case.author}: v=DMARC1; p=none; rua=mailto:postmaster@{case.author}"
        return Item(name="DMARC", state=OPEN, title="There is no DMARC record", text=text, todo=todo)
    if passes:
        text = f"The policy of {case.author} is {policy.policy}, and one of SPF and DKIM would pass."
        return Item(name="DMARC", state=GOOD, title="DMARC would pass", text=text)
    if passes is None:
        text = f"The policy of {case.author} is {policy.policy}. {EFFECT[policy.policy]}"
        return Item(name="DMARC", state=OPEN, title="Whether DMARC would pass is not known", text=text)
    todo = "See to SPF or DKIM above; one of them is enough."
    return Item(name="DMARC", state=BAD, title="DMARC would fail", text=EFFECT[policy.policy], todo=todo)
