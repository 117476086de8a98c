"""The SMTP entrypoint: its addresses, its certificate, and all of its sessions with what they share.

Rule: off this machine nobody sends without a log-in, and no log-in goes unencrypted (S5, S7).
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

from secondpost.config.kinds import Listener
from secondpost.config.settings import Sendmail, Smtp
from secondpost.core import address
from secondpost.entrypoints.auth import LOCAL, Check, LogIns, is_loopback
from secondpost.entrypoints.smtp_answers import STOPPING
from secondpost.entrypoints.smtp_local import LocalDoor
from secondpost.entrypoints.smtp_places import Places
from secondpost.entrypoints.smtp_session import BUDGET, SmtpSession
from secondpost.entrypoints.smtp_sockets import BACKLOG, bind, certificate
from secondpost.errors import ConfigError, Refusal
from secondpost.service.credentials import Client
from secondpost.service.submit import Draft
from secondpost.store.base import Receipt, TailWriter
from secondpost.wire.smtp_server import Profile, ServerLimits, Session

logger = logging.getLogger(__name__)

MEMORY = 64 << 20  # bytes of messages that are being committed or written, over all sessions
TICK = 1.0
LAST_SECONDS = 2.0  # for removing what was written of messages that will never be whole

Submit = Callable[[Draft], "asyncio.Future[Receipt]"]


class Spans(NamedTuple):
    """Seconds that a session may take, and how fast content must come."""

    command: float = 60.0  # for a command that was begun
    idle: float = 300.0
    session: float = 1800.0  # from one message to the next
    handshake: float = 15.0
    rate_window: float = 60.0
    bytes_per_second: float = 1000.0


SPANS = Spans()


class SmtpListener:
    """`start`, and `stop` with the seconds that sessions get to finish their message."""

    def __init__(
        self,
        config: Smtp,
        *,
        submit: Submit,
        authenticate: Check | None,
        new_id: Callable[[], int],
        new_tail: Callable[[int], TailWriter],
        spans: Spans = SPANS,
        memory: int = MEMORY,
        log_ins: LogIns | None = None,
        local: Sendmail | None = None,
    ) -> None:
        self.submit, self.new_id, self.new_tail, self.spans = submit, new_id, new_tail, spans
        self.now = 0.0
        self.is_full = self.is_stopping = False
        self._config, self._local = config, local
        self._log_ins = log_ins or (LogIns(authenticate) if authenticate else None)
        self._tls: ssl.SSLContext | None = None
        self._places = Places(config)
        limits = ServerLimits(message=config.max_message_bytes, recipients=config.max_recipients)
        hostname = config.hostname or socket.getfqdn()
        self._profile = Profile(hostname=hostname, limits=limits, normalize=config.normalize_line_ends)
        self._sockets: list[socket.socket] = []
        self._door: LocalDoor | None = None
        self._servers: list[asyncio.Server] = []
        self._acceptors: list[asyncio.Task[None]] = []
        self._sessions: set[SmtpSession] = set()
        self._held_back: set[SmtpSession] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()  # a session or a task
        self._memory, self._weight = memory, 0
        self._ticker: asyncio.TimerHandle | None = None

    # ── start and stop ──────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Listen. Raises `ConfigError`."""
        self._tls = certificate(self._config)
        self.is_stopping = False
        for listener in self._config.listen:
            self._check(listener)
        try:
            for listener in self._config.listen:
                await self._listen(listener)
            if self._local is not None and self._local.socket is not None:
                await self._listen_locally(self._local.socket, self._local.access)
        except ConfigError:
            await self.stop(0)
            raise
        self._tick()

    @property
    def ports(self) -> list[int]:
        """Where we listen, in the order of the configuration."""
        return [sock.getsockname()[1] for sock in self._sockets]

    def _check(self, listener: Listener) -> None:
        if listener.is_loopback or (self._tls is not None and self._log_ins is not None):
            return
        raise ConfigError(
            f"SMTP cannot listen on {listener}: other machines can reach it, and there is no certificate, so log-ins "
            "would go unencrypted. Nothing was started. Set [smtp] tls_certificate and tls_key, or listen on 127.0.0.1."
        )

    def renew(self, tls: ssl.SSLContext | None) -> None:
        """Take a new certificate for the handshakes to come. Whether there is one changes only with a restart."""
        if self._tls is not None and tls is not None:
            self._tls = tls

    async def _listen(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        for sock in await bind(listener):
            self._sockets.append(sock)
            if listener.tls:
                self._acceptors.append(loop.create_task(self._accept(sock)))
            else:
                self._servers.append(await loop.create_server(lambda: SmtpSession(self), sock=sock, backlog=BACKLOG))

    async def _listen_locally(self, path: Path, access: str) -> None:
        self._door = LocalDoor(path, access)
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_unix_server(lambda: SmtpSession(self), sock=self._door.open()))

    async def _accept(self, sock: socket.socket) -> None:
        """For TLS from the first byte: a client has to find a place before its handshake, which is dear, begins."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(sock)
            except OSError as error:  # out of file descriptors; as asyncio's own servers do it
                logger.warning("SMTP: no session could be begun: %s", error)
                await asyncio.sleep(1)
            else:
                self.spawn(self._welcome(client, address[0]))

    async def _welcome(self, client: socket.socket, peer: str) -> None:
        if self._places.take(peer):
            client.close()
            return
        session = SmtpSession(self, peer=peer)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: session, client, ssl=self._tls, ssl_handshake_timeout=self.spans.handshake
            )
        except OSError:  # ssl.SSLError is one
            client.close()
        finally:
            if not session.is_connected:
                self._places.give_back(peer)

    async def stop(self, grace: float) -> None:
        """Take no more sessions; let messages that are under way be answered for at most `grace` seconds."""
        self.is_stopping = True
        self._close_doors()
        for session in list(self._sessions):
            session.let_go(STOPPING)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self._sessions or self._tasks:
                    self._ended.clear()
                    await self._ended.wait()
        for session in list(self._sessions):
            session.hang_up(STOPPING)
            session.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_SECONDS)
        for task in self._tasks:
            task.cancel()
        if self._ticker is not None:
            self._ticker.cancel()

    def _close_doors(self) -> None:
        for acceptor in self._acceptors:
            acceptor.cancel()
        for server in self._servers:
            server.close()
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()
        if self._door is not None:
            self._door.close()

    # ── what sessions ask for ───────────────────────────────────────────────────────────────────────────────────────

    def session(self, peer: str, *, tls: bool) -> Session:
        """The state machine for a client at `peer`."""
        near = is_loopback(peer)
        return Session(
            self._profile,
            trusted=peer == LOCAL or (near and self._config.trust_loopback),  # who may open the socket may submit
            login=self._log_ins is not None,
            plaintext_login=near,
            tls_offered=self._tls is not None and (not near or (self._config.loopback_starttls and peer != LOCAL)),
            tls=tls,
        )

    def admit(self, session: SmtpSession) -> bytes:
        """Why it cannot come in, or nothing."""
        sorry = self._places.take(session.peer)
        if not sorry:
            self._sessions.add(session)
        return sorry

    def admitted(self, session: SmtpSession) -> None:
        """It had a place already, and its handshake is done."""
        self._sessions.add(session)

    def gone(self, session: SmtpSession) -> None:
        """It ended. May be told twice."""
        if session in self._sessions:
            self._sessions.discard(session)
            self._held_back.discard(session)
            self._places.give_back(session.peer)
            self._ended.set()

    def weigh(self, size: int) -> None:
        """Account for `size` more bytes in memory, or fewer."""
        self._weight += size
        if self._weight > self._memory:
            self.is_full = True
        elif self.is_full and self._weight <= self._memory // 2:
            self.is_full = False
            while self._held_back:
                self._held_back.pop().resume(BUDGET)

    def hold_back(self, session: SmtpSession) -> None:
        """Memory is used up: whoever brings more has to wait."""
        session.pause(BUDGET)
        self._held_back.add(session)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what a callback cannot do: log-ins, handshakes, large messages."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._ended.set()
        if not task.cancelled() and (error := task.exception()):
            logger.error("SMTP: a session failed", exc_info=error)

    async def log_in(self, identity: str, secret: str, *, peer: str) -> Client | None:
        assert self._log_ins is not None
        return await self._log_ins.check(identity, secret, peer=peer)

    @staticmethod
    def sender_check(client: Client) -> Callable[[str], Refusal | None]:
        """What MAIL says to a sender that `client` may not use (S8). The From field is checked by `submit`."""
        refused = Refusal(553, "5.7.1", "This log-in may not send as that address: use one of its own senders")
        return lambda sender: None if address.allowed(sender, client.senders) else refused

    async def start_tls(self, transport: asyncio.Transport, session: SmtpSession) -> asyncio.Transport | None:
        assert self._tls is not None
        return await asyncio.get_running_loop().start_tls(
            transport, session, self._tls, server_side=True, ssl_handshake_timeout=self.spans.handshake
        )

    def _tick(self) -> None:
        """One timer for all sessions: a timer for each command would cost more than the command."""
        loop = asyncio.get_running_loop()
        self._ticker = loop.call_later(TICK, self._tick)
        before, self.now = self.now, loop.time()
        for session in list(self._sessions):
            session.check_deadlines(before)  # `seen` is of a tick, too: this is never early
