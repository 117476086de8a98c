"""A link that is long but not narrow: everything takes the same time each way. `python -m bench.delay PORT TO MS`."""

import asyncio
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from bench.machine import free_port, wait_for_greeting


class OneWay:
    """Bytes go in now and come out `delay` seconds later, in order."""

    def __init__(self, delay: float) -> None:
        self.delay, self.loop = delay, asyncio.get_running_loop()
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.to: asyncio.Transport | None = None

    def put(self, data: bytes) -> None:
        """An empty one closes the far side, in its turn."""
        self.waiting.append((self.loop.time() + self.delay, data))
        if len(self.waiting) == 1:
            self.loop.call_at(self.waiting[0][0], self._release)

    def _release(self) -> None:
        while self.waiting and self.waiting[0][0] <= self.loop.time():
            _, data = self.waiting.popleft()
            if self.to and not self.to.is_closing():
                self.to.write(data) if data else self.to.close()
        if self.waiting:
            self.loop.call_at(self.waiting[0][0], self._release)


class End(asyncio.Protocol):
    """One end of the link: what arrives here goes out at the other."""

    def __init__(self, outward: OneWay, inward: OneWay) -> None:
        self.outward, self.inward = outward, inward

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.inward.to = transport

    def data_received(self, data: bytes) -> None:
        self.outward.put(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self.outward.put(b"")


async def serve(port: int, to: int, delay: float) -> None:
    loop = asyncio.get_running_loop()

    def accept() -> End:
        there, back = OneWay(delay), OneWay(delay)
        # The kernel here has shaken hands already; over a real link the far side would have the session only now.
        loop.call_later(3 * delay, lambda: tasks.add(loop.create_task(connect(there, back))))
        return End(there, back)

    async def connect(there: OneWay, back: OneWay) -> None:
        await loop.create_connection(lambda: End(back, there), "127.0.0.1", to)

    tasks = set[asyncio.Task[None]]()
    server = await loop.create_server(accept, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


@contextmanager
def long_link(to: int, milliseconds: float) -> Iterator[int]:
    """In a process of its own, so that it slows nobody else. Yields the port on our side of the link."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.delay", str(port), str(to), str(milliseconds)])
    try:
        wait_for_greeting(port, lambda: process.poll() is None)
        yield port
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
