"""Submitted: a real gateway takes the message, once, however often it has to be asked."""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any, Self

import pytest

import secondpost
from secondpost import blocking
from tests.gateway import Gateway, relaying
from tests.provider import HOST, free_port, wait_until

PARTS: Any = {"to": "anna@example.net", "text": "Hello!", "from_email": "shop@example.com"}


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    with relaying(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(relay):
    return relay[0]


@pytest.fixture(scope="module")
def taking(relay):
    return relay[1]


@pytest.fixture(scope="module")
def key(gateway):
    return gateway.ask("keys_add", name="app", scopes=["send", "read", "choose"])[1]["key"]


def doors(gateway: Gateway, key: str) -> dict[str, dict[str, Any]]:
    return {
        "http": {"url": f"http://{HOST}:{gateway.http_port}", "key": key},
        "smtp": {"url": f"smtp://{HOST}:{gateway.port}"},
    }


@pytest.fixture(params=["http", "smtp"])
async def post(request, gateway, key):
    async with secondpost.open(**doors(gateway, key)[request.param]) as opened:
        yield opened


class Thief:
    """Forwards sessions, and steals the answer to the first `most` of them once it has seen `mark` go by."""

    def __init__(self, port: int, mark: bytes, *, most: int) -> None:
        self.port, self._to, self._mark, self._most = free_port(), port, mark, most
        self.stolen = 0

    def __enter__(self) -> Self:
        self._server = socket.create_server((HOST, self.port))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                there = socket.create_connection((HOST, self._to))
                seen = threading.Event()
                threading.Thread(target=self._pump, args=(client, there, seen, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(there, client, seen, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, seen: threading.Event, answers: bool) -> None:
        with suppress(OSError), source, target:
            window = b""
            while data := source.recv(65536):
                if answers and seen.is_set() and self.stolen < self._most:
                    self.stolen += 1
                    break
                window = (window + data)[-200:]
                if not answers and self._mark in window:
                    seen.set()
                target.sendall(data)
            for end in (source, target):
                end.shutdown(socket.SHUT_RDWR)


async def test_the_gateway_takes_it_and_goes_on(post, gateway, taking):
    result = await post.send(
        **PARTS, subject="Füße", priority="urgent", tags=["order", "Größe"], metadata={"order": "42 =?utf-8?q?x?="},
        html="<p>Hi", attachments=[("a.txt", b"x")],
    )  # fmt: skip
    assert (result.state, result.check()) == ("queued", result)
    _, shown = gateway.ask("log_show", id=result.id)
    assert (shown["subject"], shown["priority"], shown["tag"]) == ("Füße", "urgent", "order, Größe")
    assert '"order": "42 =?utf-8?q?x?="' in shown["notes"]
    wait_until(lambda: any(b"Hello!" in copy.data for copy in taking.mail), 10)
    assert not any(b"Secondpost-" in copy.data for copy in taking.mail)


async def test_a_key_is_one_message_for_every_process_that_asks(gateway, key):
    for name, door in doors(gateway, key).items():
        parts = PARTS | {"subject": name, "html": "<p>Hi", "key": f"order-42-{name}"}
        ids = set()
        for _ in range(2):
            async with secondpost.open(**door) as post:
                ids.add((await post.send(**parts)).id)
                if name == "http":
                    with pytest.raises(secondpost.IdempotencyConflict):
                        await post.send(**parts | {"text": "Other"})
                else:
                    with pytest.raises(secondpost.Refusal, match="used before with other content"):
                        await post.send(**parts | {"text": "Other"})
        assert len(ids) == 1


@pytest.mark.parametrize("name", ["http", "smtp"])
async def test_when_the_answer_is_lost_it_asks_again_and_there_is_one_message(gateway, key, name):
    door = doors(gateway, key)[name]
    subject = f"lost {name}"
    with Thief(gateway.http_port if name == "http" else gateway.port, b"the end of it", most=2) as thief:
        door["url"] = f"{name}://{HOST}:{thief.port}"
        async with secondpost.open(**door) as post:
            result = await post.send(**PARTS | {"text": "the end of it"}, subject=subject)
        assert (result.state, thief.stolen) == ("queued", 2)
    rows, _ = gateway.ask("log_export", subject=f'"{subject}"')
    assert [row["id"] for row in rows] == [result.id]


@pytest.mark.parametrize("name", ["http", "smtp"])
async def test_when_no_answer_ever_comes_it_is_unclear(gateway, key, name):
    door = doors(gateway, key)[name]
    with Thief(gateway.http_port if name == "http" else gateway.port, b"the end of it", most=1000) as thief:
        door["url"] = f"{name}://{HOST}:{thief.port}"
        async with secondpost.open(**door, timeout=1.0) as post:
            result = await post.send(**PARTS | {"text": "the end of it"}, subject="never")
    assert (result.state, result.check()) == ("unclear", result)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}", "smtp://127.0.0.1:{}"])
async def test_a_gateway_that_is_not_there_is_told_and_surely_has_nothing(url):
    door = {"url": url.format(free_port())} | ({"key": "sp_x"} if url.startswith("http") else {})
    async with secondpost.open(**door) as post:
        result = await post.send(**PARTS, timeout=0.5)
    assert result.state == "deferred"
    with pytest.raises(secondpost.NotAccepted, match=r"anna@example\.net"):
        result.check()


async def test_it_waits_for_a_gateway_that_is_being_restarted(tmp_path, taking):
    gateway = Gateway(tmp_path, primary=taking)
    async with secondpost.open(url=f"smtp://{HOST}:{gateway.port}") as post:
        sending = asyncio.create_task(post.send(**PARTS, subject="patient"))
        await asyncio.sleep(0.2)
        with gateway:
            assert (await sending).queued


async def test_the_gateway_chooses_the_connection_that_it_is_asked_for(post, gateway):
    result = await post.send(**PARTS, connection="primary")
    assert "names the connection primary" in gateway.ask("log_show", id=result.id)[1]["notes"]
    with pytest.raises(secondpost.Refusal, match="There is no connection 'tertiary'"):
        await post.send(**PARTS, connection="tertiary")


async def test_what_the_gateway_refuses_is_told_by_field_and_not_tried_again(gateway, key):
    for wrong, words in (("sp_wrong", "does not know this key"), (key, "not UTF-8|address|no such")):
        with blocking.open(url=f"http://{HOST}:{gateway.http_port}", key=wrong) as post:
            if wrong == key:
                many = [f"{number}@example.net" for number in range(1001)]
                with pytest.raises(secondpost.Malformed, match="more than 1000 recipients"):
                    await asyncio.to_thread(post.send, **PARTS | {"to": many})
            else:
                with pytest.raises(secondpost.Refusal, match=words):
                    await asyncio.to_thread(post.send, **PARTS)


async def test_what_became_of_it_can_be_asked(gateway, key, taking):
    async with secondpost.open(**doors(gateway, key)["http"]) as post:
        result = await post.send(**PARTS, subject="asked")
        async with asyncio.timeout(10):
            while not (later := await post.find(result.id)) or not later.accepted:
                await asyncio.sleep(0.05)
        assert (later.connection, [attempt.connection for attempt in later.attempts]) == ("primary", ["primary"])
        assert await post.find("0000000000001") is None
    async with secondpost.open(url=f"http://{HOST}:{free_port()}", key="sp_x") as post:
        with pytest.raises(secondpost.SecondpostError, match="cannot be asked now"):
            await post.find(result.id)
    async with secondpost.open(**doors(gateway, key)["smtp"]) as post:
        with pytest.raises(secondpost.SecondpostError, match="By SMTP nobody can be asked"):
            await post.find(result.id)


async def test_international_addresses_arrive_as_they_are(post, gateway):
    result = await post.send(**PARTS | {"to": "jürgen@example.net"})
    assert gateway.ask("log_show", id=result.id)[1]["to"] == ["jürgen@example.net"]


async def test_a_message_to_very_many_with_long_addresses_is_taken(gateway, key):
    many = [f"{'u' * 60}@{number:03d}{'.example' * 22}.net" for number in range(700)]
    async with secondpost.open(**doors(gateway, key)["http"]) as post:
        assert (await post.send(**PARTS, bcc=many)).queued


async def test_too_much_metadata_is_refused_before_anything_is_sent(post):
    with pytest.raises(secondpost.Malformed, match="900 characters"):
        await post.send(**PARTS, metadata={str(number): "x" * 100 for number in range(10)})


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"url": "http://127.0.0.1:1"}, "wants a key"), ({"url": "ftp://x", "key": "k"}, "begins with http"),
     ({"url": "http://mail.example.com", "key": "k"}, "unencrypted"), ({"url": "smtp://a", "key": "k"}, "log-in"),
     ({"url": "http://127.0.0.1:1/v1", "key": "k"}, "address alone"), ({"key": "k"}, "give its url"),
     ({"url": "http://127.0.0.1:1", "primary": "smtp://a"}, "nothing beside"), ({"url": "smtp://[", }, "DSN|host")],
)  # fmt: skip
async def test_a_wrong_gateway_is_told_when_it_is_opened(settings, words):
    with pytest.raises(secondpost.ConfigError, match=words):
        secondpost.open(**settings)
