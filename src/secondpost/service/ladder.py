"""The ladder at work: what became of a message whose answer was lost is asked of the provider that may have it.

Rule: nothing here can make a second copy. A request is repeated only where its key makes the two one message.
"""

import asyncio
import logging
from asyncio import Task
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from secondpost.core import ladder
from secondpost.core import message as rfc5322
from secondpost.core.delivery import Move, State
from secondpost.core.outcome import Accepted
from secondpost.core.priority import Policy, Priority, WhenUnclear
from secondpost.errors import SecondpostError
from secondpost.mailers.base import ApiMailer, Sought
from secondpost.service import attempt
from secondpost.service.line import Errand, Line
from secondpost.service.worker import Worker
from secondpost.store.base import Delivery, Lease, Store
from secondpost.store.log import LogEntry, Query

logger = logging.getLogger(__name__)

AT_ONCE = 4  # questions; mail has the right of way
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """The deliveries of one attempt that nobody knows the end of."""

    entry: LogEntry
    connection: str
    started: datetime
    since: datetime
    deadline: datetime | None  # when the policy sends it again
    recipients: Mapping[int, str]  # by number
    whole: bool  # all of the attempt is in doubt: it can be repeated as it was

    @property
    def message(self) -> int:
        return self.entry.row.id


class Granted:
    """The right to pass the point once more: it was passed before, and the key makes the two one."""

    def prepare(self) -> None:
        """It is written down already."""

    async def take(self) -> bool:
        return True


@dataclass(slots=True)
class Ladder:
    """Asks about doubts, each at its times."""

    store: Store
    worker: Worker
    policies: Mapping[Priority, Policy]
    now: Callable[[], datetime]
    _due: dict[int, datetime] = field(default_factory=dict)  # by message, when to ask next
    _asking: set["Task[None]"] = field(default_factory=set)
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def __post_init__(self) -> None:
        self.worker.ledger.on_doubt = self.note

    def note(self, message: int) -> None:
        """A doubt has arisen."""
        self._due[message] = self.now() + ladder.RUNGS[0]

    async def load(self) -> None:
        """Take up every doubt of the store: those of the last process, and those that a dead worker left."""
        query = Query(standings=(State.UNCLEAR,), limit=PAGE)
        while rows := await self.store.page(query):
            for row in rows:
                self._due.setdefault(row.id, self.now())
            query = Query(standings=(State.UNCLEAR,), limit=PAGE, before=rows[-1].id)

    async def climb(self) -> None:
        """Ask about what is due; nobody waits for the answers."""
        now = self.now()
        for message in [message for message, due in self._due.items() if due <= now]:
            del self._due[message]
            task = asyncio.get_running_loop().create_task(self._ask(message))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def stop(self) -> None:
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def _ask(self, message: int) -> None:
        rungs: list[datetime | None] = []
        async with self._turn:
            try:
                entry = await self.store.entry(message)
                for doubt in doubts(entry, self.policies) if entry else ():
                    if await self._settled(doubt):
                        continue
                    rungs.append(ladder.next_rung(doubt.since, self.now(), doubt.deadline))
            except SecondpostError as error:
                logger.warning("a doubt must wait: %s", error, extra={"id": rfc5322.id_text(message)})
                self.note(message)
            except Exception:  # it is left to the policy, or to a person
                logger.exception("a doubt could not be asked about by a fault of our own")
        if known := [rung for rung in rungs if rung is not None]:
            self._due[message] = min(known)

    async def _settled(self, doubt: Doubt) -> bool:
        """One rung. True: nothing of it is in doubt any more, or there is nobody to ask."""
        line = self.worker.ways.lines.get(doubt.connection)
        if line is None or not (line.mailer.can.idempotency or line.mailer.can.lookup):
            return True
        asked = ladder.is_kept(doubt.started, self.now(), line.mailer.can.idempotency) and doubt.whole
        if asked and await self._repeat(doubt, line):
            return True
        return line.mailer.can.lookup and await self._look(doubt, line)

    async def _repeat(self, doubt: Doubt, line: Line) -> bool:
        """Ask with the same key and the same bytes: they carry it once, however often they are asked."""
        content = await self.store.content(doubt.message)
        if content is None:
            return False
        row = doubt.entry.row
        deliveries = [Delivery(number=number, recipient=to) for number, to in doubt.recipients.items()]
        lease = Lease(
            id=row.id, sender=row.sender, priority=row.priority, expires=doubt.entry.expires, accepted=row.accepted,
            route=(line.name,), fence=0, deliveries=deliveries, size=row.size,
        )  # fmt: skip
        report = await line.mailer.send(attempt.parcel(Errand(lease), line, content), Granted())
        taken = {
            delivery.number: outcome.provider_id
            for delivery, outcome in zip(deliveries, report.outcomes, strict=True)
            if isinstance(outcome, Accepted)
        }
        told = "asked again with the same key"
        if not taken:
            await self._tell(doubt, f"{told}, and still unclear: {report.outcomes[0].reply}")
        return await self._taken(doubt, taken, told)

    async def _look(self, doubt: Doubt, line: Line) -> bool:
        content = await self.store.content(doubt.message)
        message_id = rfc5322.summarize(content.head).message_id if content else ""
        found = await cast("ApiMailer", line.mailer).look(
            Sought(
                id=doubt.message, message_id=message_id, recipients=tuple(doubt.recipients.values()),
                since=doubt.started,
            )
        )  # fmt: skip
        if found is None:
            await self._tell(doubt, "looked up: there was no answer that says anything")
            return False
        known = {address.lower(): provider_id for address, provider_id in found.items()}
        taken = {number: known[to.lower()] for number, to in doubt.recipients.items() if to.lower() in known}
        if message_id and not known and ladder.is_absent(doubt.since, self.now(), line.mailer.can.absent_after):
            return await self._not_taken(doubt)
        if not taken:
            await self._tell(doubt, "looked up: not found there (yet)")
        return await self._taken(doubt, taken, "looked up")

    async def _taken(self, doubt: Doubt, taken: Mapping[int, str], told: str) -> bool:
        """They have it for these; True if these are all."""
        for number, provider_id in taken.items():
            mine = f" [provider's id {provider_id}]" if provider_id else ""
            await self._settle(doubt, [number], Move.SETTLE_ARRIVED, f"{told}: {doubt.connection} has it{mine}")
        return len(taken) == len(doubt.recipients)

    async def _not_taken(self, doubt: Doubt) -> bool:
        text = f"looked up: {doubt.connection} never had it, so it goes out as if for the first time"
        await self._settle(doubt, list(doubt.recipients), Move.SETTLE_NOT_TAKEN, text)
        return True

    async def _settle(self, doubt: Doubt, numbers: list[int], move: Move, text: str) -> None:
        now = self.now()
        moved = await self.store.move(doubt.message, numbers, move, now=now, due=now, reason=text)
        if moved:
            await self._tell(doubt, f"settled for {', '.join([f'#{number}' for number in moved])}: {text}")

    async def _tell(self, doubt: Doubt, text: str) -> None:
        await self.store.event("doubt", at=self.now(), connection=doubt.connection, message=doubt.message, text=text)


def doubts(entry: LogEntry, policies: Mapping[Priority, Policy]) -> Iterator[Doubt]:
    """What is unclear of a message, by the attempt that left it so."""
    attempts = {attempt["number"]: attempt for attempt in entry.attempts}
    unclear = [delivery for delivery in entry.deliveries if delivery["state"] is State.UNCLEAR]
    again = policies[entry.row.priority].when_unclear is WhenUnclear.SEND_AGAIN
    for number in dict.fromkeys(delivery["attempt"] for delivery in unclear):
        found = attempts.get(number)
        if found is None or found["ended"] is None:
            continue
        mine = [delivery for delivery in unclear if delivery["attempt"] == number]
        yield Doubt(
            entry=entry,
            connection=found["connection"],
            started=found["started"],
            since=found["ended"],
            deadline=_deadline(mine) if again else None,
            recipients={delivery["number"]: delivery["recipient"] for delivery in mine},
            whole={outcome["number"] for outcome in found["outcomes"]} == {delivery["number"] for delivery in mine},
        )


def _deadline(deliveries: list[dict[str, Any]]) -> datetime | None:
    return min((delivery["due"] for delivery in deliveries if delivery["due"]), default=None)
