"""Limits: what is waited for, what overflows, and who goes first when they let mail go."""

import asyncio
from datetime import timedelta

from secondpost.core import breaker, limits
from secondpost.core.connection import Connection, Limits
from secondpost.core.outcome import Deferred, Fault
from secondpost.core.priority import Priority
from tests.service.conftest import DOWN, LIMITED, REFUSED_LOG_IN, THROTTLED, held
from tests.service.test_housekeeping import until

# Limits ---------------------------------------------------------------------------------------------------------------


async def test_a_limit_within_patience_is_waited_for_on_the_same_connection(office):
    office.primary.answer = lambda parcel: (THROTTLED,)
    message = await office.send()
    office.primary.heal()
    assert 0.5 < await office.due_in(message) <= 1
    await office.later(seconds=1.5)
    assert await office.attempts(message) == ["primary", "primary"]
    assert office.backup.tries == 0


async def test_an_impatient_priority_goes_to_the_backup_for_the_same_limit(office):
    office.policy(Priority.URGENT, patience=timedelta(seconds=0.5))
    office.primary.answer = lambda parcel: (THROTTLED,)
    message = await office.send(priority=Priority.URGENT)
    assert await office.attempts(message) == ["primary", "backup"]


async def test_bulk_waits_for_a_limit_however_long_it_is(office):
    office.primary.answer = lambda parcel: (LIMITED,)
    message = await office.send(priority=Priority.BULK)
    assert await office.attempts(message) == ["primary"]
    assert await office.due_in(message) > 290


async def test_a_limit_is_no_mark_against_the_connection_and_later_mail_overflows(office):
    office.primary.answer = lambda parcel: (LIMITED,)
    for _ in range(5):
        await office.send()
    assert office.primary.tries == 1
    assert len(office.backup.takes) == 5
    assert office.line().breaker.state is breaker.State.CLOSED


async def test_a_connection_carries_no_more_than_its_rate_and_the_rest_overflows(office):
    office.clock.early()
    limited = Connection(name="primary", mailer="scripted", limits=Limits(per_hour=2))
    office.connect(limited, Connection(name="backup", mailer="scripted"))
    office.line().limiter = limits.Limiter(limits=limited.limits)
    for _ in range(3):
        await office.send()
    assert (len(office.primary.takes), len(office.backup.takes)) == (2, 1)
    await office.later(hours=1)
    await office.send()
    assert len(office.primary.takes) == 3


async def test_without_a_backup_what_exceeds_the_rate_waits_until_the_limit_allows_it(office):
    office.clock.early()
    limited = Connection(name="primary", mailer="scripted", limits=Limits(per_hour=1))
    office.connect(limited, backup="")
    office.line().limiter = limits.Limiter(limits=limited.limits)
    await office.send()
    message = await office.send(priority=Priority.BULK)
    assert await office.states(message) == ["waiting"]
    assert await office.worker.refill() == 0  # nor is it leased over and over meanwhile
    await office.later(hours=1)
    assert await office.states(message) == ["accepted"]


async def test_bulk_does_not_overflow_to_the_backup_for_a_limit(office):
    await shut_for(office, minutes=5)
    message = await office.send(priority=Priority.BULK)
    assert await office.states(message) == ["waiting"]
    assert await office.due_in(message) > 290
    await office.later(minutes=6)
    assert await office.attempts(message) == ["primary"]


async def test_what_waits_for_a_limit_takes_a_connection_that_recovers_meanwhile(office):
    office.backup.refuse = DOWN
    office.primary.answer = lambda parcel: (LIMITED,)
    message = await office.send()
    assert await office.attempts(message) == ["primary", "backup"]
    office.backup.heal()
    await office.later(seconds=20)
    assert await office.attempts(message) == ["primary", "backup", "backup"]


async def test_bulk_overflows_when_the_limit_would_outlive_it(office):
    office.policy(Priority.BULK, expires=timedelta(minutes=3))
    await shut_for(office, minutes=5)
    message = await office.send(priority=Priority.BULK)
    assert await office.attempts(message) == ["backup"]


async def test_with_nowhere_to_overflow_to_an_impatient_message_keeps_its_place(office):
    office.policy(Priority.URGENT, patience=timedelta(milliseconds=1))
    office.arrange(backup="")
    await shut_for(office, seconds=20)
    message = await office.send(priority=Priority.URGENT)
    assert await office.states(message) == ["leased"]
    its_turn_comes(office)
    await office.rest()
    assert await office.attempts(message) == ["primary"]


async def test_when_the_limits_let_mail_go_urgent_goes_first(office):
    office.primary.capacity = 1
    office.policy(Priority.URGENT, patience=timedelta(seconds=30))
    await shut_for(office, seconds=20)
    for priority in (Priority.BULK, Priority.NORMAL, Priority.URGENT):
        await office.send(priority=priority, content=f"Subject: {priority.label}\r\n\r\n".encode())
    its_turn_comes(office, times=3)
    await office.rest()
    assert subjects(office) == [b"urgent", b"normal", b"bulk"]


async def test_when_a_provider_asks_for_a_pause_what_waits_in_its_line_is_not_sent_into_it(office):
    office.primary.capacity = 1
    gate = held()
    office.primary.before = lambda: gate
    messages = [await office.send() for _ in range(6)]
    office.primary.refuse = LIMITED
    gate.set_result(None)
    await office.rest()
    assert office.primary.tries == 1
    assert len(office.backup.takes) == 6
    assert [await office.states(message) for message in messages] == [["accepted"]] * 6
    assert office.worker.room.count == 0


async def test_a_pause_that_begins_before_their_turn_holds_for_those_who_have_one(office):
    await shut_for(office, seconds=20)
    message = await office.send()
    line = office.line()
    line.limiter = limits.gate(line.limiter, LIMITED, office.clock())
    its_turn_comes(office)
    await office.rest()
    assert await office.attempts(message) == ["backup"]


async def shut_for(office, **span):
    """The primary's limits let nothing go for a moment that normal mail waits for."""
    line = office.line()
    line.limiter = limits.gate(line.limiter, Deferred(Fault.LIMIT, retry_after=timedelta(**span)), office.clock())


def its_turn_comes(office, times=1):
    """The gate opens: the loop's timer is not waited for."""
    office.clock.forward(seconds=21)
    for _ in range(times):
        office.line()._turns[0].cancel()
        office.worker._its_turn(office.line())


async def test_a_short_wait_for_a_limit_is_waited_in_memory(office):
    await shut_for(office, seconds=0.5)
    message = await office.send()
    assert office.primary.tries == 0
    await until(lambda: office.primary.takes, 10)
    await office.rest()
    assert await office.states(message) == ["accepted"]
    assert len(office.primary.takes) == 1


async def test_what_waits_for_a_limit_goes_another_way_at_once_when_the_connection_breaks(office):
    await shut_for(office, seconds=20)
    message = await office.send()
    assert await office.states(message) == ["leased"]
    line = office.line()
    line.breaker = breaker.record(line.breaker, REFUSED_LOG_IN, started=office.clock(), now=office.clock())
    office.worker.reroute(line, office.clock())
    await office.rest()
    assert await office.states(message) == ["accepted"]
    assert len(office.backup.takes) == 1
    assert not line._turns


async def test_what_waits_for_a_limit_is_given_back_when_the_gateway_stops(office):
    await shut_for(office, seconds=20)
    message = await office.send()
    await office.worker.stop(1)
    await office.rest()
    assert await office.states(message) == ["waiting"]
    assert await office.due_in(message) <= 0
    assert office.worker.room.count == 0


# The order in the line ------------------------------------------------------------------------------------------------


def subjects(office):
    return [parcel.message.head.split(b"Subject: ")[1].split(b"\r")[0] for parcel in office.primary.takes]


async def test_urgent_never_waits_behind_bulk(office):
    first = held()
    office.primary.capacity = 1
    office.primary.before = lambda: first
    await office.send()
    office.primary.heal()
    order = [Priority.BULK, Priority.NORMAL, Priority.URGENT]
    for priority in order:
        await office.send(priority=priority, content=f"Subject: {priority.label}\r\n\r\n".encode())
    first.set_result(None)
    await office.rest()
    assert subjects(office) == [b"hello", b"urgent", b"normal", b"bulk"]


async def test_a_line_has_no_more_carriers_than_its_mailer_can_use(office):
    gate = held()
    office.primary.before = lambda: gate
    for _ in range(10):
        await office.send()
    assert (office.primary.tries, office.line().carriers) == (4, 4)
    gate.set_result(None)
    await office.rest()
    assert len(office.primary.takes) == 10
    assert office.worker.room.count == 0


async def test_all_lines_together_have_no_more_carriers_than_allowed_but_each_has_one(office):
    office.worker.concurrency = 1
    gate = held()
    for mailer in office.mailers.values():
        mailer.before = lambda: gate
    for _ in range(5):
        await office.send()
    assert office.line("primary").carriers == 2
    await office.send(connection="backup")
    assert office.line("backup").carriers == 1
    gate.set_result(None)
    await office.rest()
    assert office.copies() == 6


async def test_what_waits_behind_a_slow_answer_is_carried_when_another_line_has_carriers_to_spare(office):
    office.worker.concurrency = 1
    slow, gate = held(), held()
    office.mailers["backup"].before = lambda: slow
    await office.send(connection="backup")
    office.primary.before = lambda: gate
    await office.send()
    office.mailers["backup"].before = lambda: None
    waiting = await office.send(connection="backup")  # there are as many carriers as may be
    assert office.line("backup").carriers == 1
    gate.set_result(None)
    async with asyncio.timeout(5):
        while not office.mailers["backup"].takes:
            await asyncio.sleep(0.002)
    assert await office.attempts(waiting) == ["backup"]
    assert not slow.done()
    slow.set_result(None)
    await office.rest()
    assert office.worker.room.count == 0
