"""The log in SQLite: one message with all that is known, its content, depth, events. Pages are in `pages`.

Rule: what is sealed is opened here and nowhere above.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import apsw

from secondpost.core.delivery import State
from secondpost.core.event import Sequel, weightier
from secondpost.core.message import Message
from secondpost.core.priority import Priority
from secondpost.store.log import Depth, Found, LogEntry, LogRow, Query
from secondpost.store.sqlite import pages
from secondpost.store.sqlite.batch import TRANSCRIPT_PLACE
from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.rows import HIGHEST, encode, fetch, ms, names, value, when, when_or_none
from secondpost.store.statements import statements
from secondpost.store.vault import Vault

_SQL = statements("sqlite/log")

_EVENT = ("id", "at", "kind", "connection", "message", "text")
_DELIVERY = (
    "number", "recipient", "state", "route", "due", "worker", "fence", "attempt", "connection", "started", "tries",
    "spent", "reason", "possible_duplicate",
)  # fmt: skip
_ATTEMPT = ("number", "connection", "started", "ended", "phase", "outcomes", "note", "transcript")
_TIMES = frozenset({"at", "due", "started", "ended"})


class SqliteLog:
    """The log's part of the store."""

    _engine: Engine

    async def page(self, query: Query) -> list[LogRow]:
        rows: list[LogRow] = []
        while len(rows) < query.limit:  # look by look, so that others may read in between
            found = await self.look(replace(query, limit=query.limit - len(rows)))
            rows += found.rows
            if found.before is None:
                break
            query = replace(query, before=found.before)
        return rows

    async def look(self, query: Query) -> Found:
        return await self._engine.read(lambda db: pages.look(db, query, self._engine.contents))

    async def count(self, query: Query) -> tuple[int, bool]:
        return await self._engine.read(lambda db: pages.count(db, query, self._engine.contents))

    async def entry(self, message: int) -> LogEntry | None:
        return await self._engine.read(lambda db: _entry(db, message, self._engine.vault))

    async def content(self, message: int) -> Message | None:
        return await self._engine.read(lambda db: self._engine.contents.read(db, message))

    async def depth(self) -> list[Depth]:
        rows = await self._engine.read(lambda db: fetch(db, _SQL["depth"]))
        return [
            Depth(
                route=names(route), state=State(state), priority=Priority(priority), count=count, oldest=when(oldest),
                next_due=when_or_none(due),
            )
            for route, state, priority, count, oldest, due in rows
        ]  # fmt: skip

    async def event(
        self, kind: str, *, at: datetime, connection: str = "", message: int | None = None, text: str = "",
        sequel: tuple[int, Sequel] | None = None,
    ) -> None:  # fmt: skip
        row = (ms(at), kind, connection, message, text)
        await self._engine.write(lambda db: _add_event(db, row, sequel))

    async def events(
        self, *, limit: int, before: int | None = None, kinds: Sequence[str] = (), text: str = ""
    ) -> list[dict[str, Any]]:
        asked = {
            "before": HIGHEST if before is None else before, "kinds": encode(list(kinds)) if kinds else None,
            "text": text.lower() or None, "limit": limit,
        }  # fmt: skip
        return await self._engine.read(lambda db: _dicts(_EVENT, fetch(db, _SQL["events"], asked)))


def _add_event(db: apsw.Connection, row: tuple[Any, ...], sequel: tuple[int, Sequel] | None) -> None:
    fetch(db, _SQL["add_event"], row)
    if sequel is not None:
        number, told = sequel
        place = (row[3], number)
        known = value(db, _SQL["sequel"], place)
        fetch(db, _SQL["tell_sequel"], (weightier(known and Sequel(known), told), *place))


# One message -------------------------------------------------------------------------------------------------------


def _entry(db: apsw.Connection, message: int, vault: Vault) -> LogEntry | None:
    with db:  # one view of all tables
        rows = pages.rows(db, [message])
        if not rows:
            return None
        tag, expires, parent = fetch(db, _SQL["entry"], (message,))[0]
        ended = _dicts(_ATTEMPT, fetch(db, _SQL["entry_attempts"], (message,)))
        deliveries = _dicts(_DELIVERY, fetch(db, _SQL["entry_deliveries"], (message,)))
        events = _dicts(_EVENT, fetch(db, _SQL["entry_events"], (message,)))
    for attempt in ended:
        _tell_attempt(attempt, vault, message)
    for delivery in deliveries:
        _tell_delivery(delivery, ended)
    return LogEntry(
        row=rows[0], tag=tag, expires=when(expires), parent=parent,
        deliveries=deliveries, attempts=ended + _under_way(deliveries), events=events,
    )  # fmt: skip


def _dicts(fields: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Rows as dicts, with times as times."""
    return [
        {name: when_or_none(it) if name in _TIMES else it for name, it in zip(fields, row, strict=True)} for row in rows
    ]


def _tell_attempt(attempt: dict[str, Any], vault: Vault, message: int) -> None:
    attempt["outcomes"] = json.loads(attempt["outcomes"])
    sealed = attempt["transcript"]
    attempt["transcript"] = vault.open(sealed, TRANSCRIPT_PLACE % message).decode() if sealed else ""


def _tell_delivery(delivery: dict[str, Any], attempts: list[dict[str, Any]]) -> None:
    delivery["state"] = State(delivery["state"])
    delivery["route"] = names(delivery["route"])
    delivery["spent"] = names(delivery["spent"])
    delivery["possible_duplicate"] = bool(delivery["possible_duplicate"])
    for name in ("worker", "connection", "reason"):
        delivery[name] = delivery[name] or ""
    told = [outcome for attempt in attempts for outcome in attempt["outcomes"]]
    replies = [outcome["reply"] for outcome in told if outcome["number"] == delivery["number"] and outcome.get("reply")]
    delivery["reply"] = replies[-1] if replies else ""


def _under_way(deliveries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Attempts that have passed the point of no return and have not ended: they stand in their deliveries."""
    going: dict[int, dict[str, Any]] = {}
    for delivery in deliveries:
        if delivery["state"] is State.SENDING:
            known = {"number": delivery["attempt"]} | {name: delivery[name] for name in ("connection", "started")}
            rest: dict[str, Any] = {"ended": None, "phase": "point", "outcomes": [], "note": "", "transcript": ""}
            going.setdefault(delivery["attempt"], known | rest)
    return list(going.values())
