"""Doors that systemd holds open while the gateway restarts."""

import re
import smtplib
import socket
import subprocess
import sys
import urllib.request

import pytest

from secondpost import config
from tests.gateway import END_WITH_US, ROOT
from tests.provider import HOST, wait_until

FOLDER = ROOT / "packaging/systemd"
HANDED_ON = 'exec 30<&"$1" 31<&"$2" 3<&30 4<&31; export LISTEN_PID=$$ LISTEN_FDS=2; shift 2; exec "$@"'


@pytest.fixture
def start(launch):
    """Start the gateway as systemd does, with two sockets that stay when it ends."""
    gateway = launch(running=False)
    doors = [socket.create_server((HOST, port)) for port in (gateway.port, gateway.http_port)]

    def start():
        numbers = [door.fileno() for door in doors]
        words = ["bash", "-c", HANDED_ON, "bash", *map(str, numbers), sys.executable, "-m", "secondpost", "serve"]
        with (gateway.folder / "output").open("ab") as output:
            gateway.process = subprocess.Popen(
                [*END_WITH_US, *words], pass_fds=numbers, env=gateway.environment, cwd=gateway.folder,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        return gateway

    yield start
    for door in doors:
        door.close()


def test_a_client_that_comes_while_nobody_is_there_waits_and_is_served(start, primary):
    gateway = start()
    marks = [gateway.send()]
    assert gateway.stop() == 0
    with socket.create_connection((HOST, gateway.port)) as early:
        start()
        early.settimeout(20)
        assert early.recv(3) == b"220"
    marks.append(gateway.send())
    wait_until(lambda: all(primary.copies[mark, "anna@example.com"] for mark in marks), 10, gateway.report)
    with urllib.request.urlopen(f"http://{HOST}:{gateway.http_port}/healthz", timeout=10) as answer:
        assert answer.status == 200


def test_sockets_for_another_process_are_left_alone(launch):
    gateway = launch(environment={"LISTEN_PID": "1", "LISTEN_FDS": "2"})
    with smtplib.SMTP(HOST, gateway.port) as client:
        assert client.noop()[0] == 250


def test_the_socket_unit_has_the_addresses_that_are_built_in():
    built_in = config.load(environ={"SECONDPOST_CONFIG": "/dev/null"})
    listens = re.findall(r"^ListenStream=(.+)$", (FOLDER / "secondpost.socket").read_text(), re.MULTILINE)
    assert listens == [*map(str, built_in.smtp.listen), str(built_in.http.listen)]


def test_the_settings_that_read_credentials_are_there(tmp_path):
    text = (FOLDER / "credentials.conf").read_text().replace("%d", str(tmp_path))
    environ = dict(re.findall(r"^Environment=(\w+)=(.+)$", text, re.MULTILINE))
    for name in re.findall(r"^LoadCredential=(\w+):", text, re.MULTILINE):
        (tmp_path / name).write_text(f"smtp://u:secret@{name}.example.com:587\n")
    found = config.load(environ=environ | {"SECONDPOST_CONFIG": "/dev/null"})
    assert [
        found.connections[found.primary].settings["host"],
        found.connections[found.backup or ""].settings["host"],
    ] == [
        "primary.example.com",
        "backup.example.com",
    ]
