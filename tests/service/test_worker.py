"""The worker follows each outcome as the delivery rules say."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from secondpost.core import breaker
from secondpost.core.connection import Connection
from secondpost.core.delivery import Move
from secondpost.core.outcome import Accepted, Deferred, Fault, Rejected, Unclear
from secondpost.core.priority import Priority, WhenUnclear
from secondpost.service.room import Room
from tests.service.conftest import DOWN, LIMITED, NOT_VERIFIED, REFUSED_LOG_IN, THROTTLED, held


async def test_a_message_leaves_by_the_primary(office):
    message = await office.send()
    assert await office.states(message) == ["accepted"]
    assert len(office.primary.takes) == 1
    assert office.backup.tries == 0
    assert office.worker.room.count == 0


# What follows from an outcome: the table of delivery rules, section 4 -------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "connections", "state", "tries", "spent"),
    [
        (Accepted("250 ok"), ["primary"], "accepted", 0, ()),
        (DOWN, ["primary", "backup"], "accepted", 0, ()),
        (REFUSED_LOG_IN, ["primary", "backup"], "accepted", 0, ()),
        (Rejected(Fault.ACCOUNT, "550 suspended"), ["primary", "backup"], "accepted", 0, ()),
        (NOT_VERIFIED, ["primary", "backup"], "accepted", 0, ()),
        (LIMITED, ["primary", "backup"], "accepted", 0, ()),
        (THROTTLED, ["primary"], "waiting", 0, ()),
        (Deferred(Fault.PROVIDER, "451 4.3.0 trouble"), ["primary", "backup"], "accepted", 1, ()),
        (Rejected(Fault.PROVIDER, "554 no"), ["primary", "backup"], "accepted", 1, ("primary",)),
        (Deferred(Fault.RECIPIENT, "452 4.2.2 full"), ["primary"], "waiting", 1, ()),
        (Rejected(Fault.RECIPIENT, "550 5.1.1 no such user"), ["primary"], "rejected", 0, ()),
        (Rejected(Fault.MESSAGE, "552 5.3.4 too large", True), ["primary", "backup"], "accepted", 0, ("primary",)),
        (Rejected(Fault.MESSAGE, "554 5.7.1 spam"), ["primary"], "rejected", 0, ()),
        (Unclear("the line was lost"), ["primary"], "unclear", 0, ()),
        (Deferred(Fault.LOCAL, "our disk"), ["primary"], "waiting", 0, ()),
    ],
    ids=lambda value: None if not hasattr(value, "reply") else f"{type(value).__name__} {getattr(value, 'fault', '')}",
)
async def test_an_outcome_decides_where_the_message_goes_next(office, outcome, connections, state, tries, spent):
    office.primary.answer = lambda parcel: (outcome,)
    message = await office.send()
    assert await office.attempts(message) == connections
    (delivery,) = (await office.entry(message)).deliveries
    assert (delivery["state"], delivery["tries"], delivery["spent"]) == (state, tries, spent)
    assert office.worker.room.count == 0


async def test_the_route_is_followed_in_its_order(office):
    chain = Connection(name="primary", mailer="scripted", backups=("second", "third", "fourth"))
    office.connect(chain, *(Connection(name=name, mailer="scripted") for name in ("fourth", "third", "second")))
    for name in ("primary", "second", "third"):
        office.mailers[name].refuse = DOWN
    message = await office.send()
    assert await office.attempts(message) == ["primary", "second", "third", "fourth"]
    assert await office.states(message) == ["accepted"]


async def test_a_fallback_says_why_in_the_timeline(office):
    office.primary.refuse = DOWN
    entry = await office.entry(await office.send())
    assert [attempt["note"] for attempt in entry.attempts] == ["", "fallback: primary: refused"]


async def test_a_lost_answer_is_unclear_and_never_goes_to_the_backup(office):
    office.primary.answer = lambda parcel: (Unclear("the line was lost"),)
    message = await office.send()
    await office.later(minutes=5)
    assert await office.states(message) == ["unclear"]
    assert office.backup.tries == 0


async def test_each_recipient_has_its_own_fate(office):
    office.primary.answer = lambda parcel: (
        Accepted("250"),
        Rejected(Fault.RECIPIENT, "550 5.1.1 no such user"),
        Unclear("lost"),
    )
    message = await office.send("a@example.net", "b@example.net", "c@example.net")
    assert await office.states(message) == ["accepted", "rejected", "unclear"]
    assert office.backup.tries == 0
    ((_, ended),) = office.failed
    assert [delivery.recipient for delivery, _ in ended] == ["b@example.net"]


async def test_only_what_was_surely_not_served_moves_to_the_backup(office):
    office.primary.answer = lambda parcel: (Accepted("250"), Deferred(Fault.PROVIDER, "451 4.3.0 try later"))
    message = await office.send("a@example.net", "b@example.net")
    assert await office.states(message) == ["accepted", "accepted"]
    assert office.backup.takes[0].recipients == ("b@example.net",)
    assert office.worker.room.count == 0


async def test_recipients_who_may_no_longer_go_the_same_ways_go_on_apart(office):
    office.primary.answer = lambda parcel: (Deferred(Fault.PROVIDER, "451"), Rejected(Fault.PROVIDER, "554"))
    message = await office.send("a@example.net", "b@example.net")
    assert sorted(parcel.recipients for parcel in office.backup.takes) == [("a@example.net",), ("b@example.net",)]
    assert await office.states(message) == ["accepted", "accepted"]
    assert office.worker.room.count == 0


async def test_a_connection_that_refused_for_good_is_not_asked_again(office):
    office.primary.answer = lambda parcel: (Rejected(Fault.PROVIDER, "554 never"),)
    office.backup.refuse = DOWN
    message = await office.send()
    assert await office.states(message) == ["waiting"]
    office.backup.refuse = None
    await office.later(minutes=2)
    assert await office.attempts(message) == ["primary", "backup", "backup"]
    assert await office.states(message) == ["accepted"]


async def test_when_every_connection_refused_for_good_the_message_has_failed(office):
    for mailer in office.mailers.values():
        mailer.answer = lambda parcel: (Rejected(Fault.PROVIDER, "554 never"),)
    message = await office.send()
    assert await office.states(message) == ["rejected"]
    assert len(office.failed) == 1


async def test_a_message_that_two_connections_find_too_large_has_failed(office):
    for mailer in office.mailers.values():
        mailer.answer = lambda parcel: (Rejected(Fault.MESSAGE, "552 5.3.4 too large", unsupported=True),)
    assert await office.states(await office.send()) == ["rejected"]


async def test_waiting_for_a_broken_connection_burns_no_try(office):
    for mailer in office.mailers.values():
        mailer.refuse = DOWN
    message = await office.send()
    for _ in range(5):
        await office.later(seconds=20)
    (delivery,) = (await office.entry(message)).deliveries
    assert (delivery["state"], delivery["tries"]) == ("waiting", 0)


async def test_with_both_down_the_message_waits_and_leaves_when_one_recovers(office):
    for mailer in office.mailers.values():
        mailer.refuse = DOWN
    message = await office.send()
    assert await office.states(message) == ["waiting"]
    for mailer in office.mailers.values():
        mailer.refuse = None
    await office.later(seconds=2)
    assert await office.states(message) == ["accepted"]
    assert office.copies() == 1


async def test_mail_of_a_deleted_connection_takes_the_ordinary_route(office):
    for mailer in office.mailers.values():
        mailer.refuse = DOWN
    message = await office.send()
    old = office.mailers
    office.connect(Connection(name="new", mailer="scripted"), primary="new", backup="")
    await office.later(seconds=2)
    assert await office.states(message) == ["accepted"]
    assert len(office.mailers["new"].takes) == 1
    assert [mailer.takes for mailer in old.values()] == [[], []]


async def test_with_no_connection_at_all_mail_waits_for_one(office):
    office.connect(primary="", backup="")
    message = await office.send()
    await office.later(minutes=1)
    assert await office.states(message) == ["waiting"]
    office.connect(Connection(name="first", mailer="scripted"), primary="first", backup="")
    await office.later(minutes=1)
    assert await office.states(message) == ["accepted"]


# The right to send ----------------------------------------------------------------------------------------------------


async def test_what_a_person_cancels_before_the_point_is_not_sent(office):
    gate = held()
    office.policy(Priority.NORMAL, hedge_after=timedelta(hours=1))  # in a race the point is written down last
    office.primary.before = lambda: gate
    message = await office.send()
    await office.store.move(message, None, Move.CANCEL, now=office.clock(), due=None, reason="changed my mind")
    gate.set_result(None)
    await office.rest()
    assert await office.states(message) == ["cancelled"]
    assert office.copies() == 0
    assert office.worker.room.count == 0


async def test_nothing_crosses_before_the_point_is_on_disk(office):
    office.store.slow = {"start"}
    message = await office.send()
    assert office.primary.tries == 1
    assert office.copies() == 0
    office.store.flow()
    await office.rest()
    assert office.copies() == 1
    assert await office.states(message) == ["accepted"]


async def test_a_point_that_cannot_be_written_down_leaves_the_message_waiting_unsent(office):
    office.store.failing = {"start"}
    message = await office.send()
    assert await office.states(message) == ["waiting"]
    assert office.copies() == 0
    assert office.line().breaker.state is breaker.State.CLOSED
    office.store.failing = set()
    await office.later(minutes=2)
    assert await office.states(message) == ["accepted"]


async def test_a_fault_of_our_own_before_the_point_leaves_the_message_waiting(office, caplog):
    def broken():
        raise RuntimeError("a bug")

    office.primary.before = broken
    message = await office.send()
    assert await office.states(message) == ["waiting"]
    assert "fault of our own" in caplog.text


async def test_a_fault_of_our_own_after_the_point_leaves_a_doubt(office, caplog):
    def broken(parcel):
        raise RuntimeError("a bug")

    office.primary.answer = broken
    message = await office.send()
    assert await office.states(message) == ["unclear"]
    assert "fault of our own" in caplog.text


@pytest.mark.parametrize("outcomes", [(), (Accepted("250"), Accepted("250"))])
async def test_a_mailer_that_does_not_tell_of_every_recipient_leaves_a_doubt(office, caplog, outcomes):
    office.primary.answer = lambda parcel: outcomes
    message = await office.send()
    assert await office.states(message) == ["unclear"]
    assert office.worker.room.count == 0


async def test_a_message_whose_content_is_gone_waits_and_harms_nobody(office):
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send()
    office.store._entries[message].content = None
    office.primary.refuse = office.backup.refuse = None
    await office.later(seconds=2)
    assert await office.states(message) == ["waiting"]
    assert await office.states(await office.send()) == ["accepted"]


# Time, room, the end --------------------------------------------------------------------------------------------------


async def test_what_has_expired_on_its_way_is_not_sent(office):
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send(priority=Priority.URGENT)
    office.primary.refuse = office.backup.refuse = None
    await office.later(hours=2)
    assert office.copies() == 0
    assert await office.states(message) == ["waiting"]
    assert await office.due_in(message) > 10  # no loop until housekeeping has ended it
    await office.housekeeping.expire()
    assert await office.states(message) == ["expired"]


async def test_what_does_not_fit_into_memory_waits_on_disk_and_is_taken_when_there_is_room(office):
    office.worker.room = Room(max_count=16)
    gate = held()
    office.primary.before = lambda: gate
    messages = [await office.send() for _ in range(20)]
    states = [(await office.states(message))[0] for message in messages]
    assert (states.count("leased") + states.count("sending"), states.count("waiting")) == (16, 4)
    assert not office.worker.room.hungry.is_set()
    gate.set_result(None)
    await office.rest()
    assert office.worker.room.hungry.is_set()
    await office.later(seconds=1)
    assert office.copies() == 20
    assert office.worker.room.count == office.worker.room.bytes == 0


async def test_nothing_is_leased_for_routes_that_are_closed(office):
    office.primary.refuse = office.backup.refuse = REFUSED_LOG_IN
    message = await office.send()
    office.clock.forward(seconds=20)
    assert await office.worker.refill() == 0
    assert await office.states(message) == ["waiting"]


async def test_a_stop_finishes_what_is_under_way_and_gives_back_what_has_not_begun(office):
    office.primary.capacity = 1
    gate = held()
    office.primary.before = lambda: gate
    first, second = await office.send(), await office.send()
    stopping = asyncio.create_task(office.worker.stop(5))
    await office.rest()
    gate.set_result(None)
    await stopping
    assert [await office.states(message) for message in (first, second)] == [["accepted"], ["waiting"]]
    assert await office.due_in(second) <= 0
    assert not office.worker.has_room(1, ("primary",))


async def test_what_a_stop_interrupts_after_the_point_is_a_doubt_and_before_it_waits(office):
    office.primary.after = held
    office.backup.before = held
    after = await office.send()
    before = await office.send(connection="backup")
    await office.worker.stop(0.01)
    assert await office.states(after) == ["unclear"]
    assert await office.states(before) == ["waiting"]
    assert await office.due_in(before) <= 0  # a restart makes no one-time code late
    assert office.line().carriers == office.line("backup").carriers == 0


async def test_what_a_stop_interrupts_while_the_point_is_being_written_down_is_no_doubt(office):
    office.store.slow = {"start", "record"}
    receipt = await office.submit(office.draft())
    await office.rest()
    await office.worker.stop(0)
    office.store.flow()  # the disk does what it was asked for
    await office.rest()
    assert office.copies() == 0
    assert await office.states(receipt.id) == ["waiting"]


async def test_what_comes_while_the_gateway_stops_waits_on_disk(office):
    submitted = office.submit(office.draft())
    await office.worker.stop(0.01)
    receipt = await submitted
    await office.rest()
    assert await office.states(receipt.id) == ["waiting"]


async def test_a_bug_that_shows_in_following_an_outcome_costs_no_other_message_anything(office, caplog):
    office.primary.capacity = 1
    office.worker.on_change = None
    office.primary.refuse = REFUSED_LOG_IN
    message = await office.send()
    assert "could not be followed" in caplog.text
    assert office.line().carriers == 1
    assert (await office.states(message), office.worker.room.count) == (["waiting"], 0)
    assert await office.states(await office.send()) == ["accepted"]


async def test_a_bug_in_following_what_may_have_been_taken_leaves_a_doubt(office):
    class Miscounted(Counter[Any]):
        def update(self, *_: Any) -> None:  # type: ignore[override]
            if bugs:
                raise bugs.pop()

    bugs: list[Exception] = []
    office.worker.outcomes = Miscounted()
    bugs.append(ValueError("a bug"))
    assert await office.states(await office.send()) == ["unclear"]
    assert office.worker.room.count == 0


async def test_a_bug_in_finding_a_way_costs_the_message_a_minute_and_no_other_anything(office, caplog, monkeypatch):
    with monkeypatch.context() as bug:
        bug.setattr(office.worker, "policies", {})
        first, second = await office.send(), await office.send()
    assert "no way was found" in caplog.text
    assert await office.states(first) == await office.states(second) == ["waiting"]
    assert (50 < await office.due_in(first) <= 60, office.worker.room.count) == (True, 0)
    await office.later(seconds=61)
    assert await office.states(first) == await office.states(second) == ["accepted"]


async def test_the_policies_of_the_office_are_those_of_the_rules(office):
    assert office.worker.policies[Priority.BULK].when_unclear is WhenUnclear.HOLD
