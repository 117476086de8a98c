"""The SMTP entrypoint with real sockets: what is handed in, and what is answered."""

import asyncio
import socket
import subprocess
import threading
import time

import aiosmtplib
import pytest

from secondpost.errors import Refusal, StoreError, StoreUnavailable
from secondpost.service.submit import Draft
from tests import peers
from tests.entrypoints.smtp.rig import CONTENT, ENVELOPE, HOST, SENDER, TO, Raw, wait_until

# ── what is handed in ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_submitted_with_all_that_is_known_of_it(rig):
    with rig.client() as client:
        client.ehlo("client.example")
        client.mail(SENDER, ["RET=HDRS", "BODY=8BITMIME"])
        client.rcpt(TO, ["NOTIFY=NEVER"])
        client.rcpt("bert@example.org")
        code, text = client.data(b"Subject: \xc3\xbc\r\n\r\nx\r\n")
    assert (code, text[:20]) == (250, b"2.0.0 Ok: queued as ")
    (draft,) = rig.drafts
    assert draft == Draft(
        id=draft.id, sender=SENDER, recipients=(TO, "bert@example.org"), content=b"Subject: \xc3\xbc\r\n\r\nx\r\n",
        entrypoint="smtp", peer=HOST, helo="client.example", eight_bit=True, trusted=True,
        dsn={"RET": "HDRS", f"NOTIFY {TO}": "NEVER"},
    )  # fmt: skip


def test_a_mailbox_that_is_named_twice_gets_one_copy(rig):
    with rig.client() as client:
        client.sendmail(SENDER, ["Anna@Example.net", "anna@example.net", "Anna@example.NET"], CONTENT)
    assert rig.drafts[0].recipients == ("Anna@Example.net", "anna@example.net")  # a local part can be anything


def test_smtplib_aiosmtplib_curl_and_swaks_are_served(rig, tmp_path):
    rig.send()
    asyncio.run(aiosmtplib.send(CONTENT, sender=SENDER, recipients=[TO], hostname=HOST, port=rig.port))
    path = tmp_path / "message.eml"
    path.write_bytes(CONTENT)
    for program, *arguments in (
        ("curl", "-sS", f"smtp://{HOST}:{rig.port}", "--mail-from", SENDER, "--mail-rcpt", TO, "-T", path),
        ("swaks", "--server", f"{HOST}:{rig.port}", "--from", SENDER, "--to", TO, "--data", f"@{path}"),
        ("swaks", "--pipeline", "--server", f"{HOST}:{rig.port}", "--from", SENDER, "--to", TO, "--data", f"@{path}"),
    ):
        peers.requires(program)
        subprocess.run([program, *arguments], check=True, capture_output=True, timeout=20)
    assert len(rig.drafts) == 5
    assert {draft.content.partition(b"\r\n\r\n")[2].strip() for draft in rig.drafts} == {b"Hello\r\n.dot"}


def test_a_thousand_messages_over_twenty_sessions(rig):
    def send_fifty() -> None:
        with rig.client() as client:
            for _ in range(50):
                client.sendmail(SENDER, [TO], CONTENT)

    threads = [threading.Thread(target=send_fifty) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({draft.id for draft in rig.drafts}) == 1000


def test_ten_thousand_recipients_a_thousand_are_taken_and_the_rest_told_to_come_later(rig):
    with Raw(rig) as raw:
        raw.reply()
        raw.say(*ENVELOPE[:2])
        lines = b"".join(b"RCPT TO:<r%d@example.org>\r\n" % number for number in range(10_000))
        sender = threading.Thread(target=raw.sock.sendall, args=[lines])
        sender.start()
        codes = [raw.reply()[:3] for _ in range(10_000)]
        sender.join()
        assert codes == [b"250"] * 1000 + [b"452"] * 9000
        assert raw.say(b"DATA\r\n", CONTENT + b".\r\n") == [b"354", b"250"]
    assert len(rig.drafts[0].recipients) == 1000


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (Refusal(554, "5.6.0", "Several From fields"), 554, b"5.6.0 Several From fields"),
        (StoreUnavailable("full"), 452, b"4.3.1 The store is busy or full: try again later. Nothing was stored"),
        (StoreError("The disk failed."), 451, b"4.3.0 The disk failed."),
        (OSError(5, "bug"), 451, b"4.3.0 By a fault of ours it is not known whether the message was stored"),
        (KeyError("bug"), 451, b"4.3.0 By a fault of ours it is not known whether the message was stored"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("when", ["refusal", "failure"])
def test_what_goes_wrong_has_its_code_and_the_session_goes_on(rig, caplog, error, code, text, when):
    setattr(rig, when, error)
    with rig.client() as client:
        for content in (CONTENT, CONTENT + b"x" * 70 + b"\r\n" + b"y\r\n" * 100_000):
            client.ehlo_or_helo_if_needed()
            client.mail(SENDER)
            client.rcpt(TO)
            answer = client.data(content)
            assert answer[0] == code
            assert answer[1].startswith(text)
        setattr(rig, when, None)
        client.sendmail(SENDER, [TO], CONTENT)
    assert len(rig.drafts) == 1
    assert [tail.is_abandoned for tail in rig.tails] == [
        type(error) in (Refusal, StoreUnavailable) or when == "refusal"
    ]


def test_a_large_message_that_was_taken_before_leaves_no_second_body(rig):
    rig.is_known = True
    rig.send(CONTENT + b"x\r\n" * 50_000)
    wait_until(lambda: rig.tails[0].is_abandoned)


def test_f48_a_client_that_leaves_during_the_commit_does_not_stop_it(rig):
    rig.commit = 0.3
    for content in (CONTENT, CONTENT + b"x\r\n" * 50_000):
        for leave in (Raw.close, Raw.reset):
            raw = Raw(rig)
            raw.reply()
            assert raw.say(*ENVELOPE)[-1] == b"354"
            raw.sock.sendall(content + b".\r\n")
            time.sleep(0.1)
            leave(raw)
    wait_until(lambda: len(rig.drafts) == 4)
    assert [tail.is_abandoned for tail in rig.tails] == [False, False]


def test_a_client_that_closes_its_half_after_the_dot_is_answered(rig):
    rig.commit = 0.1
    with Raw(rig) as raw:
        raw.reply()
        raw.say(*ENVELOPE)
        raw.sock.sendall(CONTENT + b".\r\nNOOP\r\n")
        raw.sock.shutdown(socket.SHUT_WR)
        assert [raw.reply()[:3], raw.reply()[:3], raw.reply()] == [b"250", b"250", b""]


def test_a_thousand_refused_messages_in_one_piece_do_not_pile_up_frames(rig):
    rig.refusal = Refusal(550, "5.7.1", "No")
    letter = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nBDAT 0 LAST\r\n"
    with Raw(rig) as raw:
        raw.reply()
        raw.sock.sendall(b"EHLO x\r\n" + letter * 1500 + b"QUIT\r\n")
        answers = raw.file.read().splitlines()
    assert [line[:3] for line in answers].count(b"550") == 1500
    assert answers[-1][:3] == b"221"
