"""One attempt: what is carried, the right to pass the point of no return, and what the outcome means for each delivery.

Rule: nothing here retries. A lease and a connection become a parcel, a report becomes a record, and whatever goes wrong
on the way is an outcome too.
"""

import asyncio
import hashlib
import logging
from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from secondpost.core import breaker
from secondpost.core import message as rfc5322
from secondpost.core.delivery import Move
from secondpost.core.fallback import Decision, NextConnection
from secondpost.core.message import Message
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase, Rejected, Unclear
from secondpost.errors import StoreError
from secondpost.mailers.base import Parcel, Report
from secondpost.service.line import Errand, Line
from secondpost.store.base import Change, Delivery, Lease, Record, Start, Store, Submission

logger = logging.getLogger(__name__)

ACCEPT = (Move.ACCEPT,)
KINDS: dict[type[Outcome], str] = {Accepted: "accepted", Deferred: "deferred", Rejected: "rejected", Unclear: "unclear"}


@dataclass(slots=True)
class Passage:
    """The right to pass the point of no return (a `Crossing`), kept by the store and, in a race, given once."""

    store: Store
    errand: Errand
    start: Start
    committed: "Future[bool] | None" = None
    crossed: bool = False  # the right was given: from here on they may have it

    def prepare(self) -> None:
        # In a race the right must be won first: two marks for one crossing would be two doubts after a crash.
        if self.errand.race is None and self.committed is None:
            self.committed = self.store.start(self.start)

    async def take(self) -> bool:
        if self.errand.race is not None and not self.errand.race.take(self.errand):
            return False
        if self.committed is None:
            self.committed = self.store.start(self.start)
        self.crossed = await self.committed
        return self.crossed

    @property
    def started(self) -> bool:
        """Whether the store was asked to write the point down, and did not fail. What was asked for is written, even
        if nobody waits for it any more."""
        asked = self.committed
        return asked is not None and not (asked.done() and not asked.cancelled() and asked.exception() is not None)


async def send(line: Line, passage: Passage) -> Report:
    """Have the line's mailer carry the message of an errand. Never raises: a fault of our own has its outcome."""
    errand, store = passage.errand, passage.store
    lease = errand.lease
    try:
        if lease.message is None:
            lease.message = await store.content(lease.id)
        if lease.message is None:
            return same(lease, Deferred(Fault.LOCAL, "the content is missing from the store"))
        report = await line.mailer.send(parcel(errand, line, lease.message), passage)
        if len(report.outcomes) != len(lease.deliveries):
            raise ValueError(f"{len(report.outcomes)} outcomes for {len(lease.deliveries)} recipients")
        return report
    except asyncio.CancelledError:  # the grace of a stop is over
        return same(lease, stopped(passage))
    except StoreError as error:
        return same(lease, fault(passage, str(error)))
    except Exception as error:
        logger.exception("attempt failed by a fault of our own", extra=named(lease, line))
        return same(lease, fault(passage, f"internal error: {type(error).__name__}"))


def parcel(errand: Errand, line: Line, message: Message) -> Parcel:
    """The copy of the message for this connection, with its From rules applied; the stored message never changes."""
    lease = errand.lease
    copy, sender, _ = rfc5322.rewrite(message, lease.sender, line.connection.sender, extra=line.stamp)
    return Parcel(
        id=lease.id,
        message=copy,
        sender=sender,
        recipients=tuple([delivery.recipient for delivery in lease.deliveries]),
        key=_key(lease, line) if line.mailer.can.idempotency else "",
        trace=lease.trace,
    )


def _key(lease: Lease, line: Line) -> str:
    """The same for the same message, recipients and connection, however often it is tried."""
    numbers = ",".join([str(delivery.number) for delivery in lease.deliveries])
    return hashlib.sha256(f"{lease.id} {line.name} {numbers}".encode()).hexdigest()[:40]


@dataclass(slots=True, kw_only=True)
class Result:
    """What an attempt leads to: the changes to write down, and the deliveries that go on to the next connection."""

    changes: tuple[Change, ...]
    onward: list[Delivery] = field(default_factory=list)
    failed: list[tuple[Delivery, Outcome]] = field(default_factory=list)  # ended here with nobody having taken them


def all_accepted(report: Report) -> bool:
    return all(type(outcome) is Accepted for outcome in report.outcomes)


def judge(
    lease: Lease, report: Report, *, started: bool, decide: Callable[[Delivery, Outcome], Decision], line: str
) -> Result:
    """Decide for each delivery by its own outcome. `line` is the connection that was tried."""
    before: tuple[Move, ...] = () if started else (Move.START,)
    changes: list[Change] = []
    result = Result(changes=())
    for delivery, outcome in zip(lease.deliveries, report.outcomes, strict=True):
        decision = decide(delivery, outcome)
        moves = before + decision.moves
        spent = (*delivery.spent, line) if decision.spend else delivery.spent
        after = replace(delivery, spent=spent, tries=delivery.tries + decision.costs_try)
        if isinstance(decision, NextConnection):
            moves += (Move.LEASE,)
            result.onward.append(after)
        elif decision.failed:
            result.failed.append((delivery, outcome))
        changes.append(
            Change(
                number=delivery.number,
                moves=moves,
                outcome=outcome,
                due=decision.due,
                tries=after.tries,
                spent=spent,
                possible_duplicate=delivery.possible_duplicate,
            )
        )
    return replace(result, changes=tuple(changes))


def accepted(lease: Lease, report: Report, *, started: bool) -> Result:
    """The common case, kept short: every recipient was taken."""
    moves = ACCEPT if started else (Move.START, Move.ACCEPT)
    return Result(
        changes=tuple(
            [
                Change(
                    number=delivery.number,
                    moves=moves,
                    outcome=outcome,
                    tries=delivery.tries,
                    spent=delivery.spent,
                    possible_duplicate=delivery.possible_duplicate,
                )
                for delivery, outcome in zip(lease.deliveries, report.outcomes, strict=True)
            ]
        )
    )


def record(
    errand: Errand,
    line: Line,
    start: Start,
    report: Report,
    result: Result,
    *,
    ended: datetime,
    tells: Submission | None,
) -> Record:
    """What is written down of the attempt."""
    lease = errand.lease
    return Record(
        attempt=start.attempt,
        message=lease.id,
        worker=start.worker,
        fence=lease.fence,
        connection=line.name,
        started=start.now,
        ended=ended,
        phase=report.phase,
        changes=result.changes,
        transcript=report.transcript,
        note=errand.note,
        report=tells,
    )


def lost(errand: Errand, report: Report, took: timedelta) -> str:
    """What is told of an attempt in a race that another one decides."""
    winner = errand.race.winner if errand.race is not None else None
    far = f"{took / timedelta(milliseconds=1):,.0f} ms, as far as {report.phase}"
    if report.abandoned and winner is not None:
        return f"gave way to {winner.line} before its last byte: {far}"
    outcome = breaker.telling(report.outcomes)
    fault = f" ({outcome.fault})" if isinstance(outcome, Deferred | Rejected) else ""
    return f"failed while another connection was under way: {far}{fault}: {outcome.reply}"


def put_off(lease: Lease, worker: str, due: datetime, now: datetime) -> Record:
    """What is written down of a lease that nothing was done with: its deliveries wait until `due`."""
    changes = tuple(
        Change(
            number=delivery.number, moves=(Move.PUT_OFF,), due=due, tries=delivery.tries, spent=delivery.spent,
            possible_duplicate=delivery.possible_duplicate,
        )
        for delivery in lease.deliveries
    )  # fmt: skip
    return Record(
        attempt=0, message=lease.id, worker=worker, fence=lease.fence, connection="", started=now, ended=now,
        phase=Phase.CONNECT, changes=changes,
    )  # fmt: skip


def alike(lease: Lease) -> list[Lease]:
    """The lease, split where deliveries may no longer go the same ways."""
    groups: dict[tuple[tuple[str, ...], str], list[Delivery]] = {}
    for delivery in lease.deliveries:
        first = delivery.last if delivery.possible_duplicate else ""  # they begin where the first copy may be
        groups.setdefault((delivery.spent, first), []).append(delivery)
    return [lease] if len(groups) == 1 else [replace(lease, deliveries=group) for group in groups.values()]


def tallied(errand: Errand, line: str, report: Report) -> list[tuple[str, str, str, str]]:
    """What each outcome counts as: connection, outcome, fault, whether by a backup."""
    backup = "yes" if errand.lease.route and line != errand.lease.route[0] else "no"
    keys = []
    for delivery, outcome in zip(errand.lease.deliveries, report.outcomes, strict=True):
        twice = delivery.possible_duplicate and type(outcome) is Accepted
        kind = "possible_duplicate" if twice else KINDS[type(outcome)]
        keys.append((line, kind, getattr(outcome, "fault", ""), backup))
    return keys


def fault(passage: Passage, reply: str, again: timedelta | None = None) -> Outcome:
    """What a fault of our own leaves behind: only who was let across may have sent something."""
    return Unclear(reply) if passage.crossed else Deferred(Fault.LOCAL, reply, again)


def stopped(passage: Passage) -> Outcome:
    """What the end of a stop's grace leaves behind: what surely has not left may go as soon as we are back."""
    return fault(passage, "the gateway was stopped before the answer came", timedelta())


def same(lease: Lease, outcome: Outcome) -> Report:
    """One outcome for all."""
    return Report(outcomes=(outcome,) * len(lease.deliveries), phase=Phase.CONNECT)


def named(lease: Lease, line: Line | None = None) -> dict[str, str]:
    """Which message and connection, for diagnostics."""
    return {"id": rfc5322.id_text(lease.id)} | ({"connection": line.name} if line else {})
