import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.connection import Limits
from secondpost.core.limits import (
    UNNAMED,
    Limiter,
    end_of,
    from_dict,
    gate,
    left,
    named_wait,
    room,
    start_of,
    take,
    to_dict,
    wait,
)
from secondpost.core.outcome import Accepted, Deferred, Fault, Rejected, Unclear

NOW = datetime(2026, 8, 3, 10, 0, tzinfo=UTC)
ZERO = timedelta(0)
SECOND = timedelta(seconds=1)
SPANS = ["minute", "hour", "day", "month"]


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def limiter(**limits):
    return Limiter(limits=Limits(**limits))


def taken(state, times, now=NOW):
    """When each of `times` messages that all come at `now` may go."""
    slots = []
    for _ in range(times):
        slots.append(now + wait(state, now))
        state = take(state, now)
    return state, slots


def test_without_limits_nothing_waits_and_nothing_is_kept():
    state = limiter()
    assert wait(state, NOW) == ZERO
    assert take(state, NOW) is state


@pytest.mark.parametrize("limits", [{"per_second": 0}, {"per_day": 0}, {"per_minute": None}])
def test_a_limit_of_nothing_is_no_limit(limits):
    _, slots = taken(limiter(**limits), 50)
    assert slots == [NOW] * 50


def test_a_burst_is_spread_over_seconds():
    _, slots = taken(limiter(per_second=2), 5)
    assert slots == [NOW, NOW, at(1), at(1), at(2)]


def test_one_per_second():
    _, slots = taken(limiter(per_second=1), 3)
    assert slots == [NOW, at(1), at(2)]


@pytest.mark.parametrize(
    ("span", "second"), [("minute", at(60)), ("hour", at(3600)), ("day", NOW + timedelta(hours=14))]
)
def test_a_full_span_lets_the_next_one_begin(span, second):
    _, slots = taken(limiter(**{f"per_{span}": 2}), 4)
    assert slots == [NOW, NOW, second, second]


def test_a_full_month_waits_for_the_first_of_the_next():
    _, slots = taken(limiter(per_month=1), 3)
    assert slots == [NOW, datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)]


def test_the_strictest_limit_decides():
    _, slots = taken(limiter(per_second=3, per_minute=4, per_hour=5), 7)
    assert slots == [NOW, NOW, NOW, at(1), at(60), at(3600), at(3600)]


steps = st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 7.0, 61.0, 3600.0, 86400.0, 86400.0 * 20]), max_size=40)
small = st.integers(1, 6)


@given(steps, small, small, small, small, small)
def test_never_more_than_the_limit_in_any_span(pauses, per_second, per_minute, per_hour, per_day, per_month):
    allowed = {"minute": per_minute, "hour": per_hour, "day": per_day, "month": per_month}
    state, now, slots = (
        limiter(per_second=per_second, **{f"per_{span}": limit for span, limit in allowed.items()}),
        NOW,
        [],
    )
    for pause in pauses:
        now += timedelta(seconds=pause)
        slots.append(now + wait(state, now))
        state = take(state, now)
    assert slots == sorted(slots)
    for first, last in zip(slots, slots[per_second:], strict=False):
        assert last - first >= SECOND
    for span, limit in allowed.items():
        starts = [start_of(span, slot) for slot in slots]
        assert all(starts.count(start) <= limit for start in starts)


@given(steps, small)
def test_no_message_waits_longer_than_it_must(pauses, per_minute):
    state, now = limiter(per_minute=per_minute), NOW
    used: list[datetime] = []
    for pause in pauses:
        now += timedelta(seconds=pause)
        slot = now + wait(state, now)
        earlier = start_of("minute", slot) - timedelta(microseconds=1)
        if slot > now and earlier >= now:
            assert used.count(start_of("minute", earlier)) == per_minute
        used.append(start_of("minute", slot))
        state = take(state, now)


@given(steps, small, small, st.integers(0, 8))
def test_there_is_room_for_as_many_as_may_go_now_and_not_for_one_more(pauses, per_second, per_minute, most):
    state, now = limiter(per_second=per_second, per_minute=per_minute), NOW
    for pause in pauses:
        now += timedelta(seconds=pause)
        free = room(state, now, most)
        state, slots = taken(state, free, now)
        assert slots == [now] * free
        assert free == most or (free < most and wait(state, now) > ZERO)


def test_without_limits_there_is_room_for_all():
    assert room(limiter(), NOW, 50) == 50


# Spans


@given(st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)), st.sampled_from(SPANS))  # noqa: DTZ001
def test_every_time_is_in_one_span(time, span):
    start = start_of(span, time)
    assert start <= time < end_of(span, start)
    assert start_of(span, start) == start
    assert start_of(span, end_of(span, start)) == end_of(span, start)


def test_spans_are_those_of_utc():
    there = datetime(2026, 8, 3, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert start_of("day", there) == datetime(2026, 8, 2, tzinfo=UTC)
    assert start_of("hour", there) == datetime(2026, 8, 2, 20, tzinfo=UTC)


# The gate


def test_f31_a_limit_closes_the_gate_until_the_time_it_named():
    state = gate(limiter(), Deferred(Fault.LIMIT, retry_after=timedelta(seconds=90)), NOW)
    assert wait(state, NOW) == timedelta(seconds=90)
    assert wait(state, at(60)) == timedelta(seconds=30)
    assert wait(state, at(90)) == ZERO


@pytest.mark.parametrize("outcome", [Deferred(Fault.LIMIT), Rejected(Fault.LIMIT)])
def test_a_limit_that_names_no_time_closes_it_for_a_minute(outcome):
    assert wait(gate(limiter(), outcome, NOW), NOW) == UNNAMED == named_wait(outcome)


@pytest.mark.parametrize(
    "outcome",
    [
        Accepted(),
        Unclear(),
        Rejected(Fault.RECIPIENT),
        Deferred(Fault.PROVIDER, retry_after=timedelta(seconds=90)),
    ],
)
def test_other_outcomes_leave_the_gate_open(outcome):
    state = limiter()
    assert gate(state, outcome, NOW) is state
    assert named_wait(outcome) == ZERO


@given(st.timedeltas(), st.timedeltas())
def test_a_gate_is_closed_for_a_day_at_most_and_never_opens_early(one, other):
    state = limiter()
    for named in (one, other):
        state = gate(state, Deferred(Fault.LIMIT, retry_after=named), NOW)
    assert wait(state, NOW) == max(ZERO, *[min(max(named, ZERO), timedelta(days=1)) for named in (one, other)])


AT_ONCE = Deferred(Fault.LIMIT, retry_after=ZERO)


def test_f31_a_limit_that_says_at_once_is_taken_at_its_word_the_first_time():
    assert wait(gate(limiter(), AT_ONCE, NOW), NOW) == ZERO
    assert wait(gate(limiter(), Deferred(Fault.LIMIT, retry_after=timedelta(-1)), NOW), NOW) == ZERO


def refusals(state, times, now=NOW):
    """The waits after each of so many refusals, each of which comes when the wait before it is over."""
    waits = []
    for _ in range(times):
        now += timedelta(milliseconds=20)
        state = gate(state, AT_ONCE, now)
        waits.append(wait(state, now))
        now += waits[-1]
    return state, [span.total_seconds() for span in waits]


def test_f31_who_says_at_once_again_and_again_is_asked_ever_more_seldom():
    state, waits = refusals(limiter(), 10)
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert refusals(gate(state, Accepted(), at(900)), 2, at(901))[1] == [0, 1]


def test_what_is_refused_together_counts_as_one():
    state = gate(limiter(), Deferred(Fault.LIMIT, retry_after=SECOND), NOW)
    for _ in range(20):
        state = gate(state, Deferred(Fault.LIMIT, retry_after=SECOND), at(0.5))
    assert wait(state, at(0.5)) == SECOND
    assert refusals(state, 1, at(2))[1] == [1]


@given(st.lists(st.timedeltas(ZERO, timedelta(minutes=2)), max_size=300))
def test_no_wait_named_is_cut_short_and_none_grows_beyond_a_minute(spans):
    state, now = limiter(), NOW
    for named in spans:
        now += timedelta(milliseconds=1)
        state = gate(state, Deferred(Fault.LIMIT, retry_after=named), now)
        assert named <= wait(state, now) <= max(named, UNNAMED)
        now += wait(state, now)


def test_what_waits_at_the_gate_takes_its_turn_behind_it():
    state = gate(limiter(per_second=2), Deferred(Fault.LIMIT, retry_after=timedelta(seconds=10)), NOW)
    _, slots = taken(state, 3)
    assert slots == [at(10), at(10), at(11)]


# What is left


def test_what_is_left_of_each_limit():
    state, _ = taken(limiter(per_second=9, per_hour=10, per_day=3), 2)
    assert left(state, NOW) == {"hour": 8, "day": 1}
    assert left(state, at(3600)) == {"hour": 10, "day": 1}
    assert left(limiter(per_month=5), NOW) == {"month": 5}


def test_a_limit_that_was_lowered_leaves_nothing():
    state, _ = taken(limiter(per_day=5), 4)
    assert left(replace(state, limits=Limits(per_day=2)), NOW) == {"day": 0}


# Time, and a restart


def test_f25_a_clock_that_steps_back_blocks_nothing_for_long():
    state, _ = taken(limiter(per_second=1, per_hour=2), 2)
    earlier = NOW - timedelta(days=400)
    assert wait(state, earlier) <= timedelta(hours=1)
    state = take(state, earlier)
    assert wait(state, earlier) <= timedelta(hours=2)
    shut = gate(limiter(), Deferred(Fault.LIMIT), NOW)
    assert wait(shut, earlier) == ZERO


def test_a_clock_that_is_nudged_back_a_little_changes_nothing():
    state, _ = taken(limiter(per_second=1), 1)
    assert at(-0.5) + wait(state, at(-0.5)) == at(1)


@given(steps, small, small)
def test_counters_survive_a_restart(pauses, per_hour, per_day):
    limits = Limits(per_hour=per_hour, per_day=per_day)
    state, now = Limiter(limits=limits), NOW
    for pause in pauses:
        now += timedelta(seconds=pause)
        state = take(state, now)
    state = gate(state, Deferred(Fault.LIMIT), now)
    again = from_dict(json.loads(json.dumps(to_dict(state))), limits)
    assert again == state
    assert wait(again, now) == wait(state, now)


@pytest.mark.parametrize(
    "kept", [{}, [], {"counts": {"day": 1}}, to_dict(Limiter()) | {"gate": "soon"}, {"counts": []}]
)
def test_what_cannot_be_read_is_a_new_limiter(kept):
    assert from_dict(kept, Limits(per_day=1)) == limiter(per_day=1)
