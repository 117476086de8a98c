"""F16: a stop drains what is under way, a freeze is survived, and what was not finished is there at the next start."""

import os
import signal
import time

from tests.provider import before, duplicates, normally, silence, total, wait_until

TO = "anna@example.com"
PATIENT = {"command": 30, "data_reply": 30}


def test_f16_sigterm_lets_what_is_under_way_finish(launch, primary, backup):
    gateway = launch(primary=primary.connection(timeouts=PATIENT))
    primary.on("dot", before(normally, seconds=1))
    marks = gateway.send_many(10)
    wait_until(lambda: primary.commands["DATA"] >= 1, 5)
    assert gateway.stop() == 0
    primary.heal()
    gateway.start()
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 10, gateway.report)
    assert set(total(primary, backup).values()) == {1}
    assert all(gateway.state(mark) == "accepted" for mark in marks[:3])


def test_f16_sigterm_under_load_loses_and_doubles_nothing(launch, primary, backup):
    gateway = launch(primary=primary.connection(timeouts=PATIENT))
    primary.on("dot", before(normally, seconds=0.05))
    marks = []
    for _ in range(5):
        marks += gateway.send_many(60, sessions=4)
        assert gateway.stop() == 0
        gateway.start()
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 20, gateway.report)
    assert duplicates(total(primary, backup)) == {}
    assert all(delivery == "accepted" for delivery in gateway.states(marks[-1]).values())


def test_f16_a_stop_does_not_wait_for_ever_for_a_silent_provider(launch, primary, backup):
    gateway = launch(primary=primary.connection(timeouts={"data_reply": 600}))
    primary.on("taken", silence)
    mark = gateway.send()
    wait_until(lambda: primary.mail, 5)
    start = time.monotonic()
    gateway.stop(60)
    assert time.monotonic() - start < 45
    gateway.start()
    gateway.becomes(mark, "unclear")
    assert total(primary, backup)[mark, TO] == 1


def test_f16_a_client_in_the_middle_of_a_message_at_the_stop_is_told_or_served(launch, primary, backup):
    gateway = launch()
    client = gateway.client()
    client.ehlo()
    client.mail("shop@example.com")
    client.rcpt(TO)
    client.docmd("DATA")
    gateway.process.terminate()
    time.sleep(0.3)
    try:
        client.send(b"X-Test-Id: late\r\n\r\nx\r\n.\r\n")
        code, _ = client.getreply()
    except OSError:
        code = 0
    client.close()
    gateway.process.wait(20)
    gateway.start()
    time.sleep(1)
    assert total(primary, backup)["late", TO] == (1 if code == 250 else 0)


def test_f16_frozen_for_five_seconds_while_sending(launch, primary, backup):
    gateway = launch(primary=primary.connection(timeouts=PATIENT))
    primary.on("dot", before(normally, seconds=0.5))
    marks = gateway.send_many(20, sessions=2)
    gateway.signal(signal.SIGSTOP)
    time.sleep(5)
    gateway.signal(signal.SIGCONT)
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in marks), 20, gateway.report)
    time.sleep(1)
    assert set(total(primary, backup).values()) == {1}
    assert gateway.send()


def test_ctrl_c_is_a_stop(launch, primary):
    gateway = launch()
    gateway.send()
    os.kill(gateway.process.pid, signal.SIGINT)
    assert gateway.process.wait(15) in {0, 130, -signal.SIGINT}
