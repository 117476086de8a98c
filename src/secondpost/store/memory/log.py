"""The log in memory."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Any

from secondpost.core.delivery import OPEN, State, withheld_as
from secondpost.core.event import Sequel, weightier
from secondpost.core.message import Message
from secondpost.store.log import Depth, Found, LogEntry, LogRow, Query
from secondpost.store.memory.queue import MemoryQueue
from secondpost.store.memory.rows import Entry, Row
from secondpost.store.words import mentions, says, spells


class MemoryLog(MemoryQueue):
    """The log's part of the store, over the queue's entries."""

    def __init__(self) -> None:
        super().__init__()
        self._events: list[dict[str, Any]] = []

    async def page(self, query: Query) -> list[LogRow]:
        entries = sorted(self._entries.items(), reverse=not query.oldest_first)
        return [_row(entry) for _, entry in entries if _matches(entry, query)][: query.limit]

    async def look(self, query: Query) -> Found:
        rows = await self.page(query)
        return Found(rows=rows, before=rows[-1].id if len(rows) == query.limit else None)

    async def count(self, query: Query) -> tuple[int, bool]:
        rows = await self.page(query)
        return len(rows), len(rows) == query.limit

    async def entry(self, message: int) -> LogEntry | None:
        entry = self._entries.get(message)
        if entry is None:
            return None
        it = entry.submission
        return LogEntry(
            row=_row(entry), tag=it.tag, expires=it.expires, parent=it.parent,
            deliveries=[_told(row) for row in entry.deliveries],
            attempts=[*entry.attempts.values(), *_under_way(entry)],
            events=[event for event in self._events if event["message"] == message],
        )  # fmt: skip

    async def content(self, message: int) -> Message | None:
        entry = self._entries.get(message)
        return entry.content if entry else None

    async def depth(self) -> list[Depth]:
        groups = defaultdict(list)
        for entry in self._entries.values():
            for delivery in entry.deliveries:
                if delivery.state in OPEN:
                    groups[delivery.route, delivery.state, entry.submission.priority].append((entry, delivery))
        return [
            Depth(
                route=route, state=state, priority=priority, count=len(found),
                oldest=min(found, key=lambda pair: pair[0].submission.id)[0].submission.accepted,
                next_due=min((delivery.due for _, delivery in found if delivery.due), default=None),
            )
            for (route, state, priority), found in sorted(groups.items())
        ]  # fmt: skip

    async def event(
        self, kind: str, *, at: datetime, connection: str = "", message: int | None = None, text: str = "",
        sequel: tuple[int, Sequel] | None = None,
    ) -> None:  # fmt: skip
        entry = self._entries.get(message) if message else None
        if entry and sequel:
            row = entry.deliveries[sequel[0]]
            row.sequel = weightier(row.sequel, sequel[1])
        number = len(self._events) + 1
        self._events.append(
            {"id": number, "at": at, "kind": kind, "connection": connection, "message": message, "text": text}
        )

    async def events(
        self, *, limit: int, before: int | None = None, kinds: Sequence[str] = (), text: str = ""
    ) -> list[dict[str, Any]]:
        found = (
            event
            for event in reversed(self._events)
            if (before is None or event["id"] < before)
            and (not kinds or event["kind"] in kinds)
            and text.lower() in f"{event['text']} {event['connection']}".lower()
        )
        return list(islice(found, limit))


def _row(entry: Entry) -> LogRow:
    it = entry.submission
    return LogRow(
        id=it.id, accepted=it.accepted, subject=it.summary.subject, sender=it.sender, from_email=it.summary.from_email,
        recipients=it.recipients, states=tuple(delivery.state for delivery in entry.deliveries),
        sequels=tuple(delivery.sequel for delivery in entry.deliveries),
        connection=next((delivery.connection for delivery in entry.deliveries if delivery.connection), ""),
        client=it.client, entrypoint=it.entrypoint, notes=it.notes, size=it.message.size, priority=it.priority,
        withheld=next((one.reason for one in entry.deliveries if one.state is State.CANCELLED and one.reason), ""),
        by_backup=any(_by_backup(one) for one in entry.deliveries),
    )  # fmt: skip


def _told(row: Row) -> dict[str, Any]:
    """What came of it later is told by the events."""
    return {name: value for name, value in asdict(row).items() if name != "sequel"}


def _matches(entry: Entry, query: Query) -> bool:
    it = entry.submission
    return (
        (query.before is None or (it.id > query.before if query.oldest_first else it.id < query.before))
        and (query.since is None or it.accepted >= query.since)
        and (query.until is None or it.accepted < query.until)
        and (not query.standings or any(_stands(delivery, query) for delivery in entry.deliveries))
        and (not query.connection or any(delivery.connection == query.connection for delivery in entry.deliveries))
        and (not query.by_backup or any(_by_backup(delivery) for delivery in entry.deliveries))
        and query.client in ("", it.client)
        and (not query.error or any(mentions(reply, query.error) for reply in _complaints(entry)))
        and spells(it.summary.subject, query.subject)
        and spells(" ".join((it.sender, it.summary.from_email, *it.recipients)), query.address)
        and _says(entry.content, query)
    )


def _stands(row: Row, query: Query) -> bool:
    return row.standing in query.standings and query.withheld in ("", withheld_as(row.reason))


def _by_backup(row: Row) -> bool:
    return row.state is State.ACCEPTED and row.connection not in row.route[:1] and bool(row.route)


def _complaints(entry: Entry) -> list[str]:
    told = [outcome for attempt in entry.attempts.values() for outcome in attempt["outcomes"]]
    return [outcome.get("reply") or "" for outcome in told if outcome["kind"] != "accepted"]


def _says(content: Message | None, query: Query) -> bool:
    if not (query.head or query.content):
        return True
    return content is not None and says(content.head, content.body, head=query.head, content=query.content)


def _under_way(entry: Entry) -> list[dict[str, Any]]:
    """Attempts that have passed the point of no return and have not ended."""
    going: dict[int | None, dict[str, Any]] = {}
    for delivery in entry.deliveries:
        if delivery.state == "sending":
            attempt: dict[str, Any] = {
                "number": delivery.attempt, "connection": delivery.connection, "started": delivery.started,
                "ended": None, "phase": "point", "outcomes": [], "note": "", "transcript": "",
            }  # fmt: skip
            going.setdefault(delivery.attempt, attempt)
    return list(going.values())
