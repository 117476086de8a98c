"""The HTTP port tells whether the gateway is alive and ready, and its metrics."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from secondpost.core.connection import Connection
from secondpost.core.priority import DEFAULTS
from secondpost.entrypoints import http_protocol
from secondpost.entrypoints.http import HttpListener, Late, Pages
from secondpost.entrypoints.metrics import Metrics
from secondpost.errors import ConfigError, StoreUnavailable
from secondpost.mailers.capture import Capture
from secondpost.service.line import Line
from secondpost.service.submit import utc_now
from secondpost.service.worker import Worker
from secondpost.store.memory import MemoryStore


@pytest.fixture
async def worker():
    store = MemoryStore()
    await store.open()
    worker = Worker(
        name="worker-1", store=store, policies=dict(DEFAULTS), now=utc_now, chance=lambda: 0.0,
        on_change=lambda line, outcome: None, tell_sender=lambda lease, ended: None,
    )  # fmt: skip
    connection = Connection(name="inbox", mailer="capture")
    worker.ways.lines["inbox"] = Line(connection, Capture(connection))
    worker.outcomes["inbox", "accepted", "", "no"] = 7
    yield worker
    await store.close()


@pytest.fixture
async def port(worker):
    """The real port, listening."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listener = HttpListener(Pages(worker.store, Metrics(worker.store, worker)).app(), "127.0.0.1", port)
    await listener.start()
    yield port
    await listener.stop()


@pytest.fixture
def get(port):
    """Fetch a path: (status, text)."""

    async def fetch(path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, await answer.text()

    return fetch


async def test_alive(get):
    assert await get("/healthz") == (200, "alive\n")


@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nA: ", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /"])
async def test_a_header_that_never_ends_does_not_hold_a_connection(port, begin, monkeypatch):
    monkeypatch.setattr(http_protocol, "PATIENCE", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begin)
    await asyncio.wait_for(reader.read(), 30)  # the end
    writer.close()


TRAILER = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: "


@pytest.mark.parametrize("begin", ["GET /", "GET / HTTP/1.1\r\nA: ", TRAILER], ids=["path", "header", "trailer"])
async def test_what_has_no_end_is_cut_off(port, get, begin):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begin.encode())
    sent = 0
    with suppress(ConnectionError):
        while not reader.at_eof() and sent < 10_000_000:
            writer.write(b"x" * 10_000)
            await writer.drain()
            await asyncio.sleep(0)
            sent += 10_000
    assert sent < 1_000_000
    writer.close()
    assert await get("/healthz") == (200, "alive\n")


async def test_ready_when_a_message_could_be_stored_now(get):
    assert await get("/readyz") == (200, '{"ready":true}')


async def test_not_ready_when_the_store_cannot_write(get, worker, monkeypatch):
    async def full() -> None:
        raise StoreUnavailable("The disk is full. Nothing was written; free some space.")

    monkeypatch.setattr(worker.store, "ready", full)
    status, text = await get("/readyz")
    assert status == 503
    assert "disk is full" in text


async def test_metrics_tell_outcomes_and_breakers(get):
    _, page = await get("/metrics")
    assert 'secondpost_outcomes_total{backup="no",connection="inbox",fault="",outcome="accepted"} 7.0' in page
    assert 'secondpost_breaker_state{connection="inbox",state="closed"} 1.0' in page


async def test_a_port_in_use_is_told_with_what_to_do(worker):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listener = HttpListener(Pages(worker.store, Metrics(worker.store, worker)).app(), *taken.getsockname())
        with pytest.raises(ConfigError, match=r"cannot be used.*http.* listen"):
            await listener.start()


async def test_metrics_are_there_when_the_store_is_not(get, worker, monkeypatch):
    async def broken() -> None:
        raise StoreUnavailable("The disk failed. Nothing was written.")

    monkeypatch.setattr(worker.store, "depth", broken)
    worker.ledger.suspended = True
    status, page = await get("/metrics")
    assert status == 200
    assert "secondpost_suspended 1.0" in page
    assert 'secondpost_breaker_state{connection="inbox",state="closed"} 1.0' in page


async def test_what_could_not_be_loaded_is_loaded_when_it_is_asked_for_again():
    answers: Iterator[Any] = iter([OSError("Too many open files"), "the web admin"])

    def make() -> Any:
        if isinstance(found := next(answers), OSError):
            raise found
        return found

    late = Late(make)
    with pytest.raises(OSError, match="open files"):
        await late.load()
    loaded: list[Any] = [await late.load(), await late.load()]
    assert loaded == ["the web admin"] * 2
