"""From the settings to a session that is signed in, or to a reason that helps.

Rule: nothing blocks the loop, every phase has its deadline, and every failure says what to look at.
"""

import asyncio
import functools
import ipaddress
import logging
import os
import platform
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohappyeyeballs

from secondpost.core.connection import Connection, Timeouts
from secondpost.core.outcome import Deferred, Fault, Outcome, Phase
from secondpost.errors import ConfigError
from secondpost.mailers import presets
from secondpost.mailers.base import fault_of
from secondpost.mailers.smtp_session import Session
from secondpost.mailers.stages import Stages
from secondpost.wire.client_sign_in import Account
from secondpost.wire.client_transcript import render
from secondpost.wire.smtp_client import Client, State

logger = logging.getLogger(__name__)

HANDSHAKE: Final = 15.0  # at most; never longer than a command may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to connect, and how to introduce ourselves there."""

    host: str
    port: int
    tls: bool  # from the first byte (RFC 8314)
    ca_file: str
    account: Account
    timeouts: Timeouts

    @property
    def handshake(self) -> float:
        """Seconds for a TLS handshake."""
        return min(HANDSHAKE, self.timeouts.command.total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no session."""

    outcome: Outcome
    phase: Phase
    transcript: str


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────────

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}


def server(connection: Connection) -> Server:
    """Where the settings lead, with what the preset knows. Raises ConfigError."""
    settings = connection.settings
    provider = presets.PROVIDERS.get(str(settings.get("preset") or ""))
    host = str(settings.get("host") or (provider.host_in(str(settings.get("region") or "")) if provider else ""))
    if not host:
        raise ConfigError(f"The connection {connection.name!r} has no SMTP Host. Give host, or a preset.")
    encryption, port = _way(str(settings.get("encryption") or "auto"), int(settings.get("port") or 0), provider)
    account = Account(
        helo=str(settings.get("helo") or _own_name()),
        starttls=encryption == "starttls",
        auth=str(settings.get("auth") or "auto"),  # type: ignore[arg-type]  # one of the choices
        plaintext_auth=bool(settings.get("allow_plaintext_auth")) or is_loopback(host),
        chunking=bool(settings.get("chunking")),
        **_log_in(str(settings.get("username") or ""), str(settings.get("password") or ""), provider),
    )
    ca_file = str(settings.get("ca_file") or "")
    return Server(
        host=host, port=port, tls=encryption == "tls", ca_file=ca_file, account=account, timeouts=connection.timeouts
    )


def _way(encryption: str, port: int, provider: presets.Provider | None) -> tuple[str, int]:
    """Encryption and port: whichever is not given follows from the other, or from the preset."""
    if encryption == "auto" and port == 465:
        encryption = "tls"
    elif encryption == "auto":
        encryption = provider.encryption if provider and port in {0, provider.port} else "starttls"
    if provider and provider.encryption == encryption:
        return encryption, port or provider.port
    return encryption, port or _PORTS[encryption]


def _log_in(username: str, password: str, provider: presets.Provider | None) -> dict[str, str]:
    """Where all customers have one username, a key given alone is the password, wherever it was written."""
    if provider and provider.username and not (username and password):
        return {"username": provider.username, "password": password or username}
    if provider and provider.title == "Postmark" and not password:
        password = username
    return {"username": username, "password": password}


def _own_name() -> str:
    """What we call ourselves. A name without a dot is no name to the world; an address literal always is one."""
    name = platform.node()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


# ── connecting ──────────────────────────────────────────────────────────────────────────────────────────────────────


@functools.cache
def context(ca_file: str) -> ssl.SSLContext:
    """Verifies the certificate and the host name, always. `ca_file`: trust these authorities alone."""
    made = ssl.create_default_context(cafile=ca_file or None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, as far as its name tells."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


async def connect(
    server: Server, settled: Callable[[Session], None], stages: Stages | None = None
) -> Session | Failure:
    """Connect and sign in. What is passed on the way is noted in `stages`."""
    client = Client(server.account, encrypted=server.tls)
    session = Session(client, server.timeouts, settled)
    way = _Way(server, session, stages or Stages())
    try:
        await way.walk()
    except (OSError, TimeoutError, UnicodeError) as error:
        client.polite = False
        client.failure = client.failure or (Deferred(fault_of(error), explain(error, server, way.phase)), way.phase)
    except Exception as error:
        logger.exception("a session could not be opened by a fault of our own")
        client.failure = Deferred(Fault.LOCAL, f"internal error: {type(error).__name__}"), way.phase
    except BaseException:
        session.drop("the attempt was ended")
        raise
    if client.state is State.READY:
        return session
    # Some servers hang up, or say 421, in the same breath as their last yes: that is no session to come back to.
    outcome, phase = client.failure or (Deferred(Fault.UNREACHABLE, client.ending), Phase.LOGIN)
    way.stages.fail(phase, getattr(outcome, "reply", ""), connecting="TCP" if way.stages.passed else "DNS")
    client.close("")
    session.hang_up()
    transcript = render(client.log, None, server.account.secrets, getattr(outcome, "reply", ""))
    return Failure(outcome=outcome, phase=phase, transcript=transcript)


class _Way:
    """The way to a session, and how far it was gone."""

    def __init__(self, server: Server, session: Session, stages: Stages) -> None:
        self.server = server
        self.session = session
        self.stages = stages
        self.phase = Phase.CONNECT
        self._loop = asyncio.get_running_loop()

    async def walk(self) -> None:
        server, session = self.server, self.session
        await self._wrap(await self._reach())
        self.phase = Phase.GREETING
        state = session.client.state
        while state is State.SIGNING_IN:
            async with asyncio.timeout(server.timeouts.command.total_seconds()):
                state = await session.progress()
            if state is State.HANDSHAKE:
                state = await self._start_tls()
            elif len(session.client.log) > 2:
                self.phase = Phase.LOGIN
        if state is State.READY:
            name = server.account.username
            self.stages.note("Log-in", f"signed in as {name}" if name else "no log-in is set, and they talk to us")

    async def _reach(self) -> socket.socket:
        server = self.server
        async with asyncio.timeout(server.timeouts.connect.total_seconds()):
            addresses = await self._loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
            found = dict.fromkeys(str(address[4][0]) for address in addresses)
            self.stages.note("DNS", f"{server.host} is {', '.join(found)}")
            return await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=0.25)

    async def _wrap(self, sock: socket.socket) -> None:
        try:  # also for the name: a server that hung up at once has none any more
            self.stages.note("TCP", f"connected to {sock.getpeername()[0]} port {self.server.port}")
            if self.server.tls:
                self.phase = Phase.TLS
                tls = await asyncio.to_thread(context, self.server.ca_file)
                async with asyncio.timeout(self.server.handshake):
                    await self._loop.create_connection(
                        lambda: self.session, sock=sock, ssl=tls, server_hostname=self.server.host
                    )
                self._encrypted()
            else:
                await self._loop.create_connection(lambda: self.session, sock=sock)
        except BaseException:
            sock.close()
            raise

    def _encrypted(self) -> None:
        transport = self.session.transport
        if transport is not None:
            version = transport.get_extra_info("ssl_object").version()
            self.stages.note("TLS", f"{version}, and the certificate is for {self.server.host}")

    async def _start_tls(self) -> State:
        session, client = self.session, self.session.client
        self.phase = Phase.TLS
        tls = await asyncio.to_thread(context, self.server.ca_file)
        if client.state is State.HANDSHAKE and session.transport is not None:  # else something came in the clear
            async with asyncio.timeout(self.server.handshake):
                transport = await self._loop.start_tls(
                    session.transport, session, tls, server_hostname=self.server.host
                )
            if transport is None:
                raise ConnectionResetError("the connection was lost")
            session.secured(transport)
            self._encrypted()
            self.phase = Phase.GREETING
        return client.state


# ── explaining ──────────────────────────────────────────────────────────────────────────────────────────────────────

# OpenSSL's X509_V_ERR_*.
_STRANGER: Final = (
    "its certificate comes from an authority that this machine does not trust. "
    "For your own server, give that authority as CA file"
)
_OTHER_NAME: Final = "its certificate is for another name. Use the host name that stands in the certificate"
_CERTIFICATE: Final = {
    9: "its certificate is not valid yet. Check this machine's clock",
    10: "its certificate has expired. Its administrator must renew it",
    18: _STRANGER,  # self-signed
    19: _STRANGER,
    20: _STRANGER,
    21: _STRANGER,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
_OTHER_PORTS: Final = "Your host may block the ports 25, 465 or 587; try 2525 if the provider has it"


def explain(error: Exception, server: Server, phase: Phase) -> str:
    """What went wrong on the way, and what to look at."""
    where = f"{server.host} port {server.port}"
    if isinstance(error, socket.gaierror):
        return (
            f"The name {server.host} does not resolve ({error.strerror}). Check the host name and this machine's DNS."
        )
    if isinstance(error, FileNotFoundError | PermissionError):
        return f"The CA file {server.ca_file} cannot be read ({error.strerror})."
    if isinstance(error, UnicodeError):
        return f"{server.host[:100]!r} is not a host name."
    if isinstance(error, ssl.SSLError):
        return _explain_tls(error, where)
    if isinstance(error, TimeoutError):
        return _explain_time(server, phase, where)
    if isinstance(error, ConnectionRefusedError):
        return f"{where} refused the connection: nothing listens there, or a firewall says no. Check host and port."
    if phase is Phase.TLS:
        kind = "TLS from the first byte" if server.tls else "STARTTLS"
        return f"{where} ended the TLS handshake ({error}). Does this port speak {kind}?"
    return _explain_unreached(error, where)


def _explain_unreached(error: Exception, where: str) -> str:
    number = error.errno if isinstance(error, OSError) else None
    why = os.strerror(number) if number else str(error)
    if fault_of(error) is Fault.LOCAL:
        return f"This process may open no more connections, so {where} was not tried: {why}. Raise its limit."
    return f"{where} cannot be reached: {why}."


def _explain_tls(error: ssl.SSLError, where: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _CERTIFICATE.get(error.verify_code)
        return f"{where} could not prove who it is: {known or error.verify_message}. Nothing was sent."
    if "NO_CERTIFICATE" in str(error):
        return "The CA file has no certificate in it. It must be in PEM format."
    if "WRONG_VERSION_NUMBER" in str(error):
        return f"{where} does not speak TLS from the first byte. Choose STARTTLS (port 587), or port 465 for TLS."
    return f"{where} and this machine found no common TLS: {error.reason or error}. TLS 1.2 is the least that is used."


def _explain_time(server: Server, phase: Phase, where: str) -> str:
    times = server.timeouts
    if phase is Phase.CONNECT:
        return f"{where} did not answer within {times.connect.total_seconds():g} s. {_OTHER_PORTS}."
    if phase is Phase.TLS:
        return f"{where} did not finish the TLS handshake within {server.handshake:g} s."
    text = f"{where} did not answer within {times.command.total_seconds():g} s."
    if server.port == 465 and not server.tls:
        return f"{text} Port 465 expects TLS from the first byte: choose the encryption TLS, or port 587 for STARTTLS."
    return text
