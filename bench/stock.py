"""Fills a queue, or claims from one, through the store's own promises; a process of its own, to be seen apart."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.stamps import MESSAGE
from secondpost.core.message import Message, summarize
from secondpost.core.priority import Priority
from secondpost.service.ids import new_id
from secondpost.store.base import Submission
from secondpost.store.sqlite import SqliteStore

ROUTE = ("primary",)  # what the gateway of `bench.gateway` gives its mail
TOGETHER = 500
CLAIMS, AT_ONCE, BYTES = 200, 50, 2**23


async def fill(store: SqliteStore, count: int) -> float:
    """Accept this many messages; messages a second."""
    start = time.perf_counter()
    for first in range(0, count, TOGETHER):
        await asyncio.gather(
            *(store.accept(_submission(number)) for number in range(first, min(count, first + TOGETHER)))
        )
    return count / (time.perf_counter() - start)


async def claim(store: SqliteStore) -> list[float]:
    """Claim as a worker does; milliseconds of each claim."""
    now = datetime.now(UTC)
    await store.enroll("bench", boot="", expires=now + timedelta(minutes=1))
    found = []
    for _ in range(CLAIMS):
        start = time.perf_counter()
        leases = await store.lease("bench", [ROUTE], now=datetime.now(UTC), limit=AT_ONCE, byte_limit=BYTES)
        if not leases:
            break
        found.append(1000 * (time.perf_counter() - start))
    return found


def _submission(number: int) -> Submission:
    head, _, body = MESSAGE.format(number=number).encode().partition(b"\r\n\r\n")
    now = datetime.now(UTC)
    return Submission(
        id=new_id(),
        accepted=now,
        message=Message(head=head + b"\r\n\r\n", body=body.removesuffix(b".\r\n")),
        summary=summarize(head),
        sender="sender@bench.example",
        recipients=(f"recipient{number}@bench.example",),
        priority=Priority.NORMAL,
        expires=now + timedelta(days=2),
        route=ROUTE,
        entrypoint="smtp",
    )


async def main(verb: str, folder: str, count: int) -> None:
    store = SqliteStore(Path(folder))
    await store.open()
    print(json.dumps(await (fill(store, count) if verb == "fill" else claim(store))))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
