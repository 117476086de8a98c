"""The SMTP entrypoint and large messages: they go to disk, whole or not at all, and memory is bounded."""

import contextlib
import time

import pytest

from secondpost.errors import StoreUnavailable
from tests.entrypoints.smtp.rig import CONTENT, ENVELOPE, SENDER, TO, MemoryTail, Raw, wait_until


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
        with pytest.raises(ConnectionError):
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
