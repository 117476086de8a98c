"""Many orders of events: rivals that become ready, a slow disk or one that refuses, lost lines, a changed connection, a
person who cancels, limits, time that passes.

Rule: whatever the order, no recipient's copy crosses twice, no room is leaked, and every delivery ends or waits.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from secondpost.core import breaker, limits
from secondpost.core.connection import Limits
from secondpost.core.delivery import Move
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase, Rejected, Unclear
from secondpost.core.priority import Priority
from secondpost.errors import StoreUnavailable
from secondpost.mailers.base import Crossing, Parcel, Report
from secondpost.service.line import Line
from tests.service.conftest import DOWN, Office, ScriptedMailer, held, make_office

# What an attempt meets: outcomes before the point (it never crosses), or after it, the recipients in turn.
BEFORE: dict[str, Outcome] = {
    "down": DOWN,
    "account": Deferred(Fault.ACCOUNT, "535 5.7.8 wrong password"),
    "throttled": Deferred(Fault.LIMIT, "451 4.7.0 slow down", retry_after=timedelta(milliseconds=4)),
    "nobody": Rejected(Fault.RECIPIENT, "550 5.1.1 no such user"),
    "foreign": Deferred(Fault.ACCOUNT, "550 5.7.1 domain not verified", about_sender=True),
}
AFTER: dict[str, tuple[Outcome, ...]] = {
    "taken": (Accepted("250 ok"),),
    "lost": (Unclear("the line was lost"),),
    "trouble": (Deferred(Fault.PROVIDER, "451 4.3.0 try later"),),
    "refused": (Rejected(Fault.PROVIDER, "554 never"),),
    "some": (Accepted("250 ok"), Deferred(Fault.PROVIDER, "451 4.3.0 try later")),
    "some refused": (Deferred(Fault.PROVIDER, "451 4.3.0 try later"), Rejected(Fault.PROVIDER, "554 never")),
    "some lost": (Unclear("the line was lost"), Rejected(Fault.RECIPIENT, "550 5.1.1 no such user")),
}
FATES = st.sampled_from([*BEFORE, *AFTER, "taken", "taken"])


@dataclass
class Stage:
    """One example: what may happen next is a list, and the example chooses from it."""

    office: Office
    fates: list[str]
    gates: list["asyncio.Future[None]"] = field(default_factory=list)
    crossing: set[tuple[int, str]] = field(default_factory=set)
    copies: Counter[tuple[int, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    never: set[tuple[int, str, str]] = field(default_factory=set)  # who refused for good, by connection
    retired: list[Line] = field(default_factory=list)

    async def gate(self) -> None:
        gate = held()
        self.gates.append(gate)
        await gate

    def fate(self) -> str:
        return self.fates.pop() if self.fates else "taken"

    def disk(self) -> None:
        self.office.store.flow()
        self.office.store.slow = {"start", "record"}

    def trouble(self) -> None:
        """What the disk was asked for, it refuses, and is well again."""
        asked, self.office.store.asked = self.office.store.asked, []
        for _, _, answer in asked:
            answer.set_exception(StoreUnavailable("The database is locked by another program. Nothing was written."))

    async def save(self) -> None:
        """The disk is neither slow nor in trouble for once."""
        self.office.store.slow = set()
        await self.office.worker.save_unsaved()
        self.office.store.slow = {"start", "record"}

    def reload(self) -> None:
        """The primary has other settings now."""
        old, worker = self.office.line(), self.office.worker
        self.retired.append(old)
        worker.ways.lines["primary"] = self.line(old)
        old.retired = True
        worker.reroute(old, self.office.clock())
        old.dismiss()

    def line(self, like: Line) -> Line:
        mailer = StagedMailer(like.connection, capacity=1, stage=self)
        return Line(like.connection, mailer, limiter=like.limiter)

    async def settle(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)

    async def time(self, **span: float) -> None:
        """The clock goes forward, and with it the turns that the limits gave away, which the loop keeps by its own."""
        self.office.clock.forward(**span)
        due = asyncio.get_running_loop().time() + timedelta(**span).total_seconds()
        for line in self.office.worker.ways.lines.values():
            for turn in [turn for turn in line._turns if turn.when() <= due]:
                turn.cancel()
                self.office.worker._its_turn(line)
        await self.office.worker.refill()

    async def happen(self, choice: int, messages: Sequence[int]) -> None:
        """The event that the example chose, of those that can happen now."""
        # Most often a gate opens or the disk writes; the first numbers are the simplest example.
        if self.gates and choice % 4 < 2:
            self.gates.pop(choice // 4 % len(self.gates)).set_result(None)
        elif choice % 4 == 2:
            self.disk()
        else:
            await self.happen_rarely(choice, messages)
        await self.settle()

    async def happen_rarely(self, choice: int, messages: Sequence[int]) -> None:
        office = self.office
        match choice:
            case 3:
                now = office.clock()
                await office.store.move(messages[0], None, Move.CANCEL, now=now, due=None, reason="by a person")
            case 7:
                await self.time(seconds=2)
            case 11:
                office.worker.reroute(office.line(), office.clock())
            case 15:
                self.trouble()
            case 19:
                self.reload()
            case 23:
                await self.save()
            case _:
                await asyncio.sleep(0.0015)  # the hedge's clock

    async def finish(self) -> None:
        """All is well from now on, and there is time for everything."""
        self.fates.clear()
        for _ in range(60):
            while self.gates:
                self.gates.pop().set_result(None)
                self.disk()
                await self.settle()
            await asyncio.sleep(0.0015)
            self.disk()
            await self.settle()
            await self.save()
            if not self.gates:
                await self.time(minutes=2)
                await self.settle()
            if not self.gates and not self.office.store.asked and not await self.waiting():
                return

    async def waiting(self) -> bool:
        depths = await self.office.store.depth()
        return any(depth.state != "unclear" for depth in depths)


@dataclass
class StagedMailer(ScriptedMailer):
    """Goes on when the example says so, and meets what the example says."""

    stage: Stage | None = None

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report:
        stage, fate = self.stage, self.stage.fate() if self.stage else ""
        assert stage
        crossing.prepare()
        await stage.gate()
        if fate in BEFORE:
            return Report(outcomes=(BEFORE[fate],) * len(parcel.recipients), phase=Phase.ENVELOPE)
        if not await crossing.take():
            return Report(outcomes=(DOWN,) * len(parcel.recipients), phase=Phase.BODY, abandoned=True)
        carried = {(parcel.id, recipient) for recipient in parcel.recipients}
        if {(*one, self.connection.name) for one in carried} & stage.never:
            stage.faults.append("a connection that never will was asked again")
        if carried & stage.crossing:
            stage.faults.append("two attempts are past the point of no return at once")
        stage.crossing |= carried
        await stage.gate()
        stage.crossing -= carried
        outcomes = tuple(AFTER[fate][n % len(AFTER[fate])] for n in range(len(parcel.recipients)))
        for recipient, outcome in zip(parcel.recipients, outcomes, strict=True):
            stage.copies[parcel.id, recipient] += isinstance(outcome, Accepted | Unclear)
            if isinstance(outcome, Rejected):
                stage.never.add((parcel.id, recipient, self.connection.name))
        return Report(outcomes=outcomes, phase=Phase.POINT)


async def play(fates: list[str], choices: list[int], priorities: list[Priority], prepare: Callable[[Office], None]):
    office = make_office()
    stage = Stage(office, list(fates))
    for priority in Priority:
        office.policy(priority, hedge_after=None if priority is Priority.BULK else timedelta(milliseconds=1))
    for name in office.mailers:
        office.worker.ways.lines[name] = stage.line(office.line(name))
    prepare(office)
    messages = [
        (await office.submit(office.draft("a@example.net", "b@example.net", priority=priority))).id
        for priority in priorities
    ]
    office.store.slow = {"start", "record"}
    await stage.settle()
    for choice in choices:
        await stage.happen(choice, messages)
    await stage.finish()
    check(office, stage)
    for message in messages:
        states = await office.states(message)
        assert set(states) <= {"accepted", "rejected", "unclear", "cancelled"}, states
        for recipient, state in zip(("a@example.net", "b@example.net"), states, strict=True):
            if state != "cancelled":  # a doubt can be cancelled, too
                assert stage.copies[message, recipient] == (state in {"accepted", "unclear"})
    await office.worker.stop(0.05)


def check(office: Office, stage: Stage) -> None:
    """Nothing is left behind, and nothing happened that must not."""
    assert stage.faults == []
    assert (office.worker.room.count, office.worker.room.bytes) == (0, 0)
    assert not stage.crossing
    assert max(stage.copies.values(), default=0) <= 1
    assert not office.worker.suspended
    for line in (*office.worker.ways.lines.values(), *stage.retired):
        assert line.drain() == []
        assert not line._turns
        assert line.busy == 0
        assert line.breaker.state is not breaker.State.HALF_OPEN or line.breaker.probe is None


def on_trial(office: Office) -> None:
    line, now = office.line(), office.clock()
    failed = breaker.record(line.breaker, BEFORE["account"], started=now, now=now)
    line.breaker = breaker.signed_in(failed, now)


def limited(office: Office) -> None:
    office.line().limiter = limits.Limiter(limits=Limits(per_second=1))
    office.worker.ways.overall.limit({"per_second": 2})


EXAMPLES = settings(max_examples=120, deadline=None)
ORDERS = {
    "fates": st.lists(FATES, max_size=8),
    "choices": st.lists(st.integers(0, 27), max_size=40),
    "priorities": st.lists(st.sampled_from(Priority), min_size=1, max_size=3),
}


@EXAMPLES
@given(**ORDERS)
def test_in_any_order_of_events_nobody_gets_two_copies_and_nothing_is_lost(fates, choices, priorities):
    asyncio.run(play(fates, choices, priorities, lambda office: None))


@EXAMPLES
@given(**ORDERS)
def test_the_same_holds_while_the_primary_is_on_trial(fates, choices, priorities):
    asyncio.run(play(fates, choices, priorities, on_trial))


@EXAMPLES
@given(**ORDERS)
def test_the_same_holds_where_limits_let_mail_wait(fates, choices, priorities):
    asyncio.run(play(fates, choices, priorities, limited))
