"""Programs by other people, which prove that we speak the protocol and not just our own idea of it.

Rule: where one is missing the test is skipped, and says so; with CI=true that is a failure, since nobody reads skips
there.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.provider import free_port

# Where Debian keeps the programs of administrators and git's own, which a user's PATH leaves out.
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/git-core"


def find(program: str) -> str | None:
    return shutil.which(program, path=PATH)


def requires(*programs: str) -> None:
    """Programs, or files of libraries by their whole path."""
    if missing := [program for program in programs if not (find(program) or Path(program).is_file())]:
        lacking(f"{', '.join(missing)} not installed (./dev setup installs it where it can)")


def requires_root() -> None:
    if os.geteuid() != 0:
        lacking("needs root")


def lacking(reason: str) -> None:
    """Ends the test: skipped here, failed in CI."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"in CI nothing may be skipped: {reason}")
    pytest.skip(reason)


def run(
    program: str, *arguments: object, stdin: bytes = b"", seconds: float = 30, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run to the end. The caller looks at the exit code."""
    command = [find(program) or program, *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=seconds, check=False, cwd=cwd)


@contextmanager
def running(program: str, *arguments: object) -> Iterator["subprocess.Popen[bytes]"]:
    """A program and its children, which end with the block."""
    command = [find(program) or program, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
myhostname = postfix.test.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{relay_to}
smtp_tls_security_level = none
maillog_file_prefixes = {folder}
maillog_file = {folder}/log
"""


class Postfix:
    """A private Postfix: `with Postfix(relay_to=PORT) as postfix:` listens on `postfix.port`."""

    def __init__(self, *, relay_to: int) -> None:
        self.port, self.relay_to = free_port(), relay_to

    def __enter__(self) -> "Postfix":
        requires("postfix")
        requires_root()
        self.folder = Path(tempfile.mkdtemp(prefix="test-postfix-"))
        self.folder.chmod(0o755)  # its daemons run as the user `postfix`
        for name, owner in (("etc", "root"), ("queue", "root"), ("data", "postfix")):
            (self.folder / name).mkdir()
            shutil.chown(self.folder / name, owner)
        (self.folder / "etc/main.cf").write_text(MAIN.format(folder=self.folder, relay_to=self.relay_to))
        (self.folder / "etc/master.cf").write_text(MASTER.format(port=self.port))
        command = [str(find("postfix")), "-c", str(self.folder / "etc"), "start-fg"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for_port(self.port, 20)
        return self

    def __exit__(self, *_: object) -> None:
        started = psutil.Process(self._process.pid)
        for process in (*started.children(recursive=True), started):  # the script passes no signals on
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_for_port(port: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
