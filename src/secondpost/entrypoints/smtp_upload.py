"""The way of a large message to the disk while it is still arriving.

Rule: at most a few blocks wait in memory; whoever brings more than there is room for has to pause.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from secondpost.core.message import Tail
from secondpost.store.base import TailWriter

ROOM = 262_144


class Upload:
    """`put` blocks as they come, then `finish` or `abandon`. `weigh` keeps account of the bytes in memory."""

    def __init__(self, number: int, writer: TailWriter, weigh: Callable[[int], None]) -> None:
        self.number = number
        self._writer = writer
        self._weigh = weigh
        self._blocks: deque[bytes] = deque()
        self._waiting = 0  # bytes in `_blocks`
        self._news = asyncio.Event()
        self._over = False  # nothing more will come
        self._done: asyncio.Future[Tail] = asyncio.get_running_loop().create_future()

    def put(self, block: bytes) -> bool:
        """Take a block. False: there is no room for more until `on_room` is called."""
        if not self._done.done():
            self._blocks.append(block)
            self._waiting += len(block)
            self._weigh(len(block))
            self._news.set()
        return self._waiting < ROOM

    async def finish(self) -> Tail:
        """Everything has come: the tail, flushed to disk. Raises what writing raised."""
        self._over = True
        self._news.set()
        return await self._done

    def abandon(self) -> None:
        """Nobody wants it any more; what was written is removed as soon as no write is under way."""
        if self._done.done():
            self._writer.abandon()
        else:
            self._done.cancel()
            self._news.set()

    async def run(self, *, on_room: Callable[[], None]) -> None:
        """Write what comes until the end. What fails is raised by `finish`, once the client has sent the rest."""
        try:
            await self._write_all(on_room)
            if not self._done.done():
                tail = await self._writer.finish()
                if not self._done.done():
                    self._done.set_result(tail)
                    return
        except Exception as error:
            if not self._done.done():
                self._done.set_exception(error)
                self._done.exception()  # somebody may never ask
        self._writer.abandon()
        self._drop_waiting()
        on_room()

    async def _write_all(self, on_room: Callable[[], None]) -> None:
        while True:
            while self._blocks and not self._done.done():
                block = self._blocks.popleft()
                try:
                    await self._writer.write(block)
                finally:
                    self._waiting -= len(block)
                    self._weigh(-len(block))
                if self._waiting < ROOM // 2:
                    on_room()
            if self._over or self._done.done():
                return
            self._news.clear()
            await self._news.wait()

    def _drop_waiting(self) -> None:
        self._blocks.clear()
        self._weigh(-self._waiting)
        self._waiting = 0
