"""The sessions with one SMTP server: kept, shared, opened and closed, each carrying rides pipelined and chained.

Rule: a ride takes an idle session, else a new one, else a place behind another ride; nobody waits for ever.
"""

import asyncio
from collections import deque
from typing import Final

from secondpost.core.connection import Connection
from secondpost.core.outcome import Deferred, Fault, Outcome, Phase
from secondpost.mailers.smtp_connect import Failure, Server, connect
from secondpost.mailers.smtp_session import Ride, Session
from secondpost.wire.smtp_client import State

TICK: Final = 0.2  # how exactly deadlines are kept; a timer per command would cost more than the command
CAUTION: Final = 60.0  # how long we do not try again what a server did not like: one more session, chained messages


class Pool:
    """`place` gives a ride to a session, now or when one is free; `withdraw` takes it back."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._limit = max(1, connection.limits.sessions)
        self._patience = server.timeouts.command.total_seconds()
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

    # ── sharing ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def place(self, ride: Ride, loop: asyncio.AbstractEventLoop) -> None:
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

    def withdraw(self, ride: Ride) -> None:
        """Its parcel is not to be sent any more."""
        outcome = Deferred(Fault.LOCAL, "given up before the point of no return")
        if ride.session is not None:
            ride.session.abandon(ride, outcome)
        elif ride in self._waiting:
            self._waiting.remove(ride)
            ride.end(outcome)

    def _wait(self, ride: Ride, loop: asyncio.AbstractEventLoop) -> None:
        ride.deadline = loop.time() + self._patience
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
        if self._closed:
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

    # ── opening ───────────────────────────────────────────────────────────────────────────────────────────────────────

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
            if self._session_messages:
                result.client.carry_at_most(self._session_messages)
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

    # ── time, and the end ─────────────────────────────────────────────────────────────────────────────────────────────

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
            text = f"no session became free within {self._patience:g} s: all wait for the server's answers"
            _fail(self._waiting.popleft(), Deferred(Fault.UNREACHABLE, text), Phase.CONNECT, "")

    def close(self) -> None:
        """Hang up what is idle. The others are hung up when they become so."""
        self._closed = True
        for session in list(self._idle):
            self._hang_up(session)


def _fail(ride: Ride, outcome: Outcome, phase: Phase, transcript: str) -> None:
    ride.failed = phase, transcript
    ride.end(outcome)
    ride.wake()
