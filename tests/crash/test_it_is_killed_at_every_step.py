"""F15, G2: kill -9 at the n-th write, sync or socket call of a message's life, for each n.

strace delivers the signal in the system call itself; it is attached when the gateway listens, and counts from there.
"""

import contextlib
import os
import random
import re
import signal
import smtplib
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests import peers
from tests.provider import total, wait_until

TO = "anna@example.com"
CALLS = ("pwrite64", "fdatasync", "fsync", "write", "writev", "sendto", "sendmsg", "read", "recvfrom")
SAMPLE = None if os.environ.get("SECONDPOST_STEPS") == "all" else 12
FATES = {
    "not acknowledged, nothing sent",
    "not acknowledged, sent once",
    "not acknowledged, unclear",
    "acknowledged, sent once",
    "acknowledged, unclear",
}


@pytest.mark.timeout(1800)
def test_g2_killed_at_the_nth_step_of_a_messages_life(launch, primary, backup, tmp_path, tell):
    peers.requires("strace")
    steps = steps_of_a_life(launch, primary, tmp_path)
    assert len([call for call, _ in steps if call in CALLS[:3]]) >= 4, f"a life without writes? {steps}"
    chosen = steps if SAMPLE is None else sorted(random.sample(steps, min(SAMPLE, len(steps))))
    fates = {step: fate(launch, primary, backup, *step) for step in chosen}
    tell(f"killed at {len(chosen)} of {len(steps)} steps: {dict(Counter(fates.values()))}")
    assert {step: fate for step, fate in fates.items() if fate not in FATES} == {}


@contextlib.contextmanager
def traced(gateway, *options):
    """strace, attached to every thread of the gateway."""
    pid = gateway.process.pid
    command = [str(peers.find("strace")), "-f", "-p", str(pid), *options]
    strace = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    threads = Path(f"/proc/{pid}/task")
    wait_until(lambda: all(is_traced(thread) for thread in threads.iterdir()), 60)
    try:
        yield
    finally:
        strace.send_signal(signal.SIGINT)  # it lets go of what it traces
        try:
            strace.wait(5)
        except subprocess.TimeoutExpired:  # but not always of a thread that it delays and that was killed meanwhile
            strace.kill()
            strace.wait()


def is_traced(thread):
    try:
        return "TracerPid:\t0\n" not in (thread / "status").read_text()
    except FileNotFoundError:  # it has ended meanwhile
        return True


def steps_of_a_life(launch, primary, folder):
    """(call, n) for each call that the busiest thread makes, from the first byte of a message to its checkpoint."""
    trace, gateway = folder / "trace", launch()
    with traced(gateway, "-o", str(trace), "-e", f"trace={','.join(CALLS)}"):
        mark = gateway.send()
        wait_until(lambda: primary.copies[mark, TO], 60, gateway.report)
        time.sleep(1.5)  # what follows when nothing is asked for
    gateway.kill()
    counts = Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.MULTILINE))
    most = {call: max((count for (_, name), count in counts.items() if name == call), default=0) for call in CALLS}
    return [(call, n) for call in CALLS for n in range(1, most[call] + 1)]


def fate(launch, primary, backup, call, n):
    """What became of one message when the gateway was killed at that step, and started again."""
    gateway = launch()
    mark = f"{call}-{n}-{random.randrange(10**9)}"
    with traced(gateway, "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}"):
        try:
            gateway.send(mark=mark)
            acknowledged = True
        except (OSError, smtplib.SMTPException):
            acknowledged = False
        with contextlib.suppress(subprocess.TimeoutExpired):
            gateway.process.wait(2)
    gateway.kill()
    gateway.start()
    return describe(gateway, mark, acknowledged, primary, backup)


def describe(gateway, mark, acknowledged, primary, backup):
    status = ""

    def settled():
        nonlocal status
        status = gateway.log().get(mark, {}).get("status", "")
        return status not in {"waiting", "leased", "sending"}

    wait_until(settled, 60, gateway.report)
    copies = total(primary, backup)[mark, TO]
    gateway.kill()
    told = "acknowledged" if acknowledged else "not acknowledged"
    if copies == 1:
        return (
            f"{told}, sent once" if status in {"accepted", "unclear"} else f"{told}, sent once and {status or 'gone'}"
        )
    return f"{told}, " + (
        {"unclear": "unclear", "": "nothing sent"}.get(status, status) if not copies else f"sent {copies} times"
    )
