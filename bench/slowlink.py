"""A provider far away: what 20 sessions carry over a long link, by our client, Postfix's, and Python's usual ones."""

import asyncio
import smtplib
import threading
import time
from collections.abc import Callable

import aiosmtplib

from bench.delay import long_link
from bench.gateway import Gateway
from bench.load import Load, Sink, drive
from bench.postfix import Postfix
from bench.report import Section, progress, rate, times
from bench.stamps import MESSAGE

ONE_WAY = (15.0, 25.0)  # milliseconds
SESSIONS = 20  # also Postfix's default for one destination
SENDER, RECIPIENT = "sender@bench.example", "recipient@bench.example"
CONTENT = MESSAGE.format(number=1)


def measure(*, quick: bool) -> Section:
    seconds = 3.0 if quick else 10.0
    rows = []
    for delay in ONE_WAY:
        with Sink() as sink, long_link(sink.port, delay) as port:
            found = {name: client(sink, port, seconds) for name, client in CLIENTS.items()}
        for name, value in found.items():
            progress(f"slowlink: {2 * delay:.0f} ms round trip, {name}: {rate(value)}/s")
        ours = found[Gateway.name]
        rows += [
            [f"{2 * delay:.0f} ms", name, rate(value), f"{value / SESSIONS:.1f}", times(ours, value)]
            for name, value in found.items()
        ]
    return Section(
        title="A provider far away",
        text=f"{SESSIONS} sessions to a sink behind a link with a delay and no other limit. Secondpost and Postfix "
        "relay from their queues; smtplib and aiosmtplib send by themselves, message after message on each session.",
        columns=["round trip", "client", "messages/s", "for each session", "Secondpost is"],
        rows=rows,
    )


def _relayed(relay: type[Gateway] | type[Postfix]) -> Callable[[Sink, int, float], float]:
    def rate_of(sink: Sink, port: int, seconds: float) -> float:
        running = Gateway(primary=port, concurrency=SESSIONS) if relay is Gateway else Postfix(primary=port)
        with running:
            drive(running, sink, Load(messages=5 * SESSIONS))  # sessions opened
            run = drive(running, sink, Load(messages=int(150 * seconds)), deliver_within=6 * seconds)
            return run.delivered_per_second

    return rate_of


def _counted(sink: Sink, seconds: float) -> float:
    """What the sink gets in the time, after a second of warming up."""
    time.sleep(1)
    before, start = sink.count(), time.monotonic()
    time.sleep(seconds)
    return (sink.count() - before) / (time.monotonic() - start)


def _smtplib(sink: Sink, port: int, seconds: float) -> float:
    over = threading.Event()

    def work() -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="bench.example") as session:
            while not over.is_set():
                session.sendmail(SENDER, [RECIPIENT], CONTENT)

    threads = [threading.Thread(target=work) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    found = _counted(sink, seconds)
    over.set()
    for thread in threads:
        thread.join()
    return found


def _aiosmtplib(sink: Sink, port: int, seconds: float) -> float:
    async def work(over: asyncio.Event) -> None:
        async with aiosmtplib.SMTP(
            hostname="127.0.0.1", port=port, local_hostname="bench.example", start_tls=False
        ) as session:
            while not over.is_set():
                await session.sendmail(SENDER, [RECIPIENT], CONTENT)

    async def work_together() -> float:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(SESSIONS):
                group.create_task(work(over))
            found = await asyncio.to_thread(_counted, sink, seconds)
            over.set()
        return found

    return asyncio.run(work_together())


CLIENTS: dict[str, Callable[[Sink, int, float], float]] = {
    Gateway.name: _relayed(Gateway),
    Postfix.name: _relayed(Postfix),
    "smtplib": _smtplib,
    "aiosmtplib": _aiosmtplib,
}
