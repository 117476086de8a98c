"""SPF (RFC 7208): whether a domain's record lets an address send for it.

Rule: at most ten lookups and two empty answers, as receivers count them; a record that asks for more helps nobody.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote

from secondpost.domains.resolver import Dns, LookupFailed

LOOKUPS, VOIDS, EXCHANGES = 10, 2, 10  # section 4.6.4
Address = IPv4Address | IPv6Address


class Result(StrEnum):
    NONE = "none"  # there is no record
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105  # a result
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


QUALIFIERS = {"+": Result.PASS, "-": Result.FAIL, "~": Result.SOFTFAIL, "?": Result.NEUTRAL}
TERM = re.compile(
    r"([+\-~?]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:[:](\S+?))?(/\d{1,3})?(//\d{1,3})?", re.IGNORECASE
)
MODIFIER = re.compile(r"([a-z][\w.\-]*)=(\S*)", re.IGNORECASE)
MACRO = re.compile(r"%(?:\{([slodiphcrtv])(\d*)(r?)([.\-+,/_=]*)\}|([%_-]))", re.IGNORECASE)


class RecordError(Exception):
    """The record cannot be evaluated, which receivers treat as no protection at all."""


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism of a record."""

    result: Result
    kind: str
    value: str = ""
    bits4: int = 32
    bits6: int = 128


@dataclass(frozen=True, slots=True)
class Record:
    terms: tuple[Term, ...]
    redirect: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result for one address, and why, where a person can do something about it."""

    result: Result
    why: str = ""


def parse(text: str) -> Record:
    """The record in a TXT text. Raises `RecordError` naming the term that is wrong."""
    terms: list[Term] = []
    redirect = ""
    for word in text.split()[1:]:
        if (found := MODIFIER.fullmatch(word)) is not None:
            redirect = found.group(2) if found.group(1).lower() == "redirect" else redirect
        else:
            terms.append(_term(word))
    return Record(tuple(terms), redirect)


def _term(word: str) -> Term:
    kind = word.lstrip("+-~?").partition(":")[0].lower()
    if kind in ("ip4", "ip6"):
        return _network(word, kind)
    found = TERM.fullmatch(word)
    if found is None or (found.group(2).lower() in ("include", "exists") and not found.group(3)):
        raise RecordError(f"its term {word!r} is not of SPF")
    sign, kind, value, four, six = found.groups()
    bits4, bits6 = int((four or "/32")[1:]), int((six or "//128")[2:])
    if bits4 > 32 or bits6 > 128:
        raise RecordError(f"its term {word!r} names no network")
    return Term(QUALIFIERS[sign or "+"], kind.lower(), value or "", bits4, bits6)


def _network(word: str, kind: str) -> Term:
    value = word.partition(":")[2]
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise RecordError(f"its term {word!r} names no network") from None
    if isinstance(network, IPv6Network) is not (kind == "ip6"):
        raise RecordError(f"its term {word!r} names a network of the other kind")
    sign = word[0] if word[0] in QUALIFIERS else "+"
    return Term(QUALIFIERS[sign], kind, value)


async def record_of(dns: Dns, domain: str) -> Record | None:
    """The domain's record. Raises `RecordError` for more than one, and `LookupFailed`."""
    found = [text for text in await dns.texts(domain) if text.lower().split(" ")[0] == "v=spf1"]
    if len(found) > 1:
        raise RecordError(f"{domain} has {len(found)} SPF records; receivers then look at none")
    return parse(found[0]) if found else None


async def check_host(dns: Dns, address: str, domain: str) -> Finding:
    """Whether mail from `postmaster@domain` may come from that address (section 4)."""
    try:
        return Finding(await _Evaluation(dns, ip_address(address), domain).of(domain))
    except RecordError as error:
        return Finding(Result.PERMERROR, str(error))
    except LookupFailed as error:
        return Finding(Result.TEMPERROR, str(error))


async def sample(dns: Dns, domain: str, depth: int = 5) -> str:
    """An address that the domain's record surely lets send; "" when it names none by number."""
    record = await record_of(dns, domain)
    if record is None or not depth:
        return ""
    for term in record.terms:
        if term.result is Result.PASS and term.kind in ("ip4", "ip6"):
            return str(ip_network(term.value, strict=False)[0])
    inner = [term.value for term in record.terms if term.kind == "include"] + [record.redirect]
    for name in inner:
        if name and "%" not in name and (found := await sample(dns, name, depth - 1)):
            return found
    return ""


@dataclass(slots=True)
class _Evaluation:
    """One check with its counts."""

    dns: Dns
    ip: Address
    sender: str  # its domain
    lookups: int = 0
    voids: int = 0
    path: list[str] = field(default_factory=list)

    async def of(self, domain: str) -> Result:
        record = await record_of(self.dns, domain)
        if record is None:
            return Result.NONE
        for term in record.terms:
            if await self._matches(term, domain):
                return term.result
        if not record.redirect:
            return Result.NEUTRAL
        self._count(f"redirect={record.redirect}")
        result = await self.of(self._expand(record.redirect, domain))
        if result is Result.NONE:
            raise RecordError(f"its redirect leads to {record.redirect}, which has no record")
        return result

    def _count(self, what: str) -> None:
        self.lookups += 1
        if self.lookups > LOOKUPS:
            raise RecordError(f"it takes more than {LOOKUPS} lookups (at {what}); receivers then give up")

    async def _matches(self, term: Term, domain: str) -> bool:
        if term.kind == "all":
            return True
        if term.kind in ("ip4", "ip6"):
            network = ip_network(term.value, strict=False)
            return network.version == self.ip.version and self.ip in network
        self._count(f"{term.kind}:{term.value or domain}")
        if term.kind == "ptr":  # section 5.5: not to be used; receivers need not look
            return False
        name = self._expand(term.value, domain) if term.value else domain
        if term.kind == "include":
            return await self._includes(name)
        if term.kind == "exists":
            return any(":" not in found for found in await self._addresses(name))
        hosts = [name] if term.kind == "a" else await self._exchanges(name)
        near = [self._near(found, term) for host in hosts for found in await self._addresses(host)]
        return any(near)

    async def _includes(self, name: str) -> bool:
        result = await self.of(name)
        if result is Result.NONE:
            raise RecordError(f"it includes {name}, which has no SPF record")
        return result is Result.PASS

    async def _exchanges(self, name: str) -> list[str]:
        found = await self.dns.exchanges(name)
        self._void(found)
        if len(found) > EXCHANGES:
            raise RecordError(f"{name} has more than {EXCHANGES} mail servers")
        return found

    async def _addresses(self, name: str) -> list[str]:
        found = await self.dns.addresses(name)
        self._void(found)
        return found

    def _void(self, found: list[str]) -> None:
        self.voids += not found
        if self.voids > VOIDS:
            raise RecordError("it names more than two hosts that do not exist; receivers then give up")

    def _near(self, found: str, term: Term) -> bool:
        address = ip_address(found)
        bits = term.bits4 if address.version == 4 else term.bits6
        return address.version == self.ip.version and self.ip in ip_network(f"{address}/{bits}", strict=False)

    def _expand(self, text: str, domain: str) -> str:
        """Macros (section 7)."""
        dotted = ".".join(self.ip.exploded.replace(":", "")) if self.ip.version == 6 else str(self.ip)
        values = {
            "s": f"postmaster@{self.sender}", "l": "postmaster", "o": self.sender, "d": domain, "i": dotted,
            "p": "unknown", "v": "in-addr" if self.ip.version == 4 else "ip6", "h": self.sender,
        }  # fmt: skip

        def one(found: re.Match[str]) -> str:
            letter, digits, back, marks, plain = found.groups()
            if plain:
                return {"%": "%", "_": " ", "-": "%20"}[plain]
            parts = re.split(f"[{re.escape(marks or '.')}]", values.get(letter.lower(), ""))
            parts = parts[::-1] if back else parts
            told = ".".join(parts[-int(digits) :] if digits and int(digits) else parts)
            return quote(told, safe="") if letter.isupper() else told

        return MACRO.sub(one, text)
