"""Primaries that are broken in the ways in which providers break: on loopback, without root."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from bench.load import Sink
from bench.machine import free_port

Fault = Callable[[], AbstractContextManager[int]]  # yields the port


@contextmanager
def refusing() -> Iterator[int]:
    yield free_port()


@contextmanager
def black_hole() -> Iterator[int]:
    """Linux drops SYNs while a listener's accept queue is full; a single session that nobody accepts fills one of 0."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.create_connection(server.getsockname()):
        yield server.getsockname()[1]


@contextmanager
def silent() -> Iterator[int]:
    """The kernel completes the handshake; nobody ever says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as server:
        yield server.getsockname()[1]


@contextmanager
def dripping() -> Iterator[int]:
    """A greeting that never ends, one byte a second: each byte comes in time, the line never does."""
    over, sessions = threading.Event(), list[socket.socket]()

    def drip() -> None:
        while not over.wait(1.0):
            with suppress(BlockingIOError):
                while True:
                    sessions.append(server.accept()[0])
            for session in sessions:
                with suppress(OSError):
                    session.send(b"2")

    with socket.create_server(("127.0.0.1", 0), backlog=4096) as server:
        server.setblocking(False)
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()
            for session in sessions:
                session.close()


def misbehaving(*arguments: str) -> Fault:
    @contextmanager
    def sink() -> Iterator[int]:
        with Sink(*arguments) as broken:
            yield broken.port

    return sink


BUSY = ("-b", "451 4.3.0 Try again later")
FAULTS: dict[str, Fault] = {
    "refuses the session": refusing,
    "421 at the greeting": misbehaving("-Q", "connect"),
    "451 at RCPT": misbehaving("-r", "rcpt", *BUSY),
    "451 after the content": misbehaving("-r", ".", *BUSY),
    "black hole": black_hole,
    "silent after TCP": silent,
    "one byte a second": dripping,
}
