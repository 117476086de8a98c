"""A doubt is settled by the provider's own word, and by nothing that could make a second copy."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secondpost.core.delivery import Move
from secondpost.core.outcome import Accepted, Deferred, Fault, Unclear
from secondpost.core.priority import Priority
from secondpost.mailers.base import Abilities
from tests.mailers import test_mailgun
from tests.mailers.parcels import api_mailer
from tests.providers.server import Provider
from tests.service.conftest import DOWN, ScriptedMailer

LOST = Unclear("the line was lost")
ASKS = Abilities(lookup=True)
REPEATS = Abilities(idempotency=timedelta(hours=1))


def able(office, can, found=None):
    """The primary's provider can do this; `found` is what it says when it is asked."""

    class Able(ScriptedMailer):
        pass

    Able.can = can
    mailer: Any = Able(office.primary.connection)
    mailer.sought = []

    async def look(sought):
        mailer.sought.append(sought)
        return found(sought) if callable(found) else found

    mailer.look = look
    office.mailers["primary"] = office.line().mailer = mailer
    return mailer


async def doubtful(office, *recipients, **fields):
    office.primary.answer = lambda parcel: (LOST,) * len(parcel.recipients)
    message = await office.send(*recipients, **fields)
    assert set(await office.states(message)) == {"unclear"}
    return message


async def climb(office, **span):
    """Time passes, and what is due is asked about."""
    office.clock.forward(**span)
    await office.housekeeping.ladder.climb()
    await office.rest()


async def told(office, message):
    return [event["text"] for event in (await office.entry(message)).events if event["kind"] == "doubt"]


# Asking ---------------------------------------------------------------------------------------------------------------


async def test_what_the_provider_has_is_settled_as_arrived_and_the_timeline_says_by_what(office):
    mailer = able(office, ASKS, {"A@example.net": "id-7"})
    message = await doubtful(office)
    await climb(office, seconds=2.1)
    assert await office.states(message) == ["accepted"]
    assert office.copies() == 1
    (text,) = await told(office, message)
    assert "#0" in text
    assert "looked up: primary has it [provider's id id-7]" in text
    (sought,) = mailer.sought
    assert (sought.id, sought.recipients) == (message, ("a@example.net",))
    assert sought.message_id.startswith("<")


async def test_what_is_not_found_may_come_later_so_nothing_is_sent(office):
    mailer = able(office, ASKS, {})
    message = await doubtful(office)
    for seconds in (3, 10, 30, 120):
        await climb(office, seconds=seconds)
    assert len(mailer.sought) == 4
    assert await office.states(message) == ["unclear"]
    assert office.copies() == 1
    assert "not found there (yet)" in (await told(office, message))[0]


async def test_what_a_complete_look_up_does_not_find_goes_out_as_if_for_the_first_time(office):
    able(office, replace(ASKS, absent_after=timedelta(seconds=100)), {})
    message = await doubtful(office)
    await climb(office, seconds=90)
    assert await office.states(message) == ["unclear"]
    office.primary.refuse = DOWN
    await climb(office, seconds=31)
    await office.later(seconds=1)
    (delivery,) = (await office.entry(message)).deliveries
    assert (delivery["state"], delivery["connection"]) == ("accepted", "backup")
    assert not delivery["possible_duplicate"]
    assert "never had it" in (await told(office, message))[-1]


async def becomes(office, message, state):
    async with asyncio.timeout(20):
        while set(await office.states(message)) != {state}:
            await office.rest()


async def test_what_the_provider_itself_says_it_never_had_is_sent_by_it_again_without_a_warning(office):
    with Provider(test_mailgun.PEER) as mailgun:
        mailer = api_mailer("mailgun", **mailgun.settings)
        office.mailers["primary"] = office.line().mailer = mailer
        mailgun.fail("dropped")
        message = await office.send()
        await becomes(office, message, "unclear")
        mailgun.fail("")
        for minutes, state in ((1, "unclear"), (35, "waiting")):
            await climb(office, minutes=minutes)
            async with asyncio.timeout(20):
                while office.housekeeping.ladder._asking:
                    await office.rest()
            assert await office.states(message) == [state]
        await office.later(seconds=1)
        await becomes(office, message, "accepted")
        await mailer.close()
        assert mailgun.copies == {"a@example.net": 1}
    (delivery,) = (await office.entry(message)).deliveries
    assert not delivery["possible_duplicate"]
    assert "primary never had it" in (await told(office, message))[-1]


async def test_what_cannot_be_recognized_is_never_proven_absent(office, monkeypatch):
    async def gone(message):
        return None

    able(office, replace(ASKS, absent_after=timedelta(0)), {})
    message = await doubtful(office)
    monkeypatch.setattr(office.store, "content", gone)
    await climb(office, seconds=3)
    assert await office.states(message) == ["unclear"]


async def test_an_answer_about_one_recipient_settles_that_one_alone(office):
    able(office, replace(ASKS, absent_after=timedelta(0)), {"b@example.net": "2"})
    message = await doubtful(office, "a@example.net", "b@example.net")
    await climb(office, seconds=3)
    assert await office.states(message) == ["unclear", "accepted"]  # whoever has one may get the other yet


async def test_no_answer_means_waiting(office):
    mailer = able(office, replace(ASKS, absent_after=timedelta(0)), None)
    message = await doubtful(office)
    for seconds in (3, 10, 30):
        await climb(office, seconds=seconds)
    assert await office.states(message) == ["unclear"]
    assert len(mailer.sought) == 3
    assert "no answer" in (await told(office, message))[0]


async def test_a_fault_of_our_own_leaves_it_to_the_policy(office, caplog):
    def fail(sought):
        raise RuntimeError("bug")

    able(office, ASKS, fail)
    message = await doubtful(office)
    await climb(office, seconds=3)
    assert "fault of our own" in caplog.text
    assert await office.states(message) == ["unclear"]


async def test_it_is_asked_once_more_before_the_policy_acts(office):
    answers = iter([{}, {}, {}, {"a@example.net": "7"}])
    able(office, ASKS, lambda sought: next(answers))
    message = await doubtful(office, priority=Priority.URGENT)
    for seconds in (2.1, 8, 20, 25):
        await climb(office, seconds=seconds)
    office.clock.forward(seconds=10)
    await office.housekeeping.doubts()
    assert await office.states(message) == ["accepted"]
    assert office.copies() == 1


# Asking again with the same key ---------------------------------------------------------------------------------------


async def test_the_same_request_with_the_same_key_settles_it(office):
    mailer = able(office, REPEATS)
    message = await doubtful(office, "a@example.net", "b@example.net")
    mailer.heal()
    await climb(office, seconds=3)
    assert await office.states(message) == ["accepted"] * 2
    first, second = mailer.parcels
    assert (first.key, first.recipients) == (second.key, second.recipients)
    assert (first.message.head, first.message.body) == (second.message.head, second.message.body)
    entry = await office.entry(message)
    assert not any(delivery["possible_duplicate"] for delivery in entry.deliveries)
    assert "asked again with the same key: primary has it" in (await told(office, message))[0]


@pytest.mark.parametrize("answer", [LOST, Deferred(Fault.ACCOUNT, "401"), Deferred(Fault.UNREACHABLE, "down")])
async def test_no_refusal_of_the_repetition_says_anything_of_the_first(office, answer):
    able(office, REPEATS)
    message = await doubtful(office)
    office.primary.answer = lambda parcel: (answer,)
    await climb(office, seconds=3)
    assert await office.states(message) == ["unclear"]
    assert office.backup.tries == 0
    assert "still unclear" in (await told(office, message))[0]


async def test_a_key_that_may_be_forgotten_is_not_used(office):
    mailer = able(office, REPEATS)
    await doubtful(office, priority=Priority.BULK)
    mailer.heal()
    await climb(office, minutes=60)
    assert mailer.tries == 1


async def test_a_part_of_an_attempt_is_never_repeated_it_would_be_another_message_to_them(office):
    mailer = able(office, REPEATS)
    mailer.answer = lambda parcel: (Accepted("250"), LOST)
    message = await office.send("a@example.net", "b@example.net")
    await climb(office, seconds=3)
    assert mailer.tries == 1
    assert await office.states(message) == ["accepted", "unclear"]


async def test_where_the_key_is_known_it_is_tried_before_the_look_up(office):
    mailer = able(office, replace(ASKS, idempotency=timedelta(hours=1)), {"a@example.net": "7"})
    message = await doubtful(office)
    mailer.heal()
    await climb(office, seconds=3)
    assert await office.states(message) == ["accepted"]
    assert mailer.sought == []


# Life -----------------------------------------------------------------------------------------------------------------


async def test_a_restart_takes_every_doubt_up_again(office):
    able(office, ASKS, {"a@example.net": "7"})
    messages = [await doubtful(office) for _ in range(3)]
    office.housekeeping.ladder._due.clear()
    await office.housekeeping.recover()
    await climb(office, seconds=1)
    assert [await office.states(message) for message in messages] == [["accepted"]] * 3


async def test_a_disk_that_fails_makes_it_wait(office, caplog):
    able(office, ASKS, {"a@example.net": "7"})
    message = await doubtful(office)
    office.store.failing = {"move"}
    await climb(office, seconds=3)
    assert "must wait" in caplog.text
    office.store.failing = set()
    await climb(office, seconds=3)
    assert await office.states(message) == ["accepted"]


async def test_a_provider_that_cannot_be_asked_is_not(office):
    office.line().mailer = office.mailers["primary"] = mailer = able(office, Abilities())
    message = await doubtful(office)
    await climb(office, minutes=1)
    assert mailer.tries == 1
    assert await told(office, message) == []
    assert office.housekeeping.ladder._due == {}


async def test_a_question_under_way_does_not_hold_up_a_stop(office):
    able(office, ASKS)
    office.primary.look = lambda sought: asyncio.get_running_loop().create_future()
    await doubtful(office)
    await climb(office, seconds=3)
    await asyncio.wait_for(office.housekeeping.ladder.stop(), 1)


async def test_what_was_settled_meanwhile_is_left_alone(office):
    async def look(sought):
        now = office.clock()
        await office.store.move(sought.id, None, Move.SETTLE_REFUSED, now=now, due=None, reason="a person")
        return {"a@example.net": "7"}

    able(office, ASKS).look = look
    message = await doubtful(office)
    await climb(office, seconds=3)
    assert await office.states(message) == ["rejected"]
    assert await told(office, message) == []
