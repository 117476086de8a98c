"""The main job, shown with no account anywhere: the Primary dies in mid-stream, the Backup carries on, it comes back.

Rule: nothing is acted. The gateway is the real one, both providers are real SMTP servers, and copies are counted where
they arrive.
"""

import asyncio
import json
import logging
import os
import shutil
import signal
import smtplib
import socket
import tempfile
from asyncio import Future
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from time import monotonic
from typing import Any

import uvloop

from secondpost import config
from secondpost.app import Gateway
from secondpost.core import breaker
from secondpost.entrypoints.smtp import SmtpListener
from secondpost.service.ids import new_id
from secondpost.service.submit import Draft
from secondpost.store.base import Receipt
from secondpost.store.memory import MemoryStore

NOTHING = Path(os.devnull)  # no configuration of the user's has a part in this
BATCH = 200
PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Provider:
    """A provider of the demo: an SMTP server on this machine that counts what it takes."""

    name: str
    port: int = field(default_factory=free_port)
    taken: list[str] = field(default_factory=list)
    _listener: SmtpListener | None = None

    async def start(self) -> None:
        self._listener = SmtpListener(
            config.load(file=NOTHING, environ={}, overrides={"smtp.listen": f"127.0.0.1:{self.port}"}).smtp,
            submit=self._take,
            authenticate=None,
            new_id=new_id,
            new_tail=MemoryStore().tail,
        )
        await self._listener.start()

    async def stop(self) -> None:
        if self._listener is not None:
            await self._listener.stop(0)

    def _take(self, draft: Draft) -> "Future[Receipt]":
        self.taken.append(_subject(draft.content))
        answer: Future[Receipt] = asyncio.get_running_loop().create_future()
        answer.set_result(Receipt(draft.id))
        return answer


def _subject(content: bytes) -> str:
    for line in content.split(b"\r\n"):
        if line.lower().startswith(b"subject: "):
            return line[9:].decode()
    return ""


@dataclass(slots=True)
class Demo:
    """The story and its protocol. `say` prints one step of it."""

    say: Callable[[str], None]
    primary: Provider = field(default_factory=lambda: Provider("Primary"))
    backup: Provider = field(default_factory=lambda: Provider("Backup"))
    smtp_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    sent: list[str] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    begun: float = field(default_factory=monotonic)

    async def tell(self, gateway: Gateway) -> None:
        """The story: all well; the primary dies in mid-stream; it comes back; all well again."""
        self.note(f"The gateway accepts mail on 127.0.0.1:{self.smtp_port}. It has a Primary and a Backup Connection.")
        await self.send(BATCH)
        await self.settle()
        self.note(f"{BATCH} messages sent: {self.carried()}.")
        await self.dies_in_mid_stream()
        await self.comes_back(gateway)
        await self.send(BATCH)
        await self.settle()
        self.note(f"{BATCH} more messages sent: {self.carried()}. The Primary carries the mail again.")

    async def dies_in_mid_stream(self) -> None:
        sending = asyncio.create_task(self.send(BATCH))
        while len(self.primary.taken) < BATCH + BATCH // 2 and not sending.done():
            await asyncio.sleep(0.001)
        await self.primary.stop()
        self.note(f"The Primary dies while the next {BATCH} messages are on their way.")
        await sending
        await self.settle()
        self.note(f"All of them have arrived: {self.carried()}.")

    async def comes_back(self, gateway: Gateway) -> None:
        await self.primary.start()
        self.note("The Primary is back. Nobody touches anything; the gateway finds out by itself.")
        line = gateway.core.worker.ways.lines["primary"]
        until = monotonic() + PATIENCE
        while line.breaker.state is breaker.State.OPEN and monotonic() < until:
            await asyncio.sleep(0.05)
        self.note("The gateway signed in to the Primary and trusts it again.")

    async def send(self, count: int) -> None:
        """A website's sending: one SMTP session, one message after another, each accepted when it is on disk."""
        await asyncio.to_thread(self._send, count)

    def _send(self, count: int) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp_port) as website:
            for _ in range(count):
                message = EmailMessage()
                message["From"], message["To"] = "shop@example.com", "customer@example.net"
                message["Subject"] = subject = f"Order {len(self.sent) + 1}"
                message.set_content("Thank you for your order.\n")
                website.send_message(message)
                self.sent.append(subject)

    async def settle(self) -> None:
        """Wait until every message that was accepted has arrived somewhere."""
        until = monotonic() + PATIENCE
        while monotonic() < until and set(self.sent) - self.arrived().keys():
            await asyncio.sleep(0.02)

    def arrived(self) -> Counter[str]:
        return Counter(self.primary.taken) + Counter(self.backup.taken)

    def carried(self) -> str:
        return f"{len(self.primary.taken)} by the Primary, {len(self.backup.taken)} by the Backup so far"

    def note(self, text: str) -> None:
        seconds = monotonic() - self.begun
        self.timeline.append({"seconds": round(seconds, 2), "what": text})
        self.say(f"{seconds:6.2f} s  {text}")

    def result(self) -> dict[str, Any]:
        copies = self.arrived()
        return {
            "accepted": len(self.sent),
            "by_primary": len(self.primary.taken),
            "by_backup": len(self.backup.taken),
            "lost": sum(1 for subject in self.sent if not copies[subject]),
            "twice": sum(1 for count in copies.values() if count > 1),
            "timeline": self.timeline,
        }


def run(*, stay: bool, json: bool) -> int:
    """Show the main job. Returns 0 when nothing was lost and nothing came twice."""
    return uvloop.run(_run(stay=stay, as_json=json))


async def _run(*, stay: bool, as_json: bool) -> int:
    logging.getLogger("secondpost").setLevel(logging.ERROR)  # the story tells of breakers in its own words
    folder = Path(tempfile.mkdtemp(prefix="secondpost-demo-"))
    demo = Demo(say=(lambda _: None) if as_json else print)
    await demo.primary.start()
    await demo.backup.start()
    gateway = Gateway(config.load(file=NOTHING, environ={}, overrides=_overrides(demo, folder)))
    await gateway.start()
    try:
        await demo.tell(gateway)
        result = demo.result()
        _report(result, as_json=as_json)
        if stay:
            await _stay(demo)
        return 1 if result["lost"] or result["twice"] else 0
    finally:
        await gateway.stop(5)
        await demo.primary.stop()
        await demo.backup.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _overrides(demo: Demo, folder: Path) -> dict[str, str]:
    return {
        "data_dir": str(folder),
        "smtp.listen": f"127.0.0.1:{demo.smtp_port}",
        "http.listen": f"127.0.0.1:{demo.http_port}",
        "primary": f"smtp://127.0.0.1:{demo.primary.port}?encryption=none",
        "backup": f"smtp://127.0.0.1:{demo.backup.port}?encryption=none",
        "priority.normal.unclear_after": "2s",
    }


def _report(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))
        return
    print()
    print(f"  accepted           {result['accepted']:5}")
    print(f"  carried by Primary {result['by_primary']:5}")
    print(f"  carried by Backup  {result['by_backup']:5}")
    print(f"\n{result['lost']} lost, {result['twice']} twice\n")


async def _stay(demo: Demo) -> None:
    print(f"The gateway stays up: SMTP on 127.0.0.1:{demo.smtp_port}, web on http://127.0.0.1:{demo.http_port}/readyz.")
    print("Ctrl-C ends it.")
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    print("\nGood-bye.")
