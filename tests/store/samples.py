"""Values that the tests of stores hand in, with what matters to a test given by name."""

from datetime import UTC, datetime, timedelta
from typing import Any

from secondpost.core.delivery import Move
from secondpost.core.ids import new_id
from secondpost.core.message import Message, Summary
from secondpost.core.outcome import Accepted, Outcome, Phase
from secondpost.core.priority import Priority
from secondpost.store.base import Change, Record, Start, Store, Submission

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ROUTE = ("primary", "backup")
WORKER = "worker-a"


def message_id(number: int, at: datetime = NOW) -> int:
    """An id as the service draws it: ordered by time, then by number."""
    return new_id(round(at.timestamp() * 1000), number)


def submission(number: int = 1, **given: Any) -> Submission:
    subject = given.pop("subject", f"Order {number}")
    from_email = given.pop("from_email", "shop@example.com")
    known: dict[str, Any] = {
        "accepted": NOW,
        "message": Message(f"Subject: {subject}\r\n\r\n".encode("utf-8", "replace"), b"Thank you.\r\n"),
        "summary": Summary(subject=subject, from_email=from_email),
        "sender": from_email,
        "recipients": ("anna@example.org",),
        "priority": Priority.NORMAL,
        "route": ROUTE,
        "client": "shop",
        "entrypoint": "smtp",
    } | given
    known["recipients"] = tuple(known["recipients"])
    known.setdefault("expires", known["accepted"] + 2 * DAY)
    known.setdefault("id", message_id(number, known["accepted"]))
    return Submission(**known)


def start(it: Submission, *, attempt: int = 1, fence: int = 1, worker: str = WORKER, **given: Any) -> Start:
    known: dict[str, Any] = {"numbers": tuple(range(len(it.recipients))), "connection": "primary", "now": NOW} | given
    return Start(attempt=attempt, message=it.id, worker=worker, fence=fence, **known)


def change(*moves: Move, number: int = 0, **given: Any) -> Change:
    return Change(number=number, moves=moves, **given)


def accepted(number: int = 0, reply: str = "250 2.0.0 queued") -> Change:
    return change(Move.ACCEPT, number=number, outcome=Accepted(reply=reply, provider_id="p-1"))


def ended(number: int, outcome: Outcome, *moves: Move, **given: Any) -> Change:
    return Change(number=number, moves=moves, outcome=outcome, **given)


def record(
    it: Submission, *changes: Change, attempt: int = 1, fence: int = 1, worker: str = WORKER, **given: Any
) -> Record:
    known: dict[str, Any] = {
        "connection": "primary",
        "started": NOW,
        "ended": NOW + timedelta(seconds=1),
        "phase": Phase.POINT,
    } | given
    return Record(attempt=attempt, message=it.id, worker=worker, fence=fence, changes=changes or (accepted(),), **known)


async def states(store: Store, it: Submission) -> list[str]:
    entry = await store.entry(it.id)
    assert entry is not None
    return [delivery["state"] for delivery in entry.deliveries]


async def claim(
    store: Store, *, worker: str = WORKER, now=NOW, limit: int = 10, byte_limit: int = 2**20, routes=(ROUTE,)
):
    return await store.lease(worker, routes, now=now, limit=limit, byte_limit=byte_limit)
