"""The SMTP mailer, TLS and the log-in."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from secondpost.core.outcome import Phase
from tests.mailers.parcels import Crossing, Tail, parcel, told, words
from tests.mailers.reaching import reaching, send
from tests.provider import Provider, hang_up, raw, reset, silence


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
