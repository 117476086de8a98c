"""The domain check for connections: what their From rules and mailers mean for the DNS.

Rule: it asks for each connection what a receiver would see if that connection sent – also for the backup, beforehand.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from secondpost.core import address
from secondpost.core.connection import Connection
from secondpost.domains import check
from secondpost.domains.check import Case
from secondpost.domains.providers import FACTS, OTHER_API, Facts
from secondpost.domains.resolver import Dns, Resolver
from secondpost.errors import WrongInput
from secondpost.service.connections import Connections

ROLES = ("primary", "backup", "additional")
PATIENCE = 20.0  # seconds for all connections
SELECTOR = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,61}[a-z0-9_])?")
# Nobody can send as these (RFC 2606, RFC 6761), so an email test does not ask the DNS about them.
RESERVED = re.compile(r"(.*\.)?(example(\.(com|net|org))?|test|invalid|localhost)")
SHORT = 4.0  # seconds that an email test waits for the check
NOWHERE = frozenset({"capture"})  # what stays here needs no DNS


@dataclass(slots=True)
class DomainCheck:
    connections: Connections
    resolver: Callable[[], Dns] = Resolver

    def domains(self) -> list[str]:
        """The domains that connections send as."""
        emails = [one.sender.email for one in self.connections.desk.connections.values() if one.sender.email]
        return list(dict.fromkeys(address.domain_of(email) for email in emails))

    async def __call__(self, domain: str, connection: str = "", selector: str = "") -> list[dict[str, Any]]:
        """A row for one connection, or for each that is switched on. Raises `WrongInput`."""
        domain, selector = _domain(domain), _selector(selector)
        known = self.connections.desk.connections
        chosen = [self.connections.known(connection)] if connection else [one for one in known.values() if one.enabled]
        dns = self.resolver()
        going = [self._row(dns, one, domain, selector) for one in chosen if one.mailer not in NOWHERE]
        return sorted(await asyncio.gather(*going), key=lambda row: ROLES.index(row["role"]))

    async def of_test(self, connection: str) -> dict[str, Any] | None:
        """What is found for a connection that has just sent a test; None: nothing to check, or not in time."""
        email = self.connections.known(connection).sender.email
        domain = address.domain_of(email) if email else ""
        if not domain or RESERVED.fullmatch(domain):
            return None
        try:
            async with asyncio.timeout(SHORT):
                rows = await self(domain, connection)
        except TimeoutError:
            return None
        return rows[0] if rows else None

    async def _row(self, dns: Dns, connection: Connection, domain: str, selector: str) -> dict[str, Any]:
        shown = self.connections.row(connection)
        case = case_of(connection, domain, self.connections.find(connection.mailer).title, selector)
        try:
            async with asyncio.timeout(PATIENCE):
                passes, items = await check.check(dns, case)
        except TimeoutError:
            text = f"It took longer than {PATIENCE:.0f} s."
            passes, items = None, [check.Item(name="DNS", state=check.OPEN, title="The DNS is too slow", text=text)]
        return {
            "connection": connection.name, "title": shown["title"], "role": shown["role"], "domain": case.author,
            "changed": case.author != domain, "passes": passes, "items": [item.plain() for item in items],
        }  # fmt: skip


def case_of(connection: Connection, domain: str, title: str, selector: str) -> Case:
    """How mail of that domain looks when the connection has sent it."""
    rules, settings = connection.sender, connection.settings
    author = address.domain_of(rules.email) if rules.email and rules.force_email else domain
    host = str(settings.get("host") or "")
    facts = _facts(connection)
    own = host if connection.mailer == "smtp" and facts is None else ""
    # A provider that lets customers bounce to a domain of theirs is told which one.
    envelope = str(settings.get("domain") or "") or (author if rules.return_path else domain)
    return Case(
        author=author, envelope=envelope, title=own or str(settings.get("preset") or "") or title, facts=facts,
        host=own, selector=selector or str(settings.get("dkim_selector") or ""),
    )  # fmt: skip


def _facts(connection: Connection) -> Facts | None:
    """What is known of the provider; None for a server of somebody's own."""
    if connection.mailer in ("smtp", "sendmail", "postal"):
        return FACTS.get(str(connection.settings.get("preset") or ""))
    return FACTS.get(connection.mailer, OTHER_API)


def _domain(text: str) -> str:
    domain = text.strip().rpartition("@")[2].lower().rstrip(".")
    try:
        address.parse(f"postmaster@{domain}")
        return domain.encode("idna").decode()
    except (address.AddressError, UnicodeError):
        raise WrongInput("domain", f"{text.strip()[:80]!r} is not a domain such as example.com.") from None


def _selector(text: str) -> str:
    selector = text.strip().lower()
    if selector and not SELECTOR.fullmatch(selector):
        raise WrongInput(
            "selector", "A selector has letters, digits, dots and hyphens: what stands before ._domainkey."
        )
    return selector
