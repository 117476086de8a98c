"""The SMTP mailer against real sockets: every phase, every way to fail there, and the pool of sessions."""

import asyncio
import errno
import random
import socket
import struct
import time
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from secondpost.core.outcome import Accepted, Deferred, Fault, Phase
from secondpost.errors import ConfigError
from secondpost.mailers.smtp import Smtp
from secondpost.mailers.smtp_connect import server
from tests.mailers.parcels import TO, Crossing, Tail, connection, parcel, told, words
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
    refuse_early,
    reset,
    say,
    silence,
)

NO_PIPELINING = frozenset({"8BITMIME", "SMTPUTF8"})
WAYS: dict[str, dict[str, Any]] = {
    "pipelined": {},
    "step_by_step": {"extensions": NO_PIPELINING},
    "chunked": {"chunking": True},
}


@asynccontextmanager
async def reaching(provider, **options):
    """A mailer for `provider`, gone at the end with all its sessions."""
    mode = "tls" if provider.implicit_tls else "starttls" if provider.tls else "none"
    options = {"host": HOST, "port": provider.port, "encryption": mode} | options
    mailer = Smtp(connection(**options))
    try:
        yield mailer
    finally:
        await mailer.close()
        for session in list(mailer._live):
            session.drop("the test is over")


async def send(mailer, *recipients, crossing=None, **options):
    return await mailer.send(parcel(*recipients, **options), crossing or Crossing())


# ── it works ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", WAYS)
async def test_a_message_arrives_as_it_was(provider, way):
    options = dict(WAYS[way])
    provider.extensions = options.pop("extensions", provider.extensions)
    body = b".\r\n..\r\nd\xc3\xb6t\r\n.x\r\n\r\n"
    async with reaching(provider, **options) as mailer:
        crossing = Crossing()
        given = parcel(TO, "eve@dest.example", body=body)
        report = await mailer.send(given, crossing)
    assert told(report) == ["accepted", "accepted"]
    assert report.phase is Phase.POINT
    assert report.transcript == ""
    assert report.outcomes[0].provider_id == "1-1"
    assert crossing.taken == 1
    [copy] = provider.mail
    assert copy.data == given.message.head + body
    assert (copy.sender, copy.recipients) == ("shop@shop.example", (TO, "eve@dest.example"))
    assert "BODY=8BITMIME" in copy.parameters


async def test_sessions_are_kept_and_used_again(provider):
    async with reaching(provider) as mailer:
        for _ in range(5):
            await send(mailer)
    assert len(provider.mail) == 5
    assert provider.sessions == 1
    assert provider.commands["EHLO"] == 1


async def test_an_idle_session_is_closed_politely(provider):
    async with reaching(provider, idle_seconds=1) as mailer:
        await send(mailer)
        await asyncio.sleep(1.6)
        assert not mailer._live
        assert provider.commands["QUIT"] == 1
        assert told(await send(mailer)) == ["accepted"]
    assert provider.sessions == 2


async def test_a_session_carries_only_so_many_messages(provider):
    async with reaching(provider, session_messages=2, sessions=1) as mailer:
        for _ in range(5):
            assert told(await send(mailer)) == ["accepted"]
    assert provider.sessions == 3


@pytest.mark.parametrize("chaining", [True, False], ids=["chained", "not_chained"])
async def test_many_messages_share_few_sessions_and_arrive_once(provider, chaining):
    async with reaching(provider, sessions=3, chaining=chaining, command=30) as mailer:
        reports = await asyncio.gather(
            *[send(mailer, crossing=Crossing(delay=random.random() / 100)) for _ in range(200)]
        )
        assert mailer.capacity == (6 if chaining else 3)
    assert {words(report.outcomes[0]) for report in reports} == {"accepted"}
    assert provider.sessions <= 3
    assert set(provider.copies.values()) == {1}
    assert len(provider.copies) == 200


@pytest.mark.parametrize(
    "extensions", [NO_PIPELINING, frozenset({"PIPELINING", "CHUNKING"})], ids=["step_by_step", "piped"]
)
async def test_a_large_message_is_streamed_as_it_was(provider, extensions):
    provider.extensions = extensions
    tail = b"\r\n.\r\n..x\r\n" * 30_000 + b"end"
    async with reaching(provider) as mailer:
        crossing = Crossing()
        given = parcel(tail=Tail(tail, block=4099), body=b"begin\r")
        report = await mailer.send(given, crossing)
        assert told(report) == ["rejected message"], "a CR without LF at the seam"
        assert crossing.taken == 0
        given = parcel(tail=Tail(tail, block=4099), body=b"begin")
        report = await mailer.send(given, crossing)
    assert told(report) == ["accepted"]
    assert (crossing.taken, crossing.prepared) == (1, 1)
    assert [copy.data for copy in provider.mail] == [given.message.head + b"begin" + tail + b"\r\n"]


async def test_a_large_message_that_cannot_be_read_is_not_sent(provider):
    async with reaching(provider) as mailer:
        report = await mailer.send(parcel(tail=Tail(b"x" * 200_000, broken=True)), Crossing())
        assert told(report) == ["deferred local"]
        assert told(await send(mailer)) == ["accepted"]
    assert len(provider.mail) == 1


async def test_f12_a_refusal_while_a_large_message_is_leaving(provider):
    provider.on("data", refuse_early("550 5.7.1 not from you"))
    async with reaching(provider) as mailer:
        crossing = Crossing()
        report = await mailer.send(parcel(tail=Tail(b"x" * 20_000_000)), crossing)
    assert told(report) == ["rejected message"]
    assert crossing.taken == 0


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


# ── sessions that had died, and chaining ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("act", [hang_up, reset, say("421 4.4.2 idle too long")], ids=["eof", "rst", "421"])
async def test_a_kept_session_that_dies_at_mail_costs_the_message_nothing(provider, act):
    async with reaching(provider) as mailer:
        await send(mailer)
        provider.on("mail", act, times=1)
        assert told(await send(mailer)) == ["accepted"]
    assert len(provider.mail) == 2


async def test_it_is_tried_again_only_once(provider):
    async with reaching(provider) as mailer:
        await send(mailer)
        provider.on("mail", hang_up)
        assert told(await send(mailer)) == ["deferred unreachable"]
    assert provider.sessions == 2


async def test_all_kept_sessions_die_and_nobody_notices(provider):
    async with reaching(provider, sessions=8) as mailer:
        await asyncio.gather(*[send(mailer) for _ in range(16)])
        await asyncio.gather(*mailer._opening)  # one of these may never have carried anything
        provider.hang_up_all()
        reports = await asyncio.gather(*[send(mailer) for _ in range(16)])
    assert {words(report.outcomes[0]) for report in reports} == {"accepted"}
    assert set(provider.copies.values()) == {1}


async def test_what_is_chained_behind_a_loss_goes_elsewhere_unharmed(provider):
    """A is unclear. B had its envelope behind A's dot and surely was not taken: it arrives by another session."""
    provider.on("taken", before(hang_up, seconds=0.3), times=1)
    async with reaching(provider, sessions=1) as mailer:
        reports = await asyncio.gather(send(mailer), send(mailer))
    assert sorted(words(report.outcomes[0]) for report in reports) == ["accepted", "unclear"]
    assert set(provider.copies.values()) == {1}
    assert len(provider.mail) == 2


async def test_what_is_chained_does_not_wait_long_for_the_one_before_it(provider, monkeypatch):
    monkeypatch.setattr("secondpost.mailers.smtp_session.CHAIN_PATIENCE", 0.3)
    provider.on("taken", before(normally, seconds=4), times=1)
    async with reaching(provider, sessions=2, data_reply=10) as mailer:
        first = asyncio.create_task(send(mailer))
        second = asyncio.create_task(send(mailer))
        await asyncio.sleep(0.2)
        start = time.monotonic()
        assert {words(report.outcomes[0]) for report in await asyncio.gather(*[send(mailer) for _ in range(6)])} == {
            "accepted"
        }
        assert time.monotonic() - start < 3
        assert told(await first) == told(await second) == ["accepted"], "the slow one has its answer still"
    assert set(provider.copies.values()) == {1}


async def test_a_server_that_loses_chained_commands_costs_one_patience(provider, monkeypatch):
    """It throws away what came behind the dot: the message takes another session, and chaining is left alone."""
    monkeypatch.setattr("secondpost.mailers.smtp_session.CHAIN_PATIENCE", 0.3)
    provider.on("taken", forgetful)
    async with reaching(provider, sessions=2) as mailer:
        assert mailer.capacity == 4
        reports = await asyncio.gather(*[send(mailer) for _ in range(4)])
        assert {words(report.outcomes[0]) for report in reports} == {"accepted"}
        assert mailer.capacity == 2
        start = time.monotonic()
        reports = await asyncio.gather(*[send(mailer) for _ in range(20)])
        assert time.monotonic() - start < 1.5
        assert {words(report.outcomes[0]) for report in reports} == {"accepted"}
    assert set(provider.copies.values()) == {1}


def forgetful(session, reply):
    session.wait(0.02)
    if session.waiting():
        session.fill()
    session.buffer.clear()
    return reply


async def test_f06_each_command_has_its_own_time_and_a_drip_does_not_stretch_it(provider):
    provider.extensions = NO_PIPELINING
    provider.on("rcpt", before(normally, seconds=0.3))
    async with reaching(provider, command=0.8) as mailer:
        report = await send(mailer, *[f"r{n}@dest.example" for n in range(6)])
        assert told(report) == ["accepted"] * 6
        provider.heal()
        provider.on("rcpt", drip(0.3))
        start = time.monotonic()
        assert told(await send(mailer)) == ["deferred unreachable"]
        assert time.monotonic() - start < 1.5


async def test_a_ride_that_is_withdrawn_does_not_hurt_the_one_before_it(provider):
    provider.on("taken", before(normally, seconds=0.5), times=1)
    async with reaching(provider, sessions=1) as mailer:
        first = asyncio.create_task(send(mailer))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(send(mailer))
        await asyncio.sleep(0.1)
        second.cancel()
        assert told(await first) == ["accepted"]
        assert told(await send(mailer)) == ["accepted"]
    assert len(provider.mail) == 2


# ── the right to cross ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", WAYS)
async def test_without_the_right_nothing_is_sent(provider, way):
    options = dict(WAYS[way])
    provider.extensions = options.pop("extensions", provider.extensions)
    async with reaching(provider, **options) as mailer:
        report = await send(mailer, crossing=Crossing(granted=False))
        assert report.abandoned
        assert told(report) == ["deferred local"]
        assert told(await send(mailer)) == ["accepted"]
    assert len(provider.mail) == 1


async def test_a_large_message_without_the_right_is_not_ended(provider):
    async with reaching(provider) as mailer:
        report = await mailer.send(parcel(tail=Tail(b"x" * 200_000)), Crossing(granted=False))
    assert report.abandoned
    assert provider.mail == []


async def test_the_right_is_asked_for_only_when_somebody_will_take_it(provider):
    """Not before 354, and written down while the envelope is on its way."""
    provider.on("data", before(normally, seconds=0.3))
    async with reaching(provider) as mailer:
        crossing = Crossing()
        task = asyncio.create_task(send(mailer, crossing=crossing))
        await asyncio.sleep(0.15)
        assert (crossing.prepared, crossing.taken) == (1, 0)
        await task
        assert crossing.taken == 1


async def test_the_line_is_lost_while_the_right_is_being_written_down(provider):
    provider.on("body", before(hang_up, seconds=0.1))
    async with reaching(provider) as mailer:
        report = await send(mailer, crossing=Crossing(delay=0.4))
    assert told(report) == ["deferred unreachable"]
    assert provider.mail == []


async def test_a_store_that_fails_at_the_point_sends_nothing(provider):
    async with reaching(provider) as mailer:
        with pytest.raises(RuntimeError, match="disk"):
            await send(mailer, crossing=Crossing(error=RuntimeError("disk")))
        assert told(await send(mailer)) == ["accepted"]
    assert len(provider.mail) == 1


async def test_cancelled_before_the_point_nothing_is_sent(provider):
    provider.on("data", before(normally, seconds=0.3))
    async with reaching(provider) as mailer:
        task = asyncio.create_task(send(mailer))
        await asyncio.sleep(0.15)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.4)
    assert provider.mail == []


# ── TLS and the log-in ──────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def secured(certificates, folder, kind="good", *, implicit=False, **options):
    tls = getattr(certificates, kind)()
    with Provider(tls=tls, implicit_tls=implicit, users={"shop": "secret-canary"}) as provider:
        settings = {"username": "shop", "password": "secret-canary", "ca_file": str(certificates.trust_file(folder))}
        async with reaching(provider, **(settings | options)) as mailer:
            yield provider, mailer
            assert "secret-canary" not in str(provider.commands)


IMPLICIT = pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])


@IMPLICIT
async def test_a_good_certificate_is_good(certificates, tmp_path, implicit):
    async with secured(certificates, tmp_path, implicit=implicit) as (provider, mailer):
        reports = await asyncio.gather(*[send(mailer) for _ in range(50)])
        assert {words(report.outcomes[0]) for report in reports} == {"accepted"}
        large = parcel(tail=Tail(b"x\r\n" * 100_000))
        assert told(await mailer.send(large, Crossing())) == ["accepted"]
        verdict = await mailer.verify()
        assert verdict.details["tls"].startswith("TLSv1.")
        assert [(stage.name, stage.ok) for stage in verdict.stages] == [
            ("DNS", True), ("TCP", True), ("TLS", True), ("Log-in", True),
        ]  # fmt: skip
        assert verdict.stages[-1].text == "signed in as shop"
    assert provider.violations == []
    assert set(provider.copies.values()) == {1}


@IMPLICIT
@pytest.mark.parametrize(
    ("kind", "word"), [("wrong_host", "another name"), ("expired", "expired"), ("self_signed", "does not trust")]
)
async def test_f08_a_bad_certificate_is_refused_and_named(certificates, tmp_path, implicit, kind, word):
    async with secured(certificates, tmp_path, kind, implicit=implicit) as (provider, mailer):
        report = await send(mailer)
    assert told(report) == ["deferred unreachable"]
    assert report.phase is Phase.TLS
    assert word in report.outcomes[0].reply
    assert not {"MAIL", "AUTH"} & set(provider.commands)


@IMPLICIT
@pytest.mark.parametrize("act", [hang_up, reset, raw(b"garbage, not TLS\r\n" * 20)], ids=["eof", "rst", "garbage"])
async def test_f08_a_handshake_that_fails(certificates, tmp_path, implicit, act):
    async with secured(certificates, tmp_path, implicit=implicit) as (provider, mailer):
        provider.on("tls", act)
        report = await send(mailer)
        assert told(report) == ["deferred unreachable"]
        assert not {"MAIL", "AUTH"} & set(provider.commands)


@IMPLICIT
async def test_f08_a_handshake_that_hangs(certificates, tmp_path, implicit, monkeypatch):
    monkeypatch.setattr("secondpost.mailers.smtp_connect.HANDSHAKE", 0.4)
    async with secured(certificates, tmp_path, implicit=implicit) as (provider, mailer):
        provider.on("tls", silence)
        report = await send(mailer)
        assert told(report) == ["deferred unreachable"]
        assert report.phase is Phase.TLS


@pytest.mark.parametrize(("content", "word"), [(None, "cannot be read"), ("no certificate", "no certificate in it")])
async def test_a_ca_file_that_is_none(provider, tmp_path, content, word):
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    async with reaching(provider, encryption="tls", ca_file=str(file)) as mailer:
        report = await send(mailer)
    assert told(report) == ["deferred unreachable"]
    assert word in report.outcomes[0].reply


async def test_f09_starttls_is_stripped(provider):
    async with reaching(provider, encryption="starttls", username="shop", password="secret-canary") as mailer:
        report = await send(mailer)
    assert told(report) == ["deferred unreachable"]
    assert report.phase is Phase.TLS
    assert set(provider.commands) == {"EHLO"} | ({"QUIT"} & set(provider.commands))


async def test_s4_what_is_injected_behind_the_answer_to_starttls_is_not_read(certificates, tmp_path):
    async with secured(certificates, tmp_path) as (provider, mailer):
        provider.on("starttls", raw(b"220 go\r\n250-x\r\n250 AUTH PLAIN\r\n"))
        report = await send(mailer)
        assert told(report) == ["deferred unreachable"]
        assert "AUTH" not in provider.commands


async def test_f29_a_wrong_password(certificates, tmp_path):
    async with secured(certificates, tmp_path, password="wrong-canary") as (_, mailer):
        reports = await asyncio.gather(*[send(mailer) for _ in range(3)])
    assert {words(report.outcomes[0]) for report in reports} == {"deferred account"}
    assert reports[0].phase is Phase.LOGIN
    assert "wrong-canary" not in "".join(report.transcript for report in reports)


async def test_the_password_is_not_said_in_the_clear(monkeypatch):
    monkeypatch.setattr("secondpost.mailers.smtp_connect.is_loopback", lambda host: False)
    with Provider(users={"shop": "secret-canary"}) as provider:
        async with reaching(provider, username="shop", password="secret-canary") as mailer:
            assert told(await send(mailer)) == ["deferred account"]
            assert "AUTH" not in provider.commands
        async with reaching(provider, username="shop", password="secret-canary", allow_plaintext_auth=True) as mailer:
            assert told(await send(mailer)) == ["accepted"]


async def test_encryption_and_port_that_do_not_go_together(certificates, tmp_path, provider):
    async with reaching(provider, encryption="tls") as mailer:
        report = await send(mailer)
        assert told(report) == ["deferred unreachable"]
    async with secured(certificates, tmp_path, implicit=True, encryption="starttls", command=0.4) as (_, mailer):
        assert told(await send(mailer)) == ["deferred unreachable"]


# ── signing in without sending ──────────────────────────────────────────────────────────────────────────────────────


async def test_verify_signs_in_and_sends_nothing(provider):
    async with reaching(provider) as mailer:
        verdict = await mailer.verify()
    assert isinstance(verdict.outcome, Accepted)
    assert "PIPELINING" in verdict.details["extensions"]
    assert verdict.details["greeting"].startswith("220 ")
    await asyncio.sleep(0.05)
    assert set(provider.commands) == {"EHLO", "QUIT"}
    assert [(stage.name, stage.ok) for stage in verdict.stages] == [("DNS", True), ("TCP", True), ("Log-in", True)]


async def test_a_server_that_is_gone_as_soon_as_it_is_reached_costs_no_socket(monkeypatch):
    async def gone(_addresses, **_options):
        with socket.create_server((HOST, 0)) as listener:
            reached = socket.create_connection(listener.getsockname())
            there, _ = listener.accept()
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            there.close()
        with suppress(OSError):
            reached.recv(1)  # until the reset is here
        dead.append(reached)
        return reached

    dead: list[socket.socket] = []
    monkeypatch.setattr("aiohappyeyeballs.start_connection", gone)
    verdict = await Smtp(connection(host=HOST, port=free_port(), encryption="none")).verify()
    assert verdict.outcome == Deferred(Fault.UNREACHABLE, verdict.outcome.reply)
    assert [sock.fileno() for sock in dead] == [-1]


async def test_verify_says_what_is_wrong():
    verdict = await Smtp(connection(host=HOST, port=free_port(), encryption="none")).verify()
    assert verdict.outcome == Deferred(Fault.UNREACHABLE, verdict.outcome.reply)
    assert verdict.phase is Phase.CONNECT
    assert [(stage.name, stage.ok) for stage in verdict.stages] == [("DNS", True), ("TCP", False)]


async def test_verify_of_a_name_that_does_not_resolve_fails_at_dns():
    verdict = await Smtp(connection(host="nowhere.invalid", encryption="none")).verify()
    (stage,) = verdict.stages
    assert (stage.name, stage.ok) == ("DNS", False)
    assert "does not resolve" in stage.text


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"host": "mx.example"}, ("mx.example", 587, "starttls")),
        ({"host": "mx.example", "port": 465}, ("mx.example", 465, "tls")),
        ({"host": "mx.example", "encryption": "tls"}, ("mx.example", 465, "tls")),
        ({"host": "mx.example", "encryption": "none"}, ("mx.example", 25, "none")),
        ({"host": "mx.example", "port": 2525}, ("mx.example", 2525, "starttls")),
        ({"preset": "sendgrid"}, ("smtp.sendgrid.net", 587, "starttls")),
        ({"preset": "sendgrid", "port": 465}, ("smtp.sendgrid.net", 465, "tls")),
        ({"preset": "resend"}, ("smtp.resend.com", 465, "tls")),
        ({"preset": "resend", "port": 587}, ("smtp.resend.com", 587, "starttls")),
        ({"preset": "resend", "encryption": "starttls"}, ("smtp.resend.com", 587, "starttls")),
        ({"preset": "mailpit"}, ("localhost", 1025, "none")),
        ({"preset": "mailpit", "host": "mailpit"}, ("mailpit", 1025, "none")),
        ({"preset": "ses", "region": "eu-west-1"}, ("email-smtp.eu-west-1.amazonaws.com", 587, "starttls")),
        ({"preset": "mailgun", "region": "eu"}, ("smtp.eu.mailgun.org", 587, "starttls")),
    ],
)
def test_what_is_not_set_follows_from_the_rest(settings, expected):
    made = server(connection(**settings))
    encryption = "tls" if made.tls else "starttls" if made.account.starttls else "none"
    assert (made.host, made.port, encryption) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"preset": "sendgrid", "password": "KEY"}, ("apikey", "KEY")),
        ({"preset": "sendgrid", "username": "KEY"}, ("apikey", "KEY")),
        ({"preset": "sendgrid", "username": "apikey", "password": "KEY"}, ("apikey", "KEY")),
        ({"preset": "postmark", "username": "KEY"}, ("KEY", "KEY")),
        ({"preset": "mailgun", "username": "me", "password": "KEY"}, ("me", "KEY")),
    ],
)
def test_a_key_alone_is_enough_where_the_username_is_known(settings, expected):
    account = server(connection(**settings)).account
    assert (account.username, account.password) == expected


def test_a_connection_without_a_host_is_refused():
    with pytest.raises(ConfigError, match="SMTP Host"):
        Smtp(connection())


# ── a server by other people ────────────────────────────────────────────────────────────────────────────────────────


class Keep:
    def __init__(self):
        self.mail = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.mail.append(envelope)
        return "250 Ok: queued as 12345678"


async def test_aiosmtpd_takes_our_mail():
    keep = Keep()
    controller = Controller(
        keep, hostname=HOST, port=free_port(), auth_require_tls=False, enable_SMTPUTF8=True,
        authenticator=lambda *_: AuthResult(success=True),
    )  # fmt: skip
    controller.start()
    try:
        mailer = Smtp(connection(host=HOST, port=controller.port, encryption="none", username="shop", password="x"))
        given = parcel("jörg@dest.example", TO, body=b".dot\r\n\xc3\xb6\r\n")
        report = await mailer.send(given, Crossing())
        assert told(report) == ["accepted", "accepted"]
        assert report.outcomes[0] == Accepted("250 Ok: queued as 12345678", "12345678")
        await mailer.close()
    finally:
        controller.stop()
    [envelope] = keep.mail
    assert envelope.content == given.message.head + given.message.body
    assert envelope.rcpt_tos == ["jörg@dest.example", TO]
