"""Interop: clients and servers that we did not write.

Each is skipped only where it is not installed, and never in CI.
"""

import asyncio
import os
import re
import smtplib
import subprocess
import tempfile
from contextlib import contextmanager

import aiosmtplib
import pytest
from aiosmtpd.controller import Controller

from tests import mail_libraries, peers
from tests.gateway import message, new_mark
from tests.provider import HOST, free_port, wait_until

TO = ("anna@example.com", "bert@example.com")


@pytest.fixture
def eml(tmp_path):
    """A message in a file, with the mark that it is found by."""
    mark = new_mark()
    path = tmp_path / "message.eml"
    path.write_bytes(message(mark, "Hello\r\n.a dot\r\n"))
    return mark, path


def arrives(primary, mark, to=TO, body=b"Hello\r\n.a dot\r\n"):
    wait_until(lambda: all(primary.copies[mark, address] for address in to), 10, lambda: primary.copies)
    (copy,) = (copy for copy in primary.mail if copy.mark == mark)
    assert copy.data.partition(b"\r\n\r\n")[2] == body
    assert primary.copies == {(mark, address): 1 for address in to}


def test_smtplib(gateway, primary, eml):
    mark, path = eml
    with smtplib.SMTP(HOST, gateway.port) as client:
        client.sendmail("shop@example.com", TO, path.read_bytes())
    arrives(primary, mark)


def test_aiosmtplib(gateway, primary, eml):
    mark, path = eml
    asyncio.run(
        aiosmtplib.send(
            path.read_bytes(), sender="shop@example.com", recipients=list(TO), hostname=HOST, port=gateway.port
        )
    )
    arrives(primary, mark)


def test_swaks(gateway, primary, eml):
    peers.requires("swaks")
    mark, path = eml
    done = peers.run(
        "swaks",
        "--server",
        f"{HOST}:{gateway.port}",
        "--from",
        "shop@example.com",
        "--to",
        ",".join(TO),
        "--data",
        f"@{path}",
    )
    assert done.returncode == 0, done.stdout
    wait_until(lambda: primary.copies[mark, TO[1]], 10)
    assert primary.copies == {(mark, address): 1 for address in TO}


def test_swaks_pipelining(gateway, primary, eml):
    peers.requires("swaks")
    mark, path = eml
    done = peers.run(
        "swaks",
        "--server",
        f"{HOST}:{gateway.port}",
        "--pipeline",
        "--to",
        TO[0],
        "--from",
        "s@example.com",
        "--data",
        f"@{path}",
    )
    assert done.returncode == 0, done.stdout
    wait_until(lambda: primary.copies[mark, TO[0]], 10)


def test_curl(gateway, primary, eml):
    peers.requires("curl")
    mark, path = eml
    recipients = [word for address in TO for word in ("--mail-rcpt", address)]
    done = peers.run(
        "curl",
        "--silent",
        "--show-error",
        f"smtp://{HOST}:{gateway.port}",
        "--mail-from",
        "shop@example.com",
        *recipients,
        "-T",
        path,
    )
    assert done.returncode == 0, done.stderr
    arrives(primary, mark)


def test_msmtp(gateway, primary, eml):
    peers.requires("msmtp")
    mark, path = eml
    data = path.read_bytes().replace(b"\r\n", b"\n")
    done = peers.run("msmtp", f"--host={HOST}", f"--port={gateway.port}", "--from=shop@example.com", *TO, stdin=data)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: primary.copies[mark, TO[1]], 10)
    assert primary.copies == {(mark, address): 1 for address in TO}


@pytest.mark.parametrize("library", mail_libraries.LIBRARIES)
def test_a_mail_library_of_another_language(stage, library):
    mark = new_mark()
    mail_libraries.send(library, "smtp", stage.gateway.port, mark)
    mail_libraries.arrived_once(stage.primary, mark)


@pytest.mark.timeout(120)
def test_postfix_relays_through_us(gateway, primary, eml):
    mark, path = eml
    with peers.Postfix(relay_to=gateway.port) as postfix:
        with smtplib.SMTP(HOST, postfix.port) as client:
            client.sendmail("shop@example.com", TO, path.read_bytes())
        arrives(primary, mark)


@pytest.mark.timeout(120)
def test_postfix_is_our_provider(launch, backup, eml):
    """Our dialogue with a real server, which hands the mail on to one that counts."""
    mark, path = eml
    with peers.Postfix(relay_to=backup.port) as postfix:
        connection = backup.connection(timeouts={"connect": 5, "command": 10, "data_reply": 30}) | {
            "port": postfix.port
        }
        gateway = launch(primary=connection, backup=None)
        with smtplib.SMTP(HOST, gateway.port) as client:
            client.sendmail("shop@example.com", TO, path.read_bytes())
        arrives(backup, mark)
        wait_until(lambda: gateway.log()[mark]["status"] == "accepted", 10, gateway.report)


def test_aiosmtpd_is_our_provider(launch, eml):
    _, path = eml
    taken = []

    class Taker:
        async def handle_DATA(self, server, session, envelope):  # noqa: N802  (aiosmtpd's name)
            taken.append(envelope)
            return "250 OK"

    controller = Controller(Taker(), hostname=HOST, port=free_port())
    controller.start()
    try:
        gateway = launch(
            primary={"mailer": "smtp", "host": HOST, "port": controller.port, "encryption": "none"}, backup=None
        )
        with smtplib.SMTP(HOST, gateway.port) as client:
            client.sendmail("shop@example.com", TO, path.read_bytes())
        wait_until(lambda: taken, 10, gateway.report)
        assert taken[0].rcpt_tos == list(TO)
        assert taken[0].content.endswith(b"Hello\r\n.a dot\r\n")
    finally:
        controller.stop()


def test_smtp_source_to_smtp_sink_with_a_thousand_messages(launch, backup):
    peers.requires("smtp-source", "smtp-sink")
    with sink() as (port, counted):
        gateway = launch(primary={"mailer": "smtp", "host": HOST, "port": port, "encryption": "none"}, backup=backup)
        done = peers.run(
            "smtp-source",
            "-c",
            "-s",
            "10",
            "-m",
            "1000",
            "-f",
            "s@example.com",
            "-t",
            "r@example.com",
            f"{HOST}:{gateway.port}",
            seconds=60,
        )
        assert done.returncode == 0, done.stderr
        wait_until(lambda: counted() == 1000, 60, lambda: f"{counted()}\n{gateway.output()}")
        assert backup.mail == []


@pytest.mark.parametrize(
    "options",
    [
        ["-r", "."],
        ["-r", "rcpt"],
        ["-q", "rcpt"],
        ["-q", "data"],
        ["-Q", "."],
        ["-Q", "data"],
        ["-f", "connect"],
        ["-A", "0"],
    ],
)
def test_a_failing_smtp_sink_falls_back(launch, backup, options):
    """F5, F10, F11, F12 as Postfix's own test server plays them."""
    peers.requires("smtp-sink")
    with sink(*options) as (port, _):
        gateway = launch(primary=sink_at(port), backup=backup)
        mark = gateway.send()
        if options[0] == "-A":  # "550 …" without a reason: a refusal, whoever is meant
            wait_until(lambda: gateway.state(mark) in {"rejected", "accepted"}, 10)
        else:
            wait_until(lambda: backup.copies[mark, TO[0]], 10, gateway.report)


def test_f03_smtp_sink_that_leaves_after_the_dot_is_a_doubt(launch, backup):
    peers.requires("smtp-sink")
    with sink("-q", ".") as (port, _):
        gateway = launch(primary=sink_at(port), backup=backup)
        mark = gateway.send()
        gateway.becomes(mark, "unclear")
        assert backup.mail == []


def sink_at(port):
    timeouts = {"connect": 1, "command": 2, "data_reply": 5}
    return {"mailer": "smtp", "host": HOST, "port": port, "encryption": "none", "timeouts": timeouts}


@contextmanager
def sink(*options: str):
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with tempfile.TemporaryFile() as counters:
        command = [str(peers.find("smtp-sink")), "-c", *user, *options, f"{HOST}:{port}", "200"]
        process = subprocess.Popen(command, stdout=counters, stderr=subprocess.DEVNULL)

        def counted() -> int:
            tail = os.pread(counters.fileno(), 200, max(0, os.fstat(counters.fileno()).st_size - 200))
            found = re.findall(rb"mesg=(\d+)", tail)
            return int(found[-1]) if found else 0

        try:
            peers.wait_for_port(port, 5)
            yield port, counted
        finally:
            process.terminate()
            process.wait()
