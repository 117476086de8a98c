"""Acceptance by HTTP: how many messages a second the gateway's API takes, beside Postfix taking the same by SMTP."""

import asyncio
import json
import subprocess
import sys
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

from bench.gateway import Gateway
from bench.load import Sink
from bench.postfix import Postfix
from bench.report import Section, median, progress, rate, times

SESSIONS = 10
MESSAGES = 3000
ROUNDS = 3
TEXT = "x" * 63 + "\r\n"
BODY = TEXT * 16  # 1 KiB

Turn = Callable[[StreamReader, StreamWriter], Awaitable[None]]


def measure(*, quick: bool) -> Section:
    found: dict[str, list[tuple[float, float, float]]] = {"http": [], "smtp": []}
    messages = MESSAGES // (5 if quick else 1)
    for number in range(1 if quick else ROUNDS):
        with Sink() as sink, Gateway(primary=sink.port) as gateway:
            found["http"].append(asyncio.run(_run(gateway.http_port, _by_http(_key(gateway)), None, messages)))
        with Sink() as sink, Postfix(primary=sink.port) as postfix:
            found["smtp"].append(asyncio.run(_run(postfix.port, _by_smtp, _greet, messages)))
        ours, theirs = found["http"][-1], found["smtp"][-1]
        progress(f"http: round {number + 1}, HTTP {rate(ours[0])}/s, Postfix by SMTP {rate(theirs[0])}/s")
    medians = {name: [median(run[at] for run in runs) for at in range(3)] for name, runs in found.items()}
    return Section(
        title="Acceptance by HTTP",
        text=f"{SESSIONS} kept sessions, each sending its next message of 1 KiB when the last was accepted, which both "
        "say after an fsync; the mail is relayed meanwhile. Milliseconds from a message's first byte to its answer.",
        columns=["", "Secondpost by HTTP", "Postfix by SMTP", "ratio"],
        rows=[_row(label, at, medians) for at, label in enumerate(("messages a second", "p50 ms", "p99 ms"))],
    )


def _row(label: str, at: int, medians: dict[str, list[float]]) -> list[str]:
    ours, theirs = medians["http"][at], medians["smtp"][at]
    if at == 0:
        return [label, rate(ours), rate(theirs), times(ours, theirs)]
    return [label, f"{ours:.2f}", f"{theirs:.2f}", times(theirs, ours)]


def _key(gateway: Gateway) -> str:
    """A key of the running gateway, made as a person makes one."""
    command = [sys.executable, "-m", "secondpost", "keys", "add", "bench", "--json"]
    command += ["--config", str(gateway.scratch / "secondpost.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=gateway.scratch)
    return str(json.loads(done.stdout)["key"])


async def _run(port: int, turn: Turn, first: Turn | None, messages: int) -> tuple[float, float, float]:
    """Messages a second, and the median and 99th percentile of the waits in milliseconds."""
    waits: list[float] = []
    left = iter(range(messages))

    async def session() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if first is not None:
            await first(reader, writer)
        for _ in left:
            begun = time.monotonic()
            await turn(reader, writer)
            waits.append(1000 * (time.monotonic() - begun))
        writer.close()

    start = time.monotonic()
    await asyncio.gather(*(session() for _ in range(SESSIONS)))
    seconds = time.monotonic() - start
    waits.sort()
    return messages / seconds, waits[len(waits) // 2], waits[len(waits) * 99 // 100]


def _by_http(key: str) -> Turn:
    message = {"from": "sender@bench.example", "to": "recipient@bench.example", "subject": "bench", "text": BODY}
    body = json.dumps(message).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}"
    request = head.encode() + b"\r\n\r\n" + body

    async def turn(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        _must(answer, b"HTTP/1.1 202")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))

    return turn


async def _greet(reader: StreamReader, writer: StreamWriter) -> None:
    _must(await reader.readline(), b"220")
    writer.write(b"HELO bench.example\r\n")
    _must(await reader.readline(), b"250")


async def _by_smtp(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"MAIL FROM:<sender@bench.example>\r\nRCPT TO:<recipient@bench.example>\r\nDATA\r\n")
    for code in (b"250", b"250", b"354"):
        _must(await reader.readline(), code)
    head = "From: sender@bench.example\r\nTo: recipient@bench.example\r\nSubject: bench\r\n\r\n"
    writer.write((head + BODY + ".\r\n").encode())
    _must(await reader.readline(), b"250")


def _must(answer: bytes, begin: bytes) -> None:
    if not answer.startswith(begin):
        raise RuntimeError(f"not accepted: {answer[:200]!r}")
