"""Queued: the message is on disk when `send` returns, and a worker in this process goes on until it is sent.

Rule: what was queued is never lost, however the process ends; the next one that opens the folder goes on with it.
"""

import asyncio

from secondpost.assembly import Core, build
from secondpost.config import Config
from secondpost.errors import Refusal, SecondpostError, StoreInUse
from secondpost.library import result
from secondpost.library.result import Result
from secondpost.service import large
from secondpost.service.submit import Draft

GRACE = 5.0  # seconds that what is on its way gets when the app ends; the rest waits on disk
LOOK_AGAIN = 0.02


class Queued:
    """A queue of this process alone. Belongs to one event loop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._core: Core | None = None

    async def open(self) -> None:
        core = build(self._config)
        try:
            await core.open()
        except StoreInUse:
            raise StoreInUse(
                f"Another process has the queue {self._config.data_dir}, or another event loop of this one that ended "
                "without closing it. Nothing was queued. A queue belongs to one process: give each its own folder, "
                "or let a gateway take the mail of all (url=…)."
            ) from None
        try:
            await core.housekeeping.recover()
            await core.housekeeping.expire()  # before anything that expired while nobody worked could be sent
        except BaseException:
            await core.close()
            raise
        core.housekeeping.start()
        self._core = core

    async def close(self) -> None:
        if (core := self._core) is None:
            return
        self._core = None
        try:
            async with asyncio.timeout(GRACE):
                while core.worker.room.count:  # noqa: ASYNC110  # the worker tells nobody when it is done
                    await asyncio.sleep(LOOK_AGAIN)
        except TimeoutError:
            pass  # it goes on when the queue is opened again
        await core.housekeeping.stop()
        await core.worker.stop(0)
        await core.close()

    async def send(self, draft: Draft, seconds: float) -> Result:  # noqa: ARG002  # the disk has its own patience
        core = self._opened
        self._check(draft)
        receipt = await asyncio.shield(large.submit(core.operations.submit, draft))
        found = await self.find(receipt.id)
        assert found is not None
        return result.repeated(found) if receipt.duplicate else found

    async def find(self, id: int) -> Result | None:
        entry = await self._opened.store.entry(id)
        return None if entry is None else result.of(entry, fates=result.QUEUED)

    @property
    def _opened(self) -> Core:
        if self._core is None:
            raise SecondpostError("The queue was closed meanwhile. Nothing was queued.")
        return self._core

    def _check(self, draft: Draft) -> None:
        limits = self._config.smtp
        if len(draft.content) > limits.max_message_bytes:
            raise Refusal(
                552, "5.3.4", f"The message has more than {limits.max_message_bytes} bytes. Nothing was stored."
            )
        if len(draft.recipients) > limits.max_recipients:
            raise Refusal(452, "4.5.3", f"There are more than {limits.max_recipients} recipients. Nothing was stored.")
