"""Breakers, trials and races: nothing waits for what is known to be broken, and nobody gets two copies."""

from datetime import timedelta

import pytest

from secondpost.core import breaker, limits
from secondpost.core.outcome import Accepted, Fault, Rejected
from secondpost.core.priority import Priority
from tests.service.conftest import DOWN, LIMITED, NOT_VERIFIED, REFUSED_LOG_IN, held

# The breaker ----------------------------------------------------------------------------------------------------------


async def test_an_open_breaker_costs_later_mail_no_attempt(office):
    office.primary.refuse = DOWN
    for _ in range(10):
        await office.send()
    assert office.primary.tries == 3
    assert len(office.backup.takes) == 10
    assert office.changes == [("primary", "open")]


async def test_a_refused_log_in_opens_the_breaker_at_once(office):
    office.primary.refuse = REFUSED_LOG_IN
    for _ in range(3):
        await office.send()
    assert office.primary.tries == 1
    assert len(office.backup.takes) == 3


async def test_a_bad_recipient_or_message_never_benches_a_connection(office):
    office.primary.answer = lambda parcel: (Rejected(Fault.RECIPIENT, "550 5.1.1 no such user"),)
    for _ in range(10):
        await office.send()
    office.primary.answer = lambda parcel: (Rejected(Fault.MESSAGE, "554 spam"),)
    for _ in range(10):
        await office.send()
    assert office.primary.tries == 20
    assert office.line().breaker.state is breaker.State.CLOSED


async def test_what_waits_in_the_line_of_a_connection_that_breaks_goes_another_way_at_once(office):
    gate = held()
    office.primary.before = lambda: gate
    messages = [await office.send() for _ in range(10)]
    office.primary.refuse = REFUSED_LOG_IN
    gate.set_result(None)
    await office.rest()
    assert office.primary.tries == 4
    assert [await office.states(message) for message in messages] == [["accepted"]] * 10
    assert len(office.backup.takes) == 10
    assert office.worker.room.count == 0
    rerouted = await office.entry(messages[-1])
    assert rerouted.attempts[0]["note"] == "fallback: primary is unavailable"


async def test_the_timeline_says_why_the_backup_was_first(office):
    office.primary.refuse = REFUSED_LOG_IN
    while office.line().breaker.state is breaker.State.CLOSED:
        await office.send()
    message = await office.send()
    assert [(one["connection"], one["note"]) for one in (await office.entry(message)).attempts] == [
        ("backup", "fallback: primary is known to be down")
    ]


async def send_as(office, sender):
    return await office.send(sender=sender, content=f"From: {sender}\r\n\r\nhi\r\n".encode())


async def test_a_sender_that_is_not_verified_is_benched_for_its_own_domain_only(office):
    office.primary.answer = lambda parcel: (NOT_VERIFIED if "bad.example" in parcel.sender else Accepted("250"),)
    for _ in range(3):
        await send_as(office, "shop@bad.example")
        await send_as(office, "shop@good.example")
    assert [parcel.sender for parcel in office.primary.takes].count("shop@bad.example") == 1
    assert [parcel.sender for parcel in office.primary.takes].count("shop@good.example") == 3
    assert [parcel.sender for parcel in office.backup.takes] == ["shop@bad.example"] * 3
    assert office.line().breaker.state is breaker.State.CLOSED


async def test_what_no_connection_takes_of_a_domain_is_not_asked_for_again_and_again(office):
    office.arrange(backup="")
    office.primary.answer = lambda parcel: (NOT_VERIFIED,)
    await office.send()
    message = await office.send()
    assert office.primary.tries == 1
    assert 290 < await office.due_in(message) <= 300
    office.primary.heal()
    await office.later(minutes=6)
    await office.later(minutes=1)
    assert await office.states(message) == ["accepted"]


async def test_while_another_connection_of_the_route_may_come_back_it_is_looked_for_soon(office):
    office.primary.answer = lambda parcel: (NOT_VERIFIED,)
    office.backup.refuse = DOWN
    await office.send()
    line = office.line("backup")
    line.breaker = breaker.record(line.breaker, REFUSED_LOG_IN, started=office.clock(), now=office.clock())
    message = await office.send()
    assert await office.due_in(message) <= 1
    line.breaker = breaker.reset(office.clock())
    office.backup.heal()
    await office.later(seconds=1)
    assert await office.states(message) == ["accepted"]


async def test_a_domain_that_was_verified_since_goes_by_the_primary_again(office):
    office.primary.answer = lambda parcel: (NOT_VERIFIED,)
    await office.send()
    office.primary.heal()
    await office.later(minutes=6)
    await office.send()
    await office.send()
    assert len(office.primary.takes) == 3
    assert office.line().domains == {}


def put_on_trial(office, name="primary"):
    """Its breaker has opened, and signing in worked."""
    line, now = office.line(name), office.clock()
    line.breaker = breaker.signed_in(breaker.record(line.breaker, REFUSED_LOG_IN, started=now, now=now), now)
    office.clock.forward(seconds=1)


async def test_on_trial_one_message_at_a_time_is_let_through_and_its_success_ends_the_trial(office):
    put_on_trial(office)
    gate = held()
    office.primary.before = lambda: gate
    messages = [await office.send() for _ in range(3)]
    assert office.primary.tries == 1
    assert len(office.backup.takes) == 2
    gate.set_result(None)
    await office.rest()
    assert office.line().breaker.state is breaker.State.CLOSED
    assert office.changes == [("primary", "closed")]
    probe = await office.entry(messages[0])
    assert probe.attempts[0]["note"] == "probe: the connection is on trial"
    await office.send()
    assert len(office.primary.takes) == 2


async def test_a_probe_that_fails_opens_the_breaker_again_and_its_message_goes_by_the_backup(office):
    put_on_trial(office)
    office.primary.refuse = DOWN
    message = await office.send()
    assert await office.attempts(message) == ["primary", "backup"]
    assert office.line().breaker.state is breaker.State.OPEN


async def test_a_probe_that_tells_nothing_of_the_connection_lets_another_one_go(office):
    put_on_trial(office)
    office.primary.answer = lambda parcel: (Rejected(Fault.RECIPIENT, "550 5.1.1 no such user"),)
    await office.send()
    await office.send()
    assert office.primary.tries == 2
    assert office.line().breaker.state is breaker.State.HALF_OPEN


async def test_a_probe_of_a_sender_that_is_not_verified_does_not_keep_the_trial_to_itself(office):
    put_on_trial(office)
    office.primary.answer = lambda parcel: (NOT_VERIFIED if "bad.example" in parcel.sender else Accepted("250"),)
    await send_as(office, "shop@bad.example")
    await send_as(office, "shop@good.example")
    assert [parcel.sender for parcel in office.primary.takes] == ["shop@bad.example", "shop@good.example"]
    assert office.line().breaker.state is breaker.State.CLOSED


async def test_a_probe_that_is_overtaken_by_the_backup_frees_the_trial(office):
    office.policy(Priority.NORMAL, hedge_after=timedelta(milliseconds=5))
    put_on_trial(office)
    gate = held()
    office.primary.before = lambda: gate
    message = await office.send()
    await office.rest(0.02)
    assert await office.states(message) == ["accepted"]
    assert len(office.backup.takes) == 1
    assert not office.line().usable(office.clock())
    gate.set_result(None)
    await office.rest()
    assert office.primary.takes == []
    assert office.line().usable(office.clock())


# Racing ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(office):
    """Urgent mail is raced after some milliseconds."""
    office.policy(Priority.URGENT, hedge_after=timedelta(milliseconds=5))
    return office


async def test_a_silent_primary_does_not_hold_an_urgent_message_which_arrives_once(hasty):
    released = held()
    hasty.primary.before = lambda: released
    message = await hasty.send(priority=Priority.URGENT)
    await hasty.rest(0.02)
    assert await hasty.states(message) == ["accepted"]
    assert len(hasty.backup.takes) == 1
    assert (await hasty.entry(message)).attempts[0]["note"] == "hedge: primary was slow"
    released.set_result(None)
    await hasty.rest()
    assert hasty.primary.takes == []
    (event,) = (await hasty.entry(message)).events
    assert (event["kind"], event["connection"]) == ("race", "primary")
    assert event["text"].startswith("gave way to backup before its last byte: ")


async def test_a_rival_that_fails_is_told_in_the_story_and_one_that_cannot_be_told_harms_nothing(hasty, caplog):
    for text in ("failed while another connection was under way", ""):
        first, second = held(), held()
        hasty.primary.before, hasty.backup.before = lambda gate=first: gate, lambda gate=second: gate
        hasty.primary.refuse = DOWN
        message = await hasty.send(priority=Priority.URGENT)
        await hasty.rest(0.02)
        first.set_result(None)
        await hasty.rest()
        second.set_result(None)
        await hasty.rest()
        assert await hasty.states(message) == ["accepted"]
        told = [event["text"] for event in (await hasty.entry(message)).events]
        assert [one.partition(":")[0] for one in told] == ([text] if text else [])
        hasty.store.failing = {"event"}
    assert "missing from the log" in caplog.text
    assert hasty.worker.room.count == 0


async def test_whoever_has_crossed_is_not_overtaken_however_long_its_answer_takes(hasty):
    answer = held()
    hasty.primary.after = lambda: answer
    message = await hasty.send(priority=Priority.URGENT)
    await hasty.rest(0.02)
    assert hasty.backup.tries == 0
    answer.set_result(None)
    await hasty.rest()
    assert await hasty.states(message) == ["accepted"]
    assert hasty.copies() == 1


async def test_when_both_rivals_fail_the_message_waits(hasty):
    released = held()
    hasty.primary.before = lambda: released
    hasty.primary.refuse = DOWN
    hasty.backup.refuse = DOWN
    message = await hasty.send(priority=Priority.URGENT)
    await hasty.rest(0.02)
    released.set_result(None)
    await hasty.rest()
    assert await hasty.states(message) == ["waiting"]
    assert hasty.worker.room.count == 0


async def test_a_refusal_of_the_recipient_ends_the_race(hasty):
    released = held()
    hasty.primary.before = lambda: released
    hasty.backup.refuse = Rejected(Fault.RECIPIENT, "550 5.1.1 no such user")
    message = await hasty.send(priority=Priority.URGENT)
    await hasty.rest(0.02)
    released.set_result(None)
    await hasty.rest()
    assert await hasty.states(message) == ["rejected"]
    assert hasty.copies() == 0
    assert hasty.worker.room.count == 0


async def test_normal_mail_is_not_raced(office):
    released = held()
    office.primary.before = lambda: released
    await office.send()
    await office.rest(0.02)
    assert office.backup.tries == 0
    released.set_result(None)


async def test_a_rival_does_not_set_out_by_a_connection_whose_limit_is_reached(hasty):
    released = held()
    hasty.primary.before = lambda: released
    line = hasty.line("backup")
    line.limiter = limits.gate(line.limiter, LIMITED, hasty.clock())
    message = await hasty.send(priority=Priority.URGENT)
    await hasty.rest(0.02)
    assert hasty.backup.tries == 0
    released.set_result(None)
    await hasty.rest()
    assert await hasty.states(message) == ["accepted"]
