"""A queue of a million: what it costs to start with it, to hold it, to claim from it and to work it off."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from bench.gateway import Gateway
from bench.load import Sink
from bench.machine import memory, wait_for_greeting
from bench.report import Section, progress, rate

SIZES = (0, 100_000, 1_000_000)
QUICK = (0, 50_000)
DRAIN = 10.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    queued: int
    filled_per_second: float
    start_ms: float
    first_ms: float  # until the first of them was delivered
    private: float
    drained_per_second: float
    claims: list[float]  # milliseconds, sorted

    def cells(self) -> list[str]:
        claims = [f"{self.claims[len(self.claims) * share // 100]:.2f}" if self.claims else "–" for share in (50, 99)]
        rates = [rate(value) if self.queued else "–" for value in (self.filled_per_second, self.drained_per_second)]
        first = f"{self.first_ms:.0f}" if self.queued else "–"
        return [f"{self.queued:,}", rates[0], f"{self.start_ms:.0f}", first, f"{self.private:.0f}", rates[1], *claims]


def measure(*, quick: bool) -> Section:
    found = [_backlog(size) for size in (QUICK if quick else SIZES)]
    return Section(
        title="A long queue",
        text=f"Messages of 1 KiB that wait while the gateway is down; then it starts and delivers for {DRAIN:.0f} s. "
        "Times in milliseconds; start-up is until the SMTP greeting, “first” until the first of them is delivered; "
        "memory is private, after delivering. A claim takes 50 messages from the queue as it is then.",
        columns=["queued", "filled/s", "start-up", "first", "MiB", "delivered/s", "claim p50", "claim p99"],
        rows=[backlog.cells() for backlog in found],
    )


def _backlog(queued: int) -> Backlog:
    with Sink() as sink:
        gateway = Gateway(primary=sink.port)
        try:
            gateway.configure()
            filled = _stock("fill", gateway, queued) if queued else 0.0
            progress(f"backlog: {queued:,} queued, {rate(filled)}/s")
            start_ms, first_ms, private, drained = _work_off(gateway, sink, queued)
            claims = sorted(_stock("claim", gateway, queued)) if queued else []
        finally:
            gateway.remove()
    backlog = Backlog(
        queued=queued,
        filled_per_second=filled,
        start_ms=start_ms,
        first_ms=first_ms,
        private=private,
        drained_per_second=drained,
        claims=claims,
    )
    progress(f"backlog: {', '.join(backlog.cells())}")
    return backlog


def _work_off(gateway: Gateway, sink: Sink, queued: int) -> tuple[float, float, float, float]:
    """Milliseconds until it greets and until the first delivery; MiB; deliveries a second."""
    started = time.perf_counter()
    gateway.start()
    try:
        wait_for_greeting(gateway.port, gateway.running, patience=120)
        greeted = first = time.perf_counter()
        while queued and not sink.count() and first < greeted + 60:
            time.sleep(0.002)
            first = time.perf_counter()
        before = sink.count()
        while time.perf_counter() < first + DRAIN and (not queued or sink.count() < queued):
            time.sleep(0.02)
        drained = (sink.count() - before) / (time.perf_counter() - first)
        private = memory(gateway.pid).private
    finally:
        gateway.stop()
    return 1000 * (greeted - started), 1000 * (first - started), private, drained


def _stock(verb: str, gateway: Gateway, count: int) -> Any:
    command = [sys.executable, "-m", "bench.stock", verb, str(gateway.data), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"bench.stock {verb} failed:\n{done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)
