"""How long a message is under way at a steady rate: from when it is due at the client to its end at the provider."""

import asyncio
from collections import defaultdict

from bench.gateway import Gateway
from bench.machine import free_port
from bench.postfix import Postfix
from bench.report import Section, median, progress, times
from bench.stamps import Stamps, pace, stamping

PER_SECOND = 300
SECONDS = 20
ROUNDS = 3
WARM_UP = 100
NEITHER = "no relay"


def measure(*, quick: bool) -> Section:
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number in range(1 if quick else ROUNDS):
        for relay in (Gateway, Postfix, None):
            name = relay.name if relay else NEITHER
            p50, p99 = asyncio.run(_percentiles(relay, 5 if quick else SECONDS))
            found[name].append((p50, p99))
            progress(f"latency: round {number + 1}, {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    medians = {name: [median(several[at] for several in found[name]) for at in (0, 1)] for name in found}
    return Section(
        title="Latency at a steady rate",
        text=f"{PER_SECOND} messages a second for {SECONDS} s over 10 kept sessions, each at its own time; "
        "milliseconds from then until the sink had the whole message. “No relay” is what source and sink take alone.",
        columns=["", "Secondpost", "Postfix", "ratio", NEITHER],
        rows=[_row(label, at, medians) for at, label in enumerate(("p50", "p99"))],
    )


async def _percentiles(relay: type[Gateway] | type[Postfix] | None, seconds: int) -> tuple[float, float]:
    numbers = range(WARM_UP + PER_SECOND * seconds)
    stamps, port = Stamps(len(numbers)), free_port()
    async with stamping(stamps, port):
        if relay is None:
            due = await pace(port, numbers, PER_SECOND)
        else:
            with relay(primary=port) as running:
                due = await pace(running.port, numbers, PER_SECOND)
                await asyncio.wait_for(stamps.complete.wait(), 60)
    waits = sorted(1000 * (stamps[number] - due[number]) for number in numbers[WARM_UP:])
    return waits[len(waits) // 2], waits[len(waits) * 99 // 100]


def _row(label: str, at: int, medians: dict[str, list[float]]) -> list[str]:
    ours, theirs, neither = (medians[name][at] for name in (Gateway.name, Postfix.name, NEITHER))
    return [label, f"{ours:.2f}", f"{theirs:.2f}", times(theirs, ours), f"{neither:.2f}"]
