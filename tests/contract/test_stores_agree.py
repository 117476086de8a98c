"""SQLite against the store in memory: whatever is asked of both, in any order, they give the same answers.

Rule: the store in memory is the model; it is simple enough to be believed.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from secondpost.core.delivery import IllegalMove, Move, State
from secondpost.core.event import Sequel, Standing
from secondpost.core.message import Message
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected, Unclear
from secondpost.core.priority import Priority
from secondpost.errors import SecondpostError
from secondpost.store.base import Change, Ending, Lease, Store, Submission
from secondpost.store.log import LogEntry, Query
from secondpost.store.memory import MemoryStore
from secondpost.store.sqlite import SqliteStore
from tests.store.samples import NOW, message_id, record, start, submission

FENCES = st.sampled_from([1, 1, 1, 2, 2, 3, 0])
WORKERS = st.sampled_from(["worker-a", "worker-b"])
ROUTES = st.sampled_from([("primary", "backup"), ("backup",), ()])
OUTCOMES: dict[Move, Outcome | None] = {
    Move.ACCEPT: Accepted("250", "p"),
    Move.DEFER: Deferred(Fault.PROVIDER, "451", timedelta(seconds=5)),
    Move.REJECT: Rejected(Fault.RECIPIENT, "550"),
    Move.DOUBT: Unclear("lost"),
    Move.PUT_OFF: None,
}
MOVES = st.sampled_from([
    (Move.ACCEPT,), (Move.DEFER,), (Move.REJECT,), (Move.DOUBT,), (Move.PUT_OFF,), (Move.PUT_OFF, Move.LEASE),
    (Move.DEFER, Move.LEASE), (Move.START, Move.ACCEPT),
])  # fmt: skip
PATIENCE = dict.fromkeys(Priority, timedelta(minutes=30))
WAITS = {Move.DEFER, Move.PUT_OFF, Move.DOUBT}
BY_PEOPLE = st.sampled_from([
    Move.CANCEL, Move.SEND_AGAIN, Move.SETTLE_ARRIVED, Move.SETTLE_REFUSED, Move.EXPIRE,
])  # fmt: skip


class StoresAgree(RuleBasedStateMachine):
    """Time goes forward by itself; leases, fences and attempts are whatever the machine comes upon."""

    messages = Bundle("messages")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.now: datetime = NOW
        self.number = 0
        self.known: dict[int, Submission] = {}

    @initialize()
    def open(self) -> None:
        self.model, self.subject = MemoryStore(), SqliteStore(Path(self.folder.name))
        self.runner.run(self.subject.open())

    def teardown(self) -> None:
        with suppress(AttributeError):
            self.runner.run(self.subject.close())
        self.runner.close()
        self.folder.cleanup()

    def both(self, ask: Callable[[Store], Awaitable[Any]]) -> Any:
        """Ask both; the answers, or the kinds of error, are the same."""
        wanted, got = (self.runner.run(_answer(ask, store)) for store in (self.model, self.subject))
        assert got == wanted
        return got

    @rule(
        target=messages,
        recipients=st.integers(1, 3),
        worker=st.one_of(st.just(""), WORKERS),
        route=ROUTES,
        priority=st.sampled_from(Priority),
        key=st.sampled_from(["", "", "k1", "k2"]),
        life=st.integers(1, 200),
    )
    def accept(
        self, recipients: int, worker: str, route: tuple[str, ...], priority: Priority, key: str, life: int
    ) -> Submission:
        self.number += 1
        it = submission(
            self.number, id=message_id(self.number, self.now), accepted=self.now, worker=worker, route=route, key=key,
            recipients=tuple(f"r{n}@x.org" for n in range(recipients)), priority=priority,
            expires=self.now + timedelta(minutes=life), subject=f"Order {self.number % 3}",
        )  # fmt: skip
        answer = self.both(lambda store: store.accept(it))
        if getattr(answer, "id", None) == it.id:
            self.known[it.id] = it
        return it

    @rule(
        it=messages,
        fence=FENCES,
        worker=WORKERS,
        attempt=st.integers(1, 3),
        number=st.sampled_from([None, 0, 1]),
    )
    def start(self, it: Submission, fence: int, worker: str, attempt: int, number: int | None) -> None:
        chosen = {} if number is None else {"numbers": (number,)}
        self.both(
            lambda store: store.start(start(it, fence=fence, worker=worker, attempt=attempt, now=self.now, **chosen))
        )

    @rule(
        it=messages,
        fence=FENCES,
        worker=WORKERS,
        attempt=st.integers(0, 3),
        moves=st.lists(MOVES, min_size=1, max_size=3),
        wait=st.integers(0, 100),
    )
    def record(
        self, it: Submission, fence: int, worker: str, attempt: int, moves: list[tuple[Move, ...]], wait: int
    ) -> None:
        changes = tuple(self.change(number, taken, wait) for number, taken in enumerate(moves[: len(it.recipients)]))
        told = record(it, *changes, fence=fence, worker=worker, attempt=attempt, started=self.now, ended=self.now)
        self.both(lambda store: store.record(told))

    def change(self, number: int, moves: tuple[Move, ...], wait: int) -> Change:
        due = self.now + timedelta(minutes=wait) if moves[-1] in WAITS else None
        outcome = next((OUTCOMES[move] for move in moves if move in OUTCOMES), None)
        return Change(number=number, moves=moves, outcome=outcome, due=due, tries=wait % 4, spent=("x",) * (wait % 2))

    @rule(worker=WORKERS, routes=st.lists(ROUTES, unique=True), limit=st.integers(1, 4), bytes_=st.integers(1, 200))
    def lease(self, worker: str, routes: list[tuple[str, ...]], limit: int, bytes_: int) -> None:
        def ask(store: Store) -> Coroutine[Any, Any, list[Lease]]:
            return store.lease(worker, routes, now=self.now, limit=limit, byte_limit=bytes_)

        self.both(ask)

    @rule(minutes=st.integers(1, 60))
    def time_goes_by(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(worker=WORKERS, minutes=st.integers(0, 60))
    def enroll(self, worker: str, minutes: int) -> None:
        self.both(lambda store: store.enroll(worker, boot="b", expires=self.now + timedelta(minutes=minutes)))

    @rule(alone=st.booleans(), keep=WORKERS)
    def lapse(self, alone: bool, keep: str) -> None:
        self.both(lambda store: store.lapse(now=self.now, alone=alone, keep=keep, unclear_after=PATIENCE))

    @rule(told=st.booleans())
    def expire(self, told: bool) -> None:
        overdue = self.both(lambda store: _sorted(store.overdue(now=self.now, limit=100)))
        endings = [
            Ending(message=message, numbers=numbers, report=self.report() if told else None)
            for message, numbers in overdue
        ]
        self.both(lambda store: store.expire(endings))

    def report(self) -> Submission:
        self.number += 1
        return submission(self.number, id=message_id(self.number, self.now), accepted=self.now, sender="")

    @rule()
    def doubts(self) -> None:
        self.both(lambda store: _sorted(store.doubts(tuple(Priority), now=self.now, limit=100)))

    @rule(it=messages, move=BY_PEOPLE, number=st.sampled_from([None, 0, 1]), wait=st.integers(0, 60))
    def move(self, it: Submission, move: Move, number: int | None, wait: int) -> None:
        numbers, due = None if number is None else [number], self.now + timedelta(minutes=wait)
        self.both(lambda store: store.move(it.id, numbers, move, now=self.now, due=due, reason="by hand"))

    @rule(it=messages, number=st.integers(0, 2), came=st.sampled_from(Sequel))
    def tell(self, it: Submission, number: int, came: Sequel) -> None:
        told = (min(number, len(it.recipients) - 1), came)
        self.both(lambda store: store.event("told", at=self.now, message=it.id, sequel=told))

    @rule(content=st.integers(0, 200), log=st.integers(0, 400), limit=st.integers(1, 5))
    def purge(self, content: int, log: int, limit: int) -> None:
        before = [self.now - timedelta(minutes=minutes) for minutes in (content, content + log)]
        self.both(lambda store: store.purge(content_before=before[0], log_before=before[1], now=self.now, limit=limit))

    @rule(limit=st.integers(1, 5))
    def contents(self, limit: int) -> None:
        self.both(lambda store: store.contents(before=None, limit=limit))

    @rule(limit=st.integers(1, 5))
    def index(self, limit: int) -> None:
        self.runner.run(self.subject.index(limit))

    @rule(
        standings=st.lists(st.sampled_from([*State, *Sequel]), max_size=2, unique=True).map(tuple),
        connection=st.sampled_from(["", "primary", "nobody"]),
        subject=st.sampled_from(["", "order 1"]),
        address=st.sampled_from(["", "r1@x.org", "r1"]),
        by_backup=st.booleans(),
        error=st.sampled_from(["", "", "5"]),
        back=st.integers(0, 200),
        oldest_first=st.booleans(),
        limit=st.integers(1, 5),
    )
    def page(self, standings: tuple[Standing, ...], back: int, **filters: Any) -> None:
        query = Query(
            standings=standings, **filters,
            since=self.now - timedelta(minutes=back) if back > 100 else None,
        )  # fmt: skip
        self.both(lambda store: store.page(query))

    @invariant()
    def they_know_the_same(self) -> None:
        if not self.known:
            return
        self.both(lambda store: _sorted(store.routes()))
        self.both(lambda store: _sorted(store.depth(), key=str))
        for message in list(self.known)[-6:]:
            self.both(partial(_entry, message=message))
            self.both(partial(_content, message=message))


async def _answer(ask: Callable[[Store], Awaitable[Any]], store: Store) -> Any:
    try:
        return await ask(store)
    except (SecondpostError, IllegalMove) as error:
        return type(error)


async def _sorted(asked: Awaitable[list[Any]], key: Any = None) -> list[Any]:
    return sorted(await asked, key=key)


async def _content(store: Store, message: int) -> Message | None:
    return await store.content(message)


async def _entry(store: Store, message: int) -> LogEntry | None:
    """An entry without what is told in one store's own way: the order of attempts of one instant, ids of events."""
    entry = await store.entry(message)
    if entry is not None:
        entry = replace(entry, events=[event | {"id": 0} for event in entry.events])
        entry.attempts.sort(
            key=lambda attempt: (attempt["started"], attempt["number"], attempt["ended"] is None, str(attempt))
        )
    return entry


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
