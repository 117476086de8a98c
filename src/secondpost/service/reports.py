"""Email Reports: what became of the mail of some days, by day and under one heading.

Rule: days are those of UTC; a delivery counts on the day on which its message was accepted.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from secondpost.core.tally import Heading, Tally, together
from secondpost.errors import SecondpostError
from secondpost.service.costly import Costly
from secondpost.store.base import Store

DAY = timedelta(days=1)
LONGEST = 366  # days
FEW = 2  # up to so many days, they are shown by the hour
ROWS = 25  # of a page
MOST = 10_000  # of a download


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    since: datetime
    until: datetime
    step: timedelta
    steps: list[Tally]  # one for each step, empty ones too
    heading: Heading
    rows: list[Tally]  # those with the most first

    @property
    def whole(self) -> Tally:
        return together(self.steps)


@dataclass(slots=True)
class Reports:
    store: Store
    costly: Costly = field(default_factory=Costly)

    async def report(self, since: datetime, until: datetime, heading: Heading, *, rows: int = ROWS) -> Report:
        """Of the whole days from `since` to `until`. Raises `SecondpostError` when these are none, or too many."""
        if not timedelta() < until - since <= LONGEST * DAY:
            raise SecondpostError(f"Choose a first day and a last day that is not before it, {LONGEST} days at most.")
        step = DAY / 24 if until - since <= FEW * DAY else DAY
        by_time = await self._tally(Heading.TIME, since, until, step, LONGEST)
        found = {int(tally.key): tally for tally in by_time}
        steps = [found.get(number, Tally(key=str(number))) for number in range((until - since) // step)]
        counted = await self._tally(heading, since, until, step, rows)
        return Report(since=since, until=until, step=step, steps=steps, heading=heading, rows=counted)

    async def _tally(
        self, heading: Heading, since: datetime, until: datetime, step: timedelta, limit: int
    ) -> list[Tally]:
        return await self.costly.get(
            (heading, since, until, limit),
            lambda: self.store.tally(heading, since=since, until=until, step=step, limit=limit),
        )
