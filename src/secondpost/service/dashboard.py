"""What the dashboard shows: how each connection is, what became of the mail of a day, and when the primary was down.

Rule: it only looks; what costs time is asked of the store as often as that is worth.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from secondpost.core import breaker, limits, truth
from secondpost.core.delivery import State
from secondpost.core.event import Sequel
from secondpost.core.tally import Heading, Tally, together
from secondpost.core.truth import Health
from secondpost.service.connections import Connections
from secondpost.service.costly import Costly
from secondpost.service.drill import Drills
from secondpost.service.line import Line
from secondpost.service.verification import Readiness, Verification
from secondpost.store.base import Store
from secondpost.store.log import Query
from secondpost.store.reports import LastAttempt

STEP = timedelta(minutes=30)
STEPS = 48
MANY = 1000  # connections, or steps: more than there are
EVENTS = 2000  # of breakers, looked through for a day's
_MIDNIGHT = datetime(2020, 1, 1, tzinfo=UTC)
_HEALTH = {breaker.State.OPEN: Health.DOWN, breaker.State.HALF_OPEN: Health.TRIAL}

Period = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A connection as it is now. `tally`: the mail of a day that it was the last to try."""

    name: str
    title: str
    role: str
    health: Health
    at: datetime | None
    reason: str
    readiness: Readiness
    tally: Tally
    last_success: datetime | None
    last_error: LastAttempt | None
    proved: str | None  # when it last carried the message of a drill
    left: Mapping[str, int]  # by span: how many more its limits allow
    most: Mapping[str, int]

    @property
    def broken(self) -> bool:
        return self.health is Health.DOWN or (self.health is not Health.OFF and self.readiness.ok is False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    now: datetime
    sentence: truth.Sentence
    cards: list[Card]
    since: datetime
    steps: list[Tally]  # one for each step since then, empty ones too
    down: list[Period]  # when the primary was down

    @property
    def day(self) -> Tally:
        return together(self.steps)


@dataclass(slots=True)
class Dashboard:
    store: Store
    connections: Connections
    verification: Verification
    drills: Drills
    costly: Costly = field(default_factory=Costly)

    async def overview(self) -> Overview:
        now = self.connections.now()
        since = start(now)
        day = await self.costly.get(("day", since), lambda: self._day(since))
        cards = await self._cards(now, since)
        primary = next((card for card in cards if card.role == "primary"), None)
        changes = await self.costly.get(("changes", since), lambda: self._changes(since))
        began = primary.at if primary and primary.health in (Health.DOWN, Health.TRIAL) else None
        down = periods(changes, since=since, now=now, began=began)
        sentence = await self._sentence(cards)
        return Overview(now=now, sentence=sentence, cards=cards, since=since, steps=day, down=down)

    async def _day(self, since: datetime) -> list[Tally]:
        found = await self.store.tally(Heading.TIME, since=since, until=since + STEPS * STEP, step=STEP, limit=MANY)
        by_step = {int(tally.key): tally for tally in found}
        return [by_step.get(step, Tally(key=str(step))) for step in range(STEPS)]

    # Connections ---------------------------------------------------------------------------------------------------

    async def _cards(self, now: datetime, since: datetime) -> list[Card]:
        by_name = await self.costly.get(("connections", since), lambda: self._by_connection(since))
        last = await self.costly.get(("attempts", since), lambda: self.store.last_attempts(since))
        readiness = await self.verification.readiness()
        told = {(one.connection, one.accepted): one for one in last}
        proved = await self.drills.proved() or {}
        cards = []
        for row in self.connections.show():
            name = row["name"]
            line = self.connections.worker.ways.lines[name]
            success, error = told.get((name, True)), told.get((name, False))
            health, at = self._drilled(name, now) or _health(line, error, now)
            cards.append(
                Card(
                    name=name, title=row["title"], role=row["role"], health=health, at=at, reason=line.breaker.reason,
                    readiness=readiness[name], tally=by_name.get(name, Tally()), last_error=error,
                    last_success=success.at if success else await self._success(name),
                    proved=proved["at"] if proved.get("carried") == name else None,
                    left=limits.left(line.limiter, now), most=_most(line),
                )
            )  # fmt: skip
        return sorted(cards, key=lambda card: ("primary", "backup", "additional").index(card.role))

    def _drilled(self, name: str, now: datetime) -> tuple[Health, datetime] | None:
        """Whether it refuses real mail on purpose now."""
        real = self.drills.real
        if real is None or real.connection != name or not real.begun <= now < real.until:
            return None
        return Health.DRILL, real.until

    async def _by_connection(self, since: datetime) -> dict[str, Tally]:
        until = since + STEPS * STEP
        found = await self.store.tally(Heading.CONNECTION, since=since, until=until, step=STEP, limit=MANY)
        return {tally.key: tally for tally in found}

    async def _success(self, name: str) -> datetime | None:
        """When it last carried something, if that was longer ago than a day."""
        query = Query(connection=name, standings=(State.ACCEPTED, *Sequel), limit=1)
        rows = await self.costly.get(("success", name), lambda: self.store.page(query))
        return rows[0].accepted if rows else None

    async def _changes(self, since: datetime) -> list[tuple[datetime, str]]:
        """What the breaker of the primary was since then, oldest first."""
        events = await self.store.events(limit=EVENTS, kinds=("breaker",))
        of_primary = [event for event in reversed(events) if event["connection"] == self.connections.desk.primary]
        return [(event["at"], event["text"].partition(":")[0]) for event in of_primary if event["at"] >= since]

    # The sentence --------------------------------------------------------------------------------------------------

    async def _sentence(self, cards: Iterable[Card]) -> truth.Sentence:
        by_role = {card.role: card for card in cards}
        primary, backup = by_role.get("primary"), by_role.get("backup")
        waiting = sum(depth.count for depth in await self.store.depth() if depth.state is State.WAITING)
        desk, worker = self.connections.desk, self.connections.worker
        return truth.sentence(
            truth.Situation(
                primary=self._way(primary), backup=self._way(backup), waiting=waiting, routed=bool(desk.rules),
                rescued=await self._rescued(primary), do_not_send=desk.do_not_send, suspended=worker.suspended,
            )
        )  # fmt: skip

    def _way(self, card: Card | None) -> truth.Way | None:
        if card is None:
            return None
        ready, checked = card.readiness.ok, card.readiness.at
        if card.last_success and (checked is None or card.last_success > checked):
            ready, checked = True, card.last_success  # carrying mail proves more than signing in
        keeps = self.connections.known(card.name).mailer == "capture"
        return truth.Way(title=card.title, health=card.health, at=card.at, keeps=keeps, ready=ready, checked=checked)

    async def _rescued(self, primary: Card | None) -> int:
        """What went another way since the primary last took something."""
        if primary is None or primary.at is None or primary.health not in (Health.DOWN, Health.TRIAL, Health.SHAKY):
            return 0
        since, until = primary.last_success or min(primary.at, start(primary.at)), self.connections.now() + STEP
        work = self.store.tally
        found = await self.costly.get(
            ("rescued", since), lambda: work(Heading.TIME, since=since, until=until, step=until - since, limit=1)
        )
        return together(found).backup


def start(now: datetime) -> datetime:
    """Where a day of whole steps begins that ends with the step we are in."""
    return _MIDNIGHT + ((now - _MIDNIGHT) // STEP + 1 - STEPS) * STEP


def _health(line: Line, error: LastAttempt | None, now: datetime) -> tuple[Health, datetime | None]:
    if not line.connection.enabled:
        return Health.OFF, None
    if line.breaker.state in _HEALTH:
        return _HEALTH[line.breaker.state], line.breaker.down
    if line.limiter.gate > now:
        return Health.PAUSED, line.limiter.gate
    if line.breaker.row and error is not None:
        return Health.SHAKY, error.at
    return Health.WELL, None


def _most(line: Line) -> dict[str, int]:
    of = line.connection.limits
    spans = {"minute": of.per_minute, "hour": of.per_hour, "day": of.per_day, "month": of.per_month}
    return {span: limit for span, limit in spans.items() if limit}


def periods(
    changes: Iterable[tuple[datetime, str]], *, since: datetime, now: datetime, began: datetime | None
) -> list[Period]:
    """From the changes of a breaker, oldest first: when it was not closed. `began`: since when it is not, now."""
    found: list[Period] = []
    begin: datetime | None = None
    for at, state in changes:
        if state == "open":
            begin = begin or at
        elif state == "closed":
            if begin or not found:
                found.append((begin or since, at))
            begin = None
    if began is not None:
        found.append((max(begin or began, since), now))
    return found
