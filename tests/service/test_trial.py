"""A connection that is not trusted is tried again by signing in; then one message proves that messages are taken."""

import asyncio
from datetime import timedelta

import pytest

from secondpost.core import breaker, limits
from secondpost.core.connection import Connection, Limits
from secondpost.core.outcome import Accepted, Deferred, Fault
from secondpost.service.line import BREAKER, LIMITER, Line
from tests.service.conftest import DOWN, ScriptedMailer, held

REFUSED = Deferred(Fault.ACCOUNT, "535 5.7.8 wrong password")
NOT_VERIFIED = Deferred(Fault.ACCOUNT, "550 not verified", about_sender=True)


@pytest.fixture
def office(office, monkeypatch):
    """An office whose broken connections are tried again soon."""
    monkeypatch.setattr(breaker, "FIRST_PAUSE", timedelta(milliseconds=10))
    office.worker.on_change = office.trials.changed
    return office


async def breaks(office):
    """The primary breaks, by three messages."""
    office.primary.refuse = DOWN
    for _ in range(3):
        await office.send()
    assert office.line().breaker.state is not breaker.State.CLOSED


async def becomes(office, state: breaker.State, seconds: float = 2.0):
    async with asyncio.timeout(seconds):
        while office.line().breaker.state is not state or office.line().breaker.probe:
            await asyncio.sleep(0.002)


async def test_traffic_returns_by_itself_after_a_sign_in_and_one_message(office):
    await breaks(office)
    office.primary.heal()
    await becomes(office, breaker.State.HALF_OPEN)
    assert office.primary.sign_ins >= 1
    assert office.primary.takes == []
    message = await office.send()
    assert await office.attempts(message) == ["primary"]
    assert office.line().breaker.state is breaker.State.CLOSED


async def test_a_sign_in_that_fails_leaves_it_alone_for_twice_as_long(office):
    await breaks(office)
    pause = office.line().breaker.pause
    async with asyncio.timeout(5):
        while office.line().breaker.pause < pause * 4:
            await asyncio.sleep(0.002)
    assert office.primary.sign_ins >= 2
    assert len(office.backup.takes) == 3


async def test_no_message_waits_for_the_answer_to_a_sign_in(office):
    await breaks(office)
    gate = held()
    mailer = office.primary
    verify = mailer.verify

    async def slowly():
        await gate
        return await verify()

    mailer.heal()
    mailer.verify = slowly
    await office.rest(0.03)
    message = await office.send()
    assert await office.attempts(message) == ["backup"]
    gate.set_result(None)
    await becomes(office, breaker.State.HALF_OPEN)


async def test_what_happened_is_an_event_and_survives_a_restart(office):
    office.primary.refuse = REFUSED
    await office.send()
    await office.rest()
    kept = await office.store.get(BREAKER, "primary")
    assert (kept["state"], kept["reason"]) == ("open", "account: 535 5.7.8 wrong password")
    (event,) = await office.store.events(limit=10)
    assert (event["kind"], event["connection"], event["text"]) == (
        "breaker", "primary", "open: account 535 5.7.8 wrong password",
    )  # fmt: skip

    again = Line(office.primary.connection, office.primary)
    await office.trials.restore(again)
    assert again.breaker.state is breaker.State.OPEN
    assert not again.usable(office.clock())


async def test_a_refused_sender_is_not_told_as_a_broken_connection(office):
    office.primary.answer = lambda parcel: (NOT_VERIFIED,)
    await office.send()
    await office.rest()
    (event,) = await office.store.events(limit=10)
    assert event["text"].startswith("closed, but open for mail from example.com: account")
    assert office.line().breaker.state is breaker.State.CLOSED


async def test_of_many_refused_senders_the_last_are_named(office):
    office.primary.answer = lambda parcel: (NOT_VERIFIED,)
    for number in range(5):
        head = f"From: shop@{number}.example\r\n\r\n".encode()
        await office.send(content=head)
    await office.rest()
    (event, *_) = await office.store.events(limit=1)
    assert "open for mail from 2.example, 3.example, 4.example and 2 more:" in event["text"]


async def test_refused_senders_survive_a_restart_until_one_is_taken(office):
    office.primary.answer = lambda parcel: (NOT_VERIFIED,)
    await office.send()
    await office.rest()
    again = Line(office.primary.connection, office.primary)
    await office.trials.restore(again)
    assert list(again.domains) == ["example.com"]

    office.primary.heal()
    office.clock.forward(minutes=6)
    await office.send()
    await office.rest()
    healed = Line(office.primary.connection, office.primary)
    await office.trials.restore(healed)
    assert healed.domains == {}


async def test_after_a_change_of_settings_the_breaker_of_before_says_nothing(office):
    office.primary.refuse = REFUSED
    await office.send()
    await office.rest()
    mended = Connection(name="primary", mailer="scripted", settings={"token": "new"})
    again = Line(mended, ScriptedMailer(mended))
    await office.trials.restore(again)
    assert again.breaker.state is breaker.State.CLOSED


async def test_the_limits_of_before_are_taken_up_under_the_limits_of_today(office):
    now = office.clock()
    counted = limits.take(limits.Limiter(limits=Limits(per_day=2)), now)
    await office.store.put(LIMITER, "primary", limits.to_dict(counted))
    connection = Connection(name="primary", mailer="scripted", limits=Limits(per_day=1))
    again = Line(connection, office.primary)
    await office.trials.restore(again)
    assert again.wait(now) > timedelta()


async def test_a_connection_that_was_never_in_trouble_starts_well(office):
    again = Line(office.primary.connection, office.primary)
    await office.trials.restore(again)
    assert again.usable(office.clock())


async def test_a_bug_in_signing_in_is_told_and_it_is_tried_again(office, caplog):
    def broken():
        raise RuntimeError("a bug")

    await breaks(office)
    office.primary.heal()
    office.primary.verified = broken
    async with asyncio.timeout(10):
        while "fault of our own" not in caplog.text:
            await asyncio.sleep(0.002)
    office.primary.verified = lambda: Accepted("ready")
    await becomes(office, breaker.State.HALF_OPEN)


async def test_a_connection_whose_settings_changed_is_tried_on_its_own_whatever_the_old_one_waits_for(office):
    await breaks(office)
    old = office.line()
    now = office.clock()
    mailer = ScriptedMailer(old.connection)
    new = Line(old.connection, mailer)
    new.breaker = breaker.record(breaker.Breaker(), REFUSED, started=now, now=now)
    new.breaker = breaker.from_dict(breaker.to_dict(new.breaker) | {"until": now.isoformat()}, now)
    old.retired = True
    office.worker.ways.lines["primary"] = new
    office.trials.watch(new)
    await becomes(office, breaker.State.HALF_OPEN)
    assert mailer.sign_ins == 1


async def test_a_store_in_trouble_does_not_keep_a_connection_from_recovering(office, caplog):
    await breaks(office)
    office.store.failing = {"put"}
    office.primary.heal()
    await becomes(office, breaker.State.HALF_OPEN)
    assert "could not be written down" in caplog.text


async def test_after_a_stop_nothing_is_tried_any_more(office):
    await breaks(office)
    await office.trials.stop()
    sign_ins = office.primary.sign_ins
    await office.rest(0.05)
    assert office.primary.sign_ins == sign_ins
