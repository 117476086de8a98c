"""F15, F17: kill -9 between "not accepted" and the commit that comes too late. What was refused is never sent.

strace makes every sync of the database take longer than clients are kept waiting. What the process has written by then
is in the page cache, and so in the store at the next start.
"""

import signal
import smtplib

import pytest

from tests import peers
from tests.crash.test_it_is_killed_at_every_step import traced
from tests.provider import total, wait_until

TO = "anna@example.com"
HANGING = ("-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=60000000")


def test_f15_killed_before_it_could_undo_what_it_refused_it_does_not_send_it(launch, primary, backup):
    peers.requires("strace")
    gateway = launch()
    first = gateway.send()
    gateway.becomes(first, "accepted", 60)  # from now on a commit's pages are written before it syncs
    with traced(gateway, *HANGING):
        with pytest.raises(smtplib.SMTPResponseException) as refused, gateway.client(60) as client:
            gateway.send(mark="refused", client=client)
        gateway.signal(signal.SIGKILL)
    gateway.kill()
    assert refused.value.smtp_code == 452
    assert b"Nothing was stored" in refused.value.smtp_error
    gateway.start()
    assert gateway.log()["refused"]["status"] == "cancelled"
    again = gateway.send()
    wait_until(lambda: primary.copies[again, TO], 60, gateway.report)
    assert total(primary, backup)["refused", TO] == 0
