"""Any SMTP server: a pool of kept sessions, each carrying messages pipelined and chained.

Rule: a session that was found dead before anybody judged the message costs the message nothing; it takes a fresh one.
"""

import asyncio
from collections import deque
from typing import ClassVar, Final

from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase
from secondpost.mailers import dkim, presets
from secondpost.mailers.base import Abilities, Crossing, Parcel, Report, Setting, Verdict
from secondpost.mailers.smtp_connect import Failure, connect, server
from secondpost.mailers.smtp_session import Ride, Session
from secondpost.mailers.stages import Stages
from secondpost.wire.client_envelope import GO, OVER
from secondpost.wire.client_transcript import render
from secondpost.wire.smtp_client import State

TICK: Final = 0.2  # how exactly deadlines are kept; a timer per command would cost more than the command
CAUTION: Final = 60.0  # how long we do not try again what a server did not like: one more session, chained messages


class Smtp:
    """One SMTP server."""

    name: ClassVar[str] = "smtp"
    title: ClassVar[str] = "Other SMTP"
    can: ClassVar[Abilities] = Abilities()
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="preset", label="Provider", kind="choice", choices=("", *presets.PROVIDERS),
            help="Knows host, port and encryption; what is given below wins.",
        ),
        Setting(name="region", label="Region", help="Where the provider has several, such as eu; for SES eu-west-1."),
        Setting(name="host", label="SMTP Host", help="For example smtp.example.com."),
        Setting(
            name="encryption", label="Encryption", kind="choice", choices=("auto", "starttls", "tls", "none"),
            default="auto",
            help="auto: tls on port 465, else starttls. tls: from the first byte. none: for servers on this machine.",
        ),
        Setting(
            name="port", label="SMTP Port", kind="number", default=0,
            help="0: 587 for starttls, 465 for tls, 25 for none.",
        ),
        Setting(
            name="auth", label="Authentication", kind="choice", choices=("auto", "plain", "login", "xoauth2"),
            default="auto", advanced=True,
            help="auto: whatever the server offers. xoauth2: the password is an access token.",
        ),
        Setting(name="username", label="SMTP Username", help="Empty: no log-in."),
        Setting(name="password", label="SMTP Password", kind="secret"),
        Setting(name="helo", label="Name for EHLO", advanced=True, help="Empty: this machine's name."),
        Setting(
            name="ca_file", label="CA file", advanced=True,
            help="PEM file with the authorities to trust instead of the system's, for servers of your own.",
        ),
        Setting(
            name="allow_plaintext_auth", label="Allow log-in without encryption", kind="toggle", default=False,
            advanced=True,
            help="Sends the password in the clear. Not needed for a server on this machine.",
        ),
        Setting(
            name="idle_seconds", label="Close idle sessions after", kind="number", default=10, advanced=True,
            help="Seconds.",
        ),
        Setting(
            name="session_messages", label="Messages per session", kind="number", default=0, advanced=True,
            help="0: as many as the server takes.",
        ),
        Setting(
            name="chaining", label="Chain messages", kind="toggle", default=True, advanced=True,
            help="Send the next envelope while the server still thinks about the message before it.",
        ),
        # DATA is the better trodden way: filters and firewalls in front of some servers do not understand BDAT.
        Setting(
            name="chunking", label="Send with BDAT", kind="toggle", default=False, advanced=True,
            help="Where the server offers CHUNKING (RFC 3030).",
        ),
        *dkim.SETTINGS,
    )  # fmt: skip

    def __init__(self, connection: Connection) -> None:
        self._timeouts = connection.timeouts
        self._server = server(connection)
        self._signer = dkim.signer(connection.settings)
        self._limit = max(1, connection.limits.sessions)
        self._idle_seconds = float(connection.settings.get("idle_seconds") or 10)
        self._session_messages = int(connection.settings.get("session_messages") or 0)
        self._chains = bool(connection.settings.get("chaining", True))
        self._chaining = self._chains  # and the server has not objected lately
        self._chain_again = 0.0
        self._width = self._limit  # sessions that the server lets us have, as far as we know
        self._narrow_until = 0.0
        self._closed = False
        self._live: set[Session] = set()
        self._idle: dict[Session, None] = {}  # the one used last is taken first, so that the others grow old
        self._single: dict[Session, None] = {}  # busy with one ride, and may take another behind it; oldest first
        self._waiting: deque[Ride] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.TimerHandle | None = None

    @property
    def capacity(self) -> int:
        """Two for each session: one is answered while the next is on its way."""
        return self._limit * 2 if self._chaining else self._limit

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report:
        if self._signer is not None:
            parcel, refusal = await self._signer.sign(parcel)
            if refusal is not None:
                return refusal
        ride = await self._carry(parcel, crossing, fresh=False)
        if ride.stale:
            ride = await self._carry(parcel, crossing, fresh=True)
        return self._report(ride, parcel)

    async def _carry(self, parcel: Parcel, crossing: Crossing, *, fresh: bool) -> Ride:
        loop = asyncio.get_running_loop()
        ride = Ride(parcel, crossing, loop.create_future(), fresh=fresh)
        try:
            self._place(ride, loop)
            await ride.turn
            if ride.stage == GO:
                await self._cross(ride, loop)
        except BaseException:
            if not ride.passed:
                self._withdraw(ride)
            elif ride.session is not None:  # nobody waits for the answer any more
                ride.session.drop("the attempt was ended")
            raise
        return ride

    async def _cross(self, ride: Ride, loop: asyncio.AbstractEventLoop) -> None:
        session = ride.session
        assert session is not None
        if ride.large:
            await session.stream(ride)
            if ride.stage == OVER:
                return
        granted = await ride.crossing.take()
        if ride.stage == OVER:  # the line was lost meanwhile: nothing was sent
            return
        if not granted:
            ride.abandoned = True
            self._withdraw(ride)
            return
        ride.turn = loop.create_future()
        session.cross(ride)
        await ride.turn

    def _withdraw(self, ride: Ride) -> None:
        outcome = Deferred(Fault.LOCAL, "given up before the point of no return")
        if ride.session is not None:
            ride.session.abandon(ride, outcome)
        elif ride in self._waiting:
            self._waiting.remove(ride)
            ride.end(outcome)

    def _report(self, ride: Ride, parcel: Parcel) -> Report:
        outcomes = tuple([outcome or Deferred(Fault.UNREACHABLE, "no session") for outcome in ride.outcomes])
        if ride.failed:
            return Report(outcomes=outcomes, phase=ride.failed[0], transcript=ride.failed[1])
        transcript = ""
        if ride.session and (parcel.trace or any(type(outcome) is not Accepted for outcome in outcomes)):
            client = ride.session.client
            transcript = render(client.log, ride, self._server.account.secrets, client.ending)
        return Report(outcomes=outcomes, phase=ride.phase, transcript=transcript, abandoned=ride.abandoned)

    # ── the pool ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _place(self, ride: Ride, loop: asyncio.AbstractEventLoop) -> None:
        """An idle session, else a new one, else behind another ride, else wait."""
        if self._ticker is None:
            self._ticker = loop.call_later(TICK, self._tick, loop)
        if self._idle and not ride.fresh:
            ride.reused = True  # even if it has carried nothing yet: it may have died meanwhile
            self._begin(self._idle.popitem()[0], ride)
            return
        if self._idle and not self._room(loop):
            self._hang_up(next(iter(self._idle)))
        if self._room(loop):
            self._wait(ride, loop)
            self._open()
        elif self._single and not ride.fresh and not self._waiting:
            self._begin(next(iter(self._single)), ride)
        else:
            self._wait(ride, loop)

    def _wait(self, ride: Ride, loop: asyncio.AbstractEventLoop) -> None:
        ride.deadline = loop.time() + self._timeouts.command.total_seconds()
        self._waiting.append(ride)

    def _begin(self, session: Session, ride: Ride) -> None:
        session.begin(ride)
        self._shelve(session)

    def _room(self, loop: asyncio.AbstractEventLoop) -> bool:
        if self._width < self._limit and loop.time() > self._narrow_until:
            self._width = self._limit
        return len(self._live) + len(self._opening) < self._width

    def _settled(self, session: Session) -> None:
        """A session has room again, or is gone."""
        if session not in self._live:
            return
        if session.client.chaining_failed:
            self._chaining = False
            self._chain_again = asyncio.get_running_loop().time() + CAUTION
        if session.gone or (session.client.state is State.OVER and not session.load):
            self._forget(session)
            return
        while self._waiting and self._accepts(session, self._waiting[0]):
            if session.load and len(self._waiting) <= len(self._opening):
                break  # a session of its own is on the way: no need to wait behind an answer that may take long
            session.begin(self._waiting.popleft())
        self._shelve(session)

    def _accepts(self, session: Session, ride: Ride) -> bool:
        if session.client.state is not State.READY:
            return False
        return session.load == 0 or (session.load == 1 and not ride.fresh and self._may_chain(session))

    def _may_chain(self, session: Session) -> bool:
        if not self._chaining or not session.client.extensions.pipelining:
            return False
        queue = session.client.queue
        return not queue or not queue[0].large  # who has not begun cannot say how long a large one takes

    def _shelve(self, session: Session) -> None:
        """Put it where the next ride looks for it."""
        load = session.load
        if session.client.state is not State.READY:
            self._single.pop(session, None)
        elif load == 0:
            self._single.pop(session, None)
            session.idle_since = asyncio.get_running_loop().time()
            self._retire_or_keep(session)
        elif load == 1 and not self._waiting and self._may_chain(session):
            self._single[session] = None
        else:
            self._single.pop(session, None)

    def _retire_or_keep(self, session: Session) -> None:
        if self._closed or (self._session_messages and session.client.carried >= self._session_messages):
            self._hang_up(session)
        else:
            self._idle[session] = None

    def _hang_up(self, session: Session) -> None:
        session.hang_up()
        self._forget(session)

    def _forget(self, session: Session) -> None:
        self._live.discard(session)
        self._single.pop(session, None)
        self._idle.pop(session, None)
        loop = asyncio.get_running_loop()
        while len(self._waiting) > len(self._opening) and self._room(loop):
            self._open()

    # ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> None:
        task = asyncio.create_task(self._opened())
        self._opening.add(task)

    async def _opened(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            result = await connect(self._server, self._settled)
        finally:
            self._opening.discard(task)
        if isinstance(result, Failure):
            self._not_opened(result)
        else:
            self._chains = self._chains and result.client.extensions.pipelining
            self._chaining = self._chaining and self._chains
            self._live.add(result)
            self._settled(result)

    def _not_opened(self, failure: Failure) -> None:
        """A server that lets us have some sessions but not more is well: who waits gets one of those."""
        if any(session.load and session.client.state is State.READY for session in self._live):
            self._width = max(1, len(self._live))
            self._narrow_until = asyncio.get_running_loop().time() + CAUTION
            for session in list(self._live):
                self._settled(session)
            return
        count = 1 if self._opening else len(self._waiting)
        for ride in [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]:
            _fail(ride, failure.outcome, failure.phase, failure.transcript)

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for session in list(self._live):
            session.tick(now)
        for session in [session for session in self._idle if now - session.idle_since > self._idle_seconds]:
            self._hang_up(session)
        if not self._opening:
            self._give_up_waiting(now)
        if now > self._chain_again:
            self._chaining = self._chains
        busy = self._live or self._waiting or self._opening
        self._ticker = loop.call_later(TICK, self._tick, loop) if busy else None

    def _give_up_waiting(self, now: float) -> None:
        while self._waiting and self._waiting[0].deadline < now:
            span = self._timeouts.command.total_seconds()
            text = f"no session became free within {span:g} s: all wait for the server's answers"
            _fail(self._waiting.popleft(), Deferred(Fault.UNREACHABLE, text), Phase.CONNECT, "")

    # ── signing in, and the end ─────────────────────────────────────────────────────────────────────────────────────

    async def verify(self) -> Verdict:
        stages = Stages()
        result = await connect(self._server, lambda _: None, stages)
        passed = tuple(stages.passed)
        if isinstance(result, Failure):
            return Verdict(outcome=result.outcome, phase=result.phase, stages=passed, transcript=result.transcript)
        client = result.client
        details = {
            "server": f"{self._server.host} port {self._server.port}",
            "extensions": " ".join(sorted(client.extensions.names)),
        }
        if client.encrypted and result.transport is not None:
            details["tls"] = result.transport.get_extra_info("ssl_object").version()
        transcript = render(client.log, None, self._server.account.secrets)
        greeting = str(client.log[0])
        result.hang_up()
        return Verdict(
            outcome=Accepted(greeting),
            phase=Phase.LOGIN,
            stages=passed,
            transcript=transcript,
            details=details | {"greeting": greeting},
        )

    async def close(self) -> None:
        self._closed = True
        for session in list(self._idle):
            self._hang_up(session)


def _fail(ride: Ride, outcome: Outcome, phase: Phase, transcript: str) -> None:
    ride.failed = phase, transcript
    ride.end(outcome)
    ride.wake()
