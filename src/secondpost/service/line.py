"""A line: one connection at work. Its mailer, breaker and limits, the errands that wait, the carriers that take them.

Rule: a line knows nothing of other lines; when it cannot carry, it says so and the worker looks for another way.
"""

import asyncio
from asyncio import Future
from bisect import insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from secondpost import __version__
from secondpost.core import breaker as breakers
from secondpost.core import limits
from secondpost.core.connection import Connection
from secondpost.core.from_rules import from_domain
from secondpost.core.outcome import Accepted, Deferred, Outcome
from secondpost.core.priority import Priority
from secondpost.mailers.base import Mailer, Report
from secondpost.store.base import Lease

BREAKER, LIMITER = "breaker", "limiter"  # what the store keeps of a line over a restart
TICK = 0.001  # seconds; uvloop rounds to it, and makes no timer at all of less than half
DOMAINS = 1000  # refused senders' domains that are remembered; clients choose them, so they are bounded


@dataclass(slots=True, eq=False)
class Race:
    """What two errands share that carry the same deliveries by two lines: only one may pass the point of no return."""

    running: int = 1
    winner: "Errand | None" = None
    timer: asyncio.TimerHandle | None = None

    def take(self, errand: "Errand") -> bool:
        """The one right to cross: the first to ask has it."""
        if self.winner is None:
            self.winner = errand
        return self.winner is errand

    def ends(self, errand: "Errand", report: Report) -> bool:
        """An errand was tried. True: it decides what becomes of the deliveries; it crossed, or was the last to end."""
        self.running -= 1
        certain = any(not isinstance(outcome, Deferred) for outcome in report.outcomes)
        if self.winner is None and not report.abandoned and (certain or not self.running):
            self.winner = errand
        if self.winner is errand and self.timer is not None:
            self.timer.cancel()
        return self.winner is errand

    def leaves(self, errand: "Errand") -> bool:
        """The errand drops out before it could cross. True: a rival still runs and has the say."""
        if self.winner is None:
            self.running -= 1
        return self.winner not in (None, errand) or self.running > 0


@dataclass(slots=True, eq=False)
class Errand:
    """A lease on its way: the deliveries still to be carried, and the lines that this round has tried."""

    lease: Lease
    line: str = ""
    tried: frozenset[str] = frozenset()
    race: Race | None = None
    note: str = ""  # why this line: for the timeline
    probe: bool = False
    paid: bool = False  # an earlier attempt of this round has cost a try
    counted: bool = False  # it has set out, as far as the limits over all are concerned

    @property
    def over(self) -> bool:
        """Another errand of the race has passed the point: this one has nothing left to do."""
        return self.race is not None and self.race.winner not in (None, self)


Queues = tuple[deque[Errand], ...]  # by priority


@dataclass(slots=True, eq=False)
class Line:
    """One connection at work. `carriers` are tasks that each carry one errand at a time."""

    connection: Connection
    mailer: Mailer
    breaker: breakers.Breaker = field(default_factory=breakers.Breaker)
    domains: dict[str, breakers.Breaker] = field(default_factory=dict)  # identity refusals, by sender domain
    limiter: limits.Limiter = field(default_factory=limits.Limiter)
    retired: bool = False
    name: str = field(init=False)
    stamp: bytes = field(init=False)  # the header line that says who sent a copy
    carriers: int = 0
    _queues: Queues = field(default_factory=lambda: tuple(deque() for _ in Priority))  # waiting for a carrier
    _later: Queues = field(default_factory=lambda: tuple(deque() for _ in Priority))  # waiting for the limits
    _turns: deque[asyncio.TimerHandle] = field(default_factory=deque)  # when the limits let one of these go
    _idle: list["Future[Errand | None]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = self.connection.name
        self.stamp = f"X-Mailer: Secondpost/{__version__} {self.connection.mailer}\r\n".encode()

    @property
    def busy(self) -> int:
        """Carriers that are not waiting for an errand."""
        return self.carriers - len(self._idle)

    @property
    def waits(self) -> bool:
        """Whether one more carrier would have something to carry."""
        return self.carriers < self.mailer.capacity and any(self._queues)

    def domain(self, errand: Errand) -> str:
        """The domain that its copy for this connection is from: what a provider may not have verified."""
        return from_domain(errand.lease.from_email, errand.lease.sender, self.connection.sender)

    def usable(self, now: datetime, errand: Errand | None = None) -> bool:
        """Whether new mail may go this way now; or this one."""
        if self.retired or not self.connection.enabled:
            return False
        if not breakers.admits(self.breaker, now):
            return False
        known = self.domains.get(self.domain(errand)) if self.domains and errand is not None else None
        return known is None or breakers.admits(known, now)

    def benched(self, errand: Errand, now: datetime) -> timedelta:
        """How long mail of its domain will be refused here, as far as is known."""
        known = self.domains.get(self.domain(errand)) if self.domains else None
        if known is None or breakers.admits(known, now):
            return timedelta()
        return max(breakers.retry_at(known) - now, timedelta())

    def wait(self, now: datetime, priority: Priority = Priority.BULK) -> timedelta:
        """How long the limits want a message to wait. It takes the turn of what waits already and is less urgent."""
        if self._turns:
            ahead = sum(len(waiting) for waiting in self._later[: priority + 1])
            if ahead < len(self._turns):
                return timedelta(seconds=max(self._turns[ahead].when() - asyncio.get_running_loop().time(), 0))
        return limits.wait(self.limiter, now)

    def reserve(self, errand: Errand, wait: timedelta, its_turn: "Callable[[Line], None]") -> None:
        """The limits let one more go after that wait: the most urgent of those that wait then."""
        seconds = max(wait.total_seconds(), TICK)
        turn = asyncio.get_running_loop().call_later(seconds, its_turn, self)
        insort(self._turns, turn, key=lambda reserved: reserved.when())
        self._later[errand.lease.priority].append(errand)

    def turn(self) -> Errand | None:
        """Whose turn it is, now that a time has come."""
        self._turns.popleft()
        return self._first(self._later)

    def put(self, errand: Errand) -> bool:
        """Give an errand to this line. True: a new carrier is needed to take it."""
        errand.line = self.name
        if self._idle:
            self._idle.pop().set_result(errand)
            return False
        self._queues[errand.lease.priority].append(errand)
        return self.carriers < self.mailer.capacity

    def next(self) -> Errand | None:
        """The errand that is carried next: urgent first, then in order of arrival."""
        return self._first(self._queues)

    def _first(self, queues: Queues) -> Errand | None:
        for queue in queues:
            while queue:
                errand = queue.popleft()
                if not errand.over:
                    return errand
                self.excuse(errand)
        return None

    def claim(self, errand: Errand, now: datetime) -> None:
        """The errand is to go this way: count it; while the line is on trial, it is the one probe."""
        errand.line, errand.probe = self.name, False
        self.limiter = limits.take(self.limiter, now)
        if self.breaker.state is not breakers.State.CLOSED:
            self.breaker = breakers.probe(self.breaker, now)
            errand.probe = True
        if self.domains and (domain := self.domain(errand)) in self.domains:
            self.domains[domain] = breakers.probe(self.domains[domain], now)
            errand.probe = True

    def excuse(self, errand: Errand) -> None:
        """The errand will not tell how this line is: if it was the probe, another one may be."""
        if errand.probe:
            self.breaker = breakers.release(self.breaker)
            if self.domains and (domain := self.domain(errand)) in self.domains:
                self.domains[domain] = breakers.release(self.domains[domain])

    async def take(self) -> Errand | None:
        """The next errand; None when the carrier is dismissed."""
        if (errand := self.next()) is not None:
            return errand
        if self.retired:
            return None
        waiter: Future[Errand | None] = asyncio.get_running_loop().create_future()
        self._idle.append(waiter)
        return await waiter

    def drain(self) -> list[Errand]:
        """Everything that waits here, to be sent another way."""
        errands = []
        for queues in (self._queues, self._later):
            while (errand := self._first(queues)) is not None:
                errands.append(errand)
        while self._turns:
            self._turns.popleft().cancel()
        return errands

    def dismiss(self) -> None:
        """Let the idle carriers go."""
        while self._idle:
            self._idle.pop().set_result(None)

    def learn(self, outcome: Outcome, *, errand: Errand, started: datetime, now: datetime) -> bool:
        """Take an outcome into account. True: whether mail may go this way has changed."""
        before = self.breaker.state, len(self.domains)
        if getattr(outcome, "about_sender", False):
            self.breaker = breakers.release(self.breaker)
            self._bench(self.domain(errand), outcome, started, now)
            return True
        known = self.domains.pop(self.domain(errand), None) if self.domains else None
        if known is not None and type(outcome) is not Accepted:
            self.domains[self.domain(errand)] = breakers.release(known)
        self.breaker = breakers.record(self.breaker, outcome, started=started, now=now)
        self.limiter = limits.gate(self.limiter, outcome, now)
        return (self.breaker.state, len(self.domains)) != before

    def _bench(self, domain: str, outcome: Outcome, started: datetime, now: datetime) -> None:
        known = self.domains.pop(domain, breakers.Breaker())
        self.domains[domain] = breakers.record(known, outcome, started=started, now=now)
        if len(self.domains) > DOMAINS:
            del self.domains[next(iter(self.domains))]
