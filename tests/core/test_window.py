from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.window import ENOUGH, SLOTS, Window, add, half_failed

NOW = datetime(2026, 8, 3, 10, 0, tzinfo=UTC)
halves = st.sampled_from([0, 1, 2])


def seconds(number):
    return NOW + timedelta(seconds=number)


def filled(steps):
    window: Window = ()
    now = NOW
    for after, failed in steps:
        now += timedelta(seconds=after)
        window = add(window, now, failed)
    return window


@given(st.lists(st.tuples(st.floats(0, 30), halves), max_size=60))
def test_a_window_is_small_and_starts_with_a_failure(steps):
    window = filled(steps)
    assert len(window) <= SLOTS
    assert not window or window[0][2]
    assert [slot for slot, *_ in window] == sorted({slot for slot, *_ in window})


@given(st.lists(st.floats(0, 1000), max_size=30))
def test_while_nothing_fails_nothing_is_kept(pauses):
    assert filled([(pause, 0) for pause in pauses]) == ()


@given(st.lists(st.tuples(st.floats(0, 0.5), halves), min_size=1, max_size=60))
def test_attempts_are_counted_from_the_first_failure_on(steps):
    failures = [failed for _, failed in steps]
    window = filled(steps)
    begun = next((index for index, failed in enumerate(failures) if failed), len(failures))
    counted = sum(attempts for _, attempts, _ in window)
    # Successes that share the slot of the first failure may be dropped before it, never after.
    assert counted == len(failures) - begun
    assert sum(failed for *_, failed in window) == sum(failures)


def test_a_failure_is_forgotten_after_a_minute():
    window = add((), NOW, 2)
    assert add(window, seconds(55), 0) != ()
    assert add(window, seconds(60), 0) == ()


def test_what_a_clock_that_stepped_back_left_in_the_future_is_forgotten():
    window = add((), NOW, 2)
    assert add(window, seconds(-3600), 0) == ()


def test_half_of_enough_attempts():
    window: Window = ()
    for number in range(ENOUGH):
        assert not half_failed(window)
        window = add(window, NOW, 0 if number % 2 else 2)
    assert half_failed(window)
    assert not half_failed(add(window, NOW, 0))
