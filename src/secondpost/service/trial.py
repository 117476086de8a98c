"""Trials: a connection that is not trusted now is tried again by signing in, so that no message waits for the answer.

Rule: traffic returns to a recovered connection by itself (delivery rules, section 5).
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from secondpost.core import breaker, limits
from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome
from secondpost.errors import StoreError
from secondpost.service.line import BREAKER, LIMITER, Line
from secondpost.service.worker import Worker
from secondpost.store.base import Store

logger = logging.getLogger(__name__)

TOLD = 3  # refused senders' domains that are named


@dataclass(slots=True)
class Trials:
    """Watches the breakers of all lines: writes changes down, and probes the open ones when their time has come."""

    store: Store
    worker: Worker
    now: Callable[[], datetime]
    _running: dict[Line, "asyncio.Task[None]"] = field(default_factory=dict)
    _writing: set["asyncio.Task[None]"] = field(default_factory=set)

    def changed(self, line: Line, outcome: Outcome) -> None:
        """A breaker changed its state: say so, keep it over a restart, and see to its probe."""
        reply = getattr(outcome, "reply", "")
        fault = getattr(outcome, "fault", "")
        state = _told(line)
        logger.warning("connection %s: breaker %s", line.name, state, extra={"fault": str(fault), "reply": reply})
        writing = asyncio.ensure_future(self._keep(line, f"{state}: {fault} {reply}".strip()))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        self.watch(line)

    async def _keep(self, line: Line, text: str) -> None:
        try:
            domains = {domain: breaker.to_dict(kept) for domain, kept in line.domains.items()}
            kept = {**breaker.to_dict(line.breaker), "domains": domains, "settings": _digest(line.connection)}
            await self.store.put(BREAKER, line.name, kept)
            await self.store.event("breaker", at=self.now(), connection=line.name, text=text)
        except StoreError as error:
            logger.error("the breaker of %s could not be written down: %s", line.name, error)

    async def restore(self, line: Line) -> None:
        """Take up breaker and limits where the last process left them."""
        counted = await self.store.get(LIMITER, line.name)
        if counted is not None:
            line.limiter = limits.from_dict(counted, line.connection.limits)
        kept = await self.store.get(BREAKER, line.name)
        if kept is not None and kept.get("settings") == _digest(line.connection):  # else it is another connection now
            line.breaker = breaker.from_dict(kept, self.now())
            line.domains = {
                domain: breaker.from_dict(one, self.now()) for domain, one in kept.get("domains", {}).items()
            }
            self.watch(line)

    def watch(self, line: Line) -> None:
        """Probe the line while its breaker is open."""
        running = self._running.get(line)
        if line.breaker.state is breaker.State.OPEN and (running is None or running.done()):
            task = asyncio.create_task(self._probe(line))
            self._running[line] = task
            task.add_done_callback(lambda done: self._ended(line, done))

    def _ended(self, line: Line, task: "asyncio.Task[None]") -> None:
        if self._running.get(line) is task:
            del self._running[line]

    async def _probe(self, line: Line) -> None:
        while not line.retired and line.breaker.state is breaker.State.OPEN:
            pause = (breaker.retry_at(line.breaker) - self.now()).total_seconds()
            if pause > 0:
                await asyncio.sleep(min(pause, breaker.LONGEST_PAUSE.total_seconds()))
                continue
            await self._sign_in(line)

    async def _sign_in(self, line: Line) -> None:
        started = self.now()
        line.breaker = breaker.probe(line.breaker, started)
        outcome = await _verified(line)
        now = self.now()
        if isinstance(outcome, Accepted):
            line.breaker = breaker.signed_in(line.breaker, now)
        else:
            line.breaker = breaker.probe_failed(line.breaker, started=started, now=now)
        await self._keep(line, f"{line.breaker.state.value}: probed by signing in: {outcome.reply}")

    async def try_now(self, line: Line) -> None:
        """A person has mended it: its time need not be waited for."""
        if line.breaker.state is breaker.State.OPEN:
            await self._sign_in(line)

    async def stop(self) -> None:
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), *self._writing, return_exceptions=True)


async def _verified(line: Line) -> Outcome:
    try:
        return (await line.mailer.verify()).outcome
    except Exception as error:
        logger.exception("signing in failed by a fault of our own", extra={"connection": line.name})
        return Deferred(Fault.LOCAL, f"internal error: {type(error).__name__}")


def _told(line: Line) -> str:
    """The state of the breaker, and the senders' domains that are refused there: clients choose how many."""
    state, refused = line.breaker.state.value, list(line.domains)
    if not refused:
        return state
    more = f" and {len(refused) - TOLD} more" if len(refused) > TOLD else ""
    return f"{state}, but open for mail from {', '.join(refused[-TOLD:])}{more}"


def _digest(connection: Connection) -> str:
    """What must be the same for a breaker of before to be about this connection: a mended password is tried at once."""
    told = (connection.mailer, sorted(connection.settings.items()))
    return hashlib.sha256(repr(told).encode()).hexdigest()
