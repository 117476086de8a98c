"""A line knows its connection: whether it can carry, what waits for it, and what an outcome teaches."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import uvloop

from secondpost.core import breaker, limits
from secondpost.core.connection import Connection, FromRules, Limits
from secondpost.core.outcome import Accepted, Deferred, Fault, Rejected
from secondpost.core.priority import Priority
from secondpost.service import line as lines
from secondpost.service.line import Errand, Line, Race
from secondpost.service.submit import utc_now
from secondpost.store.base import Delivery, Lease
from tests.service.conftest import DOWN, ScriptedMailer

NOW = utc_now()
REFUSED = Deferred(Fault.ACCOUNT, "535 5.7.8 no")
NOT_VERIFIED = Deferred(Fault.ACCOUNT, "550 not verified", about_sender=True)


def line(**fields: Any) -> Line:
    connection = Connection(name="main", mailer="scripted", **fields)
    return Line(connection, ScriptedMailer(connection))


def errand(priority: Priority = Priority.NORMAL, *, sender: str = "shop@Example.com", **fields: Any) -> Errand:
    lease = Lease(
        id=1, sender=sender, priority=priority, expires=NOW, accepted=NOW, route=("main",), fence=1,
        deliveries=[Delivery(number=0, recipient="a@example.net")],
    )  # fmt: skip
    return Errand(lease, **fields)


def learn(it: Line, outcome, *, domain: str = "example.com", ago: timedelta = timedelta()) -> bool:
    return it.learn(outcome, errand=errand(sender=f"shop@{domain}"), started=NOW - ago, now=NOW)


# Whether mail may go this way -----------------------------------------------------------------------------------------


def test_it_is_usable_while_it_is_well():
    assert line().usable(NOW)


def test_a_line_that_is_switched_off_or_retired_is_not_usable():
    retired = line()
    retired.retired = True
    assert not retired.usable(NOW)
    assert not line(enabled=False).usable(NOW)


def test_three_failures_in_a_row_close_the_way_and_that_is_a_change():
    it = line()
    assert [learn(it, DOWN) for _ in range(3)] == [False, False, True]
    assert not it.usable(NOW)


def test_a_limit_shuts_the_gate_but_is_no_change_of_its_health():
    it = line()
    assert not learn(it, Deferred(Fault.LIMIT, "429", retry_after=timedelta(minutes=1)))
    assert it.usable(NOW)
    assert it.wait(NOW) == timedelta(minutes=1)


# Sender domains -------------------------------------------------------------------------------------------------------


def test_a_refused_sender_closes_the_way_for_its_domain_only():
    it = line()
    assert learn(it, NOT_VERIFIED)
    assert not it.usable(NOW, errand(sender="shop@example.com"))
    assert it.usable(NOW, errand(sender="shop@example.org"))
    assert it.usable(NOW)


def test_when_its_time_has_come_one_message_of_the_domain_tries_again():
    it = line()
    learn(it, NOT_VERIFIED)
    later = NOW + timedelta(minutes=6)
    assert it.usable(later, errand(sender="shop@example.com"))
    probe = errand()
    it.claim(probe, later)
    assert probe.probe
    assert not it.usable(later, errand(sender="shop@example.com"))
    it.excuse(probe)
    assert it.usable(later, errand(sender="shop@example.com"))


def test_a_message_of_the_domain_that_is_taken_opens_the_way_for_it():
    it = line()
    learn(it, NOT_VERIFIED)
    learn(it, Accepted("250"))
    assert it.usable(NOW, errand(sender="shop@example.com"))
    assert it.domains == {}


def test_a_probe_of_the_domain_that_tells_nothing_of_it_lets_another_one_go():
    it = line()
    learn(it, NOT_VERIFIED)
    later = NOW + timedelta(minutes=6)
    it.claim(errand(), later)
    it.learn(Rejected(Fault.RECIPIENT, "550 5.1.1"), errand=errand(), started=later, now=later)
    assert it.usable(later, errand(sender="shop@example.com"))


def test_clients_cannot_fill_the_memory_with_domains(monkeypatch):
    monkeypatch.setattr(lines, "DOMAINS", 10)
    it = line()
    for number in range(100):
        learn(it, NOT_VERIFIED, domain=f"{number}.example")
    assert list(it.domains) == [f"{number}.example" for number in range(90, 100)]


# The trial ------------------------------------------------------------------------------------------------------------


def on_trial() -> Line:
    it = line()
    it.breaker = breaker.signed_in(breaker.record(it.breaker, REFUSED, started=NOW, now=NOW), NOW)
    return it


def test_on_trial_the_first_that_claims_it_is_the_probe_and_nobody_else_may_go():
    it, probe = on_trial(), errand()
    it.claim(probe, NOW)
    assert probe.probe
    assert not it.usable(NOW)


def test_a_probe_that_is_excused_frees_the_trial():
    it, probe = on_trial(), errand()
    it.claim(probe, NOW)
    it.excuse(probe)
    assert it.usable(NOW)


def test_who_is_no_probe_frees_nothing():
    it = on_trial()
    it.claim(errand(), NOW)
    it.excuse(errand())
    assert not it.usable(NOW)


def test_a_claim_counts_for_the_limits():
    it = line()
    it.limiter = limits.Limiter(limits=Limits(per_second=1))
    it.claim(errand(), NOW)
    assert it.wait(NOW) > timedelta()


# What waits -----------------------------------------------------------------------------------------------------------


def test_urgent_goes_first_then_in_the_order_of_arrival():
    it = line()
    waiting = [errand(priority) for priority in (Priority.BULK, Priority.NORMAL, Priority.URGENT, Priority.NORMAL)]
    for one in waiting:
        it.put(one)
    assert [it.next() for _ in waiting] == [waiting[2], waiting[1], waiting[3], waiting[0]]
    assert it.next() is None


def test_what_has_lost_its_race_is_passed_over_and_frees_the_trial():
    it = on_trial()
    race = Race()
    loser = errand(race=race)
    it.claim(loser, NOW)
    it.put(loser)
    race.winner = errand()
    assert it.next() is None
    assert it.usable(NOW)


async def test_an_idle_carrier_gets_the_errand_directly_and_no_new_one_is_needed():
    it = line()
    it.carriers = 1
    carrier = asyncio.create_task(it.take())
    await asyncio.sleep(0)
    assert it.busy == 0
    one = errand()
    assert it.put(one) is False
    assert it.busy == 1
    assert await carrier is one


def test_a_new_carrier_is_needed_until_the_mailer_has_all_it_can_use():
    it = line()
    assert it.put(errand()) is True
    it.carriers = it.mailer.capacity
    assert it.put(errand()) is False


async def test_carriers_are_dismissed():
    it = line()
    carriers = [asyncio.create_task(it.take()) for _ in range(3)]
    await asyncio.sleep(0)
    it.dismiss()
    assert await asyncio.gather(*carriers) == [None] * 3
    it.retired = True
    assert await it.take() is None


def reserve(it: Line, one: Errand, seconds: float) -> asyncio.TimerHandle:
    before = set(it._turns)
    it.reserve(one, timedelta(seconds=seconds), lambda line: None)
    return (set(it._turns) - before).pop()


async def test_everything_that_waits_can_be_taken_away_also_what_waits_for_the_limits():
    it = line()
    queued, delayed = errand(), errand()
    over = errand(race=Race(winner=queued))
    it.put(queued)
    it.put(over)
    turn = reserve(it, delayed, 60)
    assert it.drain() == [queued, delayed]
    assert turn.cancelled()
    assert it.drain() == []


def test_what_has_lost_its_race_frees_the_trial_when_the_line_is_cleared():
    it = on_trial()
    probe = errand()
    it.claim(probe, NOW)
    it.put(probe)
    probe.race = Race(winner=errand())
    assert it.drain() == []
    assert it.usable(NOW)


async def test_when_the_limits_let_one_go_it_is_the_most_urgent_of_those_that_wait():
    it = line()
    waiting = [errand(priority) for priority in (Priority.BULK, Priority.NORMAL, Priority.URGENT, Priority.NORMAL)]
    for number, one in enumerate(waiting):
        reserve(it, one, 60 + number)
    assert [it.turn() for _ in waiting] == [waiting[2], waiting[1], waiting[3], waiting[0]]


async def test_turns_come_by_their_time_whenever_they_were_given():
    it = line()
    turns = [reserve(it, errand(Priority.NORMAL), seconds) for seconds in (60, 40, 50)]
    assert list(it._turns) == [turns[1], turns[2], turns[0]]
    it.drain()


async def test_an_urgent_message_would_wait_for_the_next_turn_only():
    it = line()
    it.limiter = limits.gate(it.limiter, Deferred(Fault.LIMIT, retry_after=timedelta(seconds=90)), NOW)
    for number in range(3):
        reserve(it, errand(Priority.NORMAL), 10 * number + 10)
    reserve(it, errand(Priority.BULK), 40)
    waits = [it.wait(NOW, priority).total_seconds() for priority in Priority]
    assert [round(wait) for wait in waits] == [10, 40, 90]
    it.drain()


async def test_a_turn_that_nobody_waits_for_any_more_is_left():
    it = line()
    reserve(it, errand(race=Race(winner=errand())), 60)
    assert it.turn() is None


# The race -------------------------------------------------------------------------------------------------------------


def test_only_the_first_that_asks_may_cross_and_it_may_ask_again():
    race, one, other = Race(), errand(), errand()
    assert race.take(one)
    assert not race.take(other)
    assert race.take(one)


@pytest.mark.parametrize(("running", "rival_has_the_say"), [(1, False), (2, True)])
def test_who_drops_out_leaves_the_say_to_a_rival_that_still_runs(running, rival_has_the_say):
    assert Race(running=running).leaves(errand()) is rival_has_the_say


def test_who_drops_out_after_a_rival_has_crossed_has_no_say():
    race, winner = Race(running=2), errand()
    race.take(winner)
    assert race.leaves(errand())


@pytest.mark.parametrize(
    ("rules", "domain"),
    [
        (FromRules(), "shop.example"),
        (FromRules(email="us@Ours.example", force_email=False), "shop.example"),
        (FromRules(email="us@Ours.example"), "ours.example"),
    ],
)
def test_the_domain_of_an_errand_is_that_of_the_copys_from_field(rules, domain):
    it = errand(sender="bounces@mail.example")
    it.lease.from_email = "anna@Shop.example"
    assert line(sender=rules).domain(it) == domain


def test_without_a_from_field_it_is_the_envelopes_senders():
    assert line().domain(errand()) == "example.com"
    assert line().domain(errand(sender="")) == ""


def test_the_stamp_says_who_sent_a_copy():
    assert line().stamp.startswith(b"X-Mailer: Secondpost/")
    assert line().stamp.endswith(b" scripted\r\n")


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("microseconds", [0, 1, 400, 1500])
def test_a_wait_however_short_ends_in_the_turn_of_who_waits(new_loop, microseconds):
    """uvloop makes no timer of less than half a millisecond."""

    async def waiting() -> Errand | None:
        turned = asyncio.get_running_loop().create_future()
        it.reserve(first, timedelta(microseconds=microseconds), lambda its: turned.set_result(its.turn()))
        return await asyncio.wait_for(turned, 5)

    it, first = line(), errand()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(waiting()) is first
