"""The test provider must be right before anything that is proved with it. The client here is the standard library's."""

import contextlib
import smtplib
import socket
import ssl
import time

import pytest

from tests.certificates import Certificates
from tests.provider import (
    HOST,
    Provider,
    after_bytes,
    before,
    drip,
    hang_up,
    normally,
    raw,
    refuse_early,
    reset,
    say,
    silence,
    wait_until,
)

MESSAGE = b"X-Test-Id: one\r\nSubject: hi\r\n\r\nHello\r\n.dot\r\n"
STEPS = ["greeting", "ehlo", "mail", "rcpt", "data", "dot"]


@pytest.fixture
def provider():
    with Provider(name="fake") as provider:
        yield provider


def client(provider, timeout=0.3):
    session = smtplib.SMTP(timeout=timeout, local_hostname="test.example")
    try:
        session.connect(HOST, provider.port)
        session.ehlo_or_helo_if_needed()
    except BaseException:
        session.close()
        raise
    return session


def send(provider, *recipients, timeout=0.3, message=MESSAGE):
    with contextlib.closing(client(provider, timeout)) as session:
        refused = session.sendmail("a@example.com", recipients or ("b@example.com",), message)
        session.quit()
        return refused


def test_it_takes_a_message_and_counts_a_copy_for_each_recipient(provider):
    send(provider, "b@example.com", "c@example.com")
    assert provider.copies == {("one", "b@example.com"): 1, ("one", "c@example.com"): 1}
    assert provider.mail[0].data == MESSAGE
    assert provider.violations == []
    assert provider.sessions == 1
    assert provider.commands["RCPT"] == 2


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("reply", ["421 4.3.2 closing", "451 4.3.0 later", "550 5.7.1 never"])
def test_it_refuses_at_each_step(provider, step, reply):
    provider.on(step, say(reply))
    with pytest.raises((smtplib.SMTPException, OSError)):
        send(provider)
    assert provider.mail == []


@pytest.mark.parametrize("act", [hang_up, reset, silence])
@pytest.mark.parametrize("step", [*STEPS, "body"])
def test_it_goes_away_at_each_step_and_has_taken_nothing(provider, step, act):
    provider.on(step, act)
    with pytest.raises((smtplib.SMTPException, OSError)):
        send(provider)
    assert provider.mail == []


@pytest.mark.parametrize("act", [hang_up, reset, silence, before(hang_up, seconds=0.1)])
def test_a_reply_lost_after_the_dot_is_a_copy_taken(provider, act):
    provider.on("taken", act)
    with pytest.raises((smtplib.SMTPException, OSError)):
        send(provider)
    assert provider.marks == ["one"]


@pytest.mark.parametrize(
    "data",
    [b"250-x\r\n" * 9999 + b"250 x\r\n", b"250 \0\r\n", b"250 " + b"x" * 1_000_000 + b"\r\n", b"250-a\r\n550 b\r\n"],
)
def test_it_can_talk_nonsense(provider, data):
    provider.on("mail", raw(data))
    with socket.create_connection((HOST, provider.port)) as sock:
        sock.sendall(b"EHLO x\r\n")
        wait_until(lambda: b"250 " in sock.recv(9999), 1)
        sock.sendall(b"MAIL FROM:<a@example.com>\r\n")
        heard = b""
        while len(heard) < len(data):
            heard += sock.recv(1 << 20)
    assert heard == data


def test_a_recipient_can_be_refused_alone(provider):
    provider.on("rcpt", say("550 5.1.1 no such user"), only="<bad@")
    assert list(send(provider, "good@example.com", "bad@example.com")) == ["bad@example.com"]
    assert provider.copies == {("one", "good@example.com"): 1}


def test_a_fault_can_happen_the_third_time_only(provider):
    provider.on("mail", say("451 4.3.0 later"), skip=2, times=1)
    for _ in range(2):
        send(provider)
    with pytest.raises(smtplib.SMTPSenderRefused):
        send(provider)
    send(provider)
    assert len(provider.mail) == 3


def test_it_refuses_early_without_reading_the_content(provider):
    provider.on("data", refuse_early("550 5.7.1 no"))
    with pytest.raises((smtplib.SMTPException, OSError)):
        send(provider, message=b"x" * 40_000_000)
    assert provider.mail == []


def test_it_hangs_up_in_the_middle_of_the_content(provider):
    provider.on("body", after_bytes(100_000, reset))
    with pytest.raises((smtplib.SMTPException, OSError)):
        send(provider, message=b"x" * 40_000_000, timeout=5)
    assert provider.mail == []


def test_a_black_hole_drops_connections_until_it_is_healed(provider):
    provider.black_hole()
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        send(provider)
    assert time.monotonic() - start >= 0.3
    provider.heal()
    send(provider, timeout=5)
    assert provider.marks == ["one"]


def test_a_closed_port_refuses_until_it_is_healed(provider):
    for _ in range(3):
        provider.refuse()
        with pytest.raises(ConnectionRefusedError):
            send(provider)
        provider.heal()
        send(provider)
    assert provider.marks == ["one"] * 3


def test_a_slow_answer_to_the_greeting_is_slow(provider):
    provider.on("greeting", before(normally, seconds=0.2), times=1)
    start = time.monotonic()
    send(provider)
    assert time.monotonic() - start > 0.2


def test_a_drip_outlives_a_time_out_that_watches_bytes(provider):
    provider.on("taken", drip(0.05))
    start = time.monotonic()
    send(provider)
    assert time.monotonic() - start > 1


def test_it_asks_for_a_log_in_and_counts_refusals(provider):
    provider.users["u"] = "right"
    with contextlib.closing(client(provider)) as session, pytest.raises(smtplib.SMTPAuthenticationError):
        session.login("u", "wrong")
    with contextlib.closing(client(provider)) as session:
        session.login("u", "right")
        session.sendmail("a@example.com", "b@example.com", MESSAGE)
    with pytest.raises(smtplib.SMTPSenderRefused):
        send(provider)
    assert provider.refused["u"] > 0
    assert provider.marks == ["one"]


@pytest.mark.parametrize("implicit", [False, True])
def test_it_speaks_tls(implicit):
    certificates = Certificates()
    with Provider(tls=certificates.good(), implicit_tls=implicit) as provider:
        with contextlib.closing(tls_client(provider, certificates.trusting())) as session:
            session.sendmail("a@example.com", "b@example.com", MESSAGE)
        assert provider.marks == ["one"]
        assert provider.violations == []


@pytest.mark.parametrize("kind", ["wrong_host", "expired", "self_signed"])
def test_its_bad_certificates_are_bad(kind):
    certificates = Certificates()
    with Provider(tls=getattr(certificates, kind)()) as provider, pytest.raises(ssl.SSLCertVerificationError):
        tls_client(provider, certificates.trusting())


def tls_client(provider, context):
    if provider.implicit_tls:
        return smtplib.SMTP_SSL(HOST, provider.port, context=context, timeout=2)
    session = smtplib.SMTP(HOST, provider.port, timeout=2)
    try:
        session.starttls(context=context)
    except ssl.SSLError:
        session.close()
        raise
    return session


def test_it_notes_what_a_client_does_wrong():
    with Provider(extensions=frozenset()) as provider:
        with socket.create_connection((HOST, provider.port)) as sock:
            for line in (
                b"EHLO x\r\n",
                b"MAIL FROM:<a@x> SIZE=9\r\nRCPT TO:<b@x>\r\n",
                b"DATA\r\n",
                b"a\nb \xff\r\n.\r\n",
                b"NO\nP\r\n",
            ):
                sock.sendall(line)
                time.sleep(0.05)
            sock.sendall(b"QUIT\r\n")
            while sock.recv(9999):
                pass
        assert [violation.partition(": ")[2][:12] for violation in provider.violations] == [
            "talks on aft", "MAIL paramet", "bare CR, LF ", "8-bit conten", "bare CR, LF ", "unknown comm",
        ]  # fmt: skip


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r"])
def test_a_lax_server_is_smuggled_into_and_a_strict_one_is_not(end):
    smuggled = (
        b"Subject: x\r\n\r\nx"
        + end
        + b"MAIL FROM:<evil@x>\r\nRCPT TO:<v@x>\r\nDATA\r\nX-Test-Id: evil\r\n\r\nboo\r\n.\r\n"
    )
    for lax, expected in ((True, 2), (False, 1)):
        with (
            Provider(lax=lax, extensions=frozenset()) as provider,
            socket.create_connection((HOST, provider.port)) as sock,
        ):
            for line in (b"EHLO x\r\n", b"MAIL FROM:<a@x>\r\n", b"RCPT TO:<b@x>\r\n", b"DATA\r\n"):
                sock.sendall(line)
                time.sleep(0.02)
            sock.sendall(smuggled + b"QUIT\r\n")
            while sock.recv(9999):
                pass
            assert len(provider.mail) == expected


def test_it_takes_chunks(provider):
    with contextlib.closing(client(provider)) as session:
        session.mail("a@example.com")
        session.rcpt("b@example.com")
        session.sock.sendall(b"BDAT 16\r\nX-Test-Id: one\r\n")
        assert session.getreply()[0] == 250
        session.sock.sendall(b"BDAT 7 LAST\r\n\r\nhi .\n"[:20])
        assert session.getreply()[0] == 250
    assert provider.mail[0].data == b"X-Test-Id: one\r\n\r\nhi .\n"
