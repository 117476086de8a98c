"""What every store promises of the log: what is asked of it, and what it answers.

Rule: a page goes on by the key of its last row, never by a number; a look for somebody who waits takes a moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from secondpost.core.delivery import State
from secondpost.core.event import Sequel, Standing, standing
from secondpost.core.message import Message
from secondpost.core.priority import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A filter of the log. Every field narrows; `before` is the id of the last row of the page before (keyset)."""

    address: str = ""
    subject: str = ""
    head: str = ""  # words of the header block, and of
    content: str = ""  # the text: these are sealed, so that every message must be opened
    standings: tuple[Standing, ...] = ()  # one of these has a delivery
    withheld: str = ""  # with the state cancelled: "suppressed", "blocked" or "cancelled" (core.delivery.withheld_as)
    connection: str = ""
    by_backup: bool = False  # accepted by another connection than the first of its route
    client: str = ""
    error: str = ""  # stands in the reply to an attempt that did not succeed
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    oldest_first: bool = False  # the next page is younger than `before`, then
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One message in a list of the log."""

    id: int
    accepted: datetime
    subject: str
    sender: str
    from_email: str
    recipients: tuple[str, ...]
    states: tuple[State, ...]
    sequels: tuple[Sequel | None, ...]  # of each delivery
    withheld: str  # the reason why a delivery was cancelled, if one was
    connection: str
    by_backup: bool
    client: str
    entrypoint: str
    notes: str
    size: int
    priority: Priority

    @property
    def standings(self) -> tuple[Standing, ...]:
        return tuple(map(standing, self.states, self.sequels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a moment's look found, in the order asked for. `before`: the key of the next look; None: that was all.

    A look may end before its page is full, even with nothing: then `before` says how far it came."""

    rows: list[LogRow]
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One message with everything known of it. `deliveries`, `attempts` and `events` are plain dicts, oldest first."""

    row: LogRow
    tag: str
    expires: datetime
    parent: int | None
    deliveries: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    events: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What waits: by route and state."""

    route: tuple[str, ...]
    state: State
    priority: Priority
    count: int
    oldest: datetime
    next_due: datetime | None


class Log(Protocol):
    async def page(self, query: Query) -> list[LogRow]:
        """Less than `limit` only when there are no more."""
        ...

    async def look(self, query: Query) -> Found:
        """The same for somebody who waits: not longer than a moment, however large the log and rare what is sought."""
        ...

    async def count(self, query: Query) -> tuple[int, bool]:
        """How many there are, up to `limit`, as far as a moment's look shows; and whether there may be more."""
        ...

    async def entry(self, message: int) -> LogEntry | None: ...

    async def content(self, message: int) -> Message | None:
        """The message itself; None when unknown or already dropped."""
        ...

    async def depth(self) -> list[Depth]: ...

    async def event(
        self, kind: str, *, at: datetime, connection: str = "", message: int | None = None, text: str = "",
        sequel: tuple[int, Sequel] | None = None,
    ) -> None:  # fmt: skip
        """Write down what happened. `sequel`: what it says came of which delivery; what weighs more stays."""
        ...

    async def events(
        self, *, limit: int, before: int | None = None, kinds: Sequence[str] = (), text: str = ""
    ) -> list[dict[str, Any]]:
        """Newest first; `kinds` (none: all) and `text` (in the text or the connection's name) narrow."""
        ...
