"""Jobs: many messages sent again, whatever happens on the way."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from secondpost.errors import ContentNotKept, SecondpostError
from secondpost.service.jobs import KIND, Jobs
from secondpost.store.memory import MemoryStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Sender:
    """Notes the keys it was asked for; some messages fail."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.held = asyncio.Event()
        self.held.set()

    async def __call__(self, message: str, *, key: str) -> None:
        await self.held.wait()
        self.keys.append(key)
        if message == "bad":
            raise ContentNotKept("not kept")
        if message == "worse":
            raise ZeroDivisionError


async def over(jobs: Jobs, name: str):
    for _ in range(1000):
        if (job := await jobs.show(name))["ended"]:
            return job
        await asyncio.sleep(0)
    raise AssertionError(await jobs.show(name))


async def test_one_failure_stops_nothing_but_itself():
    sender = Sender()
    jobs = Jobs(MemoryStore(), sender, lambda: NOW)
    name = await jobs.begin("ada", ["a", "bad", "worse", "b"])
    job = await over(jobs, name)
    assert job["done"] == 4
    assert [message for message, _ in job["failed"]] == ["bad", "worse"]
    assert len(sender.keys) == 4


async def test_after_a_restart_it_goes_on_with_the_same_keys():
    store, sender = MemoryStore(), Sender()
    sender.held.clear()
    first = Jobs(store, sender, lambda: NOW)
    name = await first.begin("ada", ["a", "b"])
    await asyncio.sleep(0)
    await first.stop()
    assert (await store.all(KIND))[name]["ended"] is None
    sender.held.set()
    second = Jobs(store, sender, lambda: NOW)
    await second.resume()
    assert (await over(second, name))["failed"] == []
    assert sender.keys == [f"job {name} a", f"job {name} b"]


async def test_a_job_is_forgotten_after_a_week():
    store = MemoryStore()
    old = Jobs(store, Sender(), lambda: NOW - timedelta(days=8))
    name = await old.begin("ada", ["a"])
    await over(old, name)
    young = Jobs(store, Sender(), lambda: NOW)
    await over(young, await young.begin("ada", ["b"]))
    with pytest.raises(SecondpostError, match="no such job"):
        await young.show(name)


async def test_what_is_begun_twice_by_the_same_mark_is_one_job():
    store = MemoryStore()
    send = Sender()
    jobs = Jobs(store, send, lambda: NOW)
    names = await asyncio.gather(*(jobs.begin("ada", ["a"], once="mark") for _ in range(3)))
    await over(jobs, names[0])
    assert set(names) == {await jobs.begin("ada", ["a"], once="mark")}
    assert len(send.keys) == 1
