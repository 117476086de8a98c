"""A sink that stamps each message's arrival by the number in it, and a source that sends at a steady pace."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

NUMBER = re.compile(rb"Bench-Number: (\d+)")
MESSAGE = (
    "From: sender@bench.example\r\nTo: recipient@bench.example\r\nSubject: bench\r\n"
    "Date: Mon, 2 Jan 2006 15:04:05 +0000\r\nMessage-ID: <{number}@bench.example>\r\nBench-Number: {number}\r\n\r\n"
    + ("x" * 62 + "\r\n") * 16
    + ".\r\n"
)
END = b"\r\n.\r\n"


class Stamps(dict[int, float]):
    """Message number → when its end arrived."""

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self.wanted, self.complete = wanted, asyncio.Event()

    def add(self, content: bytes) -> None:
        if found := NUMBER.search(content):
            self.setdefault(int(found[1]), time.perf_counter())
        if len(self) >= self.wanted:
            self.complete.set()


class StampSession(asyncio.Protocol):
    """As little SMTP as a sender with pipelining needs."""

    def __init__(self, stamps: Stamps) -> None:
        self.stamps, self.buffer, self.in_content = stamps, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 stamps\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(END if self.in_content else b"\r\n")) >= 0:
            part = self.buffer[:end]
            self.buffer = self.buffer[end + (len(END) if self.in_content else 2) :]
            self.transport.write(self._content(part) if self.in_content else self._command(part))

    def _content(self, content: bytes) -> bytes:
        self.stamps.add(content)
        self.in_content = False
        return b"250 2.0.0 taken\r\n"

    def _command(self, line: bytes) -> bytes:
        match line[:4].upper():
            case b"EHLO":
                return b"250-stamps\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
            case b"DATA":
                self.in_content = True
                return b"354 go on\r\n"
            case b"QUIT":
                self.transport.write(b"221 bye\r\n")
                self.transport.close()
                return b""
            case _:
                return b"250 2.0.0 ok\r\n"


@asynccontextmanager
async def stamping(stamps: Stamps, port: int) -> AsyncIterator[None]:
    server = await asyncio.get_running_loop().create_server(
        lambda: StampSession(stamps), "127.0.0.1", port, backlog=512
    )
    async with server:
        yield


class Sender:
    """One kept session, pipelining, one message at a time."""

    async def open(self, port: int) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        await self._replies(b"2")
        self.writer.write(b"EHLO bench.example\r\n")
        await self._replies(b"2")

    async def send(self, number: int) -> None:
        self.writer.write(b"MAIL FROM:<sender@bench.example>\r\nRCPT TO:<recipient@bench.example>\r\nDATA\r\n")
        await self._replies(b"2", b"2", b"3")
        self.writer.write(MESSAGE.format(number=number).encode())
        await self._replies(b"2")

    def close(self) -> None:
        self.writer.write(b"QUIT\r\n")
        self.writer.close()

    async def _replies(self, *wanted: bytes) -> None:
        for first in wanted:
            line = await self.reader.readline()
            while line[3:4] == b"-":
                line = await self.reader.readline()
            if not line.startswith(first):
                raise RuntimeError(f"unexpected reply {line!r}")


async def pace(port: int, numbers: Sequence[int], per_second: float, *, sessions: int = 10) -> dict[int, float]:
    """Send each number at its own time, whether or not the one before is through. Number → when it was due."""
    senders = [Sender() for _ in range(sessions)]
    await asyncio.gather(*(sender.open(port) for sender in senders))
    start = time.perf_counter() + 0.05
    due = {number: start + place / per_second for place, number in enumerate(numbers)}

    async def work(sender: Sender, mine: Sequence[int]) -> None:
        for number in mine:
            await asyncio.sleep(max(0.0, due[number] - time.perf_counter()))
            await sender.send(number)
        sender.close()

    await asyncio.gather(*(work(sender, numbers[place::sessions]) for place, sender in enumerate(senders)))
    return due
