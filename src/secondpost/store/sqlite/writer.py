"""The one thread that writes. It takes everything asked for since its last commit, so that all share one fsync.

Rule: a future resolves only after the commit that carries its write; all of a batch resolve by one call into the loop.
"""

import asyncio
import logging
import threading
from asyncio import Future
from collections.abc import Callable, Iterable
from typing import Any

from secondpost.errors import StoreError, StoreUnavailable

logger = logging.getLogger(__name__)

Ask = tuple[int, Any, "Future[Any]"]  # kind, value, where the answer goes

MOST = 500  # asks in one batch: bounds memory, and how long the first waits for the last
PAUSE = 1.0  # seconds without asks after which the thread tidies up


class Writer:
    """`work` answers a batch, in order, with values or errors. `tidy` is called after each, and when idle (True).

    When idle it is called again at once as long as it says that there is more to do and nothing is asked for.
    """

    def __init__(self, work: Callable[[list[Ask]], list[Any]], tidy: Callable[[bool], bool]) -> None:
        self._work = work
        self._tidy = tidy
        self._loop = asyncio.get_running_loop()
        self._asks: list[Ask] = []
        self._withdrawn: set[Future[Any]] = set()
        self._rung = False
        self._closing = False
        self._untidy = ""  # why the last tidying failed
        # A bare lock as a bell costs the loop thread 0.1 µs; a Condition ten times that.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._thread = threading.Thread(target=self._run, name="secondpost-writer", daemon=True)
        self._thread.start()

    def ask(self, kind: int, value: Any) -> "Future[Any]":
        """Have something written; from the loop's thread only."""
        future: Future[Any] = self._loop.create_future()
        if self._closing:
            future.set_exception(StoreUnavailable("The store is closed. Nothing was written; open it again."))
            return future
        self._asks.append((kind, value, future))
        if not self._rung:
            self._rung = True
            self._bell.release()
        return future

    def withdraw(self, futures: Iterable["Future[Any]"]) -> None:
        """What was asked for is written, but these are not told: from now on they are the caller's to resolve."""
        self._withdrawn.update(futures)

    async def close(self) -> None:
        """Write everything that was asked for, then end the thread."""
        self._closing = True
        if not self._rung:
            self._rung = True
            self._bell.release()
        await self._loop.run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        pause = PAUSE
        while True:
            if rung := self._bell.acquire(timeout=pause):
                # Before looking, so that what is asked from here on rings again; and only when the bell was heard: it
                # may ring just after the wait is over, and one that is ringing must not be rung twice.
                self._rung = False
            while asks := self._take():
                self._answer(asks)
                self._safely_tidy(False)
            if self._closing:
                return
            pause = PAUSE if rung or not self._safely_tidy(True) else 0

    def _take(self) -> list[Ask]:
        """The oldest asks. Slicing and deleting are each one step for other threads, which only append."""
        asks = self._asks[:MOST]
        del self._asks[: len(asks)]
        return asks

    def _answer(self, asks: list[Ask]) -> None:
        try:
            answers = self._work(asks)
        except BaseException as error:  # a bug of ours must not leave callers waiting for ever
            logger.exception("the writer failed")
            told = StoreError(
                f"The store failed by a fault of our own ({error!r}): this may not be stored. Please report it."
            )
            answers = [told] * len(asks)
        if not self._loop.is_closed():  # else nobody waits any more
            self._loop.call_soon_threadsafe(self._resolve, asks, answers)

    def _resolve(self, asks: list[Ask], answers: list[Any]) -> None:
        for (_kind, _value, future), answer in zip(asks, answers, strict=True):
            if future.done() or future in self._withdrawn:
                self._withdrawn.discard(future)
            elif isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _safely_tidy(self, idle: bool) -> bool:
        try:
            more = self._tidy(idle)
            self._untidy = ""
            return more
        except StoreError as error:  # a full disk lasts: tell it once
            if str(error) != self._untidy:
                logger.warning("the database cannot be tidied; it will be tried again: %s", error)
            self._untidy = str(error)
        except Exception:
            logger.exception("tidying the database failed; it will be tried again")
        return False
