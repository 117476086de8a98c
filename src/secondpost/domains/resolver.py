"""Looking names up in the DNS, each with a time-out.

Rule: a name or a record that is not there is an empty answer; only what could not be found out is an error.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

LIFETIME = 3.0  # seconds for one answer, repetitions included


class LookupFailed(Exception):
    """The DNS did not answer, or not with sense."""


class Dns(Protocol):
    async def texts(self, name: str) -> list[str]: ...

    async def addresses(self, name: str) -> list[str]: ...

    async def exchanges(self, name: str) -> list[str]: ...


@dataclass(slots=True)
class Resolver:
    """The machine's own servers, or those at `servers` and `port`. What was found is remembered: make one a check."""

    servers: tuple[str, ...] = ()
    port: int = 53
    _known: dict[tuple[str, str], list[Any]] = field(default_factory=dict)

    async def texts(self, name: str) -> list[str]:
        return [b"".join(one.strings).decode("utf-8", "replace") for one in await self._ask(name, "TXT")]

    async def addresses(self, name: str) -> list[str]:
        return [str(one.address) for kind in ("A", "AAAA") for one in await self._ask(name, kind)]

    async def exchanges(self, name: str) -> list[str]:
        found = sorted(await self._ask(name, "MX"), key=lambda one: one.preference)
        return [one.exchange.to_text(omit_final_dot=True) for one in found]

    async def _ask(self, name: str, kind: str) -> list[Any]:
        known = self._known.get((name, kind))
        if known is None:
            known = self._known[name, kind] = await self._look(name, kind)
        return known

    async def _look(self, name: str, kind: str) -> list[Any]:
        import dns.exception  # not before somebody asks: the gateway starts without
        import dns.resolver

        try:
            return list(await self._resolver().resolve(name, kind, raise_on_no_answer=False, search=False))
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise LookupFailed(f"{name}: {type(error).__name__}") from None

    def _resolver(self) -> Any:
        import dns.asyncresolver

        found = dns.asyncresolver.Resolver(configure=not self.servers)
        if self.servers:
            found.nameservers, found.port = list(self.servers), self.port
        found.lifetime, found.timeout = LIFETIME, LIFETIME / 2
        return found
