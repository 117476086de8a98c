"""The worker: gives every lease to the first line of its route that can carry it, and follows each outcome.

Rule: it never waits for what is known to be broken; what it holds in memory the store has too.
"""

import asyncio
import contextlib
import logging
from asyncio import Task
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from secondpost.core import breaker, fallback, limits
from secondpost.core.outcome import Outcome
from secondpost.core.priority import Policy, Priority
from secondpost.mailers.base import Report
from secondpost.service import attempt
from secondpost.service.ids import new_id
from secondpost.service.ledger import Ledger
from secondpost.service.line import Errand, Line, Race
from secondpost.service.room import Room
from secondpost.service.ways import HORIZON, Ways
from secondpost.store.base import Delivery, Lease, Start, Store, Submission

logger = logging.getLogger(__name__)

PROBE_HEDGE = timedelta(seconds=1)  # a message that probes a recovering connection must not wait long for it
OVERDUE = timedelta(seconds=30)  # for what has expired on its way: housekeeping ends it before it could be leased again
LAST_SECONDS = 2.0  # at a stop, for writing down what its end interrupted
LATE = timedelta(seconds=1)  # so long, whoever has a turn keeps it while the limits over all are reached
LEASE_BATCH = 50  # claims stay under 20 ms with a million waiting


@dataclass(slots=True, eq=False)
class Worker:
    """Works the queue of one process. `take` what was just accepted; `refill` from the store; `stop` drains."""

    name: str
    store: Store
    policies: dict[Priority, Policy]
    now: Callable[[], datetime]
    chance: Callable[[], float]  # in [-1, 1]
    on_change: Callable[[Line, Outcome], None]  # a line opened, closed or was gated
    tell_sender: Callable[[Lease, list[tuple[Delivery, Outcome]]], Submission | None]  # the report of what failed
    concurrency: int = 50
    drill: Callable[[Errand, Line], Report | None] | None = None  # what a line answers on purpose
    ways: Ways = field(init=False)
    ledger: Ledger = field(init=False)
    room: Room = field(default_factory=Room)
    draining: bool = False
    outcomes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)  # connection, outcome, fault, backup?
    _tasks: set["Task[None]"] = field(default_factory=set)
    _short: set[Line] = field(default_factory=set)  # they would have one more carrier if all had not so many
    _on_hold: list[Errand] = field(default_factory=list)  # their turn came while sending was suspended

    def __post_init__(self) -> None:
        self.ways = Ways(self.now)
        self.ledger = Ledger(self.store)

    def has_room(self, size: int, route: Sequence[str]) -> bool:
        """Whether a message of `size` bytes may be delivered from memory; if so, the room is taken."""
        queues = self.room.behind and self.ways.overall.limiter is not None  # behind what waits already
        if queues or self.draining or self.suspended or not self.room.fits(size) or not self.ways.open(route):
            self.room.behind = True
            return False
        self.room.hold(size)
        return True

    # Finding a way -------------------------------------------------------------------------------------------------

    def take(self, lease: Lease) -> None:
        """Carry a lease whose room was taken before."""
        again = any(delivery.possible_duplicate for delivery in lease.deliveries)
        for alike in self._alike(lease):
            self.dispatch(Errand(alike, note="sent again after a doubt: a possible duplicate" if again else ""))

    def _alike(self, lease: Lease) -> list[Lease]:
        """The lease, split where deliveries may no longer go the same ways; room is taken for each part."""
        parts = attempt.alike(lease)
        for _ in parts[1:]:
            self.room.hold(lease.size)
        return parts

    def dispatch(self, errand: Errand) -> None:
        """Send an errand to the first line of its route that may carry it now; put it off when there is none.

        A bug that shows in it costs this message a minute, and no other anything.
        """
        try:
            self._dispatch(errand)
        except Exception:
            logger.exception("no way was found by a fault of our own", extra=attempt.named(errand.lease))
            self._put_off(errand, self.now(), fallback.LOCAL_WAIT)

    def _dispatch(self, errand: Errand) -> None:
        """Where only limits are in the way, it keeps its place in them: else it might wait behind what comes later."""
        now = self.now()
        if errand.lease.expires <= now:
            self._put_off(errand, now, OVERDUE)
            return
        if self.ways.overall.wait(now, errand):
            self.room.behind = True
            self._put_off(errand, now, timedelta())
            return
        line, wait = self._nearest(errand, now)
        if line is not None and wait <= HORIZON:
            self._assign(errand, line, now)
        elif line is not None and self.policies[errand.lease.priority].patience is None:
            self._put_off(errand, now, wait)  # it never overflows: no other way would be taken even if it were open
        else:
            rest = fallback.rest(now - errand.lease.accepted)
            self._put_off(errand, now, max(rest, self.ways.benched(errand, now)))

    def _nearest(self, errand: Errand, now: datetime) -> tuple[Line | None, timedelta]:
        """The first line that its patience allows, else the one that lets it go soonest; and how long it waits."""
        priority = errand.lease.priority
        patience = self.policies[priority].patience
        if patience is None:  # however long; but a wait that would outlive the message is never worth it
            patience = errand.lease.expires - now
        nearest: tuple[Line | None, timedelta] = (None, HORIZON)
        for line in self.ways.open_to(errand, now):
            wait = line.wait(now, priority)
            if wait <= patience:
                return line, wait
            if nearest[0] is None or wait < nearest[1]:
                nearest = line, wait
        return nearest

    def _assign(self, errand: Errand, line: Line, now: datetime) -> None:
        wait = limits.wait(line.limiter, now)
        if errand.line == line.name:
            errand.note = ""  # it was taken off this line, and comes back
        line.claim(errand, now)
        if errand.probe:
            errand.note = errand.note or "probe: the connection is on trial"
        elif not errand.note and errand.lease.route[:1] != (line.name,):
            errand.note = self.ways.passed_over(errand, line, now)
        self._arm(errand)
        if wait:
            line.reserve(errand, wait, self._its_turn)
        else:
            self._hand(errand, line)

    def _its_turn(self, line: Line) -> None:
        errand, now = line.turn(), self.now()
        if errand is None:
            return
        wait = self.ways.overall.wait(now, errand)
        if timedelta() < wait <= LATE:
            line.reserve(errand, wait, self._its_turn)
        elif wait or line.limiter.gate > now:  # a provider may have shut the gate meanwhile
            line.excuse(errand)
            self.dispatch(errand)
        else:
            self._hand(errand, line)

    def _hand(self, errand: Errand, line: Line) -> None:
        self.ways.overall.count(errand, self.now)
        if line.put(errand):
            self._staff(line)

    def _put_off(self, errand: Errand, now: datetime, pause: timedelta) -> None:
        """No line can carry it now: it waits in the store until it is due and some line of its route is usable."""
        if errand.race is not None and errand.race.leaves(errand):
            return
        lease, due = errand.lease, now + pause
        self.give_back(lease, due if lease.expires <= now else min(due, lease.expires))
        self.room.give(lease.size)

    def give_back(self, lease: Lease, due: datetime | None = None) -> None:
        """The deliveries of a lease that nothing was done with wait again. Its room is the caller's."""
        now = self.now()
        self.ledger.write(attempt.put_off(lease, self.name, due or now, now))

    # Racing --------------------------------------------------------------------------------------------------------

    def _arm(self, errand: Errand) -> None:
        """Start the clock after which a rival sets out by the next connection as well."""
        after = self.policies[errand.lease.priority].hedge_after
        if errand.probe:
            after = PROBE_HEDGE if after is None else min(after, PROBE_HEDGE)
        if after is None or errand.race is not None:
            return
        errand.race = Race()
        errand.race.timer = asyncio.get_running_loop().call_later(after.total_seconds(), self._hedge, errand)

    def _hedge(self, errand: Errand) -> None:
        race = errand.race
        if race is None or race.winner is not None or not race.running:
            return
        now = self.now()
        tried, note = errand.tried | {errand.line}, f"hedge: {errand.line} was slow"
        rival = Errand(errand.lease, tried=tried, race=race, note=note, counted=errand.counted)
        for line in self.ways.open_to(rival, now):
            if not (limits.wait(line.limiter, now) or self.ways.overall.wait(now, rival)):
                race.running += 1
                self._assign(rival, line, now)
                return

    # Carrying ------------------------------------------------------------------------------------------------------

    def _staff(self, line: Line, free: int = 0) -> None:
        """One more carrier, now or when one is free. A session to a provider can have two: one of them is answered."""
        if line.carriers and sum(it.busy for it in self.ways.lines.values()) - free >= 2 * self.concurrency:
            self._short.add(line)
            return
        line.carriers += 1
        task = asyncio.get_running_loop().create_task(self._carry(line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, line: Line) -> None:
        """One carrier: takes one errand after another until it is dismissed, or its loop is closed around it."""
        task = asyncio.current_task()
        try:
            while (errand := await line.take()) is not None:
                if not errand.over and not self.suspended:
                    await self._attempt(errand, line)
                    if self._short and (short := self._short.pop()).waits:
                        self._staff(short, free=1)
                    if task is not None and task.cancelling():
                        return
                    continue
                line.excuse(errand)
                if not errand.over:
                    self._on_hold.append(errand)
        finally:
            line.carriers -= 1

    async def try_once(self, lease: Lease, name: str) -> Report:
        """Carry a lease by one connection now, whatever its breaker says: a test by a person."""
        line = self.ways.lines[name]
        line.limiter = limits.take(line.limiter, self.now())
        errand = Errand(lease, line=name, note="test")
        self.ways.overall.count(errand, self.now)
        self.room.hold(lease.size)
        return await self._attempt(errand, line)

    async def _attempt(self, errand: Errand, line: Line) -> Report:
        lease = errand.lease
        start = Start(
            attempt=new_id(), message=lease.id, worker=self.name, fence=lease.fence,
            numbers=tuple([delivery.number for delivery in lease.deliveries]), connection=line.name, now=self.now(),
        )  # fmt: skip
        passage = attempt.Passage(self.store, errand, start)
        report = self.drill(errand, line) if self.drill is not None else None
        if report is None:
            report = await attempt.send(line, passage)
        try:
            self._follow(errand, line, passage, report)
        except Exception:  # a bug that shows here leaves a wait or a doubt, and costs no other message anything
            logger.exception("an attempt could not be followed by a fault of our own", extra=attempt.named(lease, line))
            with contextlib.suppress(Exception):
                fault = attempt.fault(passage, "internal error: the outcome could not be followed")
                self._follow(errand, line, passage, attempt.same(lease, fault))
        return report

    # Following an outcome ------------------------------------------------------------------------------------------

    def _follow(self, errand: Errand, line: Line, passage: attempt.Passage, report: Report) -> None:
        now = self.now()
        self._learn(errand, line, passage, report, now)
        lease = errand.lease
        if errand.race is not None and not errand.race.ends(errand, report):
            text = attempt.lost(errand, report, now - passage.start.now)
            self.ledger.tell("race", at=now, connection=line.name, message=lease.id, text=text)
            return
        if report.abandoned:
            self.room.give(lease.size)
            return
        if attempt.all_accepted(report):
            result = attempt.accepted(lease, report, started=passage.started)
        else:
            result = self._judge(errand, line, report, passage.started, now)
        self.outcomes.update(attempt.tallied(errand, line.name, report))
        tells = self.tell_sender(lease, result.failed) if result.failed else None
        self.ledger.write(attempt.record(errand, line, passage.start, report, result, ended=now, tells=tells))
        if result.onward:
            self._onward(errand, line, report, result.onward)
        else:
            self.room.give(lease.size)

    def _learn(self, errand: Errand, line: Line, passage: attempt.Passage, report: Report, now: datetime) -> None:
        if report.abandoned or report.on_purpose:
            line.excuse(errand)
            return
        outcome = breaker.telling(report.outcomes)
        gate = line.limiter.gate
        changed = line.learn(outcome, errand=errand, started=passage.start.now, now=now)
        if changed:
            self.on_change(line, outcome)
        if changed or line.limiter.gate > gate:
            self.reroute(line, now)

    def reroute(self, line: Line, now: datetime) -> None:
        """Where a line can no longer carry, or its provider asked for a pause, what waits for it goes another way."""
        if line.usable(now) and line.limiter.gate <= now:
            return
        for errand in line.drain():
            line.excuse(errand)
            errand.note = f"fallback: {line.name} is unavailable"
            self.dispatch(errand)

    def _judge(self, errand: Errand, line: Line, report: Report, started: bool, now: datetime) -> attempt.Result:
        lease = errand.lease
        policy = self.policies[lease.priority]
        left = len(self.ways.open_to(errand, now, but=line.name))
        others = [name for name in self.ways.known(lease.route) if name != line.name]

        def decide(delivery: Delivery, outcome: Outcome) -> fallback.Decision:
            standing = fallback.Standing(
                now=now, accepted=lease.accepted, expires=lease.expires, policy=policy, jitter=self.chance(),
                tries=delivery.tries, connections_left=left, spent=len(delivery.spent), paid=errand.paid,
                unspent=len([name for name in others if name not in delivery.spent]),
            )  # fmt: skip
            return fallback.decide(outcome, standing)

        return attempt.judge(lease, report, started=started, decide=decide, line=line.name)

    def _onward(self, errand: Errand, line: Line, report: Report, deliveries: list[Delivery]) -> None:
        """What this line could not take goes to the next one of the route, now."""
        tries = errand.lease.deliveries[0].tries
        for lease in self._alike(replace(errand.lease, deliveries=deliveries)):
            self.dispatch(Errand(
                lease, tried=errand.tried | {line.name}, counted=True,
                paid=errand.paid or lease.deliveries[0].tries > tries,
                note=f"fallback: {line.name}: {breaker.telling(report.outcomes).reply}",
            ))  # fmt: skip

    @property
    def suspended(self) -> bool:
        """Results cannot be written down: sending more would make duplicates."""
        return self.ledger.suspended

    async def save_unsaved(self) -> None:
        """Try again to write down what could not be written; sending goes on once all of it is on disk."""
        if self.suspended and await self.ledger.save():
            on_hold, self._on_hold = self._on_hold, []
            for errand in [errand for errand in on_hold if not errand.over]:
                self.dispatch(errand)

    # The store's queue ---------------------------------------------------------------------------------------------

    async def refill(self) -> int:
        """Lease what is due and can go by a usable route; returns how many messages came."""
        room = self.room
        room.hungry.clear()
        if self.draining or self.suspended or not room.low:
            return 0
        routes = [route for route in await self.store.routes() if self.ways.open(route)]
        if not routes:
            return 0
        now, byte_limit = self.now(), max(room.max_bytes - room.bytes, 1)
        most = self.ways.overall.room(now, LEASE_BATCH)
        leases = await self.store.lease(self.name, routes, now=now, limit=most, byte_limit=byte_limit)
        room.behind = len(leases) > 0
        for lease in leases:
            room.hold(lease.size)
            self.take(lease)
        return len(leases)

    async def stop(self, grace: float) -> None:
        """Finish what is under way within `grace` seconds, give back what has not begun, and let the carriers go."""
        self.draining = True
        now = self.now()
        for line in self.ways.lines.values():
            line.retired = True
            for errand in line.drain():
                self._put_off(errand, now, timedelta())
            line.dismiss()
        while self._on_hold:
            self._put_off(self._on_hold.pop(), now, timedelta())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_SECONDS)
