"""The SMTP entrypoint and those who take their time or come in numbers (S9)."""

import contextlib
import time

from secondpost.config.settings import Smtp
from secondpost.entrypoints.smtp import Spans
from secondpost.entrypoints.smtp_places import Places
from tests.entrypoints.smtp.rig import CONTENT, ENVELOPE, HOST, Raw, wait_until

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
