"""Limits over all connections: what exceeds them waits, whoever could carry it; and where they are set."""

import asyncio
from datetime import timedelta

import pytest

from secondpost.core.connection import Connection, Limits
from secondpost.core.delivery import State
from secondpost.core.limits import Limiter
from secondpost.core.priority import Priority
from secondpost.errors import WrongInput
from secondpost.service import present
from secondpost.service.overall import MOST, Overall, OverallLimits
from tests.service.conftest import DOWN, held

SECOND = timedelta(seconds=1)
JITTER = timedelta(seconds=0.2)  # between setting out and being tried, on a busy machine


def limit(office, **rates):
    """From now on; far from the end of a minute."""
    office.clock.early()
    office.worker.ways.overall.limit(rates)


def subjects(office):
    return [parcel.message.head.split(b"Subject: ")[1].split(b"\r")[0] for parcel in office.primary.takes]


async def test_what_exceeds_the_limit_waits_and_does_not_overflow_to_the_backup(office):
    limit(office, per_minute=2)
    messages = [await office.send() for _ in range(5)]
    assert [await office.states(one) for one in messages] == [["accepted"]] * 2 + [["waiting"]] * 3
    assert await office.worker.refill() == 0  # nor is it leased over and over meanwhile
    await office.later(minutes=1)
    assert [await office.states(one) for one in messages] == [["accepted"]] * 4 + [["waiting"]]
    await office.later(minutes=1)
    assert (len(office.primary.takes), office.backup.tries) == (5, 0)
    assert office.worker.room.count == 0


async def test_the_limit_is_one_for_all_connections(office):
    limit(office, per_minute=2)
    for connection in ("primary", "backup", "backup", "primary"):
        await office.send(connection=connection)
    assert (len(office.primary.takes), len(office.backup.takes)) == (1, 1)


async def test_messages_that_come_at_once_do_not_exceed_it_together(office):
    limit(office, per_minute=2)
    await asyncio.gather(*(office.submit(office.draft()) for _ in range(6)))
    await office.rest()
    assert office.copies() == 2
    assert office.worker.room.count == 0
    await office.later(minutes=1)
    assert office.copies() == 4


async def test_when_the_limit_lets_mail_go_urgent_goes_first(office):
    limit(office, per_minute=1)
    await office.send()
    for priority in (Priority.BULK, Priority.NORMAL, Priority.URGENT):
        await office.send(priority=priority, content=f"Subject: {priority.label}\r\n\r\n".encode())
    for _ in range(3):
        await office.later(minutes=1)
    assert subjects(office) == [b"hello", b"urgent", b"normal", b"bulk"]


async def test_what_comes_anew_does_not_overtake_what_waits(office):
    limit(office, per_minute=1)
    await office.send()
    await office.send(content=b"Subject: first\r\n\r\n")
    office.clock.forward(minutes=1)
    await office.send(content=b"Subject: second\r\n\r\n")
    await office.later(seconds=0)
    assert subjects(office) == [b"hello", b"first"]


async def test_a_message_that_falls_back_is_counted_once_and_need_not_wait_again(office):
    limit(office, per_minute=2)
    office.primary.refuse = DOWN
    for _ in range(3):
        await office.send()
    assert len(office.backup.takes) == 2


async def test_a_rival_in_a_race_is_the_same_message(office):
    limit(office, per_minute=1)
    office.policy(Priority.NORMAL, hedge_after=timedelta(milliseconds=10))
    gate = held()
    office.primary.before = lambda: gate
    message = await office.send()
    await office.rest(0.04)
    assert await office.states(message) == ["accepted"]
    assert len(office.backup.takes) == 1
    gate.set_result(None)
    await office.rest()


async def test_without_a_limit_nothing_is_counted(office):
    await office.send()
    assert office.worker.ways.overall.limiter is None
    limit(office, per_minute=1)
    limit(office)
    for _ in range(3):
        await office.send()
    assert office.copies() == 4


async def test_the_queue_says_that_mail_waits_for_it_and_until_when(office):
    limit(office, per_hour=1)
    await office.send()
    await office.send()
    told = present.why(State.WAITING, ("primary", "backup"), office.clock(), office.worker)
    assert told.startswith("the limits over all connections let nothing more go before ")
    assert ":00:00" in told
    (group,) = present.queue(await office.store.depth(), office.worker)["groups"]
    assert group["why"] == told
    assert "its time" in present.why(State.WAITING, ("primary",), office.clock() + SECOND, office.worker)


# The pace, in real time -----------------------------------------------------------------------------------------------


def most_in_a_second(times):
    return max(sum(first <= time < first + SECOND - JITTER for time in times) for first in times)


async def test_mail_goes_at_the_pace_of_the_limit_neither_faster_nor_much_slower(office):
    office.worker.ways.overall.limit({"per_second": 10})
    times = []
    for mailer in office.mailers.values():
        mailer.before = lambda: times.append(office.clock())
    began = office.clock()
    office.housekeeping.start()
    for number in range(30):
        await office.submit(office.draft(connection="backup" if number % 3 else "primary"))
    async with asyncio.timeout(8):
        while office.copies() < 30:
            await asyncio.sleep(0.02)
    assert most_in_a_second(times) <= 10
    assert timedelta(seconds=1.8) < office.clock() - began < timedelta(seconds=5)


async def test_a_connection_with_a_limit_of_its_own_keeps_to_the_pace_of_all_and_does_not_starve(office):
    office.connect(
        Connection(name="primary", mailer="scripted", limits=Limits(per_second=3)),
        Connection(name="backup", mailer="scripted"),
    )
    office.line().limiter = Limiter(limits=Limits(per_second=3))
    office.worker.ways.overall.limit({"per_second": 6})
    times = []
    for mailer in office.mailers.values():
        mailer.before = lambda: times.append(office.clock())
    office.housekeeping.start()
    for name in ["backup"] * 9 + ["primary"] * 6:
        await office.submit(office.draft(connection=name))
    async with asyncio.timeout(10):
        while office.copies() < 15:
            await asyncio.sleep(0.02)
    assert most_in_a_second(times) <= 6


# Where they are set ---------------------------------------------------------------------------------------------------


def settings(office, **fixed):
    it = OverallLimits(office.store, Overall())
    it.configure({span: (rate, "secondpost.toml") for span, rate in fixed.items()})
    return it


async def test_what_a_person_chose_and_what_was_counted_survive_a_restart(office):
    office.clock.early()
    before = OverallLimits(office.store, office.worker.ways.overall)
    await before.load()
    await before.change({"per_hour": 3, "per_day": None})
    await office.send()
    await office.send()
    await before.keep_counts()
    after = settings(office)
    await after.load()
    assert after.rates == {"per_hour": 3}
    assert after.overall.room(office.clock(), 50) == 1


async def test_counts_are_written_down_only_when_they_changed(office):
    it = OverallLimits(office.store, office.worker.ways.overall)
    office.store.failing = {"put"}
    await it.keep_counts()
    limit(office, per_hour=2)
    office.store.failing = set()
    await it.keep_counts()
    office.store.failing = {"put"}
    await it.keep_counts()


async def test_the_configuration_wins_over_what_a_person_chose(office):
    it = settings(office, per_day=5)
    await it.load()
    await it.change({"per_day": 9, "per_hour": 2})
    assert it.rates == {"per_day": 5, "per_hour": 2}
    assert (it.origin("per_day"), it.origin("per_hour")) == ("secondpost.toml", "")
    it.configure({})
    assert it.rates == {"per_hour": 2}


async def test_other_limits_do_not_begin_the_count_anew(office):
    limit(office, per_hour=2)
    await office.send()
    office.worker.ways.overall.limit({"per_hour": 3})
    assert office.worker.ways.overall.room(office.clock(), 50) == 2


@pytest.mark.parametrize("rates", [{"per_day": 0}, {"per_day": -1}, {"per_day": MOST + 1}, {"per_day": True},
                                   {"per_day": "5"}, {"per_year": 5}], ids=str)  # fmt: skip
async def test_what_is_no_limit_changes_nothing(office, rates):
    it = settings(office)
    await it.change({"per_hour": 2})
    with pytest.raises(WrongInput, match="Nothing was saved"):
        await it.change({"per_minute": 7, **rates})
    assert it.rates == {"per_hour": 2}
