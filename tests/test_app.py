"""The gateway put together: it starts, takes mail in, recovers what a dead one held, loses nothing when it stops."""

import asyncio
import errno
import os
import signal
import smtplib
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from secondpost import app, assembly
from secondpost.app import Gateway, offline
from secondpost.assembly import Core, build
from secondpost.config import Config, load
from secondpost.core import message as rfc5322
from secondpost.core.priority import Priority
from secondpost.errors import ConfigError, SecondpostError, StoreInUse, StoreUnavailable
from secondpost.service.connections import KIND
from secondpost.service.ids import new_id
from secondpost.service.submit import Draft, utc_now
from secondpost.store.base import Start
from secondpost.store.sqlite import SqliteStore
from tests.gateway import merged, toml
from tests.provider import HOST, Provider, free_port, say
from tests.service.test_housekeeping import until

HELLO = b"From: shop@example.com\r\nSubject: hello\r\n\r\nbody\r\n"


@pytest.fixture(autouse=True)
def umask():
    """What the gateway sets for its process is set back."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def configured(folder: Path, settings: dict[str, Any] | None = None) -> Config:
    """A configuration with its data in `folder`, SMTP and HTTP on free ports."""
    given = merged(
        {
            "data_dir": str(folder / "data"),
            "smtp": {"listen": [f"{HOST}:{free_port()}"], "hostname": "gateway.example"},
            "http": {"listen": f"{HOST}:{free_port()}"},
        },
        settings or {},
    )
    file = folder / "secondpost.toml"
    file.write_text("".join(f"{key} = {toml(value)}\n" for key, value in given.items()))
    return load(file=file, environ={})


@asynccontextmanager
async def running(config: Config, grace: float = 5.0) -> AsyncIterator[Gateway]:
    gateway = Gateway(config)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop(grace)


def submit(gateway: Gateway, *to: str, content: bytes = HELLO, sender: str = "shop@example.com") -> None:
    """By SMTP, as a program on this machine does. Blocks."""
    with smtplib.SMTP(HOST, gateway.smtp.ports[0], local_hostname="client.example", timeout=5) as client:
        client.sendmail(sender, to or ("a@example.net",), content)


async def in_thread(work, *arguments, **named):
    return await asyncio.to_thread(work, *arguments, **named)


async def log(gateway: Gateway) -> list[dict[str, Any]]:
    found = await gateway.core.operations.log_list()
    return list(found["rows"])


async def becomes(gateway: Gateway, status: str, seconds: float = 5.0) -> dict[str, Any]:
    """The newest message of the log, once it has this status."""
    async with asyncio.timeout(seconds):
        while not (rows := await log(gateway)) or rows[0]["status"] != status:
            await asyncio.sleep(0.01)
    return rows[0]


def draft(**given: Any) -> Draft:
    fields: dict[str, Any] = {"sender": "shop@example.com", "recipients": ("a@example.net",), "content": HELLO} | given
    return Draft(id=new_id(), trusted=True, **fields)


def point(dead: Core, one: Draft) -> Start:
    """What the dead gateway has written down of an attempt: it may have sent the message."""
    return Start(
        attempt=1, message=one.id, worker=dead.worker.name, fence=1, numbers=(0,), connection="inbox", now=utc_now()
    )  # fmt: skip


# Taking mail in, and out ----------------------------------------------------------------------------------------------


async def test_with_no_connection_configured_mail_is_kept_in_the_inbox(tmp_path):
    async with running(configured(tmp_path)) as gateway:
        await in_thread(submit, gateway)
        row = await becomes(gateway, "accepted")
        assert (row["connection"], row["subject"]) == ("inbox", "hello")


async def test_what_mail_does_not_need_cannot_end_the_gateway(tmp_path, monkeypatch, caplog):
    def no_file_left(_):
        raise OSError(errno.EMFILE, "Too many open files")

    async def full(_):
        raise StoreUnavailable("The disk is full. Nothing was written.")

    monkeypatch.setattr(app, "_invite", full)
    monkeypatch.setattr(Gateway, "_web", no_file_left)
    monkeypatch.setattr(app, "_spare_the_collector", lambda: None)
    config = configured(tmp_path)
    serving = asyncio.create_task(app._serve(config, lambda: config))
    await until(lambda: "could not be loaded" in caplog.text or serving.done(), 20)
    assert "nobody was invited" in caplog.text
    assert await asyncio.to_thread(greeting, config) == b"220"
    os.kill(os.getpid(), signal.SIGTERM)
    await serving


def greeting(config: Config) -> bytes:
    with socket.create_connection((HOST, config.smtp.listen[0].port), 5) as client:
        return client.recv(3)


async def test_the_web_port_tells_that_it_is_ready_and_counts(tmp_path):
    config = configured(tmp_path)
    async with running(config) as gateway, aiohttp.ClientSession(f"http://{config.http.listen}") as http:
        await in_thread(submit, gateway)
        await becomes(gateway, "accepted")
        async with http.get("/readyz") as answer:
            assert (answer.status, await answer.json()) == (200, {"ready": True})
        async with http.get("/metrics") as answer:
            assert 'outcome="accepted"} 1.0' in await answer.text()


async def test_metrics_can_have_a_port_of_their_own_and_are_nowhere_else_then(tmp_path):
    own = f"{HOST}:{free_port()}"
    config = configured(tmp_path, {"http": {"metrics": own}})
    async with running(config), aiohttp.ClientSession() as http:
        for door, statuses in ((own, (200, 404)), (config.http.listen, (404, 200))):
            for path, status in zip(("/metrics", "/healthz"), statuses, strict=True):
                async with http.get(f"http://{door}{path}") as answer:
                    assert (answer.status, door, path) == (status, door, path)


async def test_a_provider_that_is_down_costs_nothing_but_the_way(tmp_path):
    with Provider() as primary, Provider() as backup:
        primary.refuse()
        connections = {"one": primary.connection(), "two": backup.connection()}
        config = configured(tmp_path, {"primary": "one", "backup": "two", "connections": connections})
        async with running(config) as gateway:
            for _ in range(4):
                await in_thread(submit, gateway)
            await until(lambda: len(backup.mail) == 4, 5)
            assert gateway.core.operations.connections.show()[0]["state"] != "closed"
        async with running(config) as gateway:  # what is known of a connection survives a restart
            assert gateway.core.operations.connections.show()[0]["state"] != "closed"


async def test_a_suppressed_address_gets_no_mail_after_a_restart_either(tmp_path):
    config = configured(tmp_path)
    async with offline(config) as operations:
        await operations.suppressions_add(["anna@example.org"], "spam")
    async with running(config) as gateway:
        await gateway.core.operations.send(sender="s@example.com", to=["Anna@example.org"], subject="hi", text="hi")
        assert (await becomes(gateway, "cancelled"))["to"] == ["Anna@example.org"]


async def test_a_credential_signs_in_and_is_held_to_its_limit(tmp_path):
    async with running(configured(tmp_path)) as gateway:
        made = await gateway.core.operations.credentials_add("shop", ["@example.com"], per_hour=1)

        def twice():
            with smtplib.SMTP(HOST, gateway.smtp.ports[0], timeout=5) as client:
                client.login("shop", made["secret"])
                client.sendmail("shop@example.com", ["a@example.net"], HELLO)
                with pytest.raises(smtplib.SMTPDataError) as caught:
                    client.sendmail("shop@example.com", ["a@example.net"], HELLO)
                return caught.value

        refusal = await in_thread(twice)
        assert refusal.smtp_code == 451
        assert b"4.7.1" in refusal.smtp_error
        assert len(await log(gateway)) == 1


# Starting -------------------------------------------------------------------------------------------------------------


async def test_what_a_dead_gateway_held_is_delivered_and_what_it_was_sending_is_a_doubt(tmp_path):
    config = configured(tmp_path)
    dead = build(config)
    await dead.store.open()  # it has no connections: what it accepts for itself stays leased
    held, sending = draft(), draft()
    for one in (held, sending):
        submission = dead.operations.submit.prepare(one)
        submission.worker, submission.route = dead.worker.name, ("inbox",)
        await dead.store.accept(submission)
    assert await dead.store.start(point(dead, sending))
    await dead.store.close()

    async with running(config) as gateway:
        meant = {rfc5322.id_text(held.id): "accepted", rfc5322.id_text(sending.id): "unclear"}
        async with asyncio.timeout(5):
            while {row["id"]: row["status"] for row in await log(gateway)} != meant:
                await asyncio.sleep(0.01)
        (event,) = await gateway.core.store.events(limit=5)
        assert "a worker died" in event["text"]


async def test_what_expired_while_nobody_worked_is_not_sent_but_told_to_its_sender(tmp_path):
    config = configured(tmp_path)
    before = build(config)
    await before.store.open()
    old = draft(entrypoint="smtp", priority=Priority.URGENT)
    submission = before.operations.submit.prepare(old)
    submission.route = ("inbox",)
    submission.accepted -= timedelta(hours=2)
    submission.expires -= timedelta(hours=2)
    await before.store.accept(submission)
    await before.store.close()
    async with running(config) as gateway:
        report = await becomes(gateway, "accepted")
        assert report["subject"] == "Not delivered to a@example.net"
        assert {row["subject"]: row["status"] for row in await log(gateway)}["hello"] == "expired"


async def test_a_second_daemon_on_the_same_data_does_not_start_and_harms_nothing(tmp_path):
    config = configured(tmp_path)
    async with running(config) as gateway:
        with pytest.raises(StoreInUse):
            await Gateway(config).start()
        with pytest.raises(StoreInUse):
            async with offline(config):
                pass
        assert gateway.control.path.exists()
        await in_thread(submit, gateway)
        await becomes(gateway, "accepted")


@pytest.mark.parametrize("door", ["smtp", "http"])
async def test_a_port_in_use_is_told_and_everything_is_let_go(tmp_path, door):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        address = f"{HOST}:{taken.getsockname()[1]}"
        config = configured(tmp_path, {door: {"listen": address}})
        with pytest.raises(ConfigError, match=address.replace(".", r"\.")):
            await Gateway(config).start()
    async with running(config) as gateway:
        await in_thread(submit, gateway)


async def test_a_data_folder_too_deep_for_the_control_socket_is_told_and_everything_is_let_go(tmp_path):
    config = configured(tmp_path, {"data_dir": str(tmp_path / ("x" * 100))})
    with pytest.raises(ConfigError, match="about 100 characters"):
        await Gateway(config).start()
    with socket.socket() as free:
        free.bind((HOST, config.smtp.listen[0].port))
    async with offline(config) as operations:
        assert (await operations.queue())["waiting"] == 0


async def test_a_kept_connection_that_cannot_be_read_stops_the_start_and_the_store_is_let_go(tmp_path):
    config = configured(tmp_path)
    async with offline(config):
        pass
    store = SqliteStore(config.data_dir)
    await store.open()
    await store.put(KIND, "broken", {"mailer": "nothing"})
    await store.close()
    for _ in range(2):
        with pytest.raises(ConfigError, match="nothing"):
            await Gateway(config).start()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"database": "postgresql://user@host/base"}, "PostgreSQL"),
        ({"routes": [{"name": "Bad", "connection": "inbox", "any": [{"all": [
            {"property": "subject", "operator": "matches_regex", "value": "("}]}]}]}, "regular expression"),
    ],
)  # fmt: skip
def test_what_this_version_cannot_do_is_told_before_anything_is_opened(tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words):
        build(configured(tmp_path, settings))
    assert not (tmp_path / "data").exists()


def test_a_regular_expression_without_the_package_for_it_is_told_before_anything_is_opened(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    condition = {"property": "subject", "operator": "matches_regex", "value": "a+"}
    route = {"name": "Regular", "connection": "inbox", "any": [{"all": [condition]}]}
    with pytest.raises(ConfigError, match=r"pip install .*server"):
        build(configured(tmp_path, {"routes": [route]}))
    plain = {"name": "Plain", "connection": "inbox", "any": [{"all": [condition | {"operator": "contains"}]}]}
    build(configured(tmp_path, {"routes": [plain]}))


async def test_a_regular_expression_in_a_route_ignores_case(tmp_path):
    condition = {"property": "subject", "operator": "matches_regex", "value": "^HEL+O$"}
    routes = [{"name": "Greetings", "block": True, "any": [{"all": [condition]}]}]
    async with running(configured(tmp_path, {"routes": routes})) as gateway:
        await in_thread(submit, gateway)
        assert (await becomes(gateway, "cancelled"))["subject"] == "hello"


# Stopping -------------------------------------------------------------------------------------------------------------


async def test_what_waits_when_it_stops_is_there_when_it_starts_again(tmp_path):
    with Provider() as provider:
        provider.refuse()
        config = configured(tmp_path, {"primary": "one", "connections": {"one": provider.connection()}})
        async with running(config) as gateway:
            await in_thread(submit, gateway)
            await becomes(gateway, "waiting")
        assert not (config.data_dir / "control.sock").exists()
        provider.heal()
        async with running(config) as gateway:
            await becomes(gateway, "accepted")
        assert len(provider.mail) == 1


async def test_a_report_about_the_last_message_is_not_lost_by_a_stop(tmp_path):
    with Provider() as provider:
        provider.on("rcpt", say("550 5.1.1 no such user"), only="nobody@")
        config = configured(tmp_path, {"primary": "one", "connections": {"one": provider.connection()}})
        async with running(config) as gateway:
            await in_thread(submit, gateway, "nobody@example.net")
            await until(gateway.core.worker.outcomes.total)
        async with offline(config) as operations:
            subjects = [row["subject"] for row in (await operations.log_list())["rows"]]
        assert subjects[0] == "Not delivered to nobody@example.net"


async def test_what_the_limits_have_counted_is_written_down_by_a_stop(tmp_path):
    inbox = {"mailer": "capture", "limits": {"per_day": 10}}
    config = configured(tmp_path, {"primary": "one", "connections": {"one": inbox}})
    async with running(config) as gateway:
        for _ in range(3):
            await gateway.core.operations.submit(draft())
    async with running(config) as gateway:
        assert gateway.core.worker.ways.lines["one"].limiter.counts["day"].taken == 3


async def test_results_that_could_not_be_written_down_are_tried_once_more_by_a_stop(tmp_path):
    config = configured(tmp_path)
    async with running(config) as gateway:
        store, record = gateway.core.store, gateway.core.store.record

        def fail(it):
            store.record = record  # type: ignore[method-assign]
            answer = asyncio.get_running_loop().create_future()
            answer.set_exception(StoreUnavailable("The disk is full."))
            return answer

        await gateway.core.housekeeping.stop()  # or its duty would be faster
        store.record = fail  # type: ignore[method-assign]
        await gateway.core.operations.submit(draft())
        await until(lambda: gateway.core.worker.suspended)
    async with offline(config) as operations:
        assert [row["status"] for row in (await operations.log_list())["rows"]] == ["accepted"]


# Without a running gateway --------------------------------------------------------------------------------------------


async def test_operations_work_offline_and_the_gateway_takes_over(tmp_path):
    config = configured(tmp_path)
    async with offline(config) as operations:
        sent = await operations.send(sender="shop@example.com", to=["a@example.net"], subject="hi", text="hi")
        await operations.connections_add("main", mailer="capture")
        await operations.credentials_add("shop")
    async with running(config) as gateway:
        await until(lambda: gateway.core.worker.room.count == 0)
        assert (await becomes(gateway, "accepted"))["id"] == sent["id"]
        assert [row["role"] for row in gateway.core.operations.connections.show()] == ["primary", "additional"]
        assert [row["name"] for row in await gateway.core.operations.credentials_list()] == ["shop"]


async def test_offline_what_a_dead_gateway_held_is_shown_as_it_is_and_can_be_settled(tmp_path):
    config = configured(tmp_path)
    dead = build(config)
    await dead.store.open()
    one = draft()
    submission = dead.operations.submit.prepare(one)
    submission.worker, submission.route = dead.worker.name, ("inbox",)
    await dead.store.accept(submission)
    assert await dead.store.start(point(dead, one))
    await dead.store.close()
    async with offline(config) as operations:
        assert (await operations.queue())["unclear"] == 1
        assert await operations.messages_settle(rfc5322.id_text(one.id), "arrived") == {"settled": 1}


async def test_an_error_offline_lets_the_store_go(tmp_path):
    config = configured(tmp_path)
    with pytest.raises(SecondpostError):
        async with offline(config) as operations:
            await operations.log_show("x")
    async with offline(config) as operations:
        assert (await operations.health())["ok"]


def test_the_boot_is_told_from_the_one_before():
    assert assembly.boot_id() == assembly.boot_id()
