"""A worker with a memory store and mailers that do what a test says: real rules, no sockets, no waiting."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Outcome, Phase
from secondpost.core.priority import DEFAULTS
from secondpost.mailers.base import Abilities, Crossing, Parcel, Report, Setting, Verdict
from secondpost.service.desk import Desk
from secondpost.service.ids import new_id
from secondpost.service.line import Line
from secondpost.service.submit import Draft, Submit, utc_now
from secondpost.service.worker import Worker
from secondpost.store.memory import MemoryStore

Answer = Callable[[Parcel], tuple[Outcome, ...]]


@dataclass
class ScriptedMailer:
    """Answers as told. `before`: what it does before it asks for the crossing; `takes`: copies that crossed."""

    connection: Connection
    answer: Answer = lambda parcel: (Accepted("250 ok"),) * len(parcel.recipients)
    before: Callable[[], "asyncio.Future[None] | None"] = lambda: None
    refuse: Outcome | None = None  # an outcome before the point of no return
    takes: list[Parcel] = field(default_factory=list)
    tries: int = 0
    name: ClassVar[str] = "scripted"
    title: ClassVar[str] = "Scripted"
    settings: ClassVar[tuple[Setting, ...]] = ()
    can: ClassVar[Abilities] = Abilities()
    capacity: int = 4

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report:
        self.tries += 1
        crossing.prepare()
        waiting = self.before()
        if waiting is not None:
            await waiting
        if self.refuse is not None:
            return Report(outcomes=(self.refuse,) * len(parcel.recipients), phase=Phase.CONNECT)
        if not await crossing.take():
            return Report(
                outcomes=(self.refuse or Accepted(),) * len(parcel.recipients), phase=Phase.BODY, abandoned=True
            )
        self.takes.append(parcel)
        return Report(outcomes=self.answer(parcel), phase=Phase.POINT)

    async def verify(self) -> Verdict:
        return Verdict(outcome=self.refuse or Accepted("ready"), phase=Phase.LOGIN)

    async def close(self) -> None:
        return None


@dataclass
class Office:
    """Everything together; `mailers` by the name of their connection."""

    store: MemoryStore
    worker: Worker
    desk: Desk
    submit: Submit
    mailers: dict[str, ScriptedMailer]
    failed: list[object]

    async def send(self, *recipients: str, content: bytes = b"Subject: hello\r\n\r\nbody\r\n", **fields: object) -> int:
        """Submit a message and let everything that can happen now happen."""
        draft = Draft(
            id=new_id(),
            sender="shop@example.com",
            recipients=recipients or ("a@example.net",),
            content=content,
            **fields,
        )
        receipt = await self.submit(draft)
        await self.rest()
        return receipt.id

    async def rest(self, seconds: float = 0.05) -> None:
        await asyncio.sleep(seconds)

    async def states(self, message: int) -> list[str]:
        entry = await self.store.entry(message)
        assert entry is not None
        return [str(delivery["state"]) for delivery in entry.deliveries]


@pytest.fixture
async def office():
    store = MemoryStore()
    await store.open()
    failed: list[object] = []
    worker = Worker(
        name="worker-1", store=store, policies=dict(DEFAULTS), now=utc_now, chance=lambda: 0.0,
        on_change=lambda line, outcome: None, on_failed=lambda lease, ended: failed.append((lease, ended)),
    )  # fmt: skip
    connections = {name: Connection(name=name, mailer="scripted") for name in ("primary", "backup")}
    mailers = {name: ScriptedMailer(connection) for name, connection in connections.items()}
    for name, connection in connections.items():
        worker.ways.lines[name] = Line(connection, mailers[name])
    desk = Desk(policies=dict(DEFAULTS))
    desk.arrange(connections, primary="primary", backup="backup")
    worker.ways.ordinary = desk.ordinary.connections
    submit = Submit(store, worker, desk, "gateway.example", utc_now, new_id)
    await store.enroll("worker-1", boot="", expires=utc_now().replace(year=2100))
    yield Office(store, worker, desk, submit, mailers, failed)
    await worker.stop(1)
    await store.close()
