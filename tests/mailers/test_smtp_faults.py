"""The SMTP mailer against real sockets: every phase, every way to fail there."""

import asyncio
import errno
import time

import pytest

from secondpost.core.outcome import Phase
from secondpost.mailers.smtp import Smtp
from tests.mailers.parcels import TO, Crossing, Tail, connection, parcel, told, words
from tests.mailers.reaching import WAYS, reaching, send
from tests.provider import (
    HOST,
    Provider,
    after_bytes,
    before,
    drip,
    free_port,
    hang_up,
    normally,
    raw,
    read_slowly,
    reset,
    say,
    silence,
)

# ── every phase × every fault ───────────────────────────────────────────────────────────────────────────────────────

BEFORE = ["greeting", "ehlo", "mail", "rcpt", "data"]
LOST = {"hang_up": hang_up, "reset": reset, "silence": silence, "garbage": raw(b"\x00\xff what\r\n"), "drip": drip(0.4)}


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("way", ["pipelined", "step_by_step"])
async def test_f05_before_the_point_every_loss_is_a_definite_no(provider, way, step, fault):
    provider.extensions = WAYS[way].get("extensions", provider.extensions)
    provider.on(step, LOST[fault])
    async with reaching(provider, command=0.5) as mailer:
        crossing = Crossing()
        start = time.monotonic()
        report = await send(mailer, crossing=crossing)
        assert time.monotonic() - start < 3
    assert told(report) == ["deferred unreachable"]
    assert report.phase in {Phase.CONNECT, Phase.GREETING, Phase.LOGIN, Phase.ENVELOPE}
    assert crossing.taken == 0
    assert provider.mail == []
    assert report.transcript


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("step", ["dot", "taken"])
@pytest.mark.parametrize("way", WAYS)
async def test_f03_after_the_point_every_loss_is_unclear(provider, way, step, fault):
    options = dict(WAYS[way])
    provider.extensions = options.pop("extensions", provider.extensions)
    provider.on(step, before(LOST[fault], seconds=0))
    if step == "dot":
        provider.on("taken", LOST[fault])
    async with reaching(provider, data_reply=0.5, **options) as mailer:
        report = await send(mailer)
    assert told(report) == ["unclear"]
    assert report.phase is Phase.POINT
    assert "bytes of message" in report.transcript
    assert b"Hello".decode() not in report.transcript


@pytest.mark.parametrize("step", [*BEFORE, "dot"])
async def test_f10_421_is_a_definite_no_and_the_next_message_takes_another_session(provider, step):
    provider.on(step, say("421 4.3.0 closing"), times=1)
    async with reaching(provider) as mailer:
        report = await send(mailer)
        assert told(report) == ["deferred unreachable" if step in BEFORE[:2] else "deferred provider"]
        assert told(await send(mailer)) == ["accepted"]
    assert provider.sessions == 2
    assert len(provider.mail) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_f11_recipients_have_their_own_outcomes(provider, way):
    options = dict(WAYS[way])
    provider.extensions = options.pop("extensions", provider.extensions)
    provider.on("rcpt", say("550 5.1.1 no such user"), only="eve@")
    provider.on("rcpt", say("451 4.7.1 Greylisted"), only="joe@")
    async with reaching(provider, **options) as mailer:
        report = await send(mailer, "eve@dest.example", TO, "joe@dest.example")
        assert told(report) == ["rejected recipient", "accepted", "deferred recipient"]
        assert "550 5.1.1" in report.transcript
        crossing = Crossing()
        assert told(await send(mailer, "eve@dest.example", crossing=crossing)) == ["rejected recipient"]
        assert crossing.taken == 0
        assert told(await send(mailer)) == ["accepted"]
    assert [copy.recipients for copy in provider.mail] == [(TO,), (TO,)]
    assert provider.sessions == 1


@pytest.mark.parametrize(
    ("step", "reply", "expected"),
    [
        ("mail", "530 5.7.0 Authentication required", "rejected account"),
        ("mail", "550 5.7.1 <shop@shop.example> not verified", "rejected account sender"),
        ("mail", "454 Throttling failure: Maximum sending rate exceeded.", "deferred limit"),
        ("data", "451 4.3.0 disk full", "deferred provider"),
        ("dot", "554 5.7.1 spam", "rejected message"),
        ("dot", "552 5.3.4 too big", "rejected message unsupported"),
        ("dot", "451 4.3.0 disk full", "deferred provider"),
        ("taken", "554 Transaction failed", "rejected provider"),
    ],
)
async def test_f11_a_refusal_is_a_definite_no_and_the_session_lives(provider, step, reply, expected):
    provider.on(step, say(reply), times=1)
    async with reaching(provider) as mailer:
        assert told(await send(mailer)) == [expected]
        assert told(await send(mailer)) == ["accepted"]
    assert provider.sessions == 1


async def test_f07_a_server_that_reads_slowly_is_given_up():
    with Provider(tiny_window=True) as provider:
        provider.on("body", read_slowly(2000))
        async with reaching(provider, data_block=1.0) as mailer:
            crossing = Crossing()
            report = await mailer.send(parcel(tail=Tail(b"x" * 20_000_000)), crossing)
    assert told(report) == ["deferred unreachable"]
    assert report.phase is Phase.BODY
    assert crossing.taken == 0


async def test_f05_the_line_is_lost_while_a_large_message_is_leaving(provider):
    provider.on("body", after_bytes(100_000, reset))
    async with reaching(provider) as mailer:
        report = await mailer.send(parcel(tail=Tail(b"x" * 20_000_000)), Crossing())
    assert told(report) == ["deferred unreachable"]


# ── reaching it ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nobody_listens():
    mailer = Smtp(connection(host=HOST, port=free_port(), encryption="none"))
    report = await send(mailer)
    assert told(report) == ["deferred unreachable"]
    assert report.phase is Phase.CONNECT
    assert "nothing listens" in report.outcomes[0].reply


async def test_where_no_socket_is_left_it_is_our_own_fault(monkeypatch):
    async def none_left(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", none_left)
    report = await send(Smtp(connection(host="127.0.0.1", port=25, encryption="none")))
    assert told(report) == ["deferred local"]
    assert "Raise its limit" in report.outcomes[0].reply


async def test_f01_a_black_hole(provider):
    provider.black_hole()
    async with reaching(provider, connect=0.5) as mailer:
        reports = await asyncio.gather(*[send(mailer) for _ in range(30)])
    assert {words(report.outcomes[0]) for report in reports} == {"deferred unreachable"}
    assert "2525" in reports[0].outcomes[0].reply


@pytest.mark.parametrize("name", ["no-such-host.invalid", "x" * 70 + ".example", "a..b"])
async def test_the_name_does_not_resolve(name):
    report = await send(Smtp(connection(host=name, port=25, encryption="none")))
    assert told(report) == ["deferred unreachable"]
    assert name[:20] in report.outcomes[0].reply


@pytest.mark.parametrize("last", [b"421 4.3.2 closing\r\n", b"250 once more\r\n"], ids=["421", "surplus"])
async def test_a_server_that_is_over_with_its_last_yes_is_unreachable_and_not_asked_in_a_loop(provider, last):
    provider.on("ehlo", raw(b"250 provider.example\r\n" + last))
    async with reaching(provider) as mailer:
        report = await asyncio.wait_for(send(mailer), 5)
        assert told(report) == ["deferred unreachable"]
        assert last.decode().strip() in report.outcomes[0].reply
        assert provider.sessions == 1
        provider.heal()
        assert told(await send(mailer)) == ["accepted"]


async def test_a_server_that_is_over_with_its_last_yes_is_not_verified(provider):
    provider.on("ehlo", raw(b"250 provider.example\r\n421 4.3.2 closing\r\n"))
    verdict = await Smtp(connection(host=HOST, port=provider.port, encryption="none")).verify()
    assert words(verdict.outcome) == "deferred unreachable"
    assert "421 4.3.2 closing" in verdict.outcome.reply


async def test_a_server_that_allows_few_sessions_is_well(provider):
    provider.on("greeting", say("421 4.7.0 too many connections"), skip=2)
    provider.on("taken", before(normally, seconds=0.02))
    async with reaching(provider, sessions=10) as mailer:
        first = await asyncio.gather(*[send(mailer) for _ in range(2)])
        reports = first + await asyncio.gather(*[send(mailer) for _ in range(50)])
    assert {words(report.outcomes[0]) for report in reports} == {"accepted"}


async def test_who_waits_for_a_session_waits_not_for_ever(provider):
    provider.on("taken", silence)
    async with reaching(provider, sessions=1, chaining=False, command=0.4, data_reply=5) as mailer:
        first = asyncio.create_task(send(mailer))
        await asyncio.sleep(0.1)
        report = await send(mailer)
        assert told(report) == ["deferred unreachable"]
        assert "no session became free" in report.outcomes[0].reply
        first.cancel()
