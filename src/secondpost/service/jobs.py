"""Work that takes longer than a page: sending many messages again, one after the other.

Rule: a job is on disk before its first step and goes on after a restart; no message is sent again twice by it, and
what fails stops nothing but itself.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from secondpost.errors import SecondpostError
from secondpost.service.credentials import digest_of
from secondpost.service.present import iso
from secondpost.store.base import Store

logger = logging.getLogger(__name__)

KIND = "job"
SAVED_EVERY = 25  # messages
KEPT = timedelta(days=7)
Job = dict[str, Any]


@dataclass(slots=True)
class Jobs:
    """`resend(message, key=…)` sends one message again, only once for each key."""

    store: Store
    resend: Callable[..., Awaitable[object]]
    now: Callable[[], datetime]
    _running: dict[str, Job] = field(default_factory=dict)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _beginning: asyncio.Lock = field(default_factory=asyncio.Lock)  # a form that is sent twice at once is one job

    async def begin(self, who: str, messages: Sequence[str], *, once: str = "") -> str:
        """Start a job, or find the one that was begun by the same `once`. Returns its name."""
        await self._forget_old()
        async with self._beginning:
            name = digest_of(once)[:16] if once else secrets.token_hex(8)
            if await self.store.get(KIND, name) is None:
                await self._begin(name, who, messages)
        return name

    async def _begin(self, name: str, who: str, messages: Sequence[str]) -> None:
        job: Job = {"by": who, "begun": iso(self.now()), "ended": None, "done": 0, "failed": []}
        job["messages"] = list(messages)
        await self.store.put(KIND, name, job)
        self._start(name, job)

    async def resume(self) -> None:
        """Go on with what the last process left."""
        for name, job in (await self.store.all(KIND)).items():
            if job["ended"] is None and name not in self._running:
                self._start(name, job)

    async def show(self, name: str) -> Job:
        job = self._running.get(name) or await self.store.get(KIND, name)
        if job is None:
            raise SecondpostError("There is no such job. It may be older than a week.")
        return job

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, name: str, job: Job) -> None:
        self._running[name] = job
        task = asyncio.get_running_loop().create_task(self._run(name, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, name: str, job: Job) -> None:
        try:
            for message in job["messages"][job["done"] :]:
                await self._step(name, job, message)
                job["done"] += 1
                if job["done"] % SAVED_EVERY == 0:
                    await self.store.put(KIND, name, job)
            job["ended"] = iso(self.now())
            await self.store.put(KIND, name, job)
        except SecondpostError as error:  # the store: what is not done yet is done after the next start
            logger.error("a job must wait for the next start: %s", error, extra={"job": name})
        finally:
            del self._running[name]

    async def _step(self, name: str, job: Job, message: str) -> None:
        try:
            await self.resend(message, key=f"job {name} {message}")
        except SecondpostError as error:
            job["failed"].append([message, str(error)])
        except Exception:
            logger.exception("a message of a job failed by a fault of our own", extra={"job": name})
            job["failed"].append([message, "a fault of ours; the gateway's log says more"])

    async def _forget_old(self) -> None:
        before = iso(self.now() - KEPT) or ""
        for name, job in (await self.store.all(KIND)).items():
            if job["ended"] is not None and job["ended"] < before:
                await self.store.delete(KIND, name)
