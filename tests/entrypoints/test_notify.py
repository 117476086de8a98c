"""What systemd is told."""

import shutil
import socket
import subprocess

import pytest

from tests.gateway import ROOT

UNITS = ROOT / "packaging/systemd"


def test_systemd_hears_ready_then_alive_then_stopping(launch, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(10)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        gateway = launch(environment=environment)
        heard = [ear.recv(100) for _ in range(3)]
        assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        gateway.stop()
        while (said := ear.recv(100)) == b"WATCHDOG=1":
            pass
        assert said == b"STOPPING=1"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_units_are_ones_that_systemd_reads(tmp_path):
    # The program is not installed here, and the rest is what counts.
    text = (UNITS / "secondpost.service").read_text().replace("/opt/secondpost/bin/secondpost", "/bin/true")
    (tmp_path / "secondpost.service").write_text(text)
    shutil.copy(UNITS / "secondpost.socket", tmp_path)
    (tmp_path / "secondpost.service.d").mkdir()
    shutil.copy(UNITS / "credentials.conf", tmp_path / "secondpost.service.d")
    command = ["systemd-analyze", "verify", "--man=no", tmp_path / "secondpost.service", tmp_path / "secondpost.socket"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "secondpost" not in done.stderr, done.stderr
