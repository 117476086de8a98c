"""A provider for tests: a real SMTP server on loopback that fails on command and counts every copy it takes.

Rule: it shares nothing with Secondpost. It has its own threads and its own reading of RFC 5321, and it is strict:
whatever a client does wrong lands in `violations`. What it says and does at each step is scripted with
`on(step, action)`; `heal()` makes it well again.

Steps: greeting ehlo starttls tls auth mail rcpt data body dot taken quit. `dot`: the end of the message was read and
it is not taken yet. `taken`: it is taken and counted, and the answer to the dot has not been sent.
"""

import itertools
import os
import random
import re
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.provider_session import Action, Copy, Gone, Session

HOST = "127.0.0.1"
EXTENSIONS = frozenset({"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING"})


@dataclass(slots=True, kw_only=True)
class Line:
    """One line of the script: at `step`, if `only` occurs in the command and the odds say so, do `act`; skip the first
    `skip`.
    """

    step: str
    act: Action
    only: str = ""
    times: int | None = None
    skip: int = 0
    odds: float = 1.0


@dataclass(slots=True)
class Provider:
    """`with Provider() as primary:` listens on `primary.port` until the block ends."""

    name: str = "provider"
    users: dict[str, str] = field(default_factory=dict)  # not empty: AUTH is required
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    extensions: frozenset[str] = EXTENSIONS
    max_size: int = 0
    lax: bool = False  # ends a message at every ending that some real server takes for one
    tiny_window: bool = False
    mail: list[Copy] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    commands: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # log-ins with these users
    sessions: int = 0
    port: int = field(default_factory=lambda: free_port())  # noqa: PLW0108  (defined below)
    _script: list[Line] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: set[Session] = field(default_factory=set)
    _fillers: list[socket.socket] = field(default_factory=list)
    _deaf: threading.Event = field(default_factory=threading.Event)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _server: socket.socket = field(init=False)
    _acceptor: threading.Thread = field(init=False)

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        self._server = socket.socket()
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.tiny_window:
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self._server.bind((HOST, self.port))
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._quiet()
        self._server.close()
        self.hang_up_all()
        for session in list(self._open):
            session.join(5)

    def _listen(self) -> None:
        self._deaf.clear()
        self._server.listen(512)
        self._server.settimeout(0.05)
        self._acceptor = threading.Thread(target=self._accept, daemon=True, name=f"{self.name}-accept")
        self._acceptor.start()

    def _accept(self) -> None:
        while not self._deaf.is_set():
            with suppress(TimeoutError, OSError):
                sock, _ = self._server.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sessions += 1
                session = Session(self, sock, self.sessions)
                with self._lock:
                    self._open.add(session)
                session.start()

    def forget(self, session: Session) -> None:
        with self._lock:
            self._open.discard(session)

    def _quiet(self) -> None:
        self._deaf.set()
        self._acceptor.join()
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    # ── faults of the whole server ──────────────────────────────────────────────────────────────────────────────────

    def refuse(self) -> None:
        """The port is closed, and whoever was connected is cut off.

        The address stays ours: it is bound, nobody listens.
        """
        self._quiet()
        self._server.shutdown(socket.SHUT_RDWR)
        self.hang_up_all()

    def black_hole(self) -> None:
        """SYNs are dropped: the backlog is full and nobody accepts.

        Open sessions fall silent by being forgotten: they are cut.
        """
        self._quiet()
        self._server.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect((HOST, self.port))
            self._fillers.append(filler)
        self.hang_up_all()

    def heal(self) -> None:
        """No script, and listening."""
        self._script.clear()
        if self._deaf.is_set():
            self._quiet()
            self._listen()

    def hang_up_all(self) -> None:
        with self._lock:
            sessions = list(self._open)
        for session in sessions:
            session.cut()

    # ── the script ──────────────────────────────────────────────────────────────────────────────────────────────────

    def on(
        self, step: str, act: Action, *, only: str = "", times: int | None = None, skip: int = 0, odds: float = 1.0
    ) -> None:
        """Whichever line comes first wins; `heal` forgets them all."""
        self._script.append(Line(step=step, act=act, only=only.lower(), times=times, skip=skip, odds=odds))

    def scripted(self, step: str, about: str) -> Action | None:
        with self._lock:
            for line in self._script:
                if line.step == step and line.only in about.lower() and self._due(line):
                    return line.act
        return None

    def _due(self, line: Line) -> bool:
        if line.skip > 0:
            line.skip -= 1
            return False
        if line.times == 0 or random.random() >= line.odds:
            return False
        if line.times is not None:
            line.times -= 1
        return True

    # ── what it saw ─────────────────────────────────────────────────────────────────────────────────────────────────

    def take(self, copy: Copy) -> None:
        with self._lock:
            self.mail.append(copy)

    @property
    def copies(self) -> Counter[tuple[str, str]]:
        """How many copies each (message, recipient) got."""
        with self._lock:
            return Counter((copy.mark, recipient) for copy in self.mail for recipient in copy.recipients)

    @property
    def marks(self) -> list[str]:
        """What was taken, in order, repetitions included."""
        with self._lock:
            return [copy.mark for copy in self.mail]

    def connection(self, **settings: Any) -> dict[str, Any]:
        """A section of secondpost.toml that leads here.

        Time-outs are short: tests do not wait ten minutes for an answer.
        """
        mode = "tls" if self.implicit_tls else "starttls" if self.tls else "none"
        timeouts = {"connect": 1, "command": 1, "data_block": 2, "data_reply": 2} | settings.pop("timeouts", {})
        return {"mailer": "smtp", "host": HOST, "port": self.port, "encryption": mode, "timeouts": timeouts} | settings


# ── actions
# ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
# An action gets the session and what would be said, and returns what is said instead. b"" after `dot` or `body`: go on.


def say(text: str) -> Action:
    return lambda session, reply: text.replace("\n", "\r\n").encode() + b"\r\n"


def raw(data: bytes) -> Action:
    return lambda session, reply: data


def before(act: Action, *, seconds: float | Callable[[], float]) -> Action:
    """Wait, then act: `before(normally, seconds=2)` is a slow server."""

    def wait_then(session: Session, reply: bytes) -> bytes:
        session.wait(seconds() if callable(seconds) else seconds)
        return act(session, reply)

    return wait_then


def normally(session: Session, reply: bytes) -> bytes:
    return reply


def hang_up(session: Session, reply: bytes) -> bytes:
    raise Gone


def reset(session: Session, reply: bytes) -> bytes:
    """RST instead of FIN."""
    session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Gone


def silence(session: Session, reply: bytes) -> bytes:
    """Say nothing more until the client gives up."""
    session.wait(3600)
    raise Gone


def drip(seconds: float = 1.0) -> Action:
    """The reply, one byte at a time."""

    def slowly(session: Session, reply: bytes) -> bytes:
        for index in range(len(reply)):
            session.wait(seconds)
            session.send(reply[index : index + 1])
        return b""

    return slowly


def after_bytes(count: int, act: Action) -> Action:
    """For `body`: read so much of the content, then act."""

    def read_then(session: Session, reply: bytes) -> bytes:
        while len(session.buffer) < count:
            session.fill()
        return act(session, reply)

    return read_then


def read_slowly(bytes_per_second: int) -> Action:
    """For `body`: needs `tiny_window`, else the kernel takes the content off the client's hands."""

    def slow(session: Session, reply: bytes) -> bytes:
        session.bytes_per_second = bytes_per_second
        return reply

    return slow


def refuse_early(text: str) -> Action:
    """For `data`: 354, and the refusal at once, without reading on."""

    def early(session: Session, reply: bytes) -> bytes:
        session.send(reply + text.encode() + b"\r\n")
        session.linger()
        raise Gone

    return early


# ── ports and waiting
# ───────────────────────────────────────────────────────────────────────────────────────────────────

_worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
# Below the range from which the kernel picks ports for outgoing connections, and apart for each test process.
_ports: Iterator[int] = itertools.cycle(random.sample(range(12000 + 2500 * _worker, 14500 + 2500 * _worker), 2500))


def free_port() -> int:
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise AssertionError("unreachable: the ports are endless")


def wait_until(claim: Callable[[], object], seconds: float, what: str | Callable[[], object] = "") -> float:
    """Wait for `claim` to hold; how long that took. `what` tells the story when it does not."""
    start = time.monotonic()
    while not claim():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what or claim}")
        time.sleep(0.005)
    return time.monotonic() - start


def total(*providers: Provider) -> Counter[tuple[str, str]]:
    """Copies over all providers together."""
    return sum((provider.copies for provider in providers), Counter())


def duplicates(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {who: count for who, count in counts.items() if count > 1}
