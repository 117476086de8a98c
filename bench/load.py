"""One run: Postfix's `smtp-source` into a relay, the relay into Postfix's `smtp-sink`, timed until the sink has it all.

Neutral tools for both sides: we wrote neither, and both are far faster than any relay measured here.
"""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from bench.machine import Watch, free_port, wait_for_greeting, watching

POLL = 0.004


class Relay(Protocol):
    """Something that listens for SMTP on a loopback port and relays all it gets to where it was told."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def pid(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    messages: int
    sessions: int = 10
    kept: bool = True  # many messages on a connection, else one each
    body: int = 1024

    def __str__(self) -> str:
        return f"{self.sessions} sessions, " + ("kept" if self.kept else "one message each")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run showed. `arrived`: (seconds since the start, messages at the sink), each time the count changed.

    More arrived than sent means duplicates; fewer means that mail still waits, or is lost.
    """

    load: Load
    accept_seconds: float
    arrived: list[tuple[float, int]]
    watch: Watch
    error: str = ""

    @property
    def delivered(self) -> int:
        return self.arrived[-1][1] if self.arrived else 0

    @property
    def accepted_per_second(self) -> float:
        return 0.0 if self.error else self.load.messages / self.accept_seconds

    @property
    def delivered_per_second(self) -> float:
        return self.delivered / self.arrived[-1][0] if self.arrived else 0.0

    @property
    def cpu_ms(self) -> float:
        """The relay's CPU time for a message."""
        return 1000 * self.watch.cpu / self.load.messages

    def seconds_until(self, share: float) -> float | None:
        """When this share of the messages had arrived; None if it never did."""
        return next((seconds for seconds, count in self.arrived if count >= share * self.load.messages), None)


class Sink:
    """Postfix's `smtp-sink`. With -c it writes running counters to a file, whose tail tells how many messages came."""

    def __init__(self, *arguments: str) -> None:
        self.port, self.arguments = free_port(), arguments

    def __enter__(self) -> Self:
        self._counters = tempfile.NamedTemporaryFile(prefix="bench-sink-", dir="/dev/shm")
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = ["smtp-sink", "-c", "-m", "2000", *user, *self.arguments, f"127.0.0.1:{self.port}", "2000"]
        self._process = subprocess.Popen(command, stdout=self._counters, stderr=subprocess.DEVNULL)
        self.pid = self._process.pid
        if not self.arguments:  # one that is told to misbehave may not greet
            wait_for_greeting(self.port, lambda: self._process.poll() is None)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._counters.close()

    def count(self) -> int:
        file = self._counters.fileno()
        tail = os.pread(file, 200, max(0, os.fstat(file).st_size - 200))
        found = re.findall(rb"mesg=(\d+)\r", tail)
        return int(found[-1]) if found else 0


def drive(relay: Relay, sink: Sink, load: Load, *, accept_within: float = 120.0, deliver_within: float = 120.0) -> Run:
    """Send the load and wait until the sink has it all, or until patience ends."""
    before, arrived, accepted = sink.count(), list[tuple[float, int]](), None
    start = time.monotonic()
    with watching(relay.pid) as watch, _source(relay.port, load) as process:
        while accepted is None or not arrived or arrived[-1][1] < load.messages:
            time.sleep(POLL)
            now = time.monotonic() - start
            if (count := sink.count() - before) != (arrived[-1][1] if arrived else 0):
                arrived.append((now, count))
            if accepted is None and process.poll() is not None:
                accepted = now
            watch.sample()
            if now > (accept_within if accepted is None else accepted + deliver_within):
                break
        error = _complaint(process)
    seconds = accepted if accepted is not None else accept_within
    return Run(load=load, accept_seconds=seconds, arrived=arrived, watch=watch, error=error)


def remarks(runs: Iterable[Run]) -> list[str]:
    """What a reader of the table must know about its runs."""
    runs, found = list(runs), []
    if wrong := sum(bool(run.error) or run.delivered != run.load.messages for run in runs):
        found.append(f"Not everything arrived exactly once in {wrong} of {len(runs)} runs.")
    if disturbed := sum(run.watch.disturbed for run in runs):
        found.append(f"Other work disturbed {disturbed} of {len(runs)} runs (more than 40 % of a core).")
    return found


@contextmanager
def _source(port: int, load: Load) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        "smtp-source",
        "-N",
        "-C",
        "10",
        "-s",
        str(load.sessions),
        "-m",
        str(load.messages),
        "-l",
        str(load.body),
    ]
    command += ["-f", "sender@bench.example", "-t", "recipient@bench.example", "-M", "bench.example"]
    command += [*(["-d"] if load.kept else []), f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _complaint(process: subprocess.Popen[bytes]) -> str:
    if process.poll() is None:
        return "the relay did not take everything in time"
    if process.returncode == 0 or process.stderr is None:
        return ""
    return (
        process.stderr.read().decode(errors="replace").strip()[-200:] or f"smtp-source ended with {process.returncode}"
    )
