"""The worker follows each outcome as the delivery rules say."""

import asyncio
import logging
from datetime import timedelta

import pytest

from secondpost.core import breaker, limits
from secondpost.core.connection import Connection, Limits
from secondpost.core.delivery import IllegalMove, Move, State
from secondpost.core.outcome import Accepted, Deferred, Fault, Rejected, Unclear
from secondpost.core.priority import Priority, WhenUnclear
from secondpost.service.room import Room
from tests.service.conftest import DOWN, held

LIMITED = Deferred(Fault.LIMIT, "429 slow down", retry_after=timedelta(minutes=5))
THROTTLED = Deferred(Fault.LIMIT, "451 4.7.0 slow down", retry_after=timedelta(seconds=1))
REFUSED_LOG_IN = Deferred(Fault.ACCOUNT, "535 5.7.8 wrong password")
NOT_VERIFIED = Deferred(Fault.ACCOUNT, "550 5.7.1 domain not verified", about_sender=True)


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


async def test_with_nowhere_to_overflow_to_an_impatient_message_keeps_its_place(office):
    office.policy(Priority.URGENT, patience=timedelta(milliseconds=1))
    office.arrange(backup="")
    await shut_for(office, seconds=0.03)
    message = await office.send(priority=Priority.URGENT)
    assert await office.states(message) == ["leased"]
    await office.rest(0.05)
    assert await office.attempts(message) == ["primary"]


async def test_when_the_limits_let_mail_go_urgent_goes_first(office):
    office.primary.capacity = 1
    await shut_for(office, seconds=0.05)
    for priority in (Priority.BULK, Priority.NORMAL, Priority.URGENT):
        await office.send(priority=priority, content=f"Subject: {priority.label}\r\n\r\n".encode())
    await office.rest(0.08)
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
    await shut_for(office, seconds=0.02)
    message = await office.send()
    line = office.line()
    line.limiter = limits.gate(line.limiter, LIMITED, office.clock())
    await office.rest(0.04)
    assert await office.attempts(message) == ["backup"]


async def shut_for(office, **span):
    """The primary's limits let nothing go for a moment that normal mail waits for."""
    line = office.line()
    line.limiter = limits.gate(line.limiter, Deferred(Fault.LIMIT, retry_after=timedelta(**span)), office.clock())


async def test_a_short_wait_for_a_limit_is_waited_in_memory(office):
    await shut_for(office, seconds=0.03)
    message = await office.send()
    assert office.primary.tries == 0
    await office.rest(0.04)
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


# Writing down ---------------------------------------------------------------------------------------------------------


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


async def test_a_failure_is_reported_only_when_it_is_on_disk(office):
    office.primary.answer = lambda parcel: (Rejected(Fault.RECIPIENT, "550 5.1.1 no such user"),)
    office.store.failing = {"record"}
    await office.send()
    assert office.failed == []
    office.store.failing = set()
    await office.worker.save_unsaved()
    assert len(office.failed) == 1


# Possible duplicates --------------------------------------------------------------------------------------------------


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
    assert office.line().carriers == office.line("backup").carriers == 0


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
    await office.send()
    assert "could not be followed" in caplog.text
    assert office.line().carriers == 1
    assert await office.states(await office.send()) == ["accepted"]


async def test_the_policies_of_the_office_are_those_of_the_rules(office):
    assert office.worker.policies[Priority.BULK].when_unclear is WhenUnclear.HOLD
