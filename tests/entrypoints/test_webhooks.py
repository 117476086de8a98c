"""The address of webhooks: bounded, told apart by status, and 200 only when it is on disk."""

import asyncio
import io
import socket

import aiohttp
import pytest
from starlette.applications import Starlette

from secondpost.entrypoints import webhooks
from secondpost.entrypoints.http import HttpListener
from secondpost.errors import HookRefused, HookUnproven, StoreUnavailable
from secondpost.service.feedback import NoSuchHook


class Feedback:
    """Remembers what it was given, and answers as told."""

    def __init__(self):
        self.hooks = []
        self.error = None

    async def addressed(self, name, token):
        if token != "s3cret":
            raise NoSuchHook("There is no webhook at this address.")

    async def take(self, name, token, hook):
        self.hooks.append((name, token, hook))
        if self.error:
            raise self.error
        return 2


@pytest.fixture
def feedback():
    return Feedback()


@pytest.fixture
async def port(feedback):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listener = HttpListener(Starlette(routes=[webhooks.route(feedback)]), "127.0.0.1", port)
    await listener.start()
    yield port
    await listener.stop()


@pytest.fixture
def ask(port):
    """One request to the real port: (status, text)."""

    async def ask(method="POST", path="/webhooks/main/s3cret", **more):
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, f"http://127.0.0.1:{port}{path}", **more) as it,
        ):
            return it.status, await it.text()

    return ask


async def test_what_was_written_down_is_acknowledged(ask, feedback):
    assert await ask(data=b"{}", headers={"X-Signature": "abc"}) == (200, '{"events":2}')
    ((name, token, hook),) = feedback.hooks
    assert (name, token, hook.body, hook.headers["x-signature"]) == ("main", "s3cret", b"{}", "abc")


async def test_one_provider_tells_by_get(ask, feedback):
    assert (await ask("GET", "/webhooks/main/s3cret?status=Sent&to=a%40b.example"))[0] == 200
    assert feedback.hooks[0][2].query == {"status": "Sent", "to": "a@b.example"}


@pytest.mark.parametrize(
    ("error", "status"),
    [(NoSuchHook("There is no webhook at this address."), 404), (HookRefused("The signature is wrong."), 403),
     (StoreUnavailable("The disk is full."), 503), (HookUnproven("No certificate."), 503)],
)  # fmt: skip
async def test_every_refusal_has_its_status(ask, feedback, error, status):
    feedback.error = error
    assert (await ask(data=b"{}"))[0] == status


async def test_what_is_too_large_is_not_read_to_its_end(ask, feedback):
    assert (await ask(data=io.BytesIO(b"x" * (webhooks.LARGEST + 1))))[0] == 413
    assert feedback.hooks == []


async def test_what_drips_is_given_up(ask, feedback, monkeypatch):
    monkeypatch.setattr(webhooks, "SECONDS", 0.1)

    async def drip():
        yield b"{"
        await asyncio.sleep(0.5)
        yield b"}"

    assert (await ask(data=drip()))[0] == 408
    assert feedback.hooks == []


async def test_only_get_and_post_are_known(ask):
    assert (await ask("DELETE"))[0] == 405
    assert (await ask(path="/webhooks/main"))[0] == 404


async def test_a_stranger_s_body_is_not_waited_for(port, feedback):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /webhooks/main/guess HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    assert (await asyncio.wait_for(reader.readline(), 5)).split()[1] == b"404"
    writer.close()
    assert feedback.hooks == []
