"""The SMTP entrypoint with real sockets, on asyncio and uvloop, before a store that does what a test says."""

import asyncio
import base64
import contextlib
import gc
import smtplib
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
import trustme
import uvloop

from secondpost.config.settings import Smtp
from secondpost.core.message import Tail
from secondpost.entrypoints.auth import LogIns
from secondpost.entrypoints.smtp import SmtpListener, Spans
from secondpost.entrypoints.smtp_places import Places
from secondpost.entrypoints.smtp_session import SmtpSession
from secondpost.errors import ConfigError, Refusal, StoreError, StoreUnavailable
from secondpost.service.credentials import Client
from secondpost.service.ids import new_id
from secondpost.service.submit import Draft
from secondpost.store.base import Receipt
from tests import peers

HOST = "127.0.0.1"
SENDER, TO = "shop@example.com", "anna@example.org"
CONTENT = b"Subject: x\r\n\r\nHello\r\n.dot\r\n"


@dataclass
class MemoryTail:
    """A tail that can be slow or full, and knows whether it was abandoned."""

    delay: float = 0
    error: Exception | None = None
    data: bytearray = field(default_factory=bytearray)
    is_abandoned: bool = False

    async def write(self, block: bytes) -> None:
        await asyncio.sleep(self.delay)
        if self.error:
            raise self.error
        self.data += block

    async def finish(self) -> Tail:
        return self

    def abandon(self) -> None:
        self.is_abandoned = True

    @property
    def size(self) -> int:
        return len(self.data)

    def blocks(self) -> Iterator[bytes]:
        yield bytes(self.data)


class Rig:
    """A listener in a thread of its own."""

    def __init__(self, settings: dict[str, Any], loop: str, options: dict[str, Any]) -> None:
        self.drafts: list[Draft] = []
        self.tails: list[MemoryTail] = []
        self.tail = MemoryTail
        self.refusal: Exception | None = None  # raised by submit
        self.failure: BaseException | None = None  # what the commit ends with
        self.commit = 0.0  # seconds
        self.is_known = False  # whether the messages were taken before, with the same key
        self.settings = {"listen": [f"{HOST}:0"], "hostname": "mx.example"} | settings
        self.options = options
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None)
        self.complaints: list[str] = []

    def __enter__(self) -> "Rig":
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=[started])
        self.thread.start()
        assert started.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, grace: float = 0) -> None:
        if self.thread.is_alive():
            self.grace = grace
            self.loop.call_soon_threadsafe(self.stopped.set)
            self.thread.join(10)
        assert not self.thread.is_alive()
        assert self.complaints == []

    def _run(self, started: threading.Event) -> None:
        with self.runner:
            self.runner.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self.loop, self.stopped = asyncio.get_running_loop(), asyncio.Event()
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(str(context)))
        options: dict[str, Any] = {"log_ins": LogIns(self.authenticate, delay=0.05)} | self.options
        self.listener = SmtpListener(
            Smtp.model_validate(self.settings), submit=self.submit, authenticate=None, new_id=new_id,
            new_tail=self.new_tail, **options,
        )  # fmt: skip
        await self.listener.start()
        started.set()
        await self.stopped.wait()
        await self.listener.stop(self.grace)
        await asyncio.sleep(0.01)
        if self.commit <= self.grace and (left := (self.listener._weight, self.listener._places._taken)) != (0, 0):
            self.complaints.append(f"bytes and places never given back: {left}")

    def submit(self, draft: Draft) -> "asyncio.Future[Receipt]":
        if self.refusal:
            raise self.refusal
        future: asyncio.Future[Receipt] = self.loop.create_future()
        self.loop.call_later(self.commit, self._committed, draft, future)
        return future

    def _committed(self, draft: Draft, future: "asyncio.Future[Receipt]") -> None:
        if self.failure:
            future.set_exception(self.failure)
        else:
            self.drafts.append(draft)
            future.set_result(Receipt(draft.id, duplicate=self.is_known))

    def new_tail(self, number: int) -> MemoryTail:
        self.tails.append(tail := self.tail())
        return tail

    async def authenticate(self, identity: str, secret: str) -> Client | None:
        return Client(identity, (f"{identity}@example.com",)) if secret == "right" else None

    @property
    def port(self) -> int:
        return self.listener.ports[0]

    def client(self, seconds: float = 10) -> smtplib.SMTP:
        return smtplib.SMTP(HOST, self.port, timeout=seconds)

    def send(self, content: bytes = CONTENT) -> None:
        with self.client() as client:
            client.sendmail(SENDER, [TO], content)


Launch = Callable[..., Rig]


@pytest.fixture(params=["asyncio", "uvloop"])
def launch(request) -> Iterator[Launch]:
    with contextlib.ExitStack() as stack:
        yield lambda settings=None, **options: stack.enter_context(Rig(settings or {}, request.param, options))


@pytest.fixture
def rig(launch):
    return launch()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority, tmp_path) -> dict[str, Any]:
    """The settings for TLS."""
    certificate = authority.issue_cert(HOST, "localhost")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(tmp_path / "cert.pem"), append=True)
    files = {"tls_certificate": str(tmp_path / "cert.pem"), "tls_key": str(tmp_path / "key.pem")}
    return files | {"loopback_starttls": True}


@pytest.fixture
def trusting(authority) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def wait_until(true: Callable[[], Any], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


class Raw:
    """A client that says what it likes."""

    def __init__(self, rig: Rig, host: str = HOST) -> None:
        self.sock = socket.create_connection((host, rig.port), 10)
        self.file = self.sock.makefile("rb")

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def reply(self) -> bytes:
        """The last line of an answer; b'' when the other side hung up."""
        try:
            while (line := self.file.readline())[3:4] == b"-":
                pass
        except ConnectionError:
            return b""
        return line

    def say(self, *lines: bytes) -> list[bytes]:
        answers = []
        for line in lines:
            self.sock.sendall(line)
            answers.append(self.reply()[:3])
        return answers


ENVELOPE = (b"EHLO x\r\n", b"MAIL FROM:<shop@example.com>\r\n", b"RCPT TO:<anna@example.org>\r\n", b"DATA\r\n")


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


# ── large messages, memory ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 200_000, 3_000_000])
def test_a_large_message_goes_to_a_tail_and_comes_out_the_same(rig, size):
    content = CONTENT + b"." * 10 + b"\r\n" + (b"y" * 78 + b"\r\n") * ((size - len(CONTENT)) // 80)
    content += b"z" * (size - len(content) - 2) + b"\r\n"
    rig.send(content)
    (draft,) = rig.drafts
    assert draft.content + b"".join(tail.data for tail in rig.tails) == content
    assert bool(rig.tails) == (draft.tail is not None) == (size > 65_536)
    assert len(draft.content) <= 65_536


def test_a_slow_disk_makes_the_client_wait_instead_of_filling_memory(rig):
    rig.tail = lambda: MemoryTail(delay=0.02)
    held, weigh = [], rig.listener.weigh

    def watched(size: int) -> None:
        weigh(size)
        held.append(rig.listener._weight)

    rig.listener.weigh = watched
    rig.send(CONTENT + b"x" * 70 + b"\r\n" * 2_000_000)
    assert rig.tails[0].size > 3_900_000
    assert max(held) < 1_000_000


def test_a_disk_that_fails_is_told_once_the_message_has_come(rig):
    for error, code in ((OSError(5, "bug"), 451), (StoreUnavailable("full"), 452)):
        rig.tail = lambda error=error: MemoryTail(error=error)
        with rig.client() as client:
            client.ehlo()
            client.mail(SENDER)
            client.rcpt(TO)
            assert client.data(CONTENT + b"x\r\n" * 500_000)[0] == code
            client.sendmail(SENDER, [TO], CONTENT)
    assert [tail.is_abandoned for tail in rig.tails] == [True, True]
    assert rig.listener._weight == 0


@pytest.mark.parametrize("word", [b"RSET\r\n", b"EHLO x\r\n", b"QUIT\r\n"])
def test_a_large_message_that_is_given_up_leaves_nothing(rig, word):
    with Raw(rig) as raw:
        raw.reply()
        raw.say(*ENVELOPE[:3])
        assert raw.say(b"BDAT 300000\r\n" + b"x\r\n\r\n" * 60_000, word)[0] == b"250"
        wait_until(lambda: rig.tails[0].is_abandoned)
    rig.send()


def test_a_large_message_that_is_broken_off_leaves_nothing(rig):
    raw = Raw(rig)
    raw.reply()
    raw.say(*ENVELOPE)
    raw.sock.sendall(CONTENT + b"x\r\n" * 300_000)
    wait_until(lambda: rig.tails)
    raw.reset()
    wait_until(lambda: rig.tails[0].is_abandoned)
    assert rig.drafts == []


@pytest.mark.parametrize("bad", [b"bare\nLF\r\n", b"x" * 70_000 + b"\r\n", b"nul\0\r\n"])
def test_a_large_message_that_is_wrong_at_its_end_is_refused_and_leaves_nothing(rig, bad):
    with rig.client() as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(TO)
        client.docmd("DATA")
        client.send(CONTENT + b"x\r\n" * 100_000 + bad + b".\r\n")
        assert client.getreply()[0] == 550
        client.sendmail(SENDER, [TO], CONTENT)
    assert [tail.is_abandoned for tail in rig.tails] == [True]
    assert len(rig.drafts) == 1


def test_s16_a_message_beyond_the_limit_is_drained_and_one_far_beyond_is_cut_off(launch):
    rig = launch({"max_message_bytes": 1_000_000})
    with Raw(rig) as raw:
        raw.reply()
        assert raw.say(*ENVELOPE, b"x" * 60 + b"\r\n" * 510_000 + b".\r\n", b"NOOP\r\n")[-2:] == [b"552", b"250"]
        assert raw.say(*ENVELOPE)[-1] == b"354"
        with pytest.raises(OSError):  # noqa: PT011
            raw.sock.sendall(b"x\r\n" * 30_000_000)
    rig.send()


def test_memory_used_up_makes_those_wait_who_bring_more(launch):
    rig = launch(memory=100_000)
    rig.commit = 0.2
    raws = [Raw(rig) for _ in range(10)]
    start = time.monotonic()
    for raw in raws:
        raw.reply()
        raw.sock.sendall(b"".join(ENVELOPE[:3]) + b"BDAT 60000 LAST\r\n" + b"x\r\n" * 20_000)
    for raw in raws:
        assert [raw.reply()[:3] for _ in range(4)] == [b"250"] * 4
        raw.close()
    assert len(rig.drafts) == 10
    assert time.monotonic() - start < 5


def test_what_arrives_ahead_of_the_answer_is_bounded(rig):
    rig.commit = 0.5
    with Raw(rig) as raw:
        raw.reply()
        raw.say(*ENVELOPE)
        raw.sock.sendall(CONTENT + b".\r\n")
        time.sleep(0.1)
        raw.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(1000):
                raw.sock.send(b"NOOP\r\n" * 10_000)
        (session,) = rig.listener._sessions
        wait_until(lambda: session.session.held > 0)
        assert session.session.held < 600_000
        raw.sock.setblocking(True)
        raw.sock.settimeout(10)
        assert raw.reply()[:3] == b"250"


def test_a_client_that_reads_no_answers_is_not_read_either(rig):
    lines = memoryview(b"RCPT TO:<x@example.org>\r\n" * 2_000_000)
    with Raw(rig) as raw:
        raw.reply()
        raw.say(*ENVELOPE[:2])
        raw.sock.setblocking(False)
        sent, end = 0, time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                sent += raw.sock.send(lines[sent : sent + 1_000_000])
            except BlockingIOError:
                time.sleep(0.02)
        assert sent < 30_000_000
    rig.send()


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    session.connection_made(gone)  # type: ignore[arg-type]
    assert gone.closed
    assert session.session.receive(ENVELOPE[0]) == []
    assert session.session.closed


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── time and numbers (S9) ───────────────────────────────────────────────────────────────────────────────────────────

SHORT = Spans(command=1, idle=2, session=60, rate_window=1, bytes_per_second=1000)


def seconds_until_closed(raw: Raw, drip: bytes = b"") -> float:
    start = time.monotonic()
    raw.sock.settimeout(0.1)
    while time.monotonic() < start + 10:
        try:
            if drip:
                raw.sock.sendall(drip)
            if not raw.sock.recv(999):
                break
        except TimeoutError:
            pass
        except OSError:
            break
    return time.monotonic() - start


def test_s09_a_command_that_drips_is_not_waited_for(launch):
    rig = launch(spans=SHORT)
    with Raw(rig) as raw:
        raw.reply()
        assert 0.5 < seconds_until_closed(raw, b"N") < 4


def test_s09_a_session_that_does_nothing_is_ended(launch):
    rig = launch(spans=SHORT)
    with Raw(rig) as raw:
        raw.reply()
        assert 1.5 < seconds_until_closed(raw) < 5


def test_s09_a_message_that_drips_is_not_waited_for(launch):
    rig = launch(spans=SHORT)
    with Raw(rig) as raw:
        raw.reply()
        raw.say(*ENVELOPE)
        assert 0.5 < seconds_until_closed(raw, b"x\r\n") < 4
    with Raw(rig) as raw:
        raw.reply()
        raw.say(*ENVELOPE)
        raw.sock.settimeout(5)
        for _ in range(30):
            raw.sock.sendall(b"x" * 198 + b"\r\n")
            time.sleep(0.1)
        assert raw.say(b".\r\n") == [b"250"]


def test_a_session_has_an_end_unless_it_brings_messages(launch):
    rig = launch(spans=Spans(session=2))
    with Raw(rig) as busy, Raw(rig) as idle:
        busy.reply()
        busy.say(*ENVELOPE[:1])
        idle.reply()
        for _ in range(8):
            assert busy.say(*ENVELOPE[1:], CONTENT + b".\r\n")[-1] == b"250"
            with contextlib.suppress(OSError):
                idle.sock.sendall(b"NOOP\r\n")
            time.sleep(0.5)
        idle.sock.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert b"421" in idle.file.read()


def test_a_commit_takes_as_long_as_it_takes(launch):
    rig = launch(spans=Spans(command=1, idle=1, session=1, rate_window=1))
    rig.commit = 3
    rig.send()


def test_s09_two_hundred_that_drip_keep_nobody_waiting(rig):
    drippers = [Raw(rig) for _ in range(200)]
    for number, raw in enumerate(drippers):
        raw.sock.sendall(b"".join(ENVELOPE)[: number % 60])
    start = time.monotonic()
    rig.send()
    assert time.monotonic() - start < 5
    for raw in drippers:
        raw.close()


def test_more_sessions_than_there_are_places_are_told_to_come_later(launch):
    rig = launch({"max_sessions": 3})
    raws = [Raw(rig) for _ in range(4)]
    assert [raw.reply()[:3] for raw in raws] == [b"220"] * 3 + [b"421"]
    raws[0].close()
    wait_until(lambda: len(rig.listener._sessions) == 2)
    rig.send()
    for raw in raws:
        raw.close()
    wait_until(lambda: rig.listener._places._taken == 0)


def test_off_this_machine_an_address_has_its_own_number_of_places():
    places = Places(
        Smtp.model_validate({"max_sessions_per_address": 2, "max_sessions": 10, "deny": ["203.0.113.0/24"]})
    )
    assert [places.take("192.0.2.1")[:3] for _ in range(3)] == [b"", b"", b"421"]
    assert [places.take(f"2001:db8::{number}")[:3] for number in range(3)] == [b"", b"", b"421"]
    assert places.take("2001:db8:0:1::1") == b""
    assert [places.take("203.0.113.9")[:3], places.take("::ffff:203.0.113.9")[:3]] == [b"554", b"554"]
    places.give_back("192.0.2.1")
    assert [places.take("::ffff:192.0.2.1")[:3], places.take("192.0.2.1")[:3]] == [b"", b"421"]
    assert [places.take(f"198.51.100.{number}")[:3] for number in range(5)] == [b""] * 4 + [b"421"]
    assert [places.take(HOST)[:3], places.take("::1")[:3]] == [b"", b"421"], "a tenth is kept for this machine"


# ── start and stop ──────────────────────────────────────────────────────────────────────────────────────────────────


def starting(settings: dict[str, Any], **options: Any) -> None:
    rig = Rig(settings, "asyncio", options)

    async def start() -> None:
        listener = SmtpListener(
            Smtp.model_validate(rig.settings), submit=rig.submit, authenticate=options.get("authenticate"),
            new_id=new_id, new_tail=rig.new_tail,
        )  # fmt: skip
        await listener.start()
        await listener.stop(0)

    with rig.runner as runner:
        runner.run(start())


def test_a_port_in_use_is_named_with_what_to_do():
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: .*in use.*SECONDPOST_SMTP__LISTEN"):
            starting({"listen": [f"{HOST}:0", f"{HOST}:{port}"]})


def test_s07_it_does_not_listen_to_other_machines_without_tls(tls):
    with pytest.raises(ConfigError, match="tls_certificate"):
        starting({"listen": ["0.0.0.0:0"]}, authenticate=Rig.authenticate)
    with pytest.raises(ConfigError, match="log-in"):
        starting({"listen": ["0.0.0.0:0"]} | tls)
    starting({"listen": ["0.0.0.0:0"]} | tls, authenticate=Rig.authenticate)


def test_a_certificate_that_cannot_be_used_is_named(tls, tmp_path):
    Path(tls["tls_key"]).write_text("nonsense")
    with pytest.raises(ConfigError, match=r"key\.pem cannot be used"):
        starting(tls)


def test_a_stop_lets_messages_finish_and_sends_the_others_away(rig):
    rig.commit = 0.3
    with Raw(rig) as idle, Raw(rig) as busy, Raw(rig) as stuck:
        for raw in (idle, busy, stuck):
            raw.reply()
            raw.say(ENVELOPE[0])
        assert busy.say(*ENVELOPE[1:])[-1] == b"354"
        stuck.say(*ENVELOPE[1:])
        threading.Timer(0.2, busy.sock.sendall, [CONTENT + b".\r\n"]).start()
        port = rig.port
        rig.stop(grace=1)
        assert idle.reply()[:9] == b"421 4.3.2"
        assert [busy.reply()[:3], busy.reply()[:9]] == [b"250", b"421 4.3.2"]
        assert stuck.reply() in {b"", b"421 4.3.2 We are being stopped: try again in a moment\r\n"}
    assert len(rig.drafts) == 1
    with pytest.raises(OSError):  # noqa: PT011
        socket.create_connection((HOST, port))


def test_a_stop_with_a_large_message_under_way_leaves_nothing(rig):
    with Raw(rig) as raw:
        raw.reply()
        raw.say(*ENVELOPE)
        raw.sock.sendall(CONTENT + b"x\r\n" * 300_000)
        wait_until(lambda: rig.tails)
        rig.stop()
    assert rig.tails[0].is_abandoned
