"""The queue in SQLite: accept, start, record on the hot path; leases and what time does to deliveries beside it.

Rule: states come from `core.delivery.step`; the SQL only saves them, guarded by worker, fence and the state before.
"""

import asyncio
from asyncio import Future
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import apsw

from secondpost.core.delivery import TABLE, Move, State, step
from secondpost.core.priority import Priority
from secondpost.errors import StoreError
from secondpost.store.base import Delivery, Ending, Lease, Receipt, Record, Start, Submission
from secondpost.store.changes import TOO_LATE
from secondpost.store.sqlite.batch import ACCEPT, RECORD, START, Batch
from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.rows import encode, fetch, ms, names, when
from secondpost.store.sqlite.trouble import told
from secondpost.store.statements import statements
from secondpost.store.tails import FileTail

_SQL = statements("sqlite/queue")

LAPSE_BATCH = 1000  # deliveries taken back in one transaction


class SqliteQueue:
    """The queue's part of the store."""

    _engine: Engine

    def accept(self, submission: Submission) -> "Future[Receipt]":
        tail = submission.message.tail
        if tail is not None and not isinstance(tail, FileTail):
            raise TypeError("a tail must come from this store's `tail`: what is elsewhere would not be stored")
        return self._engine.ask(ACCEPT, submission)

    async def refuse(self, accepted: "Mapping[int, Future[Receipt]]") -> None:
        self._engine.withdraw(accepted.values())
        await asyncio.to_thread(self._note_refused, list(accepted))

    def _note_refused(self, messages: list[int]) -> None:
        with told():
            self._engine.refusals.add(messages)

    async def refused(self) -> list[int]:
        return self._engine.refusals.all()

    async def forget_refused(self, message: int) -> None:
        self._engine.refusals.drop(message)

    def start(self, start: Start) -> "Future[bool]":
        return self._engine.ask(START, start)

    def record(self, record: Record) -> "Future[bool]":
        return self._engine.ask(RECORD, record)

    # Leases --------------------------------------------------------------------------------------------------------

    async def lease(
        self, worker: str, routes: Sequence[tuple[str, ...]], *, now: datetime, limit: int, byte_limit: int
    ) -> list[Lease]:
        leases = await self._engine.write(lambda db: _lease(db, worker, routes, ms(now), (limit, byte_limit)))
        if leases:
            with suppress(StoreError):  # they are held: what could not be read now, whoever carries it asks for again
                await self._engine.read(lambda db: self._engine.contents.bring(db, leases))
        return leases

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

    async def overdue(self, *, now: datetime, limit: int) -> list[tuple[int, tuple[int, ...]]]:
        found: dict[int, list[int]] = {}
        for message, number in await self._engine.read(lambda db: fetch(db, _SQL["find_expired"], (ms(now), limit))):
            found.setdefault(message, []).append(number)
        return [(message, tuple(sorted(numbers))) for message, numbers in found.items()]

    async def expire(self, endings: Sequence[Ending]) -> None:
        batch = self._engine.batch
        await self._engine.write(lambda db: _expire(db, batch, endings))

    async def doubts(
        self, priorities: Sequence[Priority], *, now: datetime, limit: int
    ) -> list[tuple[int, int, Priority]]:
        wanted = encode(priorities)
        rows = await self._engine.read(lambda db: fetch(db, _SQL["find_doubts"], (wanted, ms(now), limit)))
        return [(message, number, Priority(priority)) for message, number, priority in rows]

    async def move(
        self, message: int, numbers: Sequence[int] | None, move: Move, *,
        now: datetime, due: datetime | None, reason: str, report: Submission | None = None,
    ) -> tuple[int, ...]:  # fmt: skip
        batch, written = self._engine.batch, (ms(now if due is None else due), reason)

        def both(db: apsw.Connection) -> tuple[int, ...]:
            moved = _move(db, message, numbers, move, written, whole=report is not None)
            if moved and report is not None:
                batch.accept(report)
            return moved

        return await self._engine.write(both)

    async def hasten(self, message: int, *, now: datetime) -> tuple[int, ...]:
        return await self._engine.write(lambda db: _hasten(db, message, ms(now)))


def _hasten(db: apsw.Connection, message: int, now: int) -> tuple[int, ...]:
    return tuple(sorted(number for (number,) in fetch(db, _SQL["hasten"], (now, message))))


def _lease(
    db: apsw.Connection, worker: str, routes: Sequence[tuple[str, ...]], now: int, limits: tuple[int, int]
) -> list[Lease]:
    known = fetch(db, _SQL["find_routes"], (encode([encode(route) for route in routes]),))
    due = _due(db, dict(known), now, limits[0])
    facts = {row[0]: row[1:] for row in fetch(db, _SQL["due_messages"], (encode([message for message, _ in due]),))}
    chosen = _fitting(due, facts, limits[1])
    claimed: dict[int, list[Any]] = {}
    asked = (step(State.WAITING, Move.LEASE), worker, encode(chosen), now)
    for message, *delivery in fetch(db, _SQL["lease"], asked):
        claimed.setdefault(message, []).append(delivery)
    routes_by_number = {number: names(text) for number, text in known}
    return [_told(message, routes_by_number[route], facts[message], claimed[message]) for message, route in chosen]


def _due(db: apsw.Connection, routes: dict[int, str], now: int, limit: int) -> list[tuple[int, int]]:
    """Messages with due deliveries, each with the number of its route: urgent first, then by due."""
    found: list[tuple[int, int]] = []
    for priority in Priority:
        if len(found) < limit:
            of_this = [
                (first, message, route)
                for route in routes
                for message, first in fetch(db, _SQL["find_due"], (route, priority, now, 4 * limit))
            ]
            found += [(message, route) for _first, message, route in sorted(of_this)]
    return found[:limit]


def _fitting(due: list[tuple[int, int]], facts: dict[int, Any], byte_limit: int) -> list[tuple[int, int]]:
    """As many of them as fit the limit, but always one."""
    for place, (message, _route) in enumerate(due):
        byte_limit -= facts[message][4]
        if byte_limit < 0 and place:
            return due[:place]
    return due


def _told(message: int, route: tuple[str, ...], facts: tuple[Any, ...], claimed: list[Any]) -> Lease:
    sender, priority, expires, accepted, size, from_email, entrypoint, notes = facts
    deliveries = [
        Delivery(
            number=number,
            recipient=recipient,
            tries=tries,
            spent=names(spent),
            possible_duplicate=bool(doubled),
            last=last or "",
        )
        for number, recipient, tries, spent, doubled, last, _fence in sorted(claimed)
    ]
    return Lease(
        id=message, sender=sender, priority=Priority(priority), expires=when(expires), accepted=when(accepted),
        route=route, fence=claimed[0][6], deliveries=deliveries, size=size, from_email=from_email,
        entrypoint=entrypoint, notes=notes,
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


def _expire(db: apsw.Connection, batch: Batch, endings: Sequence[Ending]) -> None:
    state = step(State.WAITING, Move.EXPIRE)
    for it in endings:
        states = {number: state for number, state, _doubled in fetch(db, _SQL["deliveries_of"], (it.message,))}
        if any(states.get(number) != State.WAITING for number in it.numbers):
            continue
        for number in it.numbers:
            db.execute(_SQL["expire"], (state, TOO_LATE, it.message, number))
        if it.report is not None:
            batch.accept(it.report)


def _move(
    db: apsw.Connection,
    message: int,
    numbers: Sequence[int] | None,
    move: Move,
    written: tuple[int, str],
    *,
    whole: bool,
) -> tuple[int, ...]:
    due, reason = written
    movable = [
        (number, after, doubled)
        for number, state, doubled in fetch(db, _SQL["deliveries_of"], (message,))
        if (after := TABLE[State(state)].get(move)) is not None and (numbers is None or number in numbers)
    ]
    if whole and len(movable) < len(numbers or ()):
        return ()
    for number, after, doubled in movable:
        waits = due if after is State.WAITING else None
        twice = bool(doubled) or move is Move.SEND_AGAIN
        db.execute(_SQL["move"], (after, waits, reason, twice, message, number))
    return tuple(number for number, _, _ in movable)
