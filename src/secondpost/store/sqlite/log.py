"""The log in SQLite: pages by key, one message with all that is known, content, depth, events.

Rule: every page is found by an index, however large the log; what a search index does not reach yet is looked through.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import apsw

from secondpost.core.delivery import State
from secondpost.core.ids import new_id
from secondpost.core.message import Message
from secondpost.core.priority import Priority
from secondpost.store.base import Depth, LogEntry, LogRow, Query
from secondpost.store.sqlite.batch import CONTENT_PLACE, TRANSCRIPT_PLACE
from secondpost.store.sqlite.engine import Engine
from secondpost.store.sqlite.rows import encode, fetch, ms, names, value, when, when_or_none
from secondpost.store.statements import statements
from secondpost.store.tails import FileTail, tail_path
from secondpost.store.vault import Vault
from secondpost.store.words import hint, match

_SQL = statements("sqlite/log")

_ALWAYS = 2**63 - 1
_NEVER = 2**53  # milliseconds; new_id gives the highest id for it
_DAY = 86_400_000
_MANY = 5000
_LOOK = 1000
_WAYS = {State.LEASED: "page_leased", State.SENDING: "page_leased", State.ACCEPTED: "page_all", None: "page_all"}
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
        return await self._engine.read(lambda db: _rows(db, _page(db, query)))

    async def entry(self, message: int) -> LogEntry | None:
        return await self._engine.read(lambda db: _entry(db, message, self._engine.vault))

    async def content(self, message: int) -> Message | None:
        rows = await self._engine.read(lambda db: fetch(db, _SQL["content"], (message,)))
        if not rows:
            return None
        head, size, sealed = rows[0]
        vault = self._engine.vault
        plain = vault.open(sealed, CONTENT_PLACE % message)
        tail = None if size is None else FileTail(tail_path(self._engine.bodies, message), vault, message, size)
        return Message(plain[:head], plain[head:], tail)

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
        self, kind: str, *, at: datetime, connection: str = "", message: int | None = None, text: str = ""
    ) -> None:
        row = (ms(at), kind, connection, message, text)
        await self._engine.write(lambda db: fetch(db, _SQL["add_event"], row))

    async def events(
        self, *, limit: int, before: int | None = None, kinds: Sequence[str] = (), text: str = ""
    ) -> list[dict[str, Any]]:
        asked = {
            "before": _ALWAYS if before is None else before, "kinds": encode(list(kinds)) if kinds else None,
            "text": text.lower() or None, "limit": limit,
        }  # fmt: skip
        return await self._engine.read(lambda db: _dicts(_EVENT, fetch(db, _SQL["events"], asked)))


# Pages -------------------------------------------------------------------------------------------------------------


def _page(db: apsw.Connection, query: Query) -> list[int]:
    """The ids on a page. One walk for each state asked for, put together."""
    found = {message for state in query.states or (None,) for message in _walk(db, query, state)}
    return sorted(found, reverse=True)[: query.limit]


def _walk(db: apsw.Connection, query: Query, state: State | None) -> list[int]:
    """The way that is shortest for what is asked. What a search index does not reach yet is walked."""
    asked = _asked(query, state)
    way = _WAYS.get(state, "page_odd")
    index = "page_matching" if asked["match"] else "page_carried" if query.connection else None
    narrow = way == "page_leased" or (way == "page_odd" and not value(db, _SQL["many_odd"], (state, _MANY)))
    if index is None or narrow:
        return _ids(db, way, asked)
    reach = value(db, _SQL["indexed"])
    if asked["match"]:  # words that many messages have are soon found among the newest; FTS5 would gather all of them
        reach = min(reach, value(db, _SQL["newest"], (asked["before"], _LOOK)) or 0)
    fresh = _ids(db, way, asked | {"after": max(asked["after"], reach)})
    left = {"before": min(asked["before"], reach + 1), "limit": asked["limit"] - len(fresh)}
    return fresh + _ids(db, index, asked | left)


def _asked(query: Query, state: State | None) -> dict[str, Any]:
    """The parameters that all ways take. Dates bound ids, ordered by time: to a day, for mail that came slowly."""
    since = -_ALWAYS if query.since is None else ms(query.since)
    until = _NEVER if query.until is None else ms(query.until)
    return {
        "before": min(_ALWAYS if query.before is None else query.before, new_id(until, 0)),
        "after": -1 if query.since is None else new_id(since - _DAY, 0) - 1,
        "since": since,
        "until": until,
        "state": state,
        "connection": query.connection or None,
        "subject": query.subject or None,
        "address": query.address or None,
        "subject_hint": hint(query.subject),
        "address_hint": hint(query.address),
        "match": match(subject=query.subject, address=query.address),
        "limit": query.limit,
    }


def _ids(db: apsw.Connection, way: str, asked: dict[str, Any]) -> list[int]:
    return [message for (message,) in fetch(db, _SQL[way], asked)]


def _rows(db: apsw.Connection, ids: list[int]) -> list[LogRow]:
    return [_row(*values) for values in fetch(db, _SQL["rows"], (encode(ids),))]


def _row(message: int, accepted: int, *values: Any) -> LogRow:
    subject, sender, from_email, client, size, priority, deliveries = values
    told = json.loads(deliveries)
    return LogRow(
        id=message, accepted=when(accepted), subject=subject, sender=sender, from_email=from_email, client=client,
        size=size,
        priority=Priority(priority), recipients=tuple(recipient for recipient, _, _ in told),
        states=tuple(State(state) for _, state, _ in told),
        connection=next((connection for _, _, connection in told if connection), ""),
    )  # fmt: skip


# One message -------------------------------------------------------------------------------------------------------


def _entry(db: apsw.Connection, message: int, vault: Vault) -> LogEntry | None:
    with db:  # one view of all tables
        rows = _rows(db, [message])
        if not rows:
            return None
        entrypoint, notes, tag, expires, parent = fetch(db, _SQL["entry"], (message,))[0]
        ended = _dicts(_ATTEMPT, fetch(db, _SQL["entry_attempts"], (message,)))
        deliveries = _dicts(_DELIVERY, fetch(db, _SQL["entry_deliveries"], (message,)))
        events = _dicts(_EVENT, fetch(db, _SQL["entry_events"], (message,)))
    for attempt in ended:
        _tell_attempt(attempt, vault, message)
    for delivery in deliveries:
        _tell_delivery(delivery, ended)
    return LogEntry(
        row=rows[0], entrypoint=entrypoint, notes=notes, tag=tag, expires=when(expires), parent=parent,
        deliveries=deliveries, attempts=ended + _under_way(deliveries), events=events,
    )  # fmt: skip


def _dicts(fields: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Rows as dicts, with times as times."""
    return [
        {name: when_or_none(value) if name in _TIMES else value for name, value in zip(fields, row, strict=True)}
        for row in rows
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
