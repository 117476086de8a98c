"""Pages of the log in SQLite: window by window from the newest or the oldest on, each by the index that is shortest.

Rule: a look takes a moment and not more, however large the log; what a search index does not reach yet is looked
through, and what is sealed is opened.
"""

import json
import time
from typing import Any

import apsw

from secondpost.core.delivery import State
from secondpost.core.event import Sequel, Standing
from secondpost.core.ids import new_id
from secondpost.core.priority import Priority
from secondpost.store.log import Found, LogRow, Query
from secondpost.store.sqlite.batch import BACKUP, TROUBLE
from secondpost.store.sqlite.contents import Contents
from secondpost.store.sqlite.rows import HIGHEST, encode, fetch, ms, value, when
from secondpost.store.statements import statements
from secondpost.store.words import hint, match, says

_SQL = statements("sqlite/log")

MOMENT = 0.02  # seconds
_FIRST, _FIRST_OPENED = 200, 20  # messages of the first window; when each must be opened
_FREQUENT = 20  # one in so many: then walking finds a page sooner than FTS5, which would gather all that have the words
_WIDER, _WIDER_INDEXED = 4, 256  # times: the next window, when there is time for it; when an index knows what is in it
_NEVER = 2**53  # milliseconds; new_id gives the highest id for it
_DAY = 86_400_000
_MANY = 5000  # deliveries along a way: with so many, what a search index finds is shorter
_WAYS: dict[Standing | None, str] = {
    State.LEASED: "page_leased", State.SENDING: "page_leased", State.ACCEPTED: "page_all", None: "page_all",
    **dict.fromkeys(Sequel, "page_told"),
}  # fmt: skip
_MANY_ALONG = {"page_odd": "many_odd", "page_told": "many_told"}  # statements that tell whether it has so many


def look(db: apsw.Connection, query: Query, contents: Contents, moment: float = MOMENT) -> Found:
    ids, before = _look(db, query, contents, moment)
    return Found(rows=rows(db, ids), before=before)


def count(db: apsw.Connection, query: Query, contents: Contents, moment: float = MOMENT / 5) -> tuple[int, bool]:
    ids, before = _look(db, query, contents, moment)
    return len(ids), before is not None


# Windows -----------------------------------------------------------------------------------------------------------


def _look(db: apsw.Connection, query: Query, contents: Contents, moment: float) -> tuple[list[int], int | None]:
    """The ids of a page, and where to go on. A window is as wide as the time that is left allows."""
    ends = time.monotonic() + moment
    asked, up = _asked(query), query.oldest_first
    low = max(asked["after"], (value(db, _SQL["oldest"]) or 0) - 1)
    high = (value(db, _SQL["newest"], (asked["before"], 0)) or 0) + 1
    first = _FIRST_OPENED if query.head or query.content else _FIRST
    width = _first_width(db, low, high, first, up=up)
    index = False
    wider = _WIDER_INDEXED if asked["match"] or asked["mark"] else _WIDER
    found: list[int] = []
    while high > low + 1:  # what is between the two is left to be looked at
        begun = time.monotonic()
        after, before = (low, min(low + width, high)) if up else (max(high - width, low), high)
        window = {"after": after, "before": before, "limit": query.limit - len(found), "index": index}
        found += _window(db, query, contents, asked | window)
        if len(found) >= query.limit:
            return found, found[-1]
        low, high = (before - 1, high) if up else (low, after + 1)
        took, left = time.monotonic() - begun, ends - time.monotonic()
        if took > left:
            return found, (low if up else high) if high > low + 1 else None
        index = index or len(found) * _FREQUENT < first
        width = (before - after) * (1 if took * _WIDER > left else wider if index else _WIDER)
    return found, None


def _first_width(db: apsw.Connection, low: int, high: int, messages: int, *, up: bool) -> int:
    """How wide a window is that has so many messages."""
    end: int | None = value(db, _SQL["newest_up" if up else "newest"], (low if up else high, messages))
    if end is None:
        return high - low
    return end - low if up else high - end


def _window(db: apsw.Connection, query: Query, contents: Contents, asked: dict[str, Any]) -> list[int]:
    """The first ids in a window. One walk for each standing asked for, put together."""
    opened = bool(query.head or query.content)
    walked = asked | {"limit": HIGHEST} if opened else asked
    found = {message for one in query.standings or (None,) for message in _walk(db, walked | {"standing": one})}
    first = sorted(found, reverse=not query.oldest_first)
    if opened:
        first = [message for message in first if _says(db, contents, message, query)]
    return first[: asked["limit"]]


def _walk(db: apsw.Connection, asked: dict[str, Any]) -> list[int]:
    """The way that is shortest for what is asked. What a search index does not reach yet is walked."""
    standing = asked["standing"]
    way = _WAYS.get(standing, "page_odd")
    index = _index(asked)
    many = _MANY_ALONG.get(way)
    narrow = way == "page_leased" or (many is not None and not value(db, _SQL[many], (standing, _MANY)))
    if index is None or narrow or not asked["index"]:
        return _ids(db, way, asked)
    reach = value(db, _SQL["indexed"])
    known = asked | {"before": min(asked["before"], reach + 1)}
    if index == "page_matching":
        known |= {"subject": None, "address": None}  # the index has found them
    parts = [(way, asked | {"after": max(asked["after"], reach)}), (index, known)]
    found: list[int] = []
    for along, part in reversed(parts) if asked["up"] else parts:
        found += _ids(db, along, part | {"limit": asked["limit"] - len(found)})
    return found


def _index(asked: dict[str, Any]) -> str | None:
    """Marks are rarer than most words, and most words than the mail of a connection."""
    if asked["mark"] in (BACKUP, TROUBLE):
        return "page_carried"
    return "page_matching" if asked["match"] else "page_carried" if asked["mark"] else None


def _asked(query: Query) -> dict[str, Any]:
    """The parameters that all ways take. Dates bound ids, ordered by time: to a day, for mail that came slowly."""
    since = -HIGHEST if query.since is None else ms(query.since)
    until = _NEVER if query.until is None else ms(query.until)
    low = -1 if query.since is None else new_id(since - _DAY, 0) - 1
    high, key = new_id(until, 0), query.before
    return {
        "up": query.oldest_first,
        "before": high if key is None or query.oldest_first else min(key, high),
        "after": low if key is None or not query.oldest_first else max(key, low),
        "since": since,
        "until": until,
        "withheld": query.withheld or None,
        "connection": query.connection or None,
        "mark": BACKUP if query.by_backup else TROUBLE if query.error else query.connection or None,
        "by_backup": query.by_backup or None,
        "client": query.client or None,
        "error": query.error or None,
        "error_hint": hint(query.error) if query.error.isascii() else "%",
        "subject": query.subject or None,
        "address": query.address or None,
        "subject_hint": hint(query.subject),
        "address_hint": hint(query.address),
        "match": match(subject=query.subject, address=query.address),
    }


def _ids(db: apsw.Connection, way: str, asked: dict[str, Any]) -> list[int]:
    return [message for (message,) in fetch(db, _SQL[f"{way}_up" if asked["up"] else way], asked)]


# What is sealed ----------------------------------------------------------------------------------------------------


def _says(db: apsw.Connection, contents: Contents, message: int, query: Query) -> bool:
    """Of a large message, what is in the database."""
    found = contents.read(db, message)
    return found is not None and says(found.head, found.body, head=query.head, content=query.content)


# Rows --------------------------------------------------------------------------------------------------------------


def rows(db: apsw.Connection, ids: list[int]) -> list[LogRow]:
    """In the order of their ids."""
    found = {values[0]: _row(*values) for values in fetch(db, _SQL["rows"], (encode(ids),))}
    return [found[message] for message in ids if message in found]


def _row(message: int, accepted: int, *values: Any) -> LogRow:
    subject, sender, from_email, client, entrypoint, notes, size, priority, deliveries = values
    told = json.loads(deliveries)
    return LogRow(
        id=message, accepted=when(accepted), subject=subject, sender=sender, from_email=from_email, client=client,
        entrypoint=entrypoint, notes=notes, size=size,
        priority=Priority(priority), recipients=tuple(recipient for recipient, *_ in told),
        states=tuple(State(state) for _, state, *_ in told),
        sequels=tuple(sequel and Sequel(sequel) for *_, sequel in told),
        withheld=next((reason for *_, reason, _ in told if reason), ""),
        connection=next((connection for _, _, connection, *_ in told if connection), ""),
        by_backup=any(
            state == State.ACCEPTED and connection != (first or connection) for _, state, connection, first, *_ in told
        ),
    )  # fmt: skip
