"""The SMTP mailer against real sockets: what arrives, signing in, settings, and a server by other people."""

import asyncio
import random
import socket
import struct
from contextlib import suppress

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from secondpost.core.outcome import Accepted, Deferred, Fault, Phase
from secondpost.errors import ConfigError
from secondpost.mailers.smtp import Smtp
from secondpost.mailers.smtp_connect import server
from tests.mailers.parcels import TO, Crossing, Tail, connection, parcel, told, words
from tests.mailers.reaching import NO_PIPELINING, WAYS, reaching, send
from tests.provider import HOST, free_port, refuse_early

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
        assert not mailer._pool._live
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
