"""A worker with a memory store and mailers that do what a test says: real rules, no sockets, no waiting."""

import asyncio
from asyncio import Future
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

import pytest

from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase
from secondpost.core.priority import DEFAULTS, Priority
from secondpost.errors import StoreUnavailable
from secondpost.mailers.base import Abilities, Crossing, Parcel, Report, Setting, Verdict
from secondpost.service.credentials import Credentials
from secondpost.service.desk import Desk
from secondpost.service.housekeeping import Housekeeping
from secondpost.service.ids import new_id
from secondpost.service.ladder import Ladder
from secondpost.service.line import Line
from secondpost.service.nondelivery import NonDelivery
from secondpost.service.submit import Draft, Submit, utc_now
from secondpost.service.trial import Trials
from secondpost.service.worker import Worker
from secondpost.store.base import Receipt, Record, Start, Submission
from secondpost.store.log import LogEntry
from secondpost.store.memory import MemoryStore

Answer = Callable[[Parcel], tuple[Outcome, ...]]
T = TypeVar("T")

HELLO = b"From: shop@example.com\r\nSubject: hello\r\n\r\nbody\r\n"
DOWN = Deferred(Fault.UNREACHABLE, "refused")
LIMITED = Deferred(Fault.LIMIT, "429 slow down", retry_after=timedelta(minutes=5))
THROTTLED = Deferred(Fault.LIMIT, "451 4.7.0 slow down", retry_after=timedelta(seconds=1))
REFUSED_LOG_IN = Deferred(Fault.ACCOUNT, "535 5.7.8 wrong password")
NOT_VERIFIED = Deferred(Fault.ACCOUNT, "550 5.7.1 domain not verified", about_sender=True)


class Clock:
    """The time, which a test can put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead

    def forward(self, **span: float) -> None:
        self.ahead += timedelta(**span)

    def early(self) -> None:
        """To a time that is far from the end of its minute and of its hour."""
        now = self()
        self.ahead += now.replace(minute=10, second=1, microsecond=0) + timedelta(hours=1) - now


class Disk(MemoryStore):
    """A store whose disk can fail or be slow: `failing` and `slow` name operations; what is slow is done at `flow`."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()
        self.slow: set[str] = set()
        self.asked: list[tuple[Callable[[Any], Future[Any]], Any, Future[Any]]] = []

    def flow(self) -> None:
        """What was asked for is done, in order, and what comes now is not slow."""
        self.slow = set()
        asked, self.asked = self.asked, []
        for do, value, answer in asked:
            done = do(value)
            error = done.exception()
            if answer.done():
                continue
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(error)

    def _do(self, name: str, do: Callable[[Any], "Future[T]"], value: Any) -> "Future[T]":
        answer: Future[T] = asyncio.get_running_loop().create_future()
        if name in self.failing:
            answer.set_exception(StoreUnavailable("The disk is full. Nothing was written; free some space."))
        elif name in self.slow:
            self.asked.append((do, value, answer))
        else:
            return do(value)
        return answer

    def accept(self, submission: Submission) -> "Future[Receipt]":
        return self._do("accept", super().accept, submission)

    async def refuse(self, accepted: "Mapping[int, Future[Receipt]]") -> None:
        self.check("refuse")
        await super().refuse(accepted)

    def start(self, start: Start) -> "Future[bool]":
        return self._do("start", super().start, start)

    def record(self, record: Record) -> "Future[bool]":
        return self._do("record", super().record, record)

    async def move(self, message: int, *rest: Any, **named: Any) -> tuple[int, ...]:
        if "move" in self.slow:
            turn: Future[bool] = asyncio.get_running_loop().create_future()
            self.asked.append((_done, True, turn))
            await turn
        self.check("move")
        return await super().move(message, *rest, **named)

    async def event(self, kind: str, **given: Any) -> None:
        self.check("event")
        await super().event(kind, **given)

    async def routes(self) -> list[tuple[str, ...]]:
        self.check("routes")
        return await super().routes()

    async def entry(self, message: int) -> LogEntry | None:
        self.check("entry")
        return await super().entry(message)

    async def put(self, kind: str, name: str, value: Any) -> None:
        self.check("put")
        await super().put(kind, name, value)

    async def put_all(self, kind: str, documents: Mapping[str, Any | None]) -> None:
        self.check("put")
        await super().put_all(kind, documents)

    async def ready(self) -> None:
        self.check("ready")

    def check(self, name: str) -> None:
        if name in self.failing:
            raise StoreUnavailable("The disk is full. Nothing was written; free some space.")


def _done(value: T) -> "Future[T]":
    future: Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future


@dataclass
class ScriptedMailer:
    """Answers as told. `before`: what it does before it asks for the crossing; `takes`: copies that crossed."""

    connection: Connection
    answer: Answer = lambda parcel: (Accepted("250 ok"),) * len(parcel.recipients)
    before: Callable[[], "asyncio.Future[None] | None"] = lambda: None
    after: Callable[[], "asyncio.Future[None] | None"] = lambda: None  # until the answer to the dot comes
    refuse: Outcome | None = None  # an outcome before the point of no return
    takes: list[Parcel] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)  # all that was tried
    tries: int = 0
    sign_ins: int = 0
    verified: Callable[[], Outcome] | None = None  # what signing in leads to, if it is not as with mail
    closed: bool = False
    capacity: int = 4
    name: ClassVar[str] = "scripted"
    title: ClassVar[str] = "Scripted"
    settings: ClassVar[tuple[Setting, ...]] = (Setting(name="token", label="Token", kind="secret"),)
    can: ClassVar[Abilities] = Abilities(idempotency=timedelta(hours=1))

    def heal(self) -> None:
        """All is well from now on."""
        fresh = ScriptedMailer(self.connection)
        self.answer, self.before, self.after, self.refuse = fresh.answer, fresh.before, fresh.after, None

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report:
        self.tries += 1
        self.parcels.append(parcel)
        crossing.prepare()
        if (waiting := self.before()) is not None:
            await waiting
        if self.refuse is not None:
            return Report(outcomes=(self.refuse,) * len(parcel.recipients), phase=Phase.CONNECT)
        if not await crossing.take():
            given_up = Deferred(Fault.LOCAL, "given up")
            return Report(outcomes=(given_up,) * len(parcel.recipients), phase=Phase.BODY, abandoned=True)
        self.takes.append(parcel)
        if (waiting := self.after()) is not None:
            await waiting
        return Report(outcomes=self.answer(parcel), phase=Phase.POINT, transcript="S: 250 ok" if parcel.trace else "")

    async def verify(self) -> Verdict:
        self.sign_ins += 1
        outcome = self.verified() if self.verified else self.refuse or Accepted("ready")
        return Verdict(outcome=outcome, phase=Phase.LOGIN, transcript="S: 220 hello", details={"tls": "TLSv1.3"})

    async def close(self) -> None:
        self.closed = True


@dataclass
class Office:
    """Everything together; `mailers` by the name of their connection."""

    store: Disk
    worker: Worker
    desk: Desk
    submit: Submit
    trials: Trials
    credentials: Credentials
    nondelivery: NonDelivery
    housekeeping: Housekeeping
    clock: Clock
    mailers: dict[str, ScriptedMailer] = field(default_factory=dict)
    failed: list[Any] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)  # connection, state of its breaker

    @property
    def primary(self) -> ScriptedMailer:
        return self.mailers["primary"]

    @property
    def backup(self) -> ScriptedMailer:
        return self.mailers["backup"]

    def line(self, name: str = "primary") -> Line:
        return self.worker.ways.lines[name]

    def connect(self, *connections: Connection, primary: str = "primary", backup: str = "backup") -> None:
        """Replace the connections."""
        self.mailers = {connection.name: ScriptedMailer(connection) for connection in connections}
        self.worker.ways.lines = {
            connection.name: Line(connection, self.mailers[connection.name]) for connection in connections
        }
        self.arrange(primary=primary, backup=backup)

    def arrange(self, *, primary: str = "primary", backup: str = "backup") -> None:
        connections = {line.name: line.connection for line in self.worker.ways.lines.values()}
        self.desk.arrange(connections, primary=primary, backup=backup)
        self.worker.ways.ordinary = self.desk.ordinary.connections

    def policy(self, priority: Priority, **changes: Any) -> None:
        """Change what a priority means; the parts share one table of policies."""
        self.worker.policies[priority] = replace(self.worker.policies[priority], **changes)

    def draft(self, *recipients: str, **fields: Any) -> Draft:
        given: dict[str, Any] = {"sender": "shop@example.com", "content": HELLO, "trusted": True} | fields
        return Draft(id=new_id(), recipients=recipients or ("a@example.net",), **given)

    async def send(self, *recipients: str, **fields: Any) -> int:
        """Submit a message and let everything that can happen now happen."""
        receipt = await self.submit(self.draft(*recipients, **fields))
        await self.rest()
        return receipt.id

    async def rest(self, seconds: float = 0.005) -> None:
        """Let everything that can happen now happen."""
        await asyncio.sleep(seconds)
        for _ in range(20):
            await asyncio.sleep(0)

    async def later(self, **span: float) -> None:
        """Time passes, and what is due by then is taken up."""
        self.clock.forward(**span)
        while await self.worker.refill():
            await self.rest()
        await self.rest()

    async def entry(self, message: int) -> LogEntry:
        entry = await MemoryStore.entry(self.store, message)
        assert entry is not None
        return entry

    async def states(self, message: int) -> list[str]:
        return [str(delivery["state"]) for delivery in (await self.entry(message)).deliveries]

    async def attempts(self, message: int) -> list[str]:
        return [attempt["connection"] for attempt in (await self.entry(message)).attempts]

    async def due_in(self, message: int) -> float:
        """Seconds until the first delivery is tried again."""
        (due, *_) = [delivery["due"] for delivery in (await self.entry(message)).deliveries]
        return float((due - self.clock()).total_seconds())

    def copies(self) -> int:
        return sum(len(mailer.takes) for mailer in self.mailers.values())


def make_office() -> Office:
    """An office with a primary and a backup connection. Whoever makes one stops its worker."""
    store, clock = Disk(), Clock()
    policies = dict(DEFAULTS)
    failed: list[Any] = []
    changes: list[tuple[str, str]] = []
    worker = Worker(
        name="worker-1", store=store, policies=policies, now=clock, chance=lambda: 0.0,
        on_change=lambda line, outcome: changes.append((line.name, line.breaker.state.value)),
        tell_sender=lambda lease, ended: failed.append((lease, ended)),
    )  # fmt: skip
    desk = Desk(policies=policies)
    credentials = Credentials(store)
    submit = Submit(store, worker, desk, "gateway.example", clock, new_id, pace=credentials.pace)
    nondelivery = NonDelivery(store, submit, "gateway.example", clock, new_id)
    housekeeping = Housekeeping(
        store=store, worker=worker, submit=submit, nondelivery=nondelivery, policies=policies, now=clock,
        ladder=Ladder(store, worker, policies, clock), boot="boot-1",
    )  # fmt: skip
    office = Office(
        store, worker, desk, submit, Trials(store, worker, clock), credentials, nondelivery, housekeeping, clock,
        failed=failed, changes=changes,
    )  # fmt: skip
    office.connect(*(Connection(name=name, mailer="scripted") for name in ("primary", "backup")))
    return office


@pytest.fixture
async def office():
    office = make_office()
    yield office
    office.store.failing.clear()
    office.store.flow()
    await office.trials.stop()
    await office.housekeeping.stop()
    await office.worker.stop(0.05)


def held() -> "Future[None]":
    """Something that does not happen until the test says so."""
    return asyncio.get_running_loop().create_future()
