"""What it takes to be there: start-up, memory when idle, and the import that a library user pays for."""

import subprocess
import sys
import time

from bench.gateway import Gateway
from bench.machine import free_port, memory
from bench.postfix import Postfix
from bench.report import Section, median, progress

TIMES = 7
SETTLE = 3.0


def measure(*, quick: bool) -> Section:
    count = 3 if quick else TIMES
    ours, theirs = ([_start(relay) for _ in range(count)] for relay in (Gateway, Postfix))
    imported = median(_import_seconds() for _ in range(count))
    progress(f"footprint: start {median(s for s, _, _ in ours):.2f} s, import {1000 * imported:.1f} ms")
    return Section(
        title="Footprint",
        text="Medians. Start-up is from the command to the first greeting on the SMTP port, in an empty directory. "
        f"Memory is that of all processes, idle for {SETTLE:.0f} s after one session: private to them, and resident "
        "with what they share.",
        columns=["", "Secondpost", "Postfix"],
        rows=[
            [
                "start-up, ms",
                *(f"{1000 * median(seconds for seconds, _, _ in starts):.0f}" for starts in (ours, theirs)),
            ],
            [
                "private when idle, MiB",
                *(f"{median(private for _, private, _ in starts):.0f}" for starts in (ours, theirs)),
            ],
            [
                "resident when idle, MiB",
                *(f"{median(resident for _, _, resident in starts):.0f}" for starts in (ours, theirs)),
            ],
            ["`import secondpost`, ms", f"{1000 * imported:.1f}", "–"],
        ],
    )


def _start(relay: type[Gateway] | type[Postfix]) -> tuple[float, float, float]:
    """Seconds to the first greeting; MiB private and resident."""
    started = time.perf_counter()
    with relay(primary=free_port()) as running:
        seconds = time.perf_counter() - started
        time.sleep(SETTLE)
        seen = memory(running.pid)
    return seconds, seen.private, seen.resident


def _import_seconds() -> float:
    """By the clock of a fresh interpreter: how long that takes to start varies by more than the import."""
    code = "import time; began = time.perf_counter(); import secondpost; print(time.perf_counter() - began)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
