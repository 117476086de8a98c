"""The queue in memory."""

import asyncio
from asyncio import Future
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from secondpost.core.delivery import OPEN, TABLE, Move, State, step
from secondpost.core.priority import Priority
from secondpost.errors import IdempotencyConflict, StoreError
from secondpost.store.base import Delivery, Ending, Lease, Receipt, Record, Start, Submission
from secondpost.store.changes import KEY_LIFE, TOO_LATE, digest, telling
from secondpost.store.memory.rows import Entry, Row, changed, first_row, lapsed, moved_by, write_change

T = TypeVar("T")
A = TypeVar("A")


def _answer(do: Callable[[A], T], value: A) -> "Future[T]":
    """The future of what is done at once."""
    future: Future[T] = asyncio.get_running_loop().create_future()
    try:
        future.set_result(do(value))
    except Exception as error:
        future.set_exception(error)
    return future


class MemoryQueue:
    """The queue's part of the store."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._workers: dict[str, datetime] = {}
        self._refused: set[int] = set()
        self._keys: dict[tuple[str, str], tuple[str, int, datetime]] = {}

    def accept(self, submission: Submission) -> "Future[Receipt]":
        return _answer(self._accept, submission)

    async def refuse(self, accepted: "Mapping[int, Future[Receipt]]") -> None:
        """Nothing takes long here: the futures are resolved already."""
        self._refused |= set(accepted)

    async def refused(self) -> list[int]:
        return sorted(self._refused)

    async def forget_refused(self, message: int) -> None:
        self._refused.discard(message)

    def start(self, start: Start) -> "Future[bool]":
        return _answer(self._start, start)

    def record(self, record: Record) -> "Future[bool]":
        return _answer(self._record, record)

    def _accept(self, it: Submission) -> Receipt:
        known = self._keys.get((it.client, it.key)) if it.key else None
        if known is not None and known[2] > it.accepted:
            if known[0] != digest(it):
                raise IdempotencyConflict(it.key)
            return Receipt(known[1], duplicate=True)
        if it.id in self._entries:
            raise StoreError(f"Message {it.id} is there already. This is a bug of Secondpost; please report it.")
        deliveries = [first_row(it, number, recipient) for number, recipient in enumerate(it.recipients)]
        self._entries[it.id] = Entry(it, deliveries, it.message)
        if it.key:
            self._keys[it.client, it.key] = (digest(it), it.id, it.accepted + KEY_LIFE)
        return Receipt(it.id)

    def _held(self, it: Start | Record, numbers: Sequence[int]) -> list[Row]:
        """The deliveries that this worker still holds under this fence."""
        entry = self._entries.get(it.message)
        held = [d for d in entry.deliveries if d.worker == it.worker and d.fence == it.fence] if entry else []
        return [delivery for delivery in held if delivery.worker and delivery.number in numbers]

    def _start(self, it: Start) -> bool:
        held = self._held(it, it.numbers)
        if len(held) < len(it.numbers) or any(d.state is State.SENDING and d.attempt != it.attempt for d in held):
            return False
        for delivery in held:
            delivery.state = step(State.LEASED, Move.START)
            delivery.attempt, delivery.connection, delivery.started = it.attempt, it.connection, it.now
        return True

    def _record(self, it: Record) -> bool:
        held = {delivery.number: delivery for delivery in self._held(it, [change.number for change in it.changes])}
        if len(held) < len(it.changes):
            return False
        states = {change.number: changed(held[change.number], change) for change in it.changes}
        if it.report is not None:
            self._accept(it.report)
        for change in it.changes:
            write_change(held[change.number], it, change, states[change.number])
        if it.attempt:
            outcomes = [telling(change) for change in it.changes]
            self._entries[it.message].tell(it.fence, {
                "number": it.attempt, "connection": it.connection, "started": it.started, "ended": it.ended,
                "phase": it.phase, "outcomes": outcomes, "note": it.note, "transcript": it.transcript,
            })  # fmt: skip
        return True

    # Leases --------------------------------------------------------------------------------------------------------

    async def lease(
        self, worker: str, routes: Sequence[tuple[str, ...]], *, now: datetime, limit: int, byte_limit: int
    ) -> list[Lease]:
        leases: list[Lease] = []
        for _order, message, route in sorted(self._due(routes, now)):
            size = self._entries[message].submission.message.size
            if len(leases) == limit or (leases and size > byte_limit):
                break
            byte_limit -= size
            leases.append(self._claim(worker, message, route, now))
        return leases

    def _due(
        self, routes: Sequence[tuple[str, ...]], now: datetime
    ) -> Iterator[tuple[tuple[int, datetime], int, tuple[str, ...]]]:
        for message, entry in self._entries.items():
            for route in routes:
                dues = [d.due for d in entry.open(State.WAITING) if d.route == route and d.due and d.due <= now]
                if dues:
                    yield (entry.submission.priority, min(dues)), message, route

    def _claim(self, worker: str, message: int, route: tuple[str, ...], now: datetime) -> Lease:
        entry = self._entries[message]
        it = entry.submission
        fence = max(delivery.fence for delivery in entry.deliveries) + 1
        claimed = [d for d in entry.open(State.WAITING) if d.route == route and d.due and d.due <= now]
        for delivery in claimed:
            delivery.state, delivery.due = step(State.WAITING, Move.LEASE), None
            delivery.worker, delivery.fence = worker, fence
        return Lease(
            id=message, sender=it.sender, priority=it.priority, expires=it.expires, accepted=it.accepted, route=route,
            fence=fence, message=entry.content, size=it.message.size,
            from_email=it.summary.from_email, entrypoint=it.entrypoint, notes=it.notes,
            deliveries=[
                Delivery(
                    number=d.number, recipient=d.recipient, tries=d.tries, spent=d.spent,
                    possible_duplicate=d.possible_duplicate, last=d.connection,
                )
                for d in claimed
            ],
        )  # fmt: skip

    async def routes(self) -> list[tuple[str, ...]]:
        return list({d.route for entry in self._entries.values() for d in entry.deliveries if d.state in OPEN})

    async def enroll(self, worker: str, *, boot: str, expires: datetime) -> None:
        del boot  # of use to several machines only
        self._workers[worker] = expires

    async def lapse(
        self, *, now: datetime, alone: bool, keep: str, unclear_after: Mapping[Priority, timedelta]
    ) -> tuple[int, int]:
        def lives(worker: str) -> bool:
            return worker == keep or (not alone and worker in self._workers and self._workers[worker] > now)

        counts = {State.WAITING: 0, State.UNCLEAR: 0}
        for entry in self._entries.values():
            for delivery in entry.deliveries:
                if delivery.worker and not lives(delivery.worker):
                    lapsed(entry, delivery, now, unclear_after)
                    counts[delivery.state] += 1
        self._workers = {worker: expires for worker, expires in self._workers.items() if lives(worker)}
        return counts[State.WAITING], counts[State.UNCLEAR]

    # Time and people -----------------------------------------------------------------------------------------------

    async def overdue(self, *, now: datetime, limit: int) -> list[tuple[int, tuple[int, ...]]]:
        expired: dict[int, list[int]] = defaultdict(list)
        for message, entry in sorted(self._entries.items(), key=lambda item: item[1].submission.expires):
            for delivery in entry.open(State.WAITING) if entry.submission.expires <= now else ():
                if limit:
                    limit -= 1
                    expired[message].append(delivery.number)
        return [(message, tuple(numbers)) for message, numbers in expired.items()]

    async def expire(self, endings: Sequence[Ending]) -> None:
        for it in endings:
            entry = self._entries.get(it.message)
            ended = (
                [delivery for delivery in entry.open(State.WAITING) if delivery.number in it.numbers] if entry else []
            )
            if len(ended) < len(it.numbers):
                continue
            for delivery in ended:
                moved_by(delivery, Move.EXPIRE, None, TOO_LATE)
            if it.report is not None:
                self._accept(it.report)

    async def doubts(
        self, priorities: Sequence[Priority], *, now: datetime, limit: int
    ) -> list[tuple[int, int, Priority]]:
        found = sorted(
            (delivery.due, message, delivery.number)
            for message, entry in self._entries.items()
            if entry.submission.priority in priorities and entry.submission.expires > now
            for delivery in entry.open(State.UNCLEAR)
            if delivery.due and delivery.due <= now
        )
        return [(message, number, self._entries[message].submission.priority) for _, message, number in found[:limit]]

    async def move(
        self, message: int, numbers: Sequence[int] | None, move: Move, *,
        now: datetime, due: datetime | None, reason: str, report: Submission | None = None,
    ) -> tuple[int, ...]:  # fmt: skip
        entry = self._entries.get(message)
        movable = [d for d in entry.deliveries if move in TABLE[d.state]] if entry else []
        moved = [delivery for delivery in movable if numbers is None or delivery.number in numbers]
        if report is not None:
            if not moved or len(moved) < len(numbers or ()):
                return ()
            self._accept(report)
        for delivery in moved:
            moved_by(delivery, move, due or now, reason)
        return tuple(delivery.number for delivery in moved)

    async def hasten(self, message: int, *, now: datetime) -> tuple[int, ...]:
        entry = self._entries.get(message)
        later = [d for d in entry.open(State.WAITING) if d.due and d.due > now] if entry else []
        for delivery in later:
            delivery.due = now
        return tuple(delivery.number for delivery in later)

    async def purge(
        self, *, content_before: datetime, log_before: datetime, now: datetime, limit: int
    ) -> tuple[int, int]:
        settled = [entry for _, entry in sorted(self._entries.items()) if entry.final()]
        contents = [e for e in settled if e.content is not None and e.submission.accepted < content_before][:limit]
        for entry in contents:
            entry.content = None
        entries = [entry for entry in settled if entry.submission.accepted < log_before][:limit]
        for entry in entries:
            del self._entries[entry.submission.id]
        self._keys = {key: known for key, known in self._keys.items() if known[2] > now}
        return len(contents), len(entries)

    async def drop(self, messages: Sequence[int], *, whole: bool = True) -> list[int]:
        found = sorted(set(messages) & self._entries.keys(), reverse=True)
        finished = [message for message in found if self._entries[message].final()]
        if not whole:
            finished = [message for message in finished if self._entries[message].content is not None]
        for message in finished:
            self._entries[message].content = None
            if whole:
                del self._entries[message]
        return finished

    async def contents(self, *, before: int | None, limit: int) -> list[tuple[int, int]]:
        return [
            (message, entry.submission.message.size if entry.final() else 0)
            for message, entry in sorted(self._entries.items(), reverse=True)
            if entry.content is not None and (before is None or message < before)
        ][:limit]
