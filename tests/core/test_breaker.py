import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.breaker import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PROBE_LIMIT,
    Breaker,
    State,
    admits,
    from_dict,
    probe,
    probe_failed,
    record,
    release,
    reset,
    retry_at,
    signed_in,
    telling,
    to_dict,
)
from secondpost.core.outcome import Accepted, Deferred, Fault, Rejected, Unclear

NOW = datetime(2026, 8, 3, 10, 0, tzinfo=UTC)
DOWN = Deferred(Fault.UNREACHABLE, "connection refused")
BUSY = Deferred(Fault.PROVIDER, "451 try later")
LOCKED = Rejected(Fault.ACCOUNT, "535 wrong password")
NEUTRAL = [
    kind(fault) for kind in (Deferred, Rejected) for fault in (Fault.RECIPIENT, Fault.MESSAGE, Fault.LIMIT, Fault.LOCAL)
]


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def told(breaker, *outcomes, now=NOW):
    """The breaker after attempts that each take no time."""
    for outcome in outcomes:
        breaker = record(breaker, outcome, started=now, now=now)
    return breaker


def opened(now=NOW):
    return told(Breaker(), DOWN, DOWN, DOWN, now=now)


def probed(breaker, outcome, now):
    assert admits(breaker, now)
    return record(probe(breaker, now), outcome, started=now, now=now)


# Opening


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([DOWN] * 2, State.CLOSED),
        ([DOWN] * 3, State.OPEN),
        ([Rejected(Fault.UNREACHABLE)] * 3, State.OPEN),
        ([Unclear()] * 3, State.OPEN),
        ([DOWN, Unclear(), DOWN], State.OPEN),
        ([DOWN, DOWN, Accepted(), DOWN, DOWN], State.CLOSED),
        ([BUSY] * 5, State.CLOSED),
        ([BUSY] * 6, State.OPEN),
        ([Rejected(Fault.PROVIDER)] * 6, State.OPEN),
        ([DOWN, DOWN, BUSY], State.CLOSED),
        ([DOWN, DOWN, BUSY, BUSY], State.OPEN),
        ([DOWN, DOWN, Rejected(Fault.RECIPIENT), DOWN], State.OPEN),
        ([LOCKED], State.OPEN),
        ([Deferred(Fault.ACCOUNT)], State.OPEN),
        ([DOWN, Accepted()] * 4 + [DOWN], State.CLOSED),
        ([DOWN, Accepted()] * 5, State.CLOSED),  # half of ten, but it ends well
        ([DOWN, Accepted()] * 5 + [DOWN], State.OPEN),
        ([DOWN, Accepted(), Accepted()] * 30, State.CLOSED),
    ],
)
def test_when_a_breaker_opens(outcomes, state):
    assert told(Breaker(), *outcomes).state is state


@given(st.lists(st.sampled_from([*NEUTRAL, Accepted()]), max_size=40), st.booleans())
def test_what_is_about_a_recipient_a_message_a_limit_or_us_never_counts(outcomes, begun):
    before = told(Breaker(), DOWN, DOWN) if begun else Breaker()
    assert told(before, *outcomes).state is State.CLOSED


@pytest.mark.parametrize("outcome", NEUTRAL)
def test_a_neutral_outcome_changes_nothing(outcome):
    breaker = told(Breaker(), DOWN)
    assert record(breaker, outcome, started=NOW, now=NOW) is breaker


def test_while_all_is_well_a_success_costs_nothing():
    breaker = Breaker()
    assert record(breaker, Accepted(), started=NOW, now=NOW) is breaker


def test_a_minute_after_a_failure_all_is_well_again():
    breaker = told(told(Breaker(), DOWN), Accepted(), now=at(61))
    assert breaker == Breaker()


def test_failures_an_hour_apart_with_no_success_between_are_in_a_row():
    breaker = Breaker()
    for hour in range(3):
        breaker = told(breaker, DOWN, now=at(3600 * hour))
    assert breaker.state is State.OPEN


def test_an_open_breaker_says_why_since_when_and_until_when():
    breaker = opened()
    assert breaker.reason == "unreachable: connection refused"
    assert breaker.down == NOW
    assert retry_at(breaker) == NOW + FIRST_PAUSE
    assert told(Breaker(), Unclear(), Unclear(), Unclear()).reason == "unclear"
    assert len(told(Breaker(), Rejected(Fault.ACCOUNT, "x" * 5000)).reason) < 300


def test_an_account_fault_opens_for_the_longest_time_at_once():
    assert retry_at(told(Breaker(), LOCKED)) == NOW + LONGEST_PAUSE
    assert retry_at(probed(opened(), LOCKED, at(5))) == at(5) + LONGEST_PAUSE


# While open


def test_an_open_breaker_admits_nothing_until_its_probe_is_due():
    breaker = opened()
    assert not admits(breaker, NOW)
    assert not admits(breaker, at(4.9))
    assert admits(breaker, at(5))


def test_exactly_one_probe_is_admitted_at_a_time():
    breaker = probe(opened(), at(5))
    assert breaker.state is State.HALF_OPEN
    assert not admits(breaker, at(5))
    assert not admits(breaker, at(60))


def test_a_probe_that_was_lost_does_not_block_for_ever():
    breaker = probe(opened(), NOW)
    assert not admits(breaker, NOW + PROBE_LIMIT - timedelta(seconds=1))
    assert admits(breaker, NOW + PROBE_LIMIT)


def test_a_probe_that_was_given_up_lets_the_next_one_go():
    breaker = release(probe(opened(), at(5)))
    assert admits(breaker, at(5))
    assert release(opened()) == opened()
    assert release(breaker) is breaker


def test_each_failed_probe_doubles_the_pause_up_to_five_minutes():
    breaker, pauses = opened(), []
    for _ in range(8):
        now = retry_at(breaker)
        pauses.append((now - breaker.since).total_seconds())
        breaker = probed(breaker, BUSY if len(pauses) % 2 else DOWN, now)
        assert breaker.down == NOW
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


def test_a_successful_probe_closes_and_mail_returns_by_itself():
    breaker = probed(opened(), Accepted(), at(5))
    assert breaker.state is State.CLOSED
    assert breaker.down is None
    assert admits(breaker, at(5))


@pytest.mark.parametrize("outcome", NEUTRAL)
def test_a_probe_that_says_nothing_about_the_connection_lets_the_next_one_go(outcome):
    breaker = probed(opened(), outcome, at(5))
    assert breaker.state is State.HALF_OPEN
    assert admits(breaker, at(5))


def test_a_failure_while_open_and_unprobed_changes_nothing():
    breaker = opened()
    assert told(breaker, DOWN, now=at(2)) is breaker


def test_an_account_fault_while_open_prolongs_it():
    assert retry_at(told(opened(), LOCKED, now=at(2))) == at(2) + LONGEST_PAUSE


def test_a_success_while_open_closes():
    assert told(opened(), Accepted(), now=at(2)).state is State.CLOSED


# News of a time that is over


@pytest.mark.parametrize("outcome", [Accepted(), DOWN, LOCKED, Unclear()])
def test_attempts_that_began_before_it_opened_change_nothing(outcome):
    breaker = opened(now=at(10))
    assert record(breaker, outcome, started=at(9), now=at(12)) is breaker
    half_open = probe(breaker, at(15))
    assert record(half_open, outcome, started=at(9), now=at(16)) is half_open


def test_attempts_that_began_before_it_closed_do_not_open_it_again():
    breaker = probed(opened(), Accepted(), at(5))
    for _ in range(10):
        breaker = record(breaker, DOWN, started=at(4), now=at(6))
    assert breaker.state is State.CLOSED


def test_after_a_change_of_settings_attempts_under_the_old_ones_do_not_count():
    breaker = reset(at(10))
    assert admits(breaker, at(10))
    assert record(breaker, LOCKED, started=at(9), now=at(11)) is breaker
    assert told(breaker, LOCKED, now=at(11)).state is State.OPEN


# Log-ins


def test_a_log_in_puts_the_connection_on_trial_and_a_message_decides():
    breaker = signed_in(opened(), at(5))
    assert breaker.state is State.HALF_OPEN
    assert admits(breaker, at(5))
    assert probed(breaker, Accepted(), at(6)).state is State.CLOSED
    assert retry_at(probed(breaker, DOWN, at(6))) == at(6) + FIRST_PAUSE * 2


def test_a_log_in_that_failed_doubles_the_pause():
    breaker = probe_failed(opened(), started=at(5), now=at(6))
    assert (breaker.state, retry_at(breaker)) == (State.OPEN, at(16))
    assert breaker.reason == "unreachable: connection refused"


def test_log_ins_say_nothing_to_a_closed_breaker_or_about_the_past():
    well = Breaker()
    assert signed_in(well, NOW) is well
    assert probe(well, NOW) is well
    assert probe_failed(well, started=NOW, now=NOW) is well
    breaker = opened(now=at(10))
    assert probe_failed(breaker, started=at(9), now=at(11)) is breaker


# Flapping


def test_f45_a_flapping_connection_is_left_alone_for_longer_and_longer():
    breaker, now, pauses = Breaker(), NOW, []
    for _ in range(9):
        breaker = told(breaker, DOWN, DOWN, DOWN, now=now)
        pauses.append((retry_at(breaker) - now).total_seconds())
        breaker = probed(breaker, Accepted(), retry_at(breaker))
        now = breaker.since + timedelta(seconds=5)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize(("minutes", "pause"), [(0, 300), (1, 300), (2, 150), (3, 75), (6, 9.375), (7, 5), (10**6, 5)])
def test_each_minute_of_calm_halves_what_is_remembered(minutes, pause):
    closed = replace(Breaker(), since=NOW, pause=LONGEST_PAUSE)
    now = NOW + timedelta(minutes=minutes)
    assert retry_at(told(closed, DOWN, DOWN, DOWN, now=now)) == now + timedelta(seconds=pause)


# Time


def test_f25_a_clock_that_steps_back_never_keeps_a_breaker_open():
    breaker = opened()
    earlier = NOW - timedelta(days=365)
    assert admits(breaker, earlier)
    assert told(breaker, Accepted(), now=earlier).state is State.CLOSED
    half_open = probe(breaker, NOW)
    assert admits(half_open, earlier)
    closed = probed(breaker, Accepted(), at(5))
    assert told(closed, DOWN, DOWN, DOWN, now=earlier).state is State.OPEN


@given(st.timedeltas(timedelta(-4000), timedelta(4000)))
def test_whatever_the_clock_does_a_probe_is_due_within_five_minutes(step):
    breaker = opened()
    now = NOW + step
    assert any(admits(breaker, now + timedelta(seconds=wait)) for wait in (0, 300))


# A restart

events = st.lists(
    st.tuples(st.sampled_from([*NEUTRAL, Accepted(), DOWN, BUSY, LOCKED, Unclear()]), st.floats(0, 400)), max_size=30
)


def lived(steps):
    breaker, now = Breaker(), NOW
    for outcome, pause in steps:
        now += timedelta(seconds=pause)
        if admits(breaker, now):
            breaker = told(probe(breaker, now), outcome, now=now)
    return breaker, now


@given(events)
def test_a_breaker_survives_a_restart(steps):
    breaker, now = lived(steps)
    again = from_dict(json.loads(json.dumps(to_dict(breaker))), now)
    assert (again.state, again.until, again.pause, again.reason) == (
        breaker.state,
        breaker.until,
        breaker.pause,
        breaker.reason,
    )
    assert admits(again, now) or not admits(breaker, now)


def test_a_probe_does_not_survive_a_restart():
    breaker = from_dict(to_dict(probe(opened(), at(5))), at(6))
    assert breaker.state is State.HALF_OPEN
    assert admits(breaker, at(6))


def test_a_kept_breaker_from_the_future_is_brought_near():
    breaker = from_dict(to_dict(opened(now=NOW + timedelta(days=3650))), NOW)
    assert retry_at(breaker) == NOW + LONGEST_PAUSE
    assert breaker.since == NOW


@pytest.mark.parametrize(
    "kept",
    [{}, {"state": "ajar"}, to_dict(Breaker()) | {"since": "yesterday"}, to_dict(Breaker()) | {"until": None}, []],
)
def test_what_cannot_be_read_is_a_new_breaker(kept):
    assert from_dict(kept, NOW) == Breaker()


@given(events)
def test_a_breaker_is_always_sane(steps):
    breaker, now = lived(steps)
    assert (breaker.state is State.CLOSED) == (breaker.down is None)
    if breaker.state is State.OPEN:
        assert FIRST_PAUSE <= breaker.until - breaker.since <= LONGEST_PAUSE
    assert any(admits(breaker, now + wait) for wait in (timedelta(0), LONGEST_PAUSE, PROBE_LIMIT))


# One attempt with several recipients


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Accepted(), DOWN], Accepted()),
        ([Rejected(Fault.RECIPIENT), Accepted()], Accepted()),
        ([Accepted(), LOCKED], LOCKED),
        ([Accepted(), Unclear()], Unclear()),
        ([Rejected(Fault.RECIPIENT), BUSY], BUSY),
        ([Rejected(Fault.RECIPIENT)], Rejected(Fault.RECIPIENT)),
        ([Unclear(), Deferred(Fault.ACCOUNT)], Deferred(Fault.ACCOUNT)),
    ],
)
def test_the_outcome_that_tells_most_of_the_connection_is_recorded(outcomes, expected):
    assert telling(outcomes) == expected
