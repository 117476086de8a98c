"""One SMTP session on a socket: carries rides, one after the other or chained, and keeps the time of each phase.

Rule: the protocol is the client's (`wire.smtp_client`); here are only bytes, deadlines and wake-ups.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from secondpost.core.connection import Timeouts
from secondpost.core.outcome import Deferred, Fault, Outcome, Phase
from secondpost.mailers.base import Crossing, Parcel
from secondpost.wire.client_content import Unsendable
from secondpost.wire.client_envelope import BODY, ENVELOPE, GO, OVER, SENT, Transaction
from secondpost.wire.smtp_client import Client, State

# How long a message waits behind another one's dot before it takes another session: spam filters think long sometimes.
CHAIN_PATIENCE = 5.0


class Ride(Transaction):
    """A parcel on its way. `turn` is done when the envelope is through or all is over, and a second one at the end."""

    __slots__ = ("abandoned", "crossing", "deadline", "failed", "fresh", "heard", "session", "turn")

    def __init__(self, parcel: Parcel, crossing: Crossing, turn: "asyncio.Future[None]", *, fresh: bool) -> None:
        super().__init__(parcel.message, parcel.sender, parcel.recipients)
        self.crossing = crossing
        self.turn = turn
        self.fresh = fresh  # only on a session that is surely alive, and not chained
        self.deadline = 0.0
        self.heard = 0  # commands of the envelope that were answered when the deadline was set; -2: it is not our turn
        self.session: Session | None = None
        self.failed: tuple[Phase, str] | None = None  # there was no session: how far we got, and the transcript
        self.abandoned = False

    def wake(self) -> None:
        if not self.turn.done():
            self.turn.set_result(None)


class Session(asyncio.Protocol):
    """A session. `settled` is called whenever it may take another ride, and when it is gone."""

    def __init__(self, client: Client, timeouts: Timeouts, settled: "Callable[[Session], None]") -> None:
        self.client = client
        self.transport: asyncio.Transport | None = None
        self.following: Ride | None = None  # waits until the dot of the one before it is out
        self.gone = False  # the line is lost
        self.idle_since = 0.0
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._command = timeouts.command.total_seconds()
        self._data_block = timeouts.data_block.total_seconds()
        self._data_reply = timeouts.data_reply.total_seconds()
        self._progress: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None

    # ── what the socket says ────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        client = self.client
        moved = client.receive(data)
        if output := client.take_output():
            self._write(output)
        if moved:
            self._wake(moved)
        elif client.queue:
            self._heard(cast("Ride", client.queue[0]))
        else:
            self._settle()

    def eof_received(self) -> None:
        """Nothing may be written any more: what is not sent by now is surely not sent."""
        self._wake(self.client.lost("the server closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.resume_writing()
        self._wake(self.client.lost(f"the line was lost ({exc})" if exc else "the server closed the connection"))

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def _write(self, data: bytes) -> None:
        assert self.transport is not None
        if data:
            self.transport.write(data)

    # ── signing in ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def progress(self) -> State:
        """Until the server has answered, or the line is lost."""
        client, said = self.client, len(self.client.log)
        while client.state is State.SIGNING_IN and len(client.log) == said:
            self._progress = self._loop.create_future()
            await self._progress
        return client.state

    def secured(self, transport: asyncio.Transport) -> None:
        """TLS is up."""
        self.transport = transport
        self.client.secured()
        self._write(self.client.take_output())

    # ── rides ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def load(self) -> int:
        return len(self.client.queue) + (self.following is not None)

    def begin(self, ride: Ride) -> None:
        """Take a ride: at once, or as soon as the dot of the one before it is out."""
        ride.session = self
        self.following = ride
        if self.client.free:
            self._write(self._envelope())

    def _envelope(self) -> bytes:
        """The envelope of the ride that waits, whose time has come."""
        ride, self.following = self.following, None
        assert ride is not None
        data = self.client.start(ride)
        if ride.stage == OVER:
            ride.wake()
        else:
            ride.heard = -2 if ride.chained else ride.answered
            ride.deadline = self._now() + (CHAIN_PATIENCE if ride.chained else self._command)
            if not (ride.large or ride.chained):
                ride.crossing.prepare()
        return data

    def cross(self, ride: Ride) -> None:
        """Write the last bytes and, in the same breath, the envelope of the next ride."""
        data = self.client.last_bytes(ride)
        ride.deadline = self._now() + self._data_reply
        if self.following and self.client.free:
            data += self._envelope()
        self._write(data)

    async def stream(self, ride: Ride) -> None:
        """Write a large message but for its end, block by block, as fast as the server takes it."""
        blocks = self.client.blocks(ride)
        tail = ride.message.tail
        assert tail is not None
        try:
            source, left = tail.blocks(), tail.size
            block = ride.message.head + ride.message.body
            while block and ride.stage == BODY:
                await self._flow(ride, blocks.feed(block))
                block = await asyncio.to_thread(next, source, b"")
                left -= len(block)
                if block and left <= 0:  # the point is near: write it down while the rest is on its way
                    ride.crossing.prepare()
            ride.content = blocks.end()
        except Unsendable as refusal:
            self.abandon(ride, refusal.outcome)
        except OSError as error:
            self.abandon(ride, Deferred(Fault.LOCAL, f"the message could not be read back: {error}"))

    async def _flow(self, ride: Ride, data: bytes) -> None:
        ride.deadline = self._now() + self._data_block
        self._write(data)
        if self._drained:
            await self._drained

    def abandon(self, ride: Ride, outcome: Outcome) -> None:
        """Give a ride up before its end. Its session ends with it, but not before another one has its answer."""
        if self.following is ride:
            self.following = None
            ride.end(outcome)
        elif ride.stage != OVER:
            self.client.abandon(ride, outcome)
            if ride in self.client.queue:
                self.drop("the message was given up")
        self._settle()

    # ── what comes after ────────────────────────────────────────────────────────────────────────────────────────────

    def _wake(self, moved: "list[Transaction]") -> None:
        for ride in moved:
            cast("Ride", ride).wake()
        self._settle()

    def _settle(self) -> None:
        """The next in the queue has its time from now; whoever waits may begin; a session that is over is hung up."""
        client = self.client
        if self._progress and not self._progress.done():
            self._progress.set_result(None)
        if client.queue:
            self._heard(cast("Ride", client.queue[0]))
        elif client.state is State.OVER:
            self.hang_up()
        if self.following:
            self._follow()
        self._settled(self)

    def _heard(self, head: Ride) -> None:
        """Each command has its own time. Whoever is chained was asked long ago, so the first answer must come soon."""
        if head.stage == ENVELOPE and head.answered > head.heard:
            head.heard = head.answered
            if head.chained and not head.large:  # behind a slow answer, a mark written earlier would be a false doubt
                head.crossing.prepare()
            head.deadline = self._now() + (self._command if head.answered > 0 else min(self._command, CHAIN_PATIENCE))

    def _follow(self) -> None:
        if self.client.free:
            self._write(self._envelope())
        elif self.client.state is State.OVER:
            ride, self.following = self.following, None
            assert ride is not None
            ride.lost(self.client.ending)
            ride.stale = True
            ride.wake()

    # ── time and the end ────────────────────────────────────────────────────────────────────────────────────────────

    def tick(self, now: float) -> None:
        """End what took too long. At GO it is our turn, not the server's."""
        for transaction in list(self.client.queue):
            ride = cast("Ride", transaction)
            if ride.stage == GO or now < ride.deadline:
                continue
            if ride is self.client.queue[0]:
                self.drop(self._too_late(ride))
                return
            self.client.detach(ride, "another message kept the session busy")
            ride.wake()
            self._settle()

    def _too_late(self, ride: Ride) -> str:
        ride.reused = ride.chained  # else it is no leftover of a session that had died: the server has had its time
        match ride.stage:
            case stage if stage == SENT:
                return f"the server was silent for {self._data_reply:g} s"
            case stage if stage == BODY:
                return f"the server took no bytes for {self._data_block:g} s"
            case _:
                return f"the server did not answer within {self._command:g} s"

    def drop(self, reason: str) -> None:
        """End the session now, whatever is under way."""
        moved = self.client.lost(reason)
        if self.transport is not None:
            self.transport.abort()
        self._wake(moved)

    def hang_up(self) -> None:
        """Say good-bye if anybody would understand it."""
        if self.transport is None or self.gone or self.transport.is_closing():
            return
        if self.client.polite:
            self._write(b"QUIT\r\n")
            self.transport.close()
        else:
            self.transport.abort()
        self.client.close("the session was closed")
