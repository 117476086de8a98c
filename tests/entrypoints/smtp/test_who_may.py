"""The SMTP entrypoint and who may submit."""

import base64
import time

import pytest

from secondpost.entrypoints.auth import LogIns
from secondpost.entrypoints.smtp_session import SmtpSession
from secondpost.errors import Refusal, StoreUnavailable
from secondpost.service.credentials import Client
from tests.entrypoints.smtp.rig import CONTENT, ENVELOPE, Raw


def auth(identity: str, secret: str) -> bytes:
    return b"AUTH PLAIN " + base64.b64encode(f"\0{identity}\0{secret}".encode()) + b"\r\n"


def test_s07_without_trust_a_log_in_is_needed_even_on_this_machine(launch):
    rig = launch({"trust_loopback": False})
    with Raw(rig) as raw:
        raw.reply()
        assert raw.say(*ENVELOPE) == [b"250", b"530", b"503", b"503"]
        assert raw.say(auth("ann", "right"))[0] == b"235"
        assert raw.say(b"MAIL FROM:<boss@example.com>\r\n", b"MAIL FROM:<ann@example.com>\r\n") == [b"553", b"250"]
        assert raw.say(*ENVELOPE[2:], CONTENT + b".\r\n")[-1] == b"250"
    (draft,) = rig.drafts
    assert (draft.client, draft.trusted, draft.senders) == ("ann", False, ("ann@example.com",))


def test_s06_three_wrong_log_ins_end_the_session(rig):
    with Raw(rig) as raw:
        raw.reply()
        assert raw.say(ENVELOPE[0], *[auth("ann", "wrong")] * 3) == [b"250", b"535", b"535", b"535"]
        assert raw.reply()[:3] == b"421"
        assert raw.reply() == b""


def test_s06_after_thirty_wrong_ones_nobody_looks_any_more(launch):
    rig = launch(log_ins=None)
    rig.listener._log_ins = LogIns(rig.authenticate, delay=0)
    for _ in range(10):
        with Raw(rig) as raw:
            raw.reply()
            raw.say(ENVELOPE[0], *[auth("ann", "wrong")] * 3)
    with Raw(rig) as raw:
        raw.reply()
        assert raw.say(ENVELOPE[0], auth("ann", "right"), auth("bob", "right")) == [b"250", b"454", b"235"]


async def test_s06_the_bucket_of_failures_fills_again_with_time():
    now = [0.0]

    async def check(identity: str, secret: str) -> Client | None:
        return Client(identity) if secret == "right" else None

    log_ins = LogIns(check, clock=lambda: now[0], delay=0)
    for number in range(30):
        assert await log_ins.check(f"name{number}", "wrong", peer="2001:db8::1") is None
    with pytest.raises(Refusal, match="Too many"):
        await log_ins.check("ann", "right", peer="2001:db8::2")
    assert await log_ins.check("ann", "right", peer="2001:db8:0:1::1") == Client("ann")
    assert await log_ins.check("ann", "right", peer="192.0.2.1") == Client("ann")
    now[0] = 121
    assert await log_ins.check("ann", "right", peer="2001:db8::2") == Client("ann")
    for number in range(10_100):
        await log_ins.check("x", "wrong", peer=f"{number}")
    assert len(log_ins._failures) == 10_000


async def test_a_log_in_that_cannot_be_checked_is_put_off():
    async def check(identity: str, secret: str) -> Client | None:
        raise StoreUnavailable("busy")

    with pytest.raises(Refusal, match="cannot be checked now"):
        await LogIns(check).check("ann", "right", peer="192.0.2.1")


def test_a_log_in_whose_client_leaves_harms_nobody(rig):
    raw = Raw(rig)
    raw.reply()
    raw.say(ENVELOPE[0])
    raw.sock.sendall(auth("ann", "wrong"))
    time.sleep(0.02)
    raw.reset()
    time.sleep(0.1)
    rig.send()


def test_s07_a_peer_that_cannot_be_named_is_not_trusted(rig):
    class Gone:
        closed = False

        def get_extra_info(self, name: str) -> None:
            return None

        def is_closing(self) -> bool:
            return self.closed

        def write(self, data: bytes) -> None:
            assert data.startswith(b"421")

        def close(self) -> None:
            self.closed = True

    session, gone = SmtpSession(rig.listener), Gone()
    session.connection_made(gone)  # type: ignore[arg-type]  # of a transport it has all that is asked for
    assert gone.closed
    assert session.session.receive(ENVELOPE[0]) == []
    assert session.session.closed
