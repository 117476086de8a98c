"""What every store promises: here the queue, beside it the log, the reports and the settings. Values in, values out.

Rule: whatever a method's future reports as done is committed and flushed to disk (fsync), and each write is atomic.

Records that are made for every message are not frozen: that would double the price of making them. Nobody changes one.
"""

from asyncio import Future
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from secondpost.core.delivery import Move
from secondpost.core.message import Message, Summary, Tail
from secondpost.core.outcome import Outcome, Phase
from secondpost.core.priority import Priority
from secondpost.store.log import Log
from secondpost.store.reports import Reports
from secondpost.store.settings import Settings


@dataclass(slots=True, kw_only=True)
class Submission:
    """One message to be accepted: stored whole with its deliveries, or not at all."""

    id: int
    accepted: datetime
    message: Message
    summary: Summary
    sender: str
    recipients: tuple[str, ...]  # the place of each, from 0, is the number of its delivery
    priority: Priority
    expires: datetime
    due: datetime | None = None  # not before; else at once
    route: tuple[str, ...]  # names of connections, in order; () when blocked
    client: str = ""  # who submitted: credential name, uid, library call site
    entrypoint: str = ""  # smtp, http, sendmail, library, cli
    notes: str = ""  # why this route, as JSON for the timeline
    tag: str = ""
    key: str = ""  # idempotency key, unique per client for 24 hours
    digest: str = ""  # with a key: a hash of what the client gave; else the store hashes envelope and body
    worker: str = ""  # given: the deliveries start as leased by this worker, with fence 1
    withheld: Mapping[str, str] = field(default_factory=dict)  # recipient -> why it is cancelled at once
    parent: int | None = None  # the message that this one resends


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a submission. `duplicate`: the key was used before with the same content; `id` is the first's."""

    id: int
    duplicate: bool = False


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One recipient of a leased message, as the worker needs it."""

    number: int
    recipient: str
    tries: int = 0
    spent: tuple[str, ...] = ()  # connections that will never take it
    possible_duplicate: bool = False
    last: str = ""  # the connection that tried it last


@dataclass(slots=True, kw_only=True)
class Lease:
    """A worker's claim on some deliveries of one message. `message` is None if it must be asked for with `content`."""

    id: int
    sender: str
    priority: Priority
    expires: datetime
    accepted: datetime
    route: tuple[str, ...]
    fence: int
    deliveries: list[Delivery]
    message: Message | None = None
    size: int = 0
    trace: bool = False  # a test: keep the transcript even of a success
    from_email: str = ""
    entrypoint: str = ""
    notes: str = ""


@dataclass(slots=True, kw_only=True)
class Start:
    """The attempt is about to pass the point of no return with these deliveries."""

    attempt: int
    message: int
    worker: str
    fence: int
    numbers: tuple[int, ...]
    connection: str
    now: datetime


@dataclass(slots=True, kw_only=True)
class Change:
    """What becomes of one delivery: the moves it takes, in order, and what is written beside its new state."""

    number: int
    moves: tuple[Move, ...]
    outcome: Outcome | None = None
    due: datetime | None = None  # waiting: when to try again; unclear: when the policy acts
    tries: int = 0
    spent: tuple[str, ...] = ()
    reason: str = ""
    possible_duplicate: bool = False


@dataclass(slots=True, kw_only=True)
class Record:
    """How an attempt ended, with its changes to deliveries; one transaction.

    A delivery that ends as leased again (PUT_OFF or DEFER, then LEASE) stays with the same worker and fence.
    """

    attempt: int
    message: int
    worker: str
    fence: int
    connection: str
    started: datetime
    ended: datetime
    phase: Phase
    changes: tuple[Change, ...]
    transcript: str = ""
    note: str = ""  # why this connection: "primary", "fallback: …", "hedge", "probe"
    report: Submission | None = None  # to the sender, of what failed for good: accepted if the rest is written


@dataclass(slots=True, kw_only=True)
class Ending:
    """Deliveries of one message whose time is over, and the report of it that its sender is owed."""

    message: int
    numbers: tuple[int, ...]
    report: Submission | None = None


class Queue(Protocol):
    """The durable queue. Futures belong to the running event loop; they resolve after the commit that has the write.

    Every write may raise (through its future) `errors.StoreUnavailable` (busy, full): nothing was written; or another
    `errors.StoreError`: the disk failed, and whether it was written is not known.
    """

    def accept(self, submission: Submission) -> "Future[Receipt]":
        """Raises `errors.IdempotencyConflict` when the key was used with other content."""
        ...

    async def refuse(self, accepted: "Mapping[int, Future[Receipt]]") -> None:
        """Take submissions back whose commit takes too long. At once their futures are the caller's alone to resolve.

        Returns when a note of it outlives the process: not in the queue, whose disk is what hangs. What is committed
        of them all the same is to be cancelled, and then forgotten with `forget_refused`. Raises `StoreError`."""
        ...

    async def refused(self) -> list[int]:
        """The messages that were refused, perhaps by a process that died since."""
        ...

    async def forget_refused(self, message: int) -> None: ...

    def start(self, start: Start) -> "Future[bool]":
        """Write the point of no return down. False: the lease is lost (another fence or worker); do not send."""
        ...

    def record(self, record: Record) -> "Future[bool]":
        """Write an outcome down. False: the lease was lost; nothing was changed."""
        ...

    async def lease(
        self, worker: str, routes: Sequence[tuple[str, ...]], *, now: datetime, limit: int, byte_limit: int
    ) -> list[Lease]:
        """Claim due deliveries of these routes, urgent first, oldest due first.

        At most `limit` messages or `byte_limit` of content, but one message always. All claimed deliveries of one
        message come in one lease, with the content if it can be read at once."""
        ...

    async def routes(self) -> list[tuple[str, ...]]:
        """Every route that has an open delivery, so that the worker can say which are usable."""
        ...

    async def enroll(self, worker: str, *, boot: str, expires: datetime) -> None:
        """Make a worker known, or keep it alive."""
        ...

    async def lapse(
        self, *, now: datetime, alone: bool, keep: str, unclear_after: Mapping[Priority, timedelta]
    ) -> tuple[int, int]:
        """Take back the leases of dead workers (expired; or all but `keep` if this process is `alone` on the store).

        `unclear_after`: when the policy of a doubt acts. Returns how many deliveries went back to waiting and how
        many are unclear now."""
        ...

    async def overdue(self, *, now: datetime, limit: int) -> list[tuple[int, tuple[int, ...]]]:
        """Waiting deliveries whose message's time is over: (message, numbers) of each."""
        ...

    async def expire(self, endings: Sequence[Ending]) -> None:
        """Expire what is overdue, and accept the reports. An ending of which something no longer waits is left out."""
        ...

    async def doubts(
        self, priorities: Sequence[Priority], *, now: datetime, limit: int
    ) -> list[tuple[int, int, Priority]]:
        """Unclear deliveries of these priorities whose policy is due: (message, number, priority).

        Not those whose time is over: a late second copy helps nobody."""
        ...

    async def move(
        self, message: int, numbers: Sequence[int] | None, move: Move, *,
        now: datetime, due: datetime | None, reason: str, report: Submission | None = None,
    ) -> tuple[int, ...]:  # fmt: skip
        """Make one move for those deliveries (None: all) that allow it; returns the numbers that moved.

        `due`: when to try again, if it waits then; None: now. `report`: all move and it is accepted, or none does."""
        ...

    async def hasten(self, message: int, *, now: datetime) -> tuple[int, ...]:
        """Make its deliveries that wait for a later time due now; returns their numbers."""
        ...

    async def purge(
        self, *, content_before: datetime, log_before: datetime, now: datetime, limit: int
    ) -> tuple[int, int]:
        """Drop content, then whole log entries, of messages that are all final and older: (contents, entries)."""
        ...

    async def drop(self, messages: Sequence[int], *, whole: bool = True) -> list[int]:
        """Drop these entries `whole`, or only their content; those with an open delivery stay. Returns the dropped."""
        ...

    async def contents(self, *, before: int | None, limit: int) -> list[tuple[int, int]]:
        """What still has its content, newest first: (message, bytes), 0 for one that has an open delivery."""
        ...


class TailWriter(Protocol):
    """Takes the part of a large message that does not fit the database, while it is still arriving."""

    async def write(self, block: bytes) -> None: ...

    async def finish(self) -> Tail:
        """Flush to disk (fsync of the file and its folder)."""
        ...

    def abandon(self) -> None:
        """Remove what was written. Idempotent."""
        ...


class Store(Queue, Log, Reports, Settings, Protocol):
    async def open(self) -> None:
        """Migrate and get ready. Raises `errors.StoreError` kinds that say what is wrong and what to do."""
        ...

    async def close(self) -> None:
        """Finish all writes that were asked for, then release everything."""
        ...

    def tail(self, message: int) -> TailWriter: ...

    async def ready(self) -> None:
        """Prove that a write can be committed now; raises `errors.StoreUnavailable`."""
        ...

    async def backup(self, path: str) -> None:
        """Write a consistent copy of everything but the key to the folder `path`, which must not exist."""
        ...

    async def status(self) -> dict[str, Any]:
        """Kind, schema version, sizes, effective durability, for `db status`."""
        ...
