"""A changed configuration is taken up while the gateway runs: whole or not at all, and nobody is interrupted."""

import logging
import smtplib
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from secondpost.config import load
from secondpost.core.priority import Priority
from secondpost.reload import Reload
from tests.gateway import toml
from tests.provider import HOST, Provider, free_port
from tests.service.test_housekeeping import until
from tests.test_app import configured, in_thread, running, submit


def change(config, **settings):
    """What stands in the file from now on, beside what the gateway was started with."""
    given = {
        "data_dir": str(config.data_dir),
        "smtp": {"listen": [str(config.smtp.listen[0])], "hostname": "gateway.example"},
        "http": {"listen": str(config.http.listen)},
    } | settings
    with Path(config.file).open("w") as file:
        file.writelines(f"{key} = {toml(value)}\n" for key, value in given.items())


def reload(gateway) -> Reload:
    return Reload(
        gateway.config, gateway.core, gateway.smtp, lambda: load(file=gateway.config.data_dir.parent / FILE, environ={})
    )


FILE = "secondpost.toml"


@pytest.fixture(autouse=True)
def level():
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


async def test_mail_goes_by_the_new_connection_also_in_a_session_that_was_open_before(tmp_path):
    config = configured(tmp_path)
    with Provider() as provider:
        async with running(config) as gateway:
            client = await in_thread(smtplib.SMTP, HOST, gateway.smtp.ports[0], "client.example", 5)
            change(config, primary="new", connections={"new": provider.connection()})
            await reload(gateway)()
            await in_thread(client.sendmail, "shop@example.com", ["a@example.net"], b"Subject: hello\r\n\r\nbody\r\n")
            await until(lambda: len(provider.mail) == 1, 5)
            await in_thread(client.quit)


async def test_what_waits_for_a_connection_that_is_gone_goes_the_new_way(tmp_path):
    with Provider() as old, Provider() as new:
        old.refuse()
        config = configured(tmp_path, {"primary": "old", "connections": {"old": old.connection()}})
        async with running(config) as gateway:
            await in_thread(submit, gateway)
            change(config, primary="new", connections={"new": new.connection()})
            await reload(gateway)()
            await until(lambda: len(new.mail) == 1, 10)


async def test_policies_and_the_rest_are_taken_up(tmp_path):
    config = configured(tmp_path)
    async with running(config) as gateway:
        change(
            config, do_not_send=True, non_delivery_reports=False, worker={"concurrency": 3, "per_day": 9},
            log={"content_days": 1, "level": "error"}, priority={"normal": {"expires": "3h"}},
            routes=[{"name": "all", "connection": "inbox", "any": []}],
        )  # fmt: skip
        await reload(gateway)()
        core = gateway.core
        desk = core.operations.connections.desk
        assert desk.policies[Priority.NORMAL].expires == timedelta(hours=3)
        assert (desk.do_not_send, core.worker.concurrency, len(desk.rules)) == (True, 3, 1)
        assert (core.housekeeping.nondelivery.enabled, core.operations.retention.show()["content"]) == (False, 1)
        assert logging.getLogger().level == logging.ERROR
        overall = core.operations.misc.limits
        assert (overall.rates, overall.origin("per_day")) == ({"per_day": 9}, config.file)
        assert core.worker.ways.overall.room(core.worker.now(), 50) == 9


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"nonsense": 1}, "nonsense"),
        ({"primary": "nobody"}, "nobody"),
        ({"routes": [{"name": "r", "connection": "inbox", "any": [
            {"all": [{"property": "subject", "operator": "matches regex", "value": "("}]}]}]}, "regular expression"),
        ({"smtp": {"tls_certificate": "none.pem", "tls_key": "none.pem"}}, "none.pem"),
    ],
)  # fmt: skip
async def test_a_configuration_with_a_fault_changes_nothing_and_is_told(tmp_path, caplog, fault, says):
    config = configured(tmp_path)
    async with running(config) as gateway:
        change(config, do_not_send=True, **fault)
        await reload(gateway)()
        assert "all stays as it was" in caplog.text
        assert says in caplog.text
        assert not gateway.core.operations.connections.desk.do_not_send
        assert [row["name"] for row in gateway.core.operations.connections.show()] == ["inbox"]


async def test_what_only_a_restart_can_change_is_named(tmp_path, caplog):
    config = configured(tmp_path)
    async with running(config) as gateway:
        change(config, http={"listen": f"{HOST}:{free_port()}"}, data_dir=str(tmp_path / "elsewhere"))
        for _ in range(2):
            caplog.clear()
            await reload(gateway)()
            assert "not in force before a restart: data_dir, " in caplog.text
            assert "http.listen" in caplog.text
            assert "smtp.listen" not in caplog.text


def issue(authority, folder) -> dict[str, Any]:
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
    files = {"tls_certificate": str(folder / "certificate.pem"), "tls_key": str(folder / "key.pem")}
    return files | {"loopback_starttls": True}


def serial(port: int, authority) -> str:
    """The number of the certificate that a client sees."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with smtplib.SMTP(HOST, port, "client.example", 5) as client:
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        return str((client.sock.getpeercert() or {})["serialNumber"])


async def test_a_renewed_certificate_is_shown_to_new_clients_and_a_bad_one_is_not(tmp_path):
    authority = trustme.CA()
    config = configured(tmp_path, {"smtp": issue(authority, tmp_path)})
    async with running(config) as gateway:
        port = gateway.smtp.ports[0]
        first = await in_thread(serial, port, authority)
        issue(authority, tmp_path)
        await reload(gateway)()
        second = await in_thread(serial, port, authority)
        assert second != first
        (tmp_path / "certificate.pem").write_text("no certificate")
        await reload(gateway)()
        assert await in_thread(serial, port, authority) == second
