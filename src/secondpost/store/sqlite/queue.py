"""The queue in SQLite: accept, start, record on the hot path; leases and what time does to deliveries beside it.

Rule: states come from `core.delivery.step`; the SQL only saves them, guarded by worker, fence and the state before.
"""

from asyncio import Future
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import apsw

from secondpost.core.delivery import TABLE, Move, State, step
from secondpost.core.priority import Priority
from secondpost.store.base import Delivery, Lease, Receipt, Record, Start, Submission
from secondpost.store.sqlite.batch import ACCEPT, RECORD, START
from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.rows import encode, fetch, ms, names, value, when
from secondpost.store.statements import statements

_SQL = statements("sqlite/queue")

LAPSE_BATCH = 1000  # deliveries taken back in one transaction


class SqliteQueue:
    """The queue's part of the store."""

    _engine: Engine

    def accept(self, submission: Submission) -> "Future[Receipt]":
        return self._engine.ask(ACCEPT, submission)

    def start(self, start: Start) -> "Future[bool]":
        return self._engine.ask(START, start)

    def record(self, record: Record) -> "Future[bool]":
        return self._engine.ask(RECORD, record)

    # Leases --------------------------------------------------------------------------------------------------------

    async def lease(
        self, worker: str, routes: Sequence[tuple[str, ...]], *, now: datetime, limit: int, byte_limit: int
    ) -> list[Lease]:
        return await self._engine.write(lambda db: _lease(db, worker, routes, ms(now), (limit, byte_limit)))

    async def routes(self) -> list[tuple[str, ...]]:
        rows = await self._engine.read(lambda db: fetch(db, _SQL["open_routes"]))
        return [names(text) for (text,) in rows]

    async def enroll(self, worker: str, *, boot: str, expires: datetime) -> None:
        await self._engine.write(lambda db: fetch(db, _SQL["enroll"], (worker, boot, ms(expires))))

    async def lapse(
        self, *, now: datetime, alone: bool, keep: str, unclear_after: Mapping[Priority, timedelta]
    ) -> tuple[int, int]:
        waiting = unclear = 0
        while True:
            took = await self._engine.write(lambda db: _lapse(db, ms(now), alone, keep, unclear_after))
            waiting += took[0]
            unclear += took[1]
            if sum(took) < LAPSE_BATCH:
                break
        await self._engine.write(lambda db: fetch(db, _SQL["forget_workers"], (alone, keep, ms(now))))
        return waiting, unclear

    # Time and people -----------------------------------------------------------------------------------------------

    async def expire(self, *, now: datetime, limit: int) -> list[tuple[int, tuple[int, ...]]]:
        return await self._engine.write(lambda db: _expire(db, ms(now), limit))

    async def doubts(
        self, priorities: Sequence[Priority], *, now: datetime, limit: int
    ) -> list[tuple[int, int, Priority]]:
        wanted = encode(priorities)
        rows = await self._engine.read(lambda db: fetch(db, _SQL["find_doubts"], (wanted, ms(now), limit)))
        return [(message, number, Priority(priority)) for message, number, priority in rows]

    async def move(
        self,
        message: int,
        numbers: Sequence[int] | None,
        move: Move,
        *,
        now: datetime,
        due: datetime | None,
        reason: str,
    ) -> tuple[int, ...]:
        when_due = ms(now if due is None else due)
        return await self._engine.write(lambda db: _move(db, message, numbers, move, (when_due, reason)))


def _lease(
    db: apsw.Connection, worker: str, routes: Sequence[tuple[str, ...]], now: int, limits: tuple[int, int]
) -> list[Lease]:
    limit, byte_limit = limits
    wanted = encode([encode(route) for route in routes])
    known = fetch(db, _SQL["find_routes"], (wanted,))
    leases: list[Lease] = []
    for message, number, route in _due(db, known, now, limit):
        size = value(db, _SQL["message_size"], (message,))
        if len(leases) == limit or (leases and size > byte_limit):
            break
        byte_limit -= size
        leases.append(_claim(db, message, (number, route), worker, now))
    return leases


def _due(db: apsw.Connection, routes: list[tuple[int, str]], now: int, limit: int) -> Iterator[tuple[int, int, str]]:
    """Messages with due deliveries, with the route: urgent first, then by due."""
    for priority in Priority:
        found = [
            (first, message, number, route)
            for number, route in routes
            for message, first in fetch(db, _SQL["find_due"], (number, priority, now, 4 * limit))
        ]
        for _first, message, number, route in sorted(found):
            yield message, number, route


def _claim(db: apsw.Connection, message: int, route: tuple[int, str], worker: str, now: int) -> Lease:
    leased = step(State.WAITING, Move.LEASE)
    rows = fetch(db, _SQL["lease_message"], (leased, worker, message, route[0], now))
    sender, priority, expires, accepted, size = fetch(db, _SQL["leased_message"], (message,))[0]
    deliveries = [
        Delivery(number=number, recipient=recipient, tries=tries, spent=names(spent), possible_duplicate=bool(doubled))
        for number, recipient, tries, spent, doubled, _fence in sorted(rows)
    ]
    return Lease(
        id=message, sender=sender, priority=Priority(priority), expires=when(expires), accepted=when(accepted),
        route=names(route[1]), fence=rows[0][5], deliveries=deliveries, size=size,
    )  # fmt: skip


def _lapse(
    db: apsw.Connection, now: int, alone: bool, keep: str, unclear_after: Mapping[Priority, timedelta]
) -> tuple[int, int]:
    counts = {State.WAITING: 0, State.UNCLEAR: 0}
    attempts: dict[tuple[int, int, int], tuple[str, int, list[int]]] = {}
    for row in fetch(db, _SQL["lost_leases"], (alone, keep, now, LAPSE_BATCH)):
        message, number, state, priority, fence, attempt, connection, started, _doubled = row
        state = step(State(state), Move.LAPSE)
        due = now
        if state is State.UNCLEAR:
            due += unclear_after[Priority(priority)] // timedelta(milliseconds=1)
            attempts.setdefault((message, fence, attempt), (connection, started, []))[2].append(number)
        db.execute(_SQL["lapse"], (state, due, message, number))
        counts[state] += 1
    for (message, fence, attempt), (connection, started, numbers) in attempts.items():
        outcomes = encode([{"number": number, "kind": "unclear", "reply": ""} for number in numbers])
        told = "the worker died while it was sending"
        db.execute(_SQL["lapsed_attempt"], (message, fence, attempt, connection, started, now, outcomes, told))
    return counts[State.WAITING], counts[State.UNCLEAR]


def _expire(db: apsw.Connection, now: int, limit: int) -> list[tuple[int, tuple[int, ...]]]:
    expired: dict[int, list[int]] = {}
    state = step(State.WAITING, Move.EXPIRE)
    for message, number in fetch(db, _SQL["find_expired"], (now, limit)):
        db.execute(_SQL["move"], (state, None, "nobody took it in time", False, message, number))
        expired.setdefault(message, []).append(number)
    return [(message, tuple(sorted(numbers))) for message, numbers in expired.items()]


def _move(
    db: apsw.Connection, message: int, numbers: Sequence[int] | None, move: Move, written: tuple[int, str]
) -> tuple[int, ...]:
    due, reason = written
    moved = []
    for number, state, doubled in fetch(db, _SQL["deliveries_of"], (message,)):
        after = TABLE[State(state)].get(move)
        if after is None or (numbers is not None and number not in numbers):
            continue
        waits = due if after is State.WAITING else None
        twice = bool(doubled) or move is Move.SEND_AGAIN
        db.execute(_SQL["move"], (after, waits, reason, twice, message, number))
        moved.append(number)
    return tuple(moved)
