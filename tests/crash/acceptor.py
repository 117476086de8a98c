"""The child of the power-cut test: accepts messages into the store as fast as it can.

acceptor.py accept FOLDER FIRST [--normal]     until it is killed, saying each number once its future has resolved;
                                               --normal weakens the writer to synchronous=NORMAL
acceptor.py read FOLDER                        the number of each message whose content can be read, one a line
"""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from secondpost.core.message import Message, Summary
from secondpost.core.priority import Priority
from secondpost.store.base import Submission
from secondpost.store.log import Query
from secondpost.store.sqlite import SqliteStore

BODY = b"line\r\n" * 500


def submission(number: int) -> Submission:
    now = datetime.now(UTC)
    return Submission(
        id=number,
        accepted=now,
        message=Message(b"Subject: %d\r\n\r\n" % number, BODY),
        summary=Summary(subject=str(number)),
        sender="shop@example.com",
        recipients=("anna@example.com",),
        priority=Priority.NORMAL,
        expires=now + timedelta(days=2),
        route=("primary", "backup"),
    )


async def accept(folder: Path, first: int, *, normal: bool) -> None:
    store = SqliteStore(folder)
    await store.open()
    if normal:  # what the negative control proves: the rig sees a store that does not sync
        store._engine.write_connection.execute("PRAGMA synchronous=NORMAL")
    os.write(1, b"ready\n")
    next_number = iter(range(first, first + 10**9))

    async def client() -> None:
        for number in next_number:
            receipt = await store.accept(submission(number))
            os.write(1, b"%d\n" % receipt.id)

    await asyncio.gather(*(client() for _ in range(4)))


async def read(folder: Path) -> None:
    store = SqliteStore(folder)
    await store.open()
    before = None
    while page := await store.page(Query(limit=500, before=before)):
        for row in page:
            message = await store.content(row.id)
            if message is not None and message.body == BODY:
                print(row.id)
        before = page[-1].id
    await store.close()


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    asyncio.run(read(where) if what == "read" else accept(where, int(sys.argv[3]), normal="--normal" in sys.argv))
