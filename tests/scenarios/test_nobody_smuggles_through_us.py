"""S1, S2: whatever a client calls the end of a message, a strict and a lax provider see exactly what we accepted."""

import itertools
import random
import socket
import time

import pytest

from tests.gateway import Gateway
from tests.provider import HOST, Provider, wait_until

ENDINGS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\r\n.\r\r\n", b"\n\n.\n\n",
]  # fmt: skip
SMUGGLED = (
    b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nX-Test-Id: evil\r\n\r\nboo\r\n.\r\n"
)


def submit(gateway, stream, cuts):
    """One transaction whose content is sent in the given pieces; the answers after DATA's."""
    with socket.create_connection((HOST, gateway.port), 10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        file = sock.makefile("rb")
        file.readline()
        for line in (
            b"EHLO x\r\n",
            b"MAIL FROM:<shop@example.com>\r\n",
            b"RCPT TO:<anna@example.com>\r\n",
            b"DATA\r\n",
        ):
            sock.sendall(line)
            while file.readline()[3:4] == b"-":
                pass
        for start, end in itertools.pairwise([0, *cuts, len(stream)]):
            sock.sendall(stream[start:end])
            time.sleep(0.002)
        sock.sendall(b"QUIT\r\n")
        answers = file.read()
        file.close()
        return answers


@pytest.fixture(scope="module", params=[True, False], ids=["lax", "strict"])
def relay(request, tmp_path_factory):
    """A provider that is lax or strict about the end of a message, and a gateway before it."""
    with Provider(name="receiver", lax=request.param) as receiver:
        with Gateway(tmp_path_factory.mktemp("gateway"), primary=receiver) as gateway:
            yield gateway, receiver
            assert gateway.complaints == [], gateway.output()
        assert receiver.violations == []


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
def test_g12_no_ending_splits_a_message(relay, ending):
    gateway, receiver = relay
    receiver.mail.clear()
    stream = b"X-Test-Id: good\r\nSubject: good\r\n\r\nhello" + ending + SMUGGLED
    start = stream.index(b"hello") + 3
    accepted = 0
    for cuts in (
        [],
        *([cut] for cut in range(start, start + len(ending) + 4)),
        [*range(start, start + len(ending) + 2)],
        sorted(random.sample(range(1, len(stream)), 5)),
    ):
        answers = submit(gateway, stream, cuts)
        finals = [line[:3] for line in answers.splitlines() if line[:3] != b"221"]
        assert len(finals) >= 1, answers
        assert finals[0][:1] in {b"2", b"5"}, answers
        accepted += finals[0] == b"250"
        assert finals.count(b"354") == 0, f"a smuggled DATA was obeyed: {answers}"
    after = gateway.send()
    wait_until(lambda: receiver.copies[after, "anna@example.com"], 10, gateway.report)
    time.sleep(0.2)
    assert "evil" not in receiver.marks
    assert all(copy.recipients == ("anna@example.com",) for copy in receiver.mail)
    assert len(receiver.mail) == accepted + 1


def test_dots_at_the_start_of_lines_arrive_as_they_were_sent(relay):
    gateway, receiver = relay
    receiver.mail.clear()
    body = b".\r\n..\r\n.a\r\n...\r\n\r\n.\r\n x\r\n"
    with gateway.client() as client:
        client.sendmail("shop@example.com", ["anna@example.com"], b"X-Test-Id: dots\r\n\r\n" + body)
    wait_until(lambda: receiver.mail, 5, gateway.report)
    assert receiver.mail[0].data.endswith(b"\r\n\r\n" + body)
