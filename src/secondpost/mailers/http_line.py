"""The line to one provider's API: one request at a time through it, each knowing how far it got.

Rule: verified TLS, no proxy, no redirect, no cookie, bounded answers, and no private address unless it is allowed.
"""

import asyncio
import functools
import ipaddress
import re
import ssl
import weakref
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from secondpost.core.connection import Timeouts
from secondpost.core.outcome import Deferred, Fault, Outcome, Phase, Unclear
from secondpost.errors import ConfigError
from secondpost.mailers.api import Request, Response
from secondpost.mailers.base import Crossing, fault_of
from secondpost.mailers.stages import Stages

USER_AGENT: Final = "Secondpost (+https://pypi.org/project/secondpost/)"  # some providers refuse requests without one
KEEP_ALIVE: Final = 5.0  # seconds: a kept connection that they have just closed would look like a doubt
HANDSHAKE: Final = 15.0
BLOCK: Final = 64 * 1024
ANSWER_LIMIT: Final = 1024 * 1024
SHOWN_LIMIT: Final = 4096  # of an answer, in a transcript
SHOWN: Final = frozenset({"accept", "content-type", "user-agent", "idempotency-key"})  # the others may be secret
NOT_GIVEN: Final = Deferred(Fault.LOCAL, "given up before the point of no return")
_HOST: Final = re.compile(r"(?:https?://)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?/?")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a request: a response, or the outcome that the lack of one means."""

    phase: Phase
    response: Response | None = None
    outcome: Outcome | None = None
    transcript: str = ""
    abandoned: bool = False
    details: Mapping[str, str] = field(default_factory=dict)
    stages: Stages = field(default_factory=Stages)


class Line:
    """Pooled connections to one provider. `private`: addresses that are not public may be used, also without TLS."""

    def __init__(self, *, host: str, private: bool, timeouts: Timeouts, secrets: tuple[str, ...]) -> None:
        if host and not _HOST.fullmatch(host):
            raise ConfigError(f"API Host must be a host name, such as api.example.com, not {host[:100]!r}.")
        if host.startswith("http://") and not private:
            raise ConfigError(
                "API Host without TLS (http://) needs Allow Private Addresses: a key would leave unencrypted."
            )
        self.timeouts = timeouts
        self._host = host.rstrip("/") if "://" in host or not host else f"https://{host.rstrip('/')}"
        self._private = private
        self._given = secrets
        self._secrets: tuple[str, ...] = ()
        self.hide()
        self._session: aiohttp.ClientSession | None = None
        self._asking = 0  # requests under way
        self._closing = False

    async def ask(self, request: Request, crossing: Crossing | None = None) -> Answer:
        """Carry a request. With `crossing`, its last byte is the point of no return."""
        self._asking += 1
        try:
            return await self._ask(request, crossing)
        finally:
            self._asking -= 1
            await self._let_go()

    async def _ask(self, request: Request, crossing: Crossing | None) -> Answer:
        url = self._url(request.url)
        if (refused := self._egress(url)) is not None:
            stages = Stages()
            stages.note("DNS", refused.reply, ok=False)
            return Answer(phase=Phase.CONNECT, outcome=refused, stages=stages)
        session = await self._ready()
        if crossing is not None:
            crossing.prepare()
        flight = await self._fly(session, url, request, crossing)
        if flight.died_of_age:  # a kept connection turned out to be dead: it costs the message nothing
            flight = await self._fly(session, url, request, crossing)
        return self._answer(flight, url, request)

    async def _fly(
        self, session: aiohttp.ClientSession, url: str, request: Request, crossing: Crossing | None
    ) -> "Flight":
        flight = Flight(request.body, self.timeouts)
        asking = asyncio.create_task(_exchange(session, url, request, flight, held=crossing is not None))
        try:
            await flight.steer(asking, crossing)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        return flight

    def hide(self, *secrets: str) -> None:
        """Mask these too, such as a token; those of before are forgotten."""
        known = [one for one in (*self._given, *secrets) if one]
        self._secrets = tuple(sorted({form for one in known for form in (one, quote(one, safe=""))}, key=len)[::-1])

    async def close(self) -> None:
        """What is under way is answered first: to cut it off would leave doubts."""
        self._closing = True
        await self._let_go()

    async def _let_go(self) -> None:
        if self._closing and not self._asking and self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _ready(self) -> aiohttp.ClientSession:
        if self._session is None:
            await asyncio.to_thread(_context)
        if self._session is None:  # still: others may have come first
            connector = _Connector(
                limit=0, keepalive_timeout=KEEP_ALIVE, ssl=_context(), resolver=_Resolver(private=self._private)
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"},
            )  # fmt: skip
        return self._session

    def _url(self, url: str) -> str:
        if not self._host:
            return url
        there, asked = urlsplit(self._host), urlsplit(url)
        return urlunsplit((there.scheme, there.netloc, asked.path, asked.query, ""))

    def _egress(self, url: str) -> Deferred | None:
        """Whether an address that stands in the URL itself may be used; names are looked at when they are resolved."""
        parts = urlsplit(url)
        if self._private:
            return None
        if parts.scheme != "https" or _is_private(parts.hostname or ""):
            return Deferred(Fault.UNREACHABLE, f"{parts.hostname} is not a public address with TLS. {_ALLOW}")
        return None

    # Showing -------------------------------------------------------------------------------------------------------

    def _answer(self, flight: "Flight", url: str, request: Request) -> Answer:
        response = flight.response and self._masked(flight.response)
        if response is not None and response.ok and flight.phase is not Phase.POINT and flight.held:
            flight.outcome = Deferred(Fault.UNREACHABLE, "it answered before it had the whole message")
            response = None
        outcome = None if response else flight.outcome
        return Answer(
            phase=flight.phase, response=response, outcome=outcome, abandoned=flight.abandoned,
            transcript=self._transcript(flight, url, request, response, outcome), details=flight.details,
            stages=flight.stages,
        )  # fmt: skip

    def _masked(self, response: Response) -> Response:
        """Nothing that repeats a key of ours goes any further."""
        headers = {name: self.mask(value) for name, value in response.headers.items()}
        body = response.body
        for secret in self._secrets:
            body = body.replace(secret.encode(), b"****")
        return replace(response, headers=headers, body=body)

    def mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "****")
        return text

    def _transcript(
        self, flight: "Flight", url: str, request: Request, response: Response | None, outcome: Outcome | None
    ) -> str:
        lines = [f"C: {request.method} {self.mask(url)}"]
        lines += [
            f"C: {name}: {self.mask(value) if name.lower() in SHOWN else '****'}"
            for name, value in request.headers.items()
        ]
        if request.body:
            sent = len(request.body) if flight.phase is Phase.POINT or not flight.held else flight.written
            lines.append(f"C: <{sent} of {len(request.body)} bytes>")
        if response is not None:
            lines.append(f"S: {response.status}")
            lines += [f"S: {name}: {value}" for name, value in response.headers.items()]
            lines += [f"S: {line}" for line in _CONTROLS.sub(".", response.text[:SHOWN_LIMIT]).splitlines()]
        if outcome is not None:
            lines.append(f"-- {outcome.reply}")
        return "\n".join(lines)


class Flight:
    """One request on its way, and how far it got."""

    def __init__(self, body: bytes, timeouts: Timeouts) -> None:
        self.body = body
        self.phase = Phase.CONNECT
        self.written = 0
        self.response: Response | None = None
        self.outcome: Outcome | None = None
        self.abandoned = self.reused = self.held = False
        self.died_of_age = False
        self.details: dict[str, str] = {}
        self.stages = Stages()
        self._times = timeouts
        self._clock: asyncio.Timeout | None = None
        loop = asyncio.get_running_loop()
        self._loaded: asyncio.Future[None] = loop.create_future()  # all but the last byte is on its way
        self._go: asyncio.Future[None] = loop.create_future()  # the right to send the last one

    async def steer(self, asking: "asyncio.Task[None]", crossing: Crossing | None) -> None:
        """Follow it to its end: phase by phase, each with its time."""
        self.held = crossing is not None
        try:
            async with asyncio.timeout(self._times.connect.total_seconds() + HANDSHAKE) as self._clock:
                await asyncio.wait({asking, self._loaded}, return_when=asyncio.FIRST_COMPLETED)
                if crossing is not None and not asking.done():
                    await self._cross(asking, crossing)
                await asyncio.wait({asking})
            if not self.abandoned:
                asking.result()
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            self._failed(error)

    async def _cross(self, asking: "asyncio.Task[None]", crossing: Crossing) -> None:
        self._within(None)  # our disk's time is not theirs
        if not await crossing.take():
            self.abandoned, self.outcome = True, NOT_GIVEN
            asking.cancel()
        elif not asking.done():  # else the line was lost meanwhile, and they never saw the end
            self.phase = Phase.POINT
            self._within(self._times.data_reply.total_seconds())
            self._go.set_result(None)

    async def load(self) -> AsyncIterator[bytes]:
        """The body in blocks, and its last byte when there is the right to send it."""
        end = len(self.body) - 1
        self.phase = Phase.BODY
        for start in range(0, end, BLOCK):
            yield self.body[start : min(start + BLOCK, end)]
            self.written = min(start + BLOCK, end)
            self._within(self._times.data_block.total_seconds())
        self._loaded.set_result(None)
        await self._go
        yield self.body[end:]

    def connected(self, connection: aiohttp.connector.Connection, *, reused: bool) -> None:
        self.phase, self.reused = Phase.GREETING, reused
        self._within(self._times.command.total_seconds())
        if connection.transport and (tls := connection.transport.get_extra_info("ssl_object")):
            self.details["TLS"] = tls.version()
            self.stages.note("TCP and TLS", f"connected by {tls.version()}, and the certificate is right")
        else:
            self.stages.note("TCP", "connected")

    def answered(self, response: aiohttp.ClientResponse) -> None:
        """The status is known: whatever happens to the rest, it stands."""
        if self.phase is Phase.GREETING:
            self.phase = Phase.LOGIN
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.response = Response(status=response.status, headers=headers, whole=False)
        self._within(self._times.command.total_seconds())

    def _within(self, seconds: float | None) -> None:
        if self._clock is not None and not self._clock.expired():
            loop = asyncio.get_running_loop()
            self._clock.reschedule(None if seconds is None else loop.time() + seconds)

    def _failed(self, error: Exception) -> None:
        if self.response is not None or self.abandoned:
            return
        text = _explain(error)
        if self.phase is Phase.POINT:
            self.outcome = Unclear(f"no answer to the whole message: {text}")
            return
        if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
            self.phase = Phase.TLS
        unnamed = isinstance(error, aiohttp.ClientConnectorDNSError)
        self.stages.fail(self.phase, text, connecting="DNS" if unnamed else "TCP")
        self.died_of_age = self.reused and isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        self.outcome = Deferred(fault_of(error), text)


async def _exchange(session: aiohttp.ClientSession, url: str, request: Request, flight: Flight, *, held: bool) -> None:
    """The request and its answer. `held`: its last byte waits for the right to be sent."""
    _flight.set(flight)
    headers, data = dict(request.headers), request.body or None
    if held:
        headers["Content-Length"] = str(len(request.body))
    async with session.request(
        request.method, url, headers=headers, data=flight.load() if held else data, allow_redirects=False
    ) as response:
        flight.answered(response)
        assert flight.response is not None
        body, whole = await _read(response)
        flight.response = replace(flight.response, body=body, whole=whole)
        if not whole or (held and flight.phase is not Phase.POINT):
            response.close()


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The body, bounded, and whether that is all of it."""
    found = bytearray()
    try:
        async for piece in response.content.iter_any():
            found += piece
            if len(found) > ANSWER_LIMIT:
                return bytes(found[:ANSWER_LIMIT]), False
    except (aiohttp.ClientError, OSError):
        return bytes(found), False
    return bytes(found), True


# ── connecting ──────────────────────────────────────────────────────────────────────────────────────────────────────

_flight: ContextVar[Flight] = ContextVar("flight")


class _Connector(aiohttp.TCPConnector):
    """Tells the flight when it is connected, and whether that connection had carried others before."""

    _seen: "weakref.WeakSet[Any]"

    async def connect(self, *arguments: Any, **named: Any) -> aiohttp.connector.Connection:
        connection = await super().connect(*arguments, **named)
        seen = self.__dict__.setdefault("_seen", weakref.WeakSet())
        _flight.get().connected(connection, reused=connection.protocol in seen)
        seen.add(connection.protocol)
        return connection


class _Resolver(AbstractResolver):
    """The system's names, without those that lead where we must not go."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._system = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        allowed = found if self._private else [one for one in found if not _is_private(one["host"])]
        if not allowed:
            raise OSError(f"{host} leads to a private address. {_ALLOW}")
        _flight.get().stages.note("DNS", f"{host} is {', '.join(dict.fromkeys(one['host'] for one in allowed))}")
        return allowed

    async def close(self) -> None:
        await self._system.close()


_ALLOW: Final = "If that is meant, switch on Allow Private Addresses of the connection"


def _is_private(host: str) -> bool:
    """Whether it is an address that is not public. A name is none."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


@functools.cache
def _context() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def _explain(error: Exception) -> str:
    """What went wrong, for people."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{error.host} could not prove who it is: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        reason = error.os_error.args[-1] if error.os_error.args else "no address"
        return f"the name {error.host} does not resolve: {reason}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host} cannot be reached: {error.os_error.strerror or error.os_error}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return "the line was lost"
    return f"{type(error).__name__}: {error}"[:300]
