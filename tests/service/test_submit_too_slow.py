"""A disk that is too slow: the client is answered in time, and what comes through later is never sent."""

import pytest

from secondpost.errors import StoreError, StoreUnavailable
from secondpost.service.room import Room


async def too_late(office, *drafts):
    """Submitted to a disk that does nothing for longer than clients wait."""
    office.store.slow = {"accept", "record", "move"}
    answers = [office.submit(draft) for draft in drafts]
    office.clock.forward(seconds=21)
    await office.submit.give_up()
    await office.rest()
    return answers


async def test_a_client_is_answered_before_it_gives_up_and_what_is_stored_later_is_never_sent(office):
    draft = office.draft()
    (answer,) = await too_late(office, draft)
    with pytest.raises(StoreUnavailable, match="Nothing was accepted"):
        await answer
    office.store.flow()
    await office.rest()
    await office.later(days=1)
    assert await office.states(draft.id) == ["cancelled"]
    assert (await office.entry(draft.id)).deliveries[0]["reason"] == "answered 451: stored too late"
    assert (office.copies(), office.worker.room.count) == (0, 0)


async def test_all_who_wait_behind_a_slow_disk_are_answered(office):
    answers = await too_late(office, *(office.draft() for _ in range(5)))
    assert all(isinstance(answer.exception(), StoreUnavailable) for answer in answers)
    answers += await too_late(office, office.draft())
    assert isinstance(answers[-1].exception(), StoreUnavailable)


async def test_what_was_to_wait_on_disk_is_not_sent_either(office):
    office.worker.room = Room(max_count=0)
    draft = office.draft()
    await too_late(office, draft)
    office.store.flow()
    await office.rest()
    office.worker.room = Room()
    await office.later(seconds=1)
    assert await office.states(draft.id) == ["cancelled"]
    assert office.copies() == 0


async def test_what_cannot_be_undone_at_once_is_undone_later(office, caplog):
    draft = office.draft()
    (answer,) = await too_late(office, draft)
    assert answer.exception()
    office.store.failing = {"move"}
    office.store.flow()
    await office.rest()
    assert await office.states(draft.id) == ["leased"]
    assert "not cancelled yet" in caplog.text
    office.store.failing = set()
    await office.submit.give_up()
    await office.rest()
    assert await office.states(draft.id) == ["cancelled"]
    assert office.copies() == 0


async def test_what_was_refused_before_the_process_died_is_cancelled_at_the_next_start(office):
    draft = office.draft()
    (answer,) = await too_late(office, draft)
    assert answer.exception()
    office.store.failing = {"move"}  # it dies before it can undo what is stored now
    office.store.flow()
    await office.rest()
    office.store.failing = set()
    await office.housekeeping.recover()
    assert await office.states(draft.id) == ["cancelled"]
    assert await office.store.refused() == []
    assert office.copies() == 0


async def test_where_a_refusal_cannot_be_noted_nobody_hears_that_nothing_was_accepted(office):
    office.store.failing = {"refuse"}
    (answer,) = await too_late(office, office.draft())
    error = answer.exception()
    assert type(error) is StoreError
    assert "not known; send it again later" in str(error)


@pytest.mark.parametrize("room", [Room(), Room(max_count=0)], ids=["in memory", "on disk"])
async def test_with_a_key_what_is_stored_late_stays_since_the_next_try_is_told_of_it(office, room):
    office.worker.room = room
    draft = office.draft(key="order-1")
    (answer,) = await too_late(office, draft)
    error = answer.exception()
    assert type(error) is StoreError  # an entrypoint must not think that nothing was stored
    assert "not known" in str(error)
    office.store.flow()
    await office.rest()
    office.worker.room = Room()
    await office.later(seconds=1)
    second = await office.submit(office.draft(key="order-1"))
    assert (second.id, second.duplicate) == (draft.id, True)
    assert await office.states(draft.id) == ["accepted"]
    assert office.copies() == 1


async def test_what_was_stored_in_time_is_left_alone(office):
    number = await office.send()
    office.clock.forward(minutes=1)
    await office.submit.give_up()
    assert await office.states(number) == ["accepted"]


async def test_what_a_slow_disk_refuses_in_the_end_was_never_there(office):
    draft = office.draft(key="order-1")
    office.store.slow = {"accept", "record"}
    answer = office.submit(draft)
    office.clock.forward(seconds=21)
    await office.submit.give_up()
    assert answer.exception()
    office.store.asked = office.store.asked[1:]  # the accept fails; what comes behind it finds nothing
    office.store.flow()
    await office.rest()
    assert await office.store.entry(draft.id) is None
    assert not office.worker.suspended
