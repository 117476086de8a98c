"""F15, G2: kill -9 at the n-th write or sync of a message's life, for each n.

strace delivers the signal in the system call itself.
"""

import os
import random
import re
import time
from collections import Counter

import pytest

from tests import peers
from tests.provider import total, wait_until

TO = "anna@example.com"
CALLS = ("pwrite64", "fdatasync", "fsync")
SAMPLE = None if os.environ.get("SECONDPOST_STEPS") == "all" else 12


@pytest.mark.timeout(900)
def test_g2_killed_at_the_nth_write_or_sync_of_a_messages_life(launch, primary, backup, tmp_path):
    peers.requires("strace")
    steps = steps_of_a_life(launch, primary, tmp_path)
    assert len(steps) >= 4, f"a life without writes? {steps}"
    chosen = steps if SAMPLE is None else sorted(random.sample(steps, min(SAMPLE, len(steps))))
    fates = Counter(fate(launch, primary, backup, call, n) for call, n in chosen)
    print(f"\n  {len(chosen)} of {len(steps)} steps: {dict(fates)}")
    assert set(fates) <= {
        "refused, nothing sent",
        "refused, sent once",
        "acknowledged, sent once",
        "acknowledged, unclear",
    }


def traced(*options):
    return [str(peers.find("strace")), "-f", "-qq", *options]


def steps_of_a_life(launch, primary, folder):
    """(call, n) of each write and sync between the moment the gateway listens and the end of one message.

    The first run is the map.
    """
    trace = folder / "trace"
    gateway = launch(prefix=traced("-o", str(trace), "-e", f"trace={','.join(CALLS)}"))
    time.sleep(0.5)
    before = counts(trace)
    mark = gateway.send()
    wait_until(lambda: primary.copies[mark, TO], 10, gateway.report)
    time.sleep(2.5)  # the checkpoint that follows when nothing is asked for
    after = counts(trace)
    gateway.kill()
    return [(call, n) for call in CALLS for n in range(most(before, call) + 1, most(after, call) + 1)]


def counts(trace):
    """How often each thread made each call."""
    return Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.MULTILINE))


def most(seen, call):
    """strace counts for each thread; the writer thread is the one that writes most."""
    return max((count for (_, name), count in seen.items() if name == call), default=0)


def fate(launch, primary, backup, call, n):
    """What became of one message when the gateway was killed at that step, and started again."""
    gateway = launch(
        prefix=traced("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}"),
        running=False,
    )
    acknowledged, mark = False, f"{call}-{n}-{random.randrange(10**9)}"
    try:
        gateway.start()
        gateway.send(mark=mark)
        acknowledged = True
    except (OSError, AssertionError, Exception):
        acknowledged = False
    end = time.monotonic() + 4
    while gateway.process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    gateway.kill()
    gateway.prefix = []
    gateway.start()
    return describe(gateway, mark, acknowledged, primary, backup)


def describe(gateway, mark, acknowledged, primary, backup):
    end = time.monotonic() + 5
    unclear = False
    while not total(primary, backup)[mark, TO] and time.monotonic() < end:
        known = gateway.log()
        if mark not in known and not acknowledged:
            break
        unclear = mark in known and known[mark]["status"] == "unclear"
        if unclear:
            break
        time.sleep(0.2)
    time.sleep(0.3)
    copies = total(primary, backup)[mark, TO]
    gateway.kill()
    told = "acknowledged" if acknowledged else "refused"
    return f"{told}, " + {0: "unclear" if unclear else "nothing sent", 1: "sent once"}.get(
        copies, f"sent {copies} times"
    )
