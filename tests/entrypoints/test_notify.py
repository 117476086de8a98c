"""What systemd is told."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.gateway import ROOT

UNIT = ROOT / "packaging/systemd/secondpost.service"


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
def test_the_unit_is_one_that_systemd_reads(tmp_path):
    # The program is not installed here, and the rest is what counts.
    text = UNIT.read_text().replace("/opt/secondpost/bin/secondpost", "/bin/true")
    (tmp_path / "secondpost.service").write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(Path(tmp_path) / "secondpost.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "secondpost.service" not in done.stderr, done.stderr
