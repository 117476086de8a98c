"""When a provider is asked about a doubt, and what its silence proves."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.ladder import RUNGS, is_absent, is_kept, next_rung

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
spans = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3))
deadlines = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=2))


def rungs(deadline):
    """All times at which it is asked."""
    found, now = [], SINCE
    while (rung := next_rung(SINCE, now, deadline)) is not None:
        found.append(rung)
        now = rung
    return found


@given(spans, st.none() | deadlines)
def test_the_next_question_lies_ahead_and_before_the_policy_acts(age, span):
    deadline = span and SINCE + span
    rung = next_rung(SINCE, SINCE + age, deadline)
    assert rung is None or rung > SINCE + age
    assert rung is None or deadline is None or rung < deadline


@given(st.none() | deadlines)
def test_it_is_asked_a_bounded_number_of_times_and_at_least_once(span):
    assert 1 <= len(rungs(span and SINCE + span)) <= len(RUNGS) + 1


def test_it_is_asked_once_more_before_the_policy_acts():
    asked = [(rung - SINCE).total_seconds() for rung in rungs(SINCE + timedelta(minutes=1))]
    assert asked == [2, 10, 30, 54]


@given(spans, spans)
def test_a_restart_changes_no_time(age, later):
    """What comes next follows from the doubt and the clock alone."""
    first = next_rung(SINCE, SINCE + age, None)
    if first is not None and SINCE + age + later < first:
        assert next_rung(SINCE, SINCE + age + later, None) == first


def test_absence_proves_something_only_where_the_provider_says_so_and_only_in_time():
    after = timedelta(minutes=35)
    assert is_absent(SINCE, SINCE + after, after)
    assert not is_absent(SINCE, SINCE + after - timedelta(seconds=1), after)
    assert not is_absent(SINCE, SINCE + timedelta(days=9), None)


def test_a_key_is_used_while_the_provider_surely_knows_it():
    life = timedelta(minutes=15)
    assert is_kept(SINCE, SINCE + timedelta(minutes=13), life)
    assert not is_kept(SINCE, SINCE + timedelta(minutes=14), life)
    assert not is_kept(SINCE, SINCE, None)
