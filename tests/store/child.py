"""The child of tests that kill, fill or fail: works a store and says on its output what was promised to it.

child.py work FOLDER      accepts, starts and records until it is killed: "accepted ID", "started ID", "recorded ID"
child.py hold FOLDER      opens the store and waits: "open"
child.py fail FOLDER N    accepts N messages one after the other: "ok ID" or "no ErrorName"
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from secondpost.core.ids import new_id
from secondpost.errors import StoreError
from secondpost.store.sqlite import SqliteStore
from tests.store.samples import WORKER, record, start, submission


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def client(store: SqliteStore, seed: int) -> None:
    """One message after the other through its whole life, telling each step only when it was promised."""
    for turn in range(seed, 10**9, 10):
        now = datetime.now(UTC)
        it = submission(turn, id=new_id(round(now.timestamp() * 1000), turn), accepted=now, worker=WORKER)
        await store.accept(it)
        say("accepted", it.id)
        if turn % 3 and await store.start(start(it)):
            say("started", it.id)
            if turn % 3 == 1 and await store.record(record(it)):
                say("recorded", it.id)


async def work(folder: Path) -> None:
    store = SqliteStore(folder)
    await store.open()
    say("open")
    await asyncio.gather(*(client(store, seed) for seed in range(10)))


async def hold(folder: Path) -> None:
    store = SqliteStore(folder)
    await store.open()
    say("open")
    await asyncio.sleep(60)


async def fail(folder: Path, count: int) -> None:
    store = SqliteStore(folder)
    await store.open()
    say("open")
    for number in range(count):
        it = submission(number)
        try:
            await store.accept(it)
        except StoreError as error:
            say("no", type(error).__name__)
        else:
            say("ok", it.id)
    await store.close()


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    asyncio.run(fail(where, int(sys.argv[3])) if what == "fail" else {"work": work, "hold": hold}[what](where))
