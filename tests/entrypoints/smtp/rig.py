"""The SMTP entrypoint in a thread of its own, before a store that does what a test says, and a client of it."""

import asyncio
import smtplib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvloop

from secondpost.config.settings import Smtp
from secondpost.core.message import Tail
from secondpost.entrypoints.auth import LogIns
from secondpost.entrypoints.smtp import SmtpListener
from secondpost.service.credentials import Client
from secondpost.service.ids import new_id
from secondpost.service.submit import Draft
from secondpost.store.base import Receipt

HOST = "127.0.0.1"
SENDER, TO = "shop@example.com", "anna@example.org"
CONTENT = b"Subject: x\r\n\r\nHello\r\n.dot\r\n"


@dataclass
class MemoryTail:
    """A tail that can be slow or full, and knows whether it was abandoned."""

    delay: float = 0
    error: Exception | None = None
    data: bytearray = field(default_factory=bytearray)
    is_abandoned: bool = False

    async def write(self, block: bytes) -> None:
        await asyncio.sleep(self.delay)
        if self.error:
            raise self.error
        self.data += block

    async def finish(self) -> Tail:
        return self

    def abandon(self) -> None:
        self.is_abandoned = True

    @property
    def size(self) -> int:
        return len(self.data)

    def blocks(self) -> Iterator[bytes]:
        yield bytes(self.data)


class Rig:
    """A listener in a thread of its own."""

    def __init__(self, settings: dict[str, Any], loop: str, options: dict[str, Any]) -> None:
        self.drafts: list[Draft] = []
        self.tails: list[MemoryTail] = []
        self.tail = MemoryTail
        self.refusal: Exception | None = None  # raised by submit
        self.failure: BaseException | None = None  # what the commit ends with
        self.commit = 0.0  # seconds
        self.is_known = False  # whether the messages were taken before, with the same key
        self.settings = {"listen": [f"{HOST}:0"], "hostname": "mx.example"} | settings
        self.options = options
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None)
        self.complaints: list[str] = []

    def __enter__(self) -> "Rig":
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=[started])
        self.thread.start()
        assert started.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, grace: float = 0) -> None:
        if self.thread.is_alive():
            self.grace = grace
            self.loop.call_soon_threadsafe(self.stopped.set)
            self.thread.join(10)
        assert not self.thread.is_alive()
        assert self.complaints == []

    def _run(self, started: threading.Event) -> None:
        with self.runner:
            self.runner.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self.loop, self.stopped = asyncio.get_running_loop(), asyncio.Event()
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(str(context)))
        options: dict[str, Any] = {"log_ins": LogIns(self.authenticate, delay=0.05)} | self.options
        self.listener = SmtpListener(
            Smtp.model_validate(self.settings), submit=self.submit, authenticate=None, new_id=new_id,
            new_tail=self.new_tail, **options,
        )  # fmt: skip
        await self.listener.start()
        started.set()
        await self.stopped.wait()
        await self.listener.stop(self.grace)
        await asyncio.sleep(0.01)
        if self.commit <= self.grace and (left := (self.listener._weight, self.listener._places._taken)) != (0, 0):
            self.complaints.append(f"bytes and places never given back: {left}")

    def submit(self, draft: Draft) -> "asyncio.Future[Receipt]":
        if self.refusal:
            raise self.refusal
        future: asyncio.Future[Receipt] = self.loop.create_future()
        self.loop.call_later(self.commit, self._committed, draft, future)
        return future

    def _committed(self, draft: Draft, future: "asyncio.Future[Receipt]") -> None:
        if self.failure:
            future.set_exception(self.failure)
        else:
            self.drafts.append(draft)
            future.set_result(Receipt(draft.id, duplicate=self.is_known))

    def new_tail(self, number: int) -> MemoryTail:
        self.tails.append(tail := self.tail())
        return tail

    async def authenticate(self, identity: str, secret: str) -> Client | None:
        return Client(identity, (f"{identity}@example.com",)) if secret == "right" else None

    @property
    def port(self) -> int:
        return self.listener.ports[0]

    def client(self, seconds: float = 10) -> smtplib.SMTP:
        return smtplib.SMTP(HOST, self.port, timeout=seconds)

    def send(self, content: bytes = CONTENT) -> None:
        with self.client() as client:
            client.sendmail(SENDER, [TO], content)


Launch = Callable[..., Rig]


def wait_until(true: Callable[[], Any], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


class Raw:
    """A client that says what it likes."""

    def __init__(self, rig: Rig, host: str = HOST) -> None:
        self.sock = socket.create_connection((host, rig.port), 10)
        self.file = self.sock.makefile("rb")

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def reply(self) -> bytes:
        """The last line of an answer; b'' when the other side hung up."""
        try:
            while (line := self.file.readline())[3:4] == b"-":
                pass
        except ConnectionError:
            return b""
        return line

    def say(self, *lines: bytes) -> list[bytes]:
        answers = []
        for line in lines:
            self.sock.sendall(line)
            answers.append(self.reply()[:3])
        return answers


ENVELOPE = (b"EHLO x\r\n", b"MAIL FROM:<shop@example.com>\r\n", b"RCPT TO:<anna@example.org>\r\n", b"DATA\r\n")
