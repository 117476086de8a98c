"""F15: kill -9 about the moment at which a refusal is written down. Its sender is told of it, and once."""

import contextlib
import smtplib
import subprocess
from collections import Counter

import pytest

from tests import peers
from tests.crash.test_it_is_killed_at_every_step import traced
from tests.provider import say, wait_until

TO, SENDER = "anna@example.com", "shop@example.com"


@pytest.mark.parametrize("sync", [3, 4, 5])
def test_f15_killed_at_a_commit_about_a_refusal_it_reports_it_once(launch, primary, backup, sync):
    peers.requires("strace")
    primary.on("rcpt", say("550 5.1.1 No such user"), only=TO)
    gateway = launch()
    taken, kill = False, f"inject=fdatasync:signal=KILL:when={sync}"
    with traced(gateway, "-o", "/dev/null", "-e", "trace=fdatasync", "-e", kill):
        with contextlib.suppress(OSError, smtplib.SMTPException):
            taken = bool(gateway.send(mark="refused"))
        with contextlib.suppress(subprocess.TimeoutExpired):
            gateway.process.wait(3)
    gateway.kill()
    gateway.start()
    wait_until(lambda: not OPEN & statuses(gateway).keys(), 60, gateway.report)
    assert "refused" in gateway.log() or not taken  # a sync of something else may have come before it
    known = statuses(gateway)["rejected"]  # else it is a doubt: the kill took the answer along
    assert len(reports(primary, backup)) == known


OPEN = {"waiting", "leased", "sending"}


def statuses(gateway):
    return Counter(row["status"] for row in gateway.log().values())


def reports(*providers):
    return [copy for provider in providers for copy in provider.mail if copy.recipients == (SENDER,)]
