"""One SMTP session on a socket: carries rides, one after the other or chained, and keeps the time of each phase.

Rule: the protocol is the client's (`wire.smtp_client`); here are only bytes, deadlines and wake-ups.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from secondpost.core.connection import Timeouts
from secondpost.core.outcome import Deferred, Fault, Outcome, Phase
from secondpost.mailers.base import Crossing, Parcel
from secondpost.wire.client_content import Unsendable
from secondpost.wire.client_envelope import BODY, ENVELOPE, GO, OVER, SENT, Transaction
from secondpost.wire.smtp_client import Client, State

# How long a message may wait behind another one's dot before it takes another session: spam filters think long sometimes.
CHAIN_PATIENCE: Final = 5.0
BLOCK: Final = 64 * 1024


class Ride(Transaction):
    """A parcel looking for a session, or in one. `turn` is done when the envelope is through, and again (a new one) at the end."""

    __slots__ = ("abandoned", "crossing", "deadline", "failed", "fresh", "session", "trace", "turn")

    def __init__(self, parcel: Parcel, crossing: Crossing, turn: "asyncio.Future[None]", *, fresh: bool) -> None:
        super().__init__(parcel.message, parcel.sender, parcel.recipients)
        self.crossing = crossing
        self.turn = turn
        self.fresh = fresh  # only on a session that is surely alive, and not chained
        self.deadline = 0.0
        self.session: Session | None = None
        self.failed: tuple[Phase, str] | None = None  # no session: how far we got, and its transcript
        self.abandoned = False

    def wake(self) -> None:
        if not self.turn.done():
            self.turn.set_result(None)


class Session(asyncio.Protocol):
    """A session. `settled` is called whenever it may take another ride, and when it is gone."""

    def __init__(self, client: Client, timeouts: Timeouts, settled: "Callable[[Session], None]") -> None:
        self.client = client
        self.idle_since = 0.0
        self.following: Ride | None = None  # waits until the dot of the one before it is out
        self.transport: asyncio.Transport
        self.gone = False  # the line is lost
        self._settled = settled
        self._timeouts = timeouts
        self._command = timeouts.command.total_seconds()
        self._data_reply = timeouts.data_reply.total_seconds()
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._progress: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None

    # ── what the socket says ────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # create_connection gives a Transport

    def data_received(self, data: bytes) -> None:
        client = self.client
        moved = client.receive(data)
        if output := client.take_output():
            self.transport.write(output)
        if moved:
            self._wake(moved)
        elif self._progress or client.state is State.OVER:
            self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._wake(self.client.lost(f"the connection was lost: {exc}" if exc else "the server closed the connection"))
        self.resume_writing()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # ── signing in ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def progress(self) -> None:
        """Until the server has answered, or the line is lost."""
        said = len(self.client.log)
        while self.client.state is State.SIGNING_IN and len(self.client.log) == said:
            self._progress = self._loop.create_future()
            try:
                await self._progress
            finally:
                self._progress = None

    def secured(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.client.secured()
        transport.write(self.client.take_output())

    # ── rides ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def load(self) -> int:
        return len(self.client.queue) + (self.following is not None)

    def begin(self, ride: Ride) -> None:
        """Take a ride: at once, or as soon as the dot of the one before it is out."""
        ride.session = self
        if self.client.free:
            self._open(ride)
        else:
            self.following = ride

    def _open(self, ride: Ride) -> None:
        client = self.client
        data = client.start(ride)
        if ride.stage == OVER:
            ride.wake()
            return
        self.transport.write(data)
        ride.deadline = self._now() + (self._command if len(client.queue) == 1 else CHAIN_PATIENCE)
        if not ride.large:
            ride.crossing.prepare()

    def cross(self, ride: Ride) -> None:
        """Write the last bytes, and the envelope of the next ride behind them."""
        self.transport.write(self.client.last_bytes(ride))
        ride.deadline = self._now() + self._data_reply
        if self.following and self.client.free:
            following, self.following = self.following, None
            self._open(following)

    def abandon(self, ride: Ride, outcome: Outcome) -> None:
        """Give a ride up before its end, with the session."""
        if self.following is ride:
            self.following = None
            ride.end(outcome)
        elif ride.stage != OVER:
            self.client.abandon(ride, outcome)
            self.drop("abandoned")

    async def stream(self, ride: Ride) -> None:
        """Write a large message but for its end, block by block, as fast as the server takes it."""
        blocks = self.client.blocks(ride)
        tail = ride.message.tail
        assert tail is not None
        try:
            left, source = tail.size, tail.blocks()
            block = ride.message.head + ride.message.body
            while block and ride.stage == BODY:
                await self._write(ride, blocks.feed(block))
                block = await asyncio.to_thread(next, source, b"")
                left -= len(block)
                if left <= 0:
                    ride.crossing.prepare()
            ride.content = blocks.end()
        except Unsendable as refusal:
            self.abandon(ride, refusal.outcome)
        except OSError as error:
            self.abandon(ride, Deferred(Fault.LOCAL, f"the message could not be read back: {error}"))

    async def _write(self, ride: Ride, data: bytes) -> None:
        ride.deadline = self._now() + self._timeouts.data_block.total_seconds()
        self.transport.write(data)
        if self._drained:
            await self._drained

    def _wake(self, moved: "list[Transaction]") -> None:
        for ride in moved:
            assert isinstance(ride, Ride)
            ride.wake()
        self._settle()

    def _settle(self) -> None:
        """See to what comes after: the next in the queue has its time from now; a session that is over is hung up."""
        client = self.client
        if self._progress and not self._progress.done():
            self._progress.set_result(None)
        if client.queue:
            head = client.queue[0]
            if head.stage == ENVELOPE:
                head.deadline = self._now() + self._command  # type: ignore[attr-defined]
        elif client.state is State.OVER:
            self.hang_up()
        if self.following:
            self._follow(self.following)
        self._settled(self)

    def _follow(self, ride: Ride) -> None:
        if self.client.state is State.OVER:
            self.following = None
            ride.stale = True
            ride.stage = OVER
            ride.wake()
        elif self.client.free:
            self.following = None
            self._open(ride)

    # ── time and the end ────────────────────────────────────────────────────────────────────────────────────────────

    def tick(self, now: float) -> None:
        """End what took too long."""
        for ride in list(self.client.queue):
            assert isinstance(ride, Ride)
            if ride.stage == GO or now < ride.deadline:  # GO: it is our turn, not theirs
                continue
            if ride is not self.client.queue[0]:
                self.client.detach(ride, "another message kept the session busy")
                ride.wake()
            else:
                self._too_late(ride)
                return

    def _too_late(self, ride: Ride) -> None:
        times = self._timeouts
        if ride.stage == SENT:
            reason = f"no answer to the message within {times.data_reply.total_seconds():g} s"
        elif ride.stage == BODY:
            reason = f"the server took no bytes for {times.data_block.total_seconds():g} s"
        else:
            reason = f"no answer within {times.command.total_seconds():g} s"
        self.drop(reason)
        ride.stale = False

    def drop(self, reason: str) -> None:
        """End the session now, whatever is under way."""
        moved = self.client.lost(reason)
        self.transport.abort()
        self._wake(moved)

    def hang_up(self) -> None:
        """Say good-bye where somebody may hear it."""
        if not self.gone and not self.transport.is_closing():
            self.transport.write(b"QUIT\r\n")
            self.transport.close()
        self.client.close("the session was closed")
