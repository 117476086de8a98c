"""The worker and what is sent again after a doubt: a possible duplicate."""

from secondpost.core.delivery import Move
from secondpost.core.outcome import Unclear
from tests.service.conftest import DOWN


async def doubt(office, *recipients):
    """A message whose answer was lost on the backup; both connections are well again."""
    office.primary.refuse = DOWN
    office.backup.answer = lambda parcel: (Unclear("lost"),) * len(parcel.recipients)
    message = await office.send(*recipients)
    office.primary.refuse = None
    office.backup.heal()
    return message


async def send_again(office, message, *numbers):
    now = office.clock()
    await office.store.move(message, numbers or None, Move.SEND_AGAIN, now=now, due=now, reason="policy")


async def test_a_doubt_that_is_sent_again_goes_first_by_the_connection_that_may_have_it(office):
    message = await doubt(office)
    await send_again(office, message)
    await office.later(seconds=1)
    assert await office.attempts(message) == ["primary", "backup", "backup"]
    first, second = office.backup.takes
    assert first.key == second.key
    assert first.message.head == second.message.head
    (delivery,) = (await office.entry(message)).deliveries
    assert (delivery["state"], delivery["possible_duplicate"]) == ("accepted", True)


async def test_a_doubt_that_is_sent_again_takes_the_next_connection_when_that_one_is_down(office):
    message = await doubt(office)
    office.backup.refuse = DOWN
    await send_again(office, message)
    await office.later(seconds=1)
    assert await office.attempts(message) == ["primary", "backup", "backup", "primary"]


async def test_a_possible_duplicate_stays_marked_while_it_waits(office):
    message = await doubt(office)
    office.primary.refuse = office.backup.refuse = DOWN
    await send_again(office, message)
    for _ in range(10):
        await office.later(seconds=1)
    office.primary.refuse = office.backup.refuse = None
    await office.later(minutes=1)
    (delivery,) = (await office.entry(message)).deliveries
    assert (delivery["state"], delivery["possible_duplicate"]) == ("accepted", True)


async def test_a_possible_duplicate_is_counted_when_it_is_taken(office):
    message = await doubt(office)
    office.backup.refuse = DOWN
    await send_again(office, message)
    await office.later(seconds=1)
    counted = {key[:2]: count for key, count in office.worker.outcomes.items() if "duplicate" in key[1]}
    assert counted == {("primary", "possible_duplicate"): 1}


async def test_recipients_with_and_without_a_doubt_go_apart(office):
    office.backup.answer = lambda parcel: (Unclear("lost"), DOWN)
    office.primary.refuse = DOWN
    message = await office.send("a@example.net", "b@example.net")
    office.primary.refuse = None
    office.backup.heal()
    await send_again(office, message, 0)
    await office.later(minutes=1)
    assert await office.states(message) == ["accepted", "accepted"]
    assert [parcel.recipients for parcel in office.primary.takes] == [("b@example.net",)]
    assert office.worker.room.count == 0
