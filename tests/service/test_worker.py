"""The worker follows each outcome as the delivery rules say."""

import asyncio

from secondpost.core.outcome import Accepted, Deferred, Fault, Rejected, Unclear
from secondpost.core.priority import Priority


async def test_a_message_leaves_by_the_primary(office):
    message = await office.send()
    assert await office.states(message) == ["accepted"]
    assert len(office.mailers["primary"].takes) == 1
    assert office.mailers["backup"].tries == 0
    assert office.worker.room.count == 0


async def test_an_unreachable_primary_sends_it_to_the_backup_at_once(office):
    office.mailers["primary"].refuse = Deferred(Fault.UNREACHABLE, "refused")
    message = await office.send()
    assert await office.states(message) == ["accepted"]
    assert len(office.mailers["backup"].takes) == 1
    entry = await office.store.entry(message)
    assert [attempt["connection"] for attempt in entry.attempts] == ["primary", "backup"]


async def test_a_lost_answer_is_unclear_and_never_goes_to_the_backup(office):
    office.mailers["primary"].answer = lambda parcel: (Unclear("the line was lost"),)
    message = await office.send()
    assert await office.states(message) == ["unclear"]
    assert office.mailers["backup"].tries == 0


async def test_each_recipient_has_its_own_fate(office):
    office.mailers["primary"].answer = lambda parcel: (
        Accepted("250"),
        Rejected(Fault.RECIPIENT, "550 5.1.1 no such user"),
        Accepted("250"),
    )
    message = await office.send("a@example.net", "b@example.net", "c@example.net")
    assert await office.states(message) == ["accepted", "rejected", "accepted"]
    assert office.mailers["backup"].tries == 0
    assert len(office.failed) == 1


async def test_only_what_was_surely_not_served_moves_to_the_backup(office):
    office.mailers["primary"].answer = lambda parcel: (Accepted("250"), Deferred(Fault.PROVIDER, "451 4.3.0 try later"))
    message = await office.send("a@example.net", "b@example.net")
    assert await office.states(message) == ["accepted", "accepted"]
    assert office.mailers["backup"].takes[0].recipients == ("b@example.net",)


async def test_an_open_breaker_costs_later_mail_no_attempt(office):
    office.mailers["primary"].refuse = Deferred(Fault.UNREACHABLE, "refused")
    for _ in range(10):
        await office.send()
    assert office.mailers["primary"].tries == 3
    assert len(office.mailers["backup"].takes) == 10


async def test_with_both_down_the_message_waits_and_leaves_when_one_recovers(office):
    for mailer in office.mailers.values():
        mailer.refuse = Deferred(Fault.UNREACHABLE, "refused")
    message = await office.send()
    assert await office.states(message) == ["waiting"]
    for mailer in office.mailers.values():
        mailer.refuse = None
    await asyncio.sleep(1.1)
    await office.worker.refill()
    await office.rest()
    assert await office.states(message) == ["accepted"]


async def test_a_silent_primary_does_not_hold_an_urgent_message_which_arrives_once(office):
    released = asyncio.get_running_loop().create_future()
    office.mailers["primary"].before = lambda: released
    message = await office.send(priority=Priority.URGENT)
    await office.rest(1.1)
    assert await office.states(message) == ["accepted"]
    assert len(office.mailers["backup"].takes) == 1
    released.set_result(None)
    await office.rest()
    assert office.mailers["primary"].takes == []
    assert office.worker.room.count == 0


async def test_when_both_rivals_fail_the_message_waits(office):
    released = asyncio.get_running_loop().create_future()
    office.mailers["primary"].before = lambda: released
    office.mailers["primary"].refuse = Deferred(Fault.UNREACHABLE, "silent")
    office.mailers["backup"].refuse = Deferred(Fault.UNREACHABLE, "refused")
    message = await office.send(priority=Priority.URGENT)
    await office.rest(1.1)
    released.set_result(None)
    await office.rest()
    assert await office.states(message) == ["waiting"]
    assert office.worker.room.count == 0


async def test_a_fault_of_our_own_before_the_point_leaves_the_message_waiting(office):
    def broken(parcel):
        raise RuntimeError("a bug")

    office.mailers["primary"].before = broken
    message = await office.send()
    assert await office.states(message) == ["unclear"] or await office.states(message) == ["waiting"]


async def test_mail_of_a_deleted_connection_takes_the_ordinary_route(office):
    office.mailers["primary"].refuse = Deferred(Fault.UNREACHABLE, "refused")
    office.mailers["backup"].refuse = Deferred(Fault.UNREACHABLE, "refused")
    message = await office.send()
    del office.worker.ways.lines["primary"]
    office.worker.ways.ordinary = ("backup",)
    office.mailers["backup"].refuse = None
    await asyncio.sleep(1.1)
    await office.worker.refill()
    await office.rest()
    assert await office.states(message) == ["accepted"]
