"""Clients hang up, ask twice, and talk nonsense. What was not answered may or may not be ours; what was answered is."""

import random
import socket
import struct
import time

import pytest

from tests.gateway import message, new_mark
from tests.provider import HOST, total, wait_until

TO = "anna@example.com"


def dialogue(gateway, *lines, hang_up=None):
    """Say these lines one after the other, waiting for each answer; all answers.

    `hang_up`: leave after the last, without waiting.
    """
    heard = []
    with socket.create_connection((HOST, gateway.port), 10) as sock:
        file = sock.makefile("rb")
        heard.append(reply(file))
        for number, line in enumerate(lines):
            sock.sendall(line)
            if hang_up and number == len(lines) - 1:
                if hang_up == "rst":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                file.close()
                return heard
            heard.append(reply(file))
        file.close()
    return heard


def reply(file):
    """The last line of a reply; b'' when the gateway has hung up."""
    while (line := file.readline()) and line[3:4] == b"-":
        pass
    return line


ENVELOPE = (b"EHLO x\r\n", b"MAIL FROM:<shop@example.com>\r\n", b"RCPT TO:<anna@example.com>\r\n", b"DATA\r\n")


def test_f47_a_client_that_repeats_itself_with_a_key_is_understood(launch, primary, backup):
    gateway = launch()
    mark = new_mark()
    for _ in range(3):
        gateway.send(mark=mark, Secondpost_Idempotency_Key="order-17")
    wait_until(lambda: primary.copies[mark, TO], 5, gateway.report)
    time.sleep(0.5)
    assert total(primary, backup) == {(mark, TO): 1}
    assert b"idempotency" not in primary.mail[0].data.lower()


def test_f47_a_key_with_other_content_is_refused(launch, primary, backup):
    gateway = launch()
    first = gateway.send(Secondpost_Idempotency_Key="order-17")
    with pytest.raises(Exception, match="550"):
        gateway.send(Secondpost_Idempotency_Key="order-17")
    wait_until(lambda: primary.copies[first, TO], 5, gateway.report)
    time.sleep(0.3)
    assert len(primary.mail) == 1


def test_f47_a_key_survives_a_kill(launch, primary, backup):
    gateway = launch()
    mark = gateway.send(Secondpost_Idempotency_Key="order-17")
    gateway.restart()
    gateway.send(mark=mark, Secondpost_Idempotency_Key="order-17")
    wait_until(lambda: total(primary, backup)[mark, TO], 5, gateway.report)
    time.sleep(1)
    assert total(primary, backup) == {(mark, TO): 1}


def test_f47_a_lost_250_and_a_retry_make_one_message(launch, primary, backup):
    gateway = launch()
    marks = []
    for number in range(20):
        marks.append(mark := new_mark())
        data = message(mark, headers={"Secondpost-Idempotency-Key": f"key-{number}"})
        dialogue(gateway, *ENVELOPE, data + b".\r\n", hang_up="rst")
        gateway.send(mark=mark, Secondpost_Idempotency_Key=f"key-{number}")
    wait_until(lambda: len(total(primary, backup)) == 20, 10, gateway.report)
    time.sleep(0.5)
    assert total(primary, backup) == {(mark, TO): 1 for mark in marks}


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_f48_a_client_that_leaves_after_the_dot_leaves_a_whole_message_or_none(launch, primary, backup, how):
    gateway = launch()
    marks = [new_mark() for _ in range(50)]
    for mark in marks:
        dialogue(
            gateway, *ENVELOPE, message(mark, "line\r\n" * random.choice([1, 1000, 50_000])) + b".\r\n", hang_up=how
        )
    last = gateway.send()
    wait_until(lambda: primary.copies[last, TO], 10, gateway.report)
    time.sleep(1)
    assert all(count == 1 for count in total(primary, backup).values())
    for copy in primary.mail:
        assert copy.data.endswith((b"line\r\n", b"Hello\r\n"))
    assert set(gateway.log()) == set(primary.marks), "what is in the log is delivered, and the rest is not there at all"


def test_f48_a_client_that_leaves_before_the_dot_leaves_nothing(launch, primary, backup):
    gateway = launch()
    for lines in range(1, 6):
        dialogue(gateway, *[*ENVELOPE, message(new_mark())][:lines], hang_up="fin")
    time.sleep(1)
    assert gateway.log() == {}
    assert primary.mail == []


def test_a_client_that_pipelines_everything_gets_an_answer_to_each(launch, primary, backup):
    gateway = launch()
    marks = [new_mark() for _ in range(20)]
    with socket.create_connection((HOST, gateway.port), 10) as sock:
        file = sock.makefile("rb")
        reply(file)
        sock.sendall(b"EHLO x\r\n")
        assert reply(file)[:3] == b"250"
        for mark in marks:
            sock.sendall(b"MAIL FROM:<shop@example.com>\r\nRCPT TO:<anna@example.com>\r\nDATA\r\n")
            assert [reply(file)[:3] for _ in range(3)] == [b"250", b"250", b"354"]
            sock.sendall(message(mark) + b".\r\n")
            assert reply(file)[:3] == b"250"
        file.close()
    wait_until(lambda: total(primary, backup) == {(mark, TO): 1 for mark in marks}, 10, gateway.report)


def test_s09_a_client_that_drips_keeps_nobody_else_waiting(launch, primary, backup):
    gateway = launch()
    drippers = [socket.create_connection((HOST, gateway.port), 10) for _ in range(40)]
    for number, sock in enumerate(drippers):
        sock.sendall(b"EHLO x\r\nMAIL FROM:<shop@example.com>\r\nRCPT"[: 1 + number])
    start = time.monotonic()
    mark = gateway.send()
    assert time.monotonic() - start < 1
    wait_until(lambda: primary.copies[mark, TO], 5, gateway.report)
    for sock in drippers:
        sock.close()


def test_s11_a_browser_is_not_a_mail_client(launch, primary, backup):
    gateway = launch()
    with socket.create_connection((HOST, gateway.port), 10) as sock:
        body = (
            b"EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<anna@example.com>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"
        )
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n" + body)
        heard = b""
        while block := sock.recv(9999):
            heard += block
    assert b"354" not in heard
    assert gateway.log() == {}
