"""The SMTP mailer's pool: sessions that had died, and messages that are chained."""

import asyncio
import time
from collections import Counter

import pytest

from tests.mailers.parcels import told, words
from tests.mailers.reaching import NO_PIPELINING, reaching, send
from tests.provider import before, drip, hang_up, normally, reset, say


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
        await asyncio.gather(*mailer._pool._opening)  # one of these may never have carried anything
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


# ── so many messages a session ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_session_carries_only_so_many_messages_also_under_load(provider):
    carried: Counter[int] = Counter()

    def count(session, reply):
        carried[session.number] += 1
        return reply

    provider.on("mail", count)
    async with reaching(provider, session_messages=2, sessions=2) as mailer:
        reports = await asyncio.gather(*[send(mailer) for _ in range(20)])
    assert {words(report.outcomes[0]) for report in reports} == {"accepted"}
    assert max(carried.values()) == 2


async def test_it_is_tried_again_as_long_as_only_worn_out_sessions_come_free(provider):
    carried: Counter[int] = Counter()

    def only_one(session, reply):
        carried[session.number] += 1
        return reply if carried[session.number] == 1 else b"421 4.4.5 too many messages in this session\r\n"

    provider.on("mail", only_one)
    provider.on("taken", before(normally, seconds=0.3), skip=1, times=1)
    provider.on("greeting", before(normally, seconds=0.8), skip=2)
    async with reaching(provider, sessions=2, chaining=False, command=5) as mailer:
        both = [asyncio.create_task(send(mailer)) for _ in range(2)]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        third = await send(mailer)  # by the idle session, then by the other one when it is free, then by a new one
        assert [told(report) for report in (third, *[await one for one in both])] == [["accepted"]] * 3
    assert sorted(carried.values())[-2:] == [2, 2]
