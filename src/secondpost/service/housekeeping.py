"""Housekeeping: what must happen without anybody asking. Leases, expiry, doubts, retention, refilling the worker.

Rule: each duty is small, safe to repeat, and its failure never stops the others.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from secondpost.core import limits
from secondpost.core.delivery import Move
from secondpost.core.priority import Policy, Priority, WhenUnclear
from secondpost.errors import StoreError
from secondpost.service.ladder import Ladder
from secondpost.service.line import LIMITER
from secondpost.service.nondelivery import NonDelivery
from secondpost.service.submit import Submit
from secondpost.service.worker import Worker
from secondpost.store.base import Ending, Store

logger = logging.getLogger(__name__)

LEASE_TIME = timedelta(minutes=2)
BATCH = 500
LOOK_AGAIN = 0.5  # seconds: the floor under every wake-up


Duty = tuple[Callable[[], Awaitable[object]], float]  # what is done, and every how many seconds


@dataclass(slots=True)
class Housekeeping:
    """The duties of one process, each with its rhythm in seconds."""

    store: Store
    worker: Worker
    submit: Submit
    nondelivery: NonDelivery
    ladder: Ladder
    policies: dict[Priority, Policy]
    now: Callable[[], datetime]
    boot: str
    alone: bool = True
    others: tuple[Duty, ...] = ()  # that others see to
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    _claiming: asyncio.Lock = field(default_factory=asyncio.Lock)
    _kept: dict[str, limits.Limiter] = field(default_factory=dict)

    def start(self) -> None:
        """Begin all duties."""
        duties: tuple[tuple[Callable[[], Awaitable[object]], float], ...] = (
            (self.refill, 0.0),
            (self.worker.save_unsaved, 0.5),
            (self.submit.give_up, 1.0),
            (self.keep_counts, 1.0),
            (self.ladder.climb, 0.5),
            (self.doubts, 1.0),
            (self.expire, 5.0),
            (self.leases, LEASE_TIME.total_seconds() / 4),
            *self.others,
        )
        self._tasks = [asyncio.create_task(self._every(rhythm, duty)) for duty, rhythm in duties]

    async def stop(self) -> None:
        """End all duties. What was being claimed comes into the worker's hands first, which gives it back in order."""
        async with self._claiming:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.ladder.stop()

    async def _every(self, rhythm: float, duty: Callable[[], Awaitable[object]]) -> None:
        while True:
            pause = rhythm
            try:
                await duty()
            except StoreError as error:
                logger.error("%s must wait: %s", duty.__name__, error)
                pause = max(rhythm, LOOK_AGAIN)
            except Exception:
                logger.exception("%s failed by a fault of our own", duty.__name__)
                pause = max(rhythm, LOOK_AGAIN)
            await asyncio.sleep(pause)

    async def refill(self) -> None:
        """Bring due mail to the worker while there is room; then wait until there is some, or look after a pause."""
        more = True
        while more:
            async with self._claiming:
                more = await self.worker.refill() > 0
            await asyncio.sleep(0)
        shut = self.worker.ways.overall.wait(self.now()).total_seconds()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.worker.room.hungry.wait(), min(shut or LOOK_AGAIN, LOOK_AGAIN))

    async def recover(self) -> None:
        """At start: cancel what was refused, become known, and take back what a worker that died held."""
        await self.submit.undo_refused()
        await self.leases()
        await self.ladder.load()

    async def leases(self) -> None:
        """Keep this worker's leases, and take back those of the dead."""
        now = self.now()
        await self.store.enroll(self.worker.name, boot=self.boot, expires=now + LEASE_TIME)
        spans = {priority: policy.unclear_after for priority, policy in self.policies.items()}
        waiting, unclear = await self.store.lapse(now=now, alone=self.alone, keep=self.worker.name, unclear_after=spans)
        if waiting or unclear:
            text = f"a worker died; of its deliveries {waiting} wait again, {unclear} are unclear"
            logger.warning(text)
            await self.store.event("lapse", at=now, text=text)
        if unclear:
            await self.ladder.load()

    async def keep_counts(self) -> None:
        """Write down what the limits have counted, so that a restart does not begin a new quota."""
        for line in self.worker.ways.lines.values():
            limiter = line.limiter
            if self._kept.get(line.name) is not limiter:
                await self.store.put(LIMITER, line.name, limits.to_dict(limiter))
                self._kept[line.name] = limiter

    async def doubts(self) -> None:
        """Doubts that nothing settled in time: the policy of their priority acts."""
        now = self.now()
        again = [priority for priority in Priority if self.policies[priority].when_unclear is WhenUnclear.SEND_AGAIN]
        for message, number, _ in await self.store.doubts(again, now=now, limit=BATCH):
            reason = "nothing settled the doubt in time, so the policy sends it again: a possible duplicate"
            if await self.store.move(message, [number], Move.SEND_AGAIN, now=now, due=now, reason=reason):
                await self.store.event("policy", at=now, message=message, text=f"#{number}: {reason}")

    async def expire(self) -> None:
        """End what nobody took in time, and tell its sender: both or neither."""
        while overdue := await self.store.overdue(now=self.now(), limit=BATCH):
            await self.store.expire(
                [
                    Ending(message=message, numbers=numbers, report=await self.nondelivery.expired(message, numbers))
                    for message, numbers in overdue
                ]
            )
