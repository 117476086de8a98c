"""One SMTP session of ours with its socket: bytes go to the state machine, whole messages to `submit`.

Rule: callbacks only. A message that is being committed is out of the session's hands: its client may leave, it stays.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from secondpost.core.address import once
from secondpost.core.message import Tail
from secondpost.entrypoints.auth import LOCAL
from secondpost.entrypoints.smtp_answers import STOPPING, TIMED_OUT, excuse, taken
from secondpost.entrypoints.smtp_local import user_of
from secondpost.entrypoints.smtp_upload import Upload
from secondpost.errors import Refusal, StoreUnavailable
from secondpost.service.credentials import Client
from secondpost.service.submit import Draft
from secondpost.store.base import Receipt
from secondpost.wire.server_profile import CHUNK, LOGIN, WAIT
from secondpost.wire.server_replies import refusal
from secondpost.wire.smtp_server import Authenticate, Block, Discard, Event, Letter, Session, StartTls

if TYPE_CHECKING:
    from secondpost.entrypoints.smtp import SmtpListener

logger = logging.getLogger(__name__)

HELD_LIMIT = 65_536  # bytes that may arrive ahead of our answer
CLOSING = 10.0  # seconds for the client to take our last words

# Why a session is not read from; bits, since there may be several reasons at once.
AHEAD, BUDGET, UPLOAD, UNREAD, HANDSHAKE = 1, 2, 4, 8, 16


class SmtpSession(asyncio.Protocol):
    """`seen`: when it last got somewhere; `since`: when it began, or had its last message taken."""

    transport: asyncio.Transport
    session: Session

    def __init__(self, listener: "SmtpListener", *, peer: str = "") -> None:
        """`peer` is known where TLS comes first: it has its place already."""
        self._listener = listener
        self._client: Client | None = None
        self._upload: Upload | None = None
        self._weight = 0  # bytes of ours in the budget, while the message is being committed
        self._paused = 0
        self._user = ""  # who it is on this machine, where that is known
        self._ended = False  # the client has closed its half
        self.is_connected = False
        self.peer = peer
        self.seen = self.since = listener.now
        self.received = 0  # bytes since `seen`

    # ── asyncio.Protocol ────────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.is_connected = True
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        if self.peer:
            self.session = self._listener.session(self.peer, tls=True)
            self._listener.admitted(self)
        else:
            self._admit()
        self._handle([])

    def _admit(self) -> None:
        name = self.transport.get_extra_info("peername")
        if name is not None and not isinstance(name, tuple):
            self.peer, self._user = LOCAL, user_of(self.transport.get_extra_info("socket"))
        else:
            self.peer = name[0] if name else ""
        self.session = self._listener.session(self.peer, tls=False)
        # Without a name it has reset the connection already: what it sent can still be read, but whose is it?
        sorry = self._listener.admit(self) if self.peer else STOPPING
        if sorry:
            self.session.output = b""
            self.session.hang_up(sorry)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self._handle(self.session.receive(data))
        if self._listener.is_full:
            self._listener.hold_back(self)
        elif self.session.held > HELD_LIMIT and self.session.mode == WAIT:
            self.pause(AHEAD)

    def eof_received(self) -> bool:
        """A client that sent all and closed its half still gets its answers. TLS knows no half."""
        self._ended = True
        return self.session.mode == WAIT and not self.session.tls

    def connection_lost(self, _error: Exception | None) -> None:
        self._listener.gone(self)
        if self._upload is not None:
            self._upload.abandon()

    def pause_writing(self) -> None:
        self.pause(UNREAD)

    def resume_writing(self) -> None:
        self.resume(UNREAD)

    def pause(self, why: int) -> None:
        """Read no more until every reason is gone: TCP makes the client wait."""
        if not self._paused and not self.transport.is_closing():
            self.transport.pause_reading()
        self._paused |= why

    def resume(self, why: int) -> None:
        if self._paused & why:
            self._paused &= ~why
            if not self._paused and not self.transport.is_closing():
                self.transport.resume_reading()

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, events: list[Event]) -> None:
        """Write what there is to say, and do what the events ask for."""
        while not self.transport.is_closing():
            if self.session.output:
                self.transport.write(self.session.take_output())
                self.seen, self.received = self._listener.now, 0
            if not events:
                break
            more: list[Event] = []
            for event in events:
                if type(event) is Letter:
                    more = self._letter(event)  # the last of its batch: the session waits for the answer
                else:
                    self._rare(event)
            events = more
        if self.session.closed:
            self.transport.close()

    def _rare(self, event: Event) -> None:
        match event:
            case Block():
                self._block(event.data)
            case Discard():
                self._drop_upload()
            case Authenticate():
                self._listener.spawn(self._authenticate(event))
            case StartTls():
                self._secure()
            case Letter():
                raise AssertionError("handled by _handle")

    def _letter(self, letter: Letter) -> list[Event]:
        if self._upload is not None:
            upload, self._upload = self._upload, None
            self._listener.spawn(self._finish(upload, letter))
            return []
        try:
            future = self._listener.submit(self._draft(letter, self._listener.new_id(), None))
        except Exception as error:
            return self.session.answer(excuse(error))
        self._weight = len(letter.content)
        self._listener.weigh(self._weight)
        future.add_done_callback(self._committed)
        return []

    def _draft(self, letter: Letter, number: int, tail: Tail | None) -> Draft:
        session, client = self.session, self._client
        return Draft(
            id=number,
            sender=letter.sender,
            recipients=once(letter.recipients) if len(letter.recipients) > 1 else letter.recipients,
            content=letter.content,
            tail=tail,
            client=client.name if client else self._user,
            entrypoint="smtp",
            peer=self.peer,
            helo=session.helo,
            tls=session.tls,
            eight_bit=letter.eight_bit,
            smtputf8=letter.smtputf8,
            dsn=letter.dsn,
            trusted=client is None,
            senders=client.senders if client else (),
        )

    def _committed(self, future: "asyncio.Future[Receipt]") -> None:
        self._listener.weigh(-self._weight)
        self._weight = 0
        try:
            reply = taken(future.result())
        except (Exception, asyncio.CancelledError) as error:
            reply = excuse(error)
        self._answer(reply)

    def _answer(self, reply: bytes) -> None:
        if self.transport.is_closing():
            return  # the client left while we committed: the message stays (F48)
        if reply.startswith(b"2"):
            self.since = self._listener.now
        self._handle(self.session.answer(reply))
        self.resume(AHEAD)
        if self.session.mode == WAIT:
            return
        if self._ended:
            self.transport.close()
        elif self._listener.is_stopping:
            self.let_go(STOPPING)

    # ── large messages ──────────────────────────────────────────────────────────────────────────────────────────────

    def _block(self, data: bytes) -> None:
        if self._upload is None:
            number = self._listener.new_id()
            self._upload = Upload(number, self._listener.new_tail(number), self._listener.weigh)
            self._listener.spawn(self._upload.run(on_room=lambda: self.resume(UPLOAD)))
        if not self._upload.put(data):
            self.pause(UPLOAD)

    def _drop_upload(self) -> None:
        if self._upload is not None:
            self._upload.abandon()
            self._upload = None
            self.resume(UPLOAD)

    async def _finish(self, upload: Upload, letter: Letter) -> None:
        """Commit a large message. Nobody cancels this: the client may leave, the message stays."""
        try:
            tail = await upload.finish()
            future = self._listener.submit(self._draft(letter, upload.number, tail))
        except Exception as error:
            upload.abandon()
            self._answer(excuse(error))
            return
        try:
            receipt = await asyncio.shield(future)
            reply = taken(receipt)
            if receipt.duplicate:
                upload.abandon()
        except Exception as error:
            if isinstance(error, Refusal | StoreUnavailable):
                upload.abandon()  # surely not stored; after any other error the store may refer to it
            reply = excuse(error)
        self._answer(reply)

    # ── log-in, TLS, the end ────────────────────────────────────────────────────────────────────────────────────────

    async def _authenticate(self, event: Authenticate) -> None:
        session = self.session
        try:
            client = await self._listener.log_in(event.identity, event.secret, peer=self.peer)
        except Refusal as refused:
            self._handle(session.refused_login(refusal(refused)))
            return
        if client is None:
            logger.warning("SMTP: a log-in from %s failed", self.peer)
        elif client.senders:
            session.check_sender = self._listener.sender_check(client)
        self._client = client
        self._handle(session.authenticated(client.name if client else ""))

    def _secure(self) -> None:
        self.pause(HANDSHAKE)  # what comes now is the handshake's
        self._listener.spawn(self._start_tls())

    async def _start_tls(self) -> None:
        try:
            transport = await self._listener.start_tls(self.transport, self)
        except (OSError, EOFError, TimeoutError):  # ssl.SSLError is an OSError
            transport = None
        if transport is None:
            self.transport.abort()
            self._listener.gone(self)
            return
        self.transport, self._client, self._paused = transport, None, 0
        self.session.secured()
        self._handle([])

    def let_go(self, reply: bytes) -> None:
        """Hang up if nothing is under way. Else the session is asked again after its message."""
        if self.session.mode <= LOGIN and not self.session.in_transaction:
            self.hang_up(reply)

    def hang_up(self, reply: bytes) -> None:
        self.session.hang_up(reply)
        self._handle([])

    def check_deadlines(self, now: float) -> None:
        """Called every second or so for every session (S9)."""
        if self.session.closed:
            if now - self.seen > CLOSING:
                self.transport.abort()
        elif self.session.mode == WAIT or self._paused & ~UNREAD:
            self.seen = now  # it is our turn
        elif self._is_late(now):
            self.hang_up(TIMED_OUT)
            self.seen = now

    def _is_late(self, now: float) -> bool:
        spans, quiet = self._listener.spans, now - self.seen
        if now - self.since > spans.session:
            return True
        if LOGIN < self.session.mode <= CHUNK:
            if quiet < spans.rate_window:
                return False
            enough = self.received >= spans.bytes_per_second * quiet
            self.seen, self.received = now, 0
            return not enough
        unfinished = self.session.held or self.session.mode == LOGIN
        return quiet > (spans.command if unfinished else spans.idle)
