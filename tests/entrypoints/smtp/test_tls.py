"""The SMTP entrypoint and TLS."""

import contextlib
import gc
import smtplib
import time

import pytest

from secondpost.entrypoints.smtp import Spans
from tests.entrypoints.smtp.rig import CONTENT, ENVELOPE, HOST, SENDER, TO, Raw, wait_until


def test_programs_on_this_machine_are_not_offered_starttls_unless_it_is_asked_for(launch, tls):
    for asked in (False, True):
        rig = launch(tls | {"loopback_starttls": asked})
        with rig.client() as client:
            client.ehlo()
            assert ("starttls" in client.esmtp_features) is asked


def test_starttls(launch, tls, trusting):
    rig = launch(tls)
    with rig.client() as client:
        client.starttls(context=trusting)
        client.ehlo()
        assert "starttls" not in client.esmtp_features
        client.login("shop", "right")
        client.sendmail(SENDER, [TO], CONTENT)
        client.sendmail(SENDER, [TO], CONTENT + b"x\r\n" * 500_000)
    assert [(draft.tls, draft.client) for draft in rig.drafts] == [(True, "shop")] * 2


def test_tls_from_the_first_byte(launch, tls, trusting):
    rig = launch(tls | {"listen": [{"address": f"{HOST}:0", "tls": "implicit"}]})
    with smtplib.SMTP_SSL(HOST, rig.port, context=trusting, timeout=10) as client:
        client.sendmail(SENDER, [TO], CONTENT)
    assert rig.drafts[0].tls


def test_tls_from_the_first_byte_begins_only_where_there_is_a_place(launch, tls, trusting):
    settings = tls | {"listen": [{"address": f"{HOST}:0", "tls": "implicit"}], "max_sessions": 2}
    rig = launch(settings, spans=Spans(handshake=0.5))
    silent = [Raw(rig) for _ in range(3)]
    assert [raw.reply() for raw in reversed(silent)] == [b""] * 3
    for raw in silent:
        raw.close()
    with contextlib.suppress(OSError), Raw(rig) as raw:
        raw.sock.sendall(b"EHLO x\r\n" * 10)
        raw.reply()
    for _ in range(5):
        with smtplib.SMTP_SSL(HOST, rig.port, context=trusting, timeout=10) as client:
            client.sendmail(SENDER, [TO], CONTENT)
        wait_until(lambda: rig.listener._places._taken == 0)


def test_s04_what_was_sent_before_tls_is_never_obeyed(launch, tls, trusting):
    rig = launch(tls)
    with Raw(rig) as raw:
        raw.reply()
        assert raw.say(b"EHLO x\r\n", b"STARTTLS\r\nRSET\r\n") == [b"250", b"503"]
        assert raw.reply() == b""
    with Raw(rig) as raw:
        raw.reply()
        assert raw.say(*ENVELOPE[:3], b"STARTTLS\r\n") == [b"250", b"250", b"250", b"220"]
        with trusting.wrap_socket(raw.sock, server_hostname=HOST) as secure:
            secure.sendall(b"DATA\r\n")
            assert secure.recv(99)[:3] == b"503"


def test_a_handshake_that_never_ends_is_ended(launch, tls):
    rig = launch(tls, spans=Spans(handshake=0.3))
    with Raw(rig) as raw:
        raw.reply()
        raw.say(b"EHLO x\r\n", b"STARTTLS\r\n")
        assert raw.reply() == b""
    wait_until(lambda: not rig.listener._sessions)


def test_a_handshake_that_is_nonsense_is_ended(launch, tls):
    rig = launch(tls)
    with Raw(rig) as raw:
        raw.reply()
        raw.say(b"EHLO x\r\n", b"STARTTLS\r\n")
        raw.sock.sendall(b"MAIL FROM:<a@example.com>\r\n" * 100)
        with contextlib.suppress(OSError):
            while raw.sock.recv(9999):
                pass
    wait_until(lambda: not rig.listener._sessions)
    rig.send()


@pytest.mark.filterwarnings("ignore:unclosed transport <asyncio._SSLProtocolTransport:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the same; it is asyncio's to close
def test_a_client_that_leaves_at_starttls_harms_nobody(launch, tls):
    rig = launch(tls)
    for pause in (0, 0, 0, 0, 0.001, 0.01, 0.02):
        raw = Raw(rig)
        raw.reply()
        raw.sock.sendall(b"EHLO x\r\nSTARTTLS\r\n")
        time.sleep(pause)
        raw.reset()
    wait_until(lambda: not rig.listener._sessions)
    rig.send()
    rig.stop()
    gc.collect()
