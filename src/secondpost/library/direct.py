"""Sending now: one round over the route, in this process, and the outcome told.

Rule: what nobody took is withdrawn before the caller hears so, so that nothing leaves behind its back; what passed the
point of no return goes nowhere else.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from secondpost.assembly import Core, build
from secondpost.config import Config
from secondpost.core import breaker
from secondpost.core.delivery import Move, State
from secondpost.errors import IdempotencyConflict
from secondpost.library import result
from secondpost.library.result import Result
from secondpost.mailers.base import Mailer
from secondpost.service.submit import Draft
from secondpost.store.base import Record
from secondpost.store.changes import digest
from secondpost.store.memory import MemoryStore

KEYS = 10_000  # idempotency keys that are known, in this process
BUSY = (State.LEASED, State.SENDING)
NO_WAY = "no connection can carry it now"


class Watched(MemoryStore):
    """The store in memory, which says when an attempt has left a message alone, and forgets what was told."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[int, Future[None]] = {}
        self._told: set[int] = set()

    def record(self, record: Record) -> "Future[bool]":
        written = super().record(record)
        if record.message in self._told:  # the caller has its answer: no other connection may take it now
            self.forget(record.message)
        elif record.message in self._entries and not self.numbers(record.message, *BUSY):
            asked = self._asked.pop(record.message, None)
            if asked is not None and not asked.done():
                asked.set_result(None)
        return written

    async def rested(self, message: int) -> None:
        """Wait until no attempt is under way."""
        if self.numbers(message, *BUSY):
            self._asked[message] = asyncio.get_running_loop().create_future()
            await self._asked[message]

    def numbers(self, message: int, *states: State) -> list[int]:
        return [delivery.number for delivery in self._entries[message].deliveries if delivery.state in states]

    def forget(self, message: int) -> None:
        """Drop it now, or when the provider has answered at last."""
        if self.numbers(message, State.SENDING):
            self._told.add(message)
            return
        self._told.discard(message)
        self._asked.pop(message, None)
        del self._entries[message]


class Direct:
    """One process's own lines to the providers. Belongs to one event loop."""

    def __init__(self, config: Config, find: Callable[[str], type[Mailer]] | None) -> None:
        # A limit is no reason to wait while another connection could carry it: somebody waits for the outcome.
        policies = {key: replace(policy, patience=timedelta()) for key, policy in config.policies.items()}
        self.store = Watched()
        self.core: Core = build(replace(config, policies=policies), self.store, find=find)
        self._known: dict[str, tuple[str, Future[Result]]] = {}

    async def open(self) -> None:
        await self.core.open()

    async def close(self) -> None:
        await self.core.worker.stop(5.0)
        await self.core.close()

    async def send(self, draft: Draft, seconds: float) -> Result:
        """The outcome after one round. With a key, a second call gets the first one's, unless nobody took that."""
        if not draft.key:
            return await self._send(draft, seconds)
        told = digest(self.core.operations.submit.prepare(draft))
        if (known := self._known.get(draft.key)) is not None:
            if known[0] != told:
                raise IdempotencyConflict(draft.key)
            return result.repeated(await asyncio.shield(known[1]))
        return await self._send_once(draft, seconds, told)

    async def _send_once(self, draft: Draft, seconds: float, told: str) -> Result:
        done: Future[Result] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda it: it.cancelled() or it.exception())  # perhaps nobody else asks
        self._known[draft.key] = told, done
        if len(self._known) > KEYS:
            del self._known[next(iter(self._known))]
        try:
            outcome = await self._send(replace(draft, key=""), seconds)
        except BaseException as error:
            self._known.pop(draft.key, None)
            done.set_exception(error) if isinstance(error, Exception) else done.cancel()
            raise
        done.set_result(outcome)
        if not {it.state for it in outcome.recipients.values()} & {"accepted", "unclear"}:
            self._known.pop(draft.key, None)  # nobody has it: a retry is a new try
        return outcome

    async def _send(self, draft: Draft, seconds: float) -> Result:
        receipt = await self.core.operations.submit(draft)
        id = receipt.id
        reasons: dict[int, str] = {}
        try:
            if self.store.numbers(id, State.WAITING):
                await self._on_trial()
            async with asyncio.timeout(seconds):
                await self.store.rested(id)
        except TimeoutError:
            reasons |= dict.fromkeys(self.store.numbers(id, State.LEASED), f"nobody took it within {seconds:g} s")
        finally:
            reasons |= {number: NO_WAY for number in self.store.numbers(id, State.WAITING) if number not in reasons}
            open_ones = self.store.numbers(id, State.WAITING, State.LEASED)
            now = self.core.operations.submit.now()
            await self.store.move(id, open_ones, Move.CANCEL, now=now, due=None, reason="withdrawn")
            entry = await self.store.entry(id)
            self.store.forget(id)
        assert entry is not None
        return result.of(entry, reasons=reasons)

    async def find(self, id: int) -> Result | None:  # noqa: ARG002  # as the others
        """Nothing is kept: `send` has told all."""
        return None

    async def _on_trial(self) -> None:
        """No connection is trusted now: this message is the trial of those that it is not known to be useless for."""
        now = self.core.operations.submit.now()
        for line in self.core.worker.ways.lines.values():
            if line.breaker.state is breaker.State.OPEN and not line.breaker.reason.startswith("account"):
                line.breaker = breaker.signed_in(line.breaker, now)
        await self.core.worker.refill()


class Rehearsal(Direct):
    """On a test's stage: what a queue or a gateway would go on with is carried at once, and told as queued."""

    async def send(self, draft: Draft, seconds: float) -> Result:
        done = await super().send(draft, seconds)
        waiting = {"accepted", "deferred", "unclear"}
        people = [replace(it, state="queued") if it.state in waiting else it for it in done.recipients.values()]
        return replace(result.told(done.id, people, done.attempts), duplicate=done.duplicate)
