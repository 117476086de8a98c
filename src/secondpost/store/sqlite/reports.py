"""Counts over many messages in SQLite, one pass over the messages of a time.

Rule: they run on a connection and in a thread of their own, so that neither mail nor the log waits for them.
"""

import asyncio
import json
from datetime import datetime, timedelta

import apsw

from secondpost.core.ids import new_id
from secondpost.core.tally import Heading, Tally
from secondpost.store.reports import LastAttempt
from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.rows import fetch, ms, when
from secondpost.store.statements import statements

_SQL = statements("sqlite/reports")

_DAY = 86_400_000  # an id can be that much older than the acceptance: mail may come slowly
_FIELDS = ("key", "primary", "backup", "failed", "unclear", "waiting", "cancelled")


class SqliteReports:
    """The reports' part of the store."""

    _engine: Engine

    async def tally(
        self, heading: Heading, *, since: datetime, until: datetime, step: timedelta, limit: int
    ) -> list[Tally]:
        asked = {
            "heading": heading, "since": ms(since), "until": ms(until), "step": step // timedelta(milliseconds=1),
            "after": _first(since) - 1, "before": new_id(ms(until), 0), "limit": limit,
        }  # fmt: skip

        def count(db: apsw.Connection) -> list[Tally]:
            return [_tally(*row) for row in fetch(db, _SQL["tally"], asked)]

        return await asyncio.to_thread(self._engine.apart, count)

    async def last_attempts(self, since: datetime) -> list[LastAttempt]:
        def look(db: apsw.Connection) -> list[LastAttempt]:
            return [_last(*row) for row in fetch(db, _SQL["last_attempts"], (_first(since), ms(since)))]

        return await asyncio.to_thread(self._engine.apart, look)


def _first(since: datetime) -> int:
    return new_id(ms(since) - _DAY, 0)


def _tally(*row: object) -> Tally:
    *counts, times = row
    told = json.loads(str(times)) if times else {}
    facts = dict(zip(_FIELDS, counts, strict=True))
    return Tally(**facts, times={int(time): number for time, number in told.items()})  # type: ignore[arg-type]


def _last(connection: str, accepted: int, at: int, message: int, outcomes: str) -> LastAttempt:
    replies = [outcome.get("reply", "") for outcome in json.loads(outcomes)]
    reply = next((reply for reply in replies if reply), "")
    return LastAttempt(connection=connection, accepted=bool(accepted), at=when(at), message=message, reply=reply)
