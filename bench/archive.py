"""Fills a log, through the store's own promises; a process of its own. Most mail went well; some of it is rare.

Rule: the same count gives the same log, whatever machine fills it.
"""

import asyncio
import sys
import time
from asyncio import Future
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from secondpost.core.delivery import Move
from secondpost.core.event import Sequel
from secondpost.core.ids import new_id
from secondpost.core.message import Message, Summary
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase, Rejected
from secondpost.core.priority import Priority
from secondpost.store.base import Change, Record, Submission
from secondpost.store.sqlite import SqliteStore

ROUTE = ("primary", "backup")
SPAN = timedelta(days=28)
TOGETHER = 500
PEOPLE = 50_000
TOPICS = ("Your invoice", "Your order", "Password reset", "Newsletter", "Welcome", "Receipt", "Ticket", "Reminder")
BODY = ("A line of text as it stands in mail.\r\n" * 8).encode()
NO = Rejected(Fault.RECIPIENT, "550 5.1.1 no such user here")
LATER = Deferred(Fault.LIMIT, "450 4.7.1 too many messages from you")


def submission(number: int, count: int, begun: datetime) -> Submission:
    accepted = begun + SPAN * number / count
    subject = f"{TOPICS[number % 8]} {number}" + (" zebra" if number % 100_000 == 77 else "")
    recipient = f"person{number * 7919 % PEOPLE}@example{number % 97}.org"
    return Submission(
        id=new_id(round(accepted.timestamp() * 1000), number), accepted=accepted,
        message=Message(f"Subject: {subject}\r\nTo: {recipient}\r\n\r\n".encode(), BODY),
        summary=Summary(subject=subject, from_email="shop@example.com", to=(recipient,)), sender="shop@example.com",
        recipients=(recipient,), priority=Priority.NORMAL, expires=accepted + timedelta(days=2), route=ROUTE,
        client="rare" if number % 100_000 == 5 else f"app{number % 7}", entrypoint="smtp", worker="archive",
    )  # fmt: skip


def records(it: Submission, number: int) -> Iterator[Record]:
    """In a hundred: two by the backup after the primary put them off; one in two hundred is refused."""
    if number % 50 == 3:
        yield _record(it, 1, "primary", LATER, Move.DEFER, Move.LEASE)
        yield _record(it, 2, "backup", Accepted("250 ok"), Move.ACCEPT)
    elif number % 200 == 9:
        reply = f"554 5.7.1 odd refusal {number}" if number % 100_000 == 9 else NO.reply
        yield _record(it, 1, "primary", Rejected(Fault.RECIPIENT, reply), Move.REJECT)
    else:
        yield _record(it, 1, "primary", Accepted("250 2.0.0 queued"), Move.ACCEPT)


def told(it: Submission, number: int) -> dict[str, Any] | None:
    """What a provider says later: one in twenty is delivered, one in a thousand bounces."""
    came = Sequel.DELIVERED if number % 20 == 1 else Sequel.BOUNCED if number % 1000 == 2 else None
    if came is None:
        return None
    text = f"#0 {it.recipients[0]}"
    return {"at": it.accepted, "connection": "primary", "message": it.id, "text": text, "sequel": (0, came)}


def _record(it: Submission, attempt: int, connection: str, outcome: Outcome, *moves: Move) -> Record:
    started = it.accepted + timedelta(milliseconds=20 * attempt)
    return Record(
        attempt=attempt, message=it.id, worker="archive", fence=1, connection=connection, started=started,
        ended=started + timedelta(milliseconds=15), phase=Phase.POINT,
        changes=(Change(number=0, moves=moves, outcome=outcome),),
    )  # fmt: skip


async def fill(store: SqliteStore, count: int) -> float:
    """Accept and end this many messages; seconds."""
    start, begun = time.perf_counter(), datetime.now(UTC) - SPAN - timedelta(minutes=10)
    for first in range(0, count, TOGETHER):
        asked: list[Future[Any]] = []
        later: list[dict[str, Any]] = []
        for number in range(first, min(count, first + TOGETHER)):
            it = submission(number, count, begun)
            asked += [store.accept(it), *(store.record(one) for one in records(it, number))]
            later += [one for one in (told(it, number),) if one]
        await asyncio.gather(*asked)
        await asyncio.gather(*[store.event(one["sequel"][1].value, **one) for one in later])
    while await store.index(TOGETHER):
        pass
    return time.perf_counter() - start


async def main(folder: str, count: int) -> None:
    store = SqliteStore(Path(folder))
    await store.open()
    print(await fill(store, count))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
