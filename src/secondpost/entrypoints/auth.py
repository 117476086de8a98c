"""Log-ins: who may try, and how often (S6).

Rule: a log-in that was refused without looking and one that was wrong tell nothing about which names exist.
"""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address
from time import monotonic

from secondpost.errors import Refusal, StoreError
from secondpost.service.credentials import Client

LOCAL = "[local]"  # the peer of a Unix socket

Check = Callable[[str, str], Awaitable[Client | None]]

FAILURES_PER_HOUR = 30
DELAY = 1.0  # seconds, before a wrong log-in is told so
PATIENCE = 30.0  # seconds for the check itself
_SOURCES = 10_000  # remembered at most

TOO_MANY = Refusal(454, "4.7.0", "Too many failed log-ins from your address: try again in an hour")
NOT_NOW = Refusal(454, "4.7.0", "The log-in cannot be checked now: try again later")


class LogIns:
    """Checks log-ins, with a token bucket of failures for each source."""

    def __init__(self, check: Check, *, clock: Callable[[], float] = monotonic, delay: float = DELAY) -> None:
        self._check = check
        self._clock = clock
        self._delay = delay
        self._failures: dict[str, tuple[float, float]] = {}  # source -> (tokens used, when)

    async def check(self, identity: str, secret: str, *, peer: str) -> Client | None:
        """The client, or None. Raises `Refusal` when the log-in was not even looked at."""
        # All programs on this machine share an address: one with an old secret must not lock the others out.
        source = f"{peer} {identity[:64]}" if is_loopback(peer) else network_of(peer)
        if self._used(source) > FAILURES_PER_HOUR - 1:
            await asyncio.sleep(self._delay)
            raise TOO_MANY
        try:
            client = await asyncio.wait_for(_as_coroutine(self._check(identity, secret)), PATIENCE)
        except (TimeoutError, StoreError):
            raise NOT_NOW from None
        if client is None:
            self._note(source)
            await asyncio.sleep(self._delay)
        return client

    def _used(self, source: str) -> float:
        used, when = self._failures.get(source, (0.0, 0.0))
        return max(0.0, used - (self._clock() - when) * FAILURES_PER_HOUR / 3600)

    def _note(self, source: str) -> None:
        used = self._used(source) + 1
        self._failures.pop(source, None)  # the newest stand last
        self._failures[source] = (used, self._clock())
        if len(self._failures) > _SOURCES:
            del self._failures[next(iter(self._failures))]


async def _as_coroutine(check: Awaitable[Client | None]) -> Client | None:
    return await check


def is_loopback(peer: str) -> bool:
    """Whether the address `peer` is on this machine."""
    return peer in {"::1", LOCAL} or peer.startswith(("127.", "::ffff:127."))


def network_of(peer: str) -> str:
    """What one client surely has for itself: an IPv4 address, or an IPv6 /64."""
    if ":" not in peer:
        return peer
    address = IPv6Address(peer.partition("%")[0])
    return str(address.ipv4_mapped) if address.ipv4_mapped else str(int(address) >> 64)
