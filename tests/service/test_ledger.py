"""What attempts led to is written down, or nothing more is sent until it can be."""

import logging
from datetime import timedelta

import pytest

from secondpost.core.delivery import IllegalMove, Move, State
from secondpost.core.outcome import Deferred, Fault
from secondpost.core.priority import Priority
from secondpost.errors import StoreUnavailable
from tests.service.conftest import DOWN, held


async def in_trouble(office):
    """Three messages for one carrier; the first result cannot be written down, the second attempt has begun already."""
    office.primary.capacity = 1
    gates = [held(), held(), held()]
    order = iter(gates)
    office.primary.before = lambda: next(order)
    messages = [await office.send() for _ in gates]
    office.store.failing = {"record"}
    for gate in gates:
        gate.set_result(None)
        await office.rest()
    return messages


async def test_while_results_cannot_be_written_down_nothing_more_is_sent_and_nothing_is_lost(office, caplog):
    messages = await in_trouble(office)
    messages.append(await office.send())
    await office.later(minutes=1)
    assert office.worker.suspended
    assert "sending pauses" in caplog.text
    assert office.copies() == 2
    assert [await office.states(it) for it in messages] == [["sending"], ["sending"], ["leased"], ["waiting"]]

    await office.worker.save_unsaved()
    assert office.worker.suspended

    office.store.failing = set()
    office.primary.heal()
    await office.worker.save_unsaved()
    assert not office.worker.suspended
    await office.later(seconds=1)
    assert [await office.states(it) for it in messages] == [["accepted"]] * 4
    assert office.copies() == 4
    assert office.worker.room.count == 0


@pytest.mark.parametrize("crossed", [True, False])
async def test_what_goes_on_before_its_first_result_could_be_written_down_is_carried_once_and_not_lost(office, crossed):
    if crossed:
        office.primary.answer = lambda parcel: (Deferred(Fault.PROVIDER, "451 4.3.0 try later"),)
    else:
        office.primary.refuse = DOWN
    answer, gate, record = held(), held(), office.store.record

    def late(_record):
        office.store.record = record
        return answer

    office.store.record, office.backup.before = late, lambda: gate
    message = await office.send()
    answer.set_exception(StoreUnavailable("The database is locked. Nothing was written."))  # and is not any more
    await office.rest()
    gate.set_result(None)
    await office.rest()
    office.backup.heal()
    await office.worker.save_unsaved()
    await office.later(seconds=2)
    assert await office.states(message) == ["accepted"]
    assert len(office.backup.takes) == 1
    assert (office.worker.room.count, office.worker.suspended) == (0, False)


async def test_what_was_held_back_is_given_back_when_the_gateway_stops(office):
    messages = await in_trouble(office)
    office.store.failing = set()
    await office.worker.stop(1)
    await office.rest()
    assert await office.states(messages[2]) == ["waiting"]
    await office.worker.save_unsaved()
    assert [await office.states(it) for it in messages[:2]] == [["accepted"]] * 2
    assert office.worker.room.count == 0


async def test_a_result_that_the_store_will_never_take_stops_no_other_mail(office, caplog):
    record = office.store.record

    def refuse(it):
        if it.message != poison:
            return record(it)
        future = held()
        future.set_exception(IllegalMove(State.ACCEPTED, Move.REJECT))
        return future

    poison = 0
    office.store.record = refuse
    draft = office.draft()
    poison = draft.id
    await office.submit(draft)
    await office.rest()
    assert not office.worker.suspended
    assert "stay as they are" in caplog.text
    assert await office.states(await office.send()) == ["accepted"]


async def test_a_result_that_is_refused_while_it_is_saved_again_is_passed_over(office, caplog):
    office.store.failing = {"record"}
    await office.send()
    await office.store.move(
        next(iter(office.store._entries)), None, Move.CANCEL, now=office.clock(), due=None, reason=""
    )
    office.store.failing = set()
    record = office.store.record

    def refuse(it):
        office.store.record = record
        raise IllegalMove(State.ACCEPTED, Move.REJECT)

    office.store.record = refuse
    await office.worker.save_unsaved()
    assert not office.worker.suspended


async def test_a_result_whose_lease_was_lost_is_told_and_changes_nothing(office, caplog):
    gate = held()
    office.primary.after = lambda: gate
    message = await office.send()
    await office.store.lapse(
        now=office.clock(), alone=True, keep="other", unclear_after=dict.fromkeys(Priority, timedelta(minutes=1))
    )
    with caplog.at_level(logging.WARNING):
        gate.set_result(None)
        await office.rest()
    assert "lease was lost" in caplog.text
    assert await office.states(message) == ["unclear"]
    assert office.worker.room.count == 0
