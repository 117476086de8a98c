"""The one thread that writes, and its bell."""

import asyncio
import threading
from typing import Any

from secondpost.store.sqlite.writer import Ask, Writer


class LateBell:
    """A bell whose wait ends unheard, and lets others ring it before the waiter goes on, as a slow machine does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.ended, self.rung = threading.Event(), threading.Event()

    def acquire(self, timeout: float) -> bool:
        if self.rung.is_set():
            return self._lock.acquire(timeout=timeout)
        self.ended.set()
        self.rung.wait(5)
        return False

    def release(self) -> None:
        self._lock.release()


async def test_a_bell_rung_just_after_the_wait_is_over_is_not_rung_twice() -> None:
    working, go_on = threading.Event(), threading.Event()

    def work(asks: list[Ask]) -> list[Any]:
        working.set()
        go_on.wait(5)
        return [value for _kind, value, _future in asks]

    writer = Writer(work, lambda _idle: False)
    bell: Any = LateBell()
    writer._bell, heard = bell, writer._bell
    heard.release()  # the thread goes on, to wait for the bell that is late
    assert await asyncio.to_thread(bell.ended.wait, 5)
    first = writer.ask(0, "first")
    bell.rung.set()
    assert await asyncio.to_thread(working.wait, 5)
    second = writer.ask(0, "second")
    go_on.set()
    assert tuple(await asyncio.wait_for(asyncio.gather(first, second), 5)) == ("first", "second")
    await writer.close()


async def test_what_was_withdrawn_is_written_and_not_told() -> None:
    go_on = threading.Event()
    written: list[str] = []

    def work(asks: list[Ask]) -> list[Any]:
        go_on.wait(5)
        written.extend(value for _kind, value, _future in asks)
        return [value for _kind, value, _future in asks]

    writer = Writer(work, lambda _idle: False)
    withdrawn, kept = writer.ask(0, "withdrawn"), writer.ask(0, "kept")
    writer.withdraw([withdrawn])
    go_on.set()
    assert await asyncio.wait_for(kept, 5) == "kept"
    assert written == ["withdrawn", "kept"]
    assert not withdrawn.done()
    await writer.close()
