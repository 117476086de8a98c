"""F15: the process is killed at any moment. What was promised is there; what was not promised is whole or not there."""

import subprocess
import threading
from pathlib import Path
from random import Random

import pytest

from secondpost.core.delivery import OPEN, State
from secondpost.store.log import LogEntry
from secondpost.store.sqlite import SqliteStore
from tests.store.conftest import Spawn

Promises = dict[str, set[int]]


def killed_after(child: "subprocess.Popen[str]", seconds: float) -> Promises:
    """Let it work for a while, kill it, and read what it had promised by then."""
    threading.Timer(seconds, child.kill).start()
    promises: Promises = {"accepted": set(), "started": set(), "recorded": set()}
    assert child.stdout is not None
    for line in child.stdout.read().splitlines():
        kind, _, number = line.partition(" ")
        if number:
            promises[kind].add(int(number))
    child.wait()
    return promises


async def entries(store: SqliteStore, messages: set[int]) -> dict[int, LogEntry | None]:
    return {message: await store.entry(message) for message in messages}


@pytest.mark.parametrize("seed", range(12))
async def test_f15_nothing_promised_is_lost(tmp_path: Path, spawn: Spawn, seed: int):
    promises: Promises = {"accepted": set(), "started": set(), "recorded": set()}
    for turn in range(2):  # the second time on what the first kill left
        for kind, ids in killed_after(spawn("work", tmp_path), Random(f"{seed}/{turn}").uniform(0.01, 0.4)).items():
            promises[kind] |= ids
    store = SqliteStore(tmp_path)
    await store.open()
    await store.check()
    found = await entries(store, promises["accepted"])
    assert [message for message, entry in found.items() if entry is None] == []
    for message in promises["accepted"]:
        assert await store.content(message) is not None
    state = {message: entry.deliveries[0]["state"] for message, entry in found.items() if entry}
    assert {state[message] for message in promises["started"]} <= {State.SENDING, State.ACCEPTED}
    assert {state[message] for message in promises["recorded"]} <= {State.ACCEPTED}
    assert promises["recorded"]
    await store.close()


async def test_f15_a_message_that_was_not_promised_is_whole_or_not_there(tmp_path: Path, spawn: Spawn):
    killed_after(spawn("work", tmp_path), 0.3)
    store = SqliteStore(tmp_path)
    await store.open()
    db = store._engine.read_connection
    for table in ("content", "delivery"):
        missing = f"SELECT count(*) FROM message WHERE id NOT IN (SELECT message FROM {table})"
        assert db.execute(missing).get == 0
    orphans = "SELECT count(*) FROM delivery WHERE message NOT IN (SELECT id FROM message)"
    assert db.execute(orphans).get == 0
    assert {state for (state,) in db.execute("SELECT DISTINCT state FROM delivery")} <= {*OPEN, State.ACCEPTED}
    await store.close()
