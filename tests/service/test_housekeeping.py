"""What must happen without anybody asking, and what its failures must not stop."""

import asyncio
from datetime import timedelta

import pytest

from secondpost.core import limits
from secondpost.core.connection import Connection, Limits
from secondpost.core.delivery import Move, State
from secondpost.core.outcome import Unclear
from secondpost.core.priority import Priority, WhenUnclear
from secondpost.errors import StoreUnavailable
from secondpost.service.line import LIMITER
from tests.service.conftest import DOWN, held

LOST = Unclear("the line was lost")


async def doubtful(office, priority=Priority.NORMAL):
    """A message whose answer was lost; everything is well again."""
    office.primary.answer = lambda parcel: (LOST,) * len(parcel.recipients)
    message = await office.send(priority=priority)
    office.primary.heal()
    return message


async def until(condition, seconds=2.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


# Doubts: what the policy of the priority says -------------------------------------------------------------------------


@pytest.mark.parametrize("priority", [Priority.URGENT, Priority.NORMAL])
async def test_a_doubt_that_nothing_settled_in_time_is_sent_again(office, priority):
    message = await doubtful(office, priority)
    deadline = office.worker.policies[priority].unclear_after
    office.clock.forward(seconds=deadline.total_seconds() - 1)
    await office.housekeeping.doubts()
    assert await office.states(message) == ["unclear"]
    office.clock.forward(seconds=2)
    await office.housekeeping.doubts()
    await office.later(seconds=1)
    entry = await office.entry(message)
    assert [attempt["connection"] for attempt in entry.attempts] == ["primary", "primary"]
    assert (entry.deliveries[0]["state"], entry.deliveries[0]["possible_duplicate"]) == ("accepted", True)
    assert any("possible duplicate" in event["text"] for event in entry.events)


async def test_a_doubt_about_bulk_is_held_for_a_person(office):
    message = await doubtful(office, Priority.BULK)
    office.clock.forward(days=2)
    await office.housekeeping.doubts()
    assert await office.states(message) == ["unclear"]


async def test_the_policy_can_be_changed_for_each_priority(office):
    office.policy(Priority.URGENT, when_unclear=WhenUnclear.HOLD)
    office.policy(Priority.BULK, when_unclear=WhenUnclear.SEND_AGAIN)
    urgent, bulk = await doubtful(office, Priority.URGENT), await doubtful(office, Priority.BULK)
    office.clock.forward(minutes=30)
    await office.housekeeping.doubts()
    assert (await office.states(urgent), await office.states(bulk)) == (["unclear"], ["waiting"])


async def test_a_doubt_whose_message_has_expired_is_not_sent_again(office):
    message = await doubtful(office)
    office.clock.forward(days=3)
    await office.housekeeping.doubts()
    await office.later(seconds=1)
    await office.housekeeping.expire()
    assert office.copies() == 1
    assert await office.states(message) == ["unclear"]  # a person may still know


async def test_a_doubt_that_was_settled_meanwhile_is_left_alone(office):
    message = await doubtful(office)
    now = office.clock()
    await office.store.move(message, None, Move.SETTLE_ARRIVED, now=now, due=None, reason="a person")
    office.clock.forward(minutes=30)
    await office.housekeeping.doubts()
    assert await office.states(message) == ["accepted"]


# Expiry ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("priority", "hours"), [(Priority.URGENT, 1), (Priority.NORMAL, 48), (Priority.BULK, 120)])
async def test_what_nobody_took_ends_when_its_time_is_over(office, priority, hours):
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send(priority=priority)
    office.clock.forward(hours=hours - 0.1)
    await office.housekeeping.expire()
    assert await office.states(message) == ["waiting"]
    office.clock.forward(hours=0.2)
    await office.housekeeping.expire()
    assert await office.states(message) == ["expired"]


async def test_all_that_has_expired_ends_however_much_it_is(office, monkeypatch):
    monkeypatch.setattr("secondpost.service.housekeeping.BATCH", 2)
    office.primary.refuse = office.backup.refuse = DOWN
    messages = [await office.send(priority=Priority.URGENT) for _ in range(5)]
    office.clock.forward(hours=2)
    await office.housekeeping.expire()
    assert [await office.states(message) for message in messages] == [["expired"]] * 5


# Leases ---------------------------------------------------------------------------------------------------------------


async def test_what_a_worker_that_died_held_waits_again_and_what_it_was_sending_is_a_doubt(office, caplog):
    office.primary.before = held
    office.backup.after = held
    waiting, sending = await office.send(), await office.send(connection="backup")
    office.store._entries[waiting].deliveries[0].state = State.LEASED  # the point was not written down yet
    for message in (waiting, sending):
        office.store._entries[message].deliveries[0].worker = "dead"
    await office.housekeeping.recover()
    assert (await office.states(waiting), await office.states(sending)) == (["waiting"], ["unclear"])
    assert "a worker died; of its deliveries 1 wait again, 1 are unclear" in caplog.text
    (event,) = await office.store.events(limit=10)
    assert event["kind"] == "lapse"


async def test_the_doubt_of_a_dead_worker_is_due_by_the_configured_policy(office):
    office.policy(Priority.NORMAL, unclear_after=timedelta(hours=3))
    office.primary.after = held
    message = await office.send()
    office.store._entries[message].deliveries[0].worker = "dead"
    await office.housekeeping.recover()
    assert 10_000 < await office.due_in(message) <= 10_800


async def test_a_live_worker_keeps_its_own_leases(office):
    office.primary.before = held
    message = await office.send()
    office.clock.forward(hours=1)
    await office.housekeeping.leases()
    assert await office.states(message) == ["sending"]


# Limits ---------------------------------------------------------------------------------------------------------------


async def test_what_the_limits_have_counted_is_kept_and_only_when_it_changed(office):
    limited = Connection(name="primary", mailer="scripted", limits=Limits(per_day=10))
    office.connect(limited, backup="")
    office.line().limiter = limits.Limiter(limits=limited.limits)
    await office.send()
    await office.housekeeping.keep_counts()
    assert (await office.store.get(LIMITER, "primary"))["counts"]["day"][1] == 1
    office.store.failing = {"put"}
    await office.housekeeping.keep_counts()
    await office.send()
    with pytest.raises(StoreUnavailable):
        await office.housekeeping.keep_counts()
    office.store.failing = set()
    await office.housekeeping.keep_counts()
    assert (await office.store.get(LIMITER, "primary"))["counts"]["day"][1] == 2


# The rhythm -----------------------------------------------------------------------------------------------------------


async def test_the_duties_bring_waiting_mail_to_the_worker(office):
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send()
    office.primary.refuse = None
    office.clock.forward(seconds=5)
    office.housekeeping.start()
    await until(lambda: office.copies() == 1)
    assert await office.states(message) == ["accepted"]


async def test_mail_that_waited_for_room_is_fetched_as_soon_as_there_is_some(office, monkeypatch):
    monkeypatch.setattr("secondpost.service.housekeeping.LOOK_AGAIN", 60)
    office.worker.room.max_count = 16
    gate = held()
    office.primary.before = lambda: gate
    for _ in range(20):
        await office.submit(office.draft())
    office.housekeeping.start()
    await office.rest()
    gate.set_result(None)
    await until(lambda: office.copies() == 20)


async def test_a_store_in_trouble_is_not_asked_in_a_loop_and_recovers(office, monkeypatch, caplog):
    monkeypatch.setattr("secondpost.service.housekeeping.LOOK_AGAIN", 0.02)
    office.store.failing = {"routes"}
    office.housekeeping.start()
    await office.rest(0.1)
    assert 1 <= caplog.text.count("refill must wait") <= 6
    office.worker.draining = False
    office.store.failing = set()
    message = await office.send()
    assert await office.states(message) == ["accepted"]


async def test_a_bug_in_one_duty_stops_no_other(office, monkeypatch, caplog):
    monkeypatch.setattr("secondpost.service.housekeeping.LOOK_AGAIN", 0.02)

    async def broken():
        raise RuntimeError("a bug")

    office.store.doubts = broken
    office.primary.refuse = office.backup.refuse = DOWN
    await office.send()
    office.primary.refuse = None
    office.clock.forward(seconds=5)
    office.housekeeping.start()
    await until(lambda: office.copies() == 1)
    assert "doubts failed by a fault of our own" in caplog.text


async def test_after_a_stop_nothing_more_is_done(office):
    office.housekeeping.start()
    await office.housekeeping.stop()
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send()
    office.primary.refuse = None
    office.clock.forward(seconds=5)
    await office.rest(0.05)
    assert await office.states(message) == ["waiting"]


async def test_what_is_being_claimed_at_a_stop_waits_again_and_no_worker_has_died(office, monkeypatch):
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send()
    office.clock.forward(seconds=5)
    claim, leased, read = office.store.lease, asyncio.Event(), asyncio.Event()

    async def claim_and_read(*asked, **limits):
        leases = await claim(*asked, **limits)
        leased.set()
        await read.wait()
        return leases

    monkeypatch.setattr(office.store, "lease", claim_and_read)
    office.housekeeping.start()
    await leased.wait()
    stopping = asyncio.create_task(office.housekeeping.stop())
    await office.rest()
    read.set()
    await stopping
    await office.worker.stop(1)
    assert await office.states(message) == ["waiting"]
