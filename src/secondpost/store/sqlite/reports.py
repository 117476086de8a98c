"""Counts over many messages in SQLite, one pass over the messages of a time, a day after the other.

Rule: they run on a connection and in a thread of their own, so that neither mail nor the log waits for them. A day is
sorted within the cache of a processor, which is three times as fast as all at once, and frees the WAL in between.
"""

import asyncio
import json
from collections import Counter
from datetime import datetime, timedelta

import apsw

from secondpost.core.ids import new_id
from secondpost.core.outcome import ON_PURPOSE
from secondpost.core.tally import COUNTS, EACH, Heading, Tally
from secondpost.store.reports import LastAttempt
from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.rows import fetch, ms, when
from secondpost.store.statements import statements

_SQL = statements("sqlite/reports")

_DAY = 86_400_000  # milliseconds; an id can be that much older than the acceptance: mail may come slowly


class SqliteReports:
    """The reports' part of the store."""

    _engine: Engine

    async def tally(
        self, heading: Heading, *, since: datetime, until: datetime, step: timedelta, limit: int
    ) -> list[Tally]:
        span = {"since": ms(since), "step": step // timedelta(milliseconds=1)}
        slices = [(at, min(at + _DAY, ms(until))) for at in range(ms(since), ms(until), _DAY)]

        def count(db: apsw.Connection) -> list[Tally]:
            found: dict[str, _Sum] = {}
            for begin, end in slices:
                asked = {"from": begin, "to": end, "after": _first(begin) - 1, "before": new_id(end, 0)}
                for key, *numbers, times in fetch(db, _SQL["tally"], {"heading": heading, **span, **asked}):
                    found.setdefault(key, _Sum()).add(numbers, times)
            most = sorted(found, key=lambda key: (-found[key].all, key))[:limit]
            return [found[key].tally(key) for key in most]

        return await asyncio.to_thread(self._engine.apart, count)

    async def last_attempts(self, since: datetime) -> list[LastAttempt]:
        def look(db: apsw.Connection) -> list[LastAttempt]:
            asked = (_first(ms(since)), ms(since), f'"reply":"{ON_PURPOSE}"')
            return [_last(*row) for row in fetch(db, _SQL["last_attempts"], asked)]

        return await asyncio.to_thread(self._engine.apart, look)


class _Sum:
    """What days say under one key. Times are read only of what is shown in the end."""

    __slots__ = ("counts", "times")

    def __init__(self) -> None:
        self.counts = [0] * len(COUNTS)
        self.times: list[str] = []

    def add(self, numbers: list[int], times: str | None) -> None:
        self.counts = [sum(pair) for pair in zip(self.counts, numbers, strict=True)]
        if times:
            self.times.append(times)

    @property
    def all(self) -> int:
        return sum(self.counts[: len(EACH)])

    def tally(self, key: str) -> Tally:
        times: Counter[int] = Counter()
        for text in self.times:
            for time, number in json.loads(text):
                times[time] += number
        return Tally(key=key, times=times, **dict(zip(COUNTS, self.counts, strict=True)))


def _first(since: int) -> int:
    return new_id(since - _DAY, 0)


def _last(connection: str, accepted: int, at: int, message: int, outcomes: str) -> LastAttempt:
    replies = [outcome.get("reply", "") for outcome in json.loads(outcomes)]
    reply = next((reply for reply in replies if reply), "")
    return LastAttempt(connection=connection, accepted=bool(accepted), at=when(at), message=message, reply=reply)
