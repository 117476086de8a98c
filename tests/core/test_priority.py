from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.priority import DEFAULTS, Priority, WhenUnclear


def test_urgent_goes_before_normal_and_normal_before_bulk():
    assert sorted([Priority.BULK, Priority.URGENT, Priority.NORMAL]) == [
        Priority.URGENT,
        Priority.NORMAL,
        Priority.BULK,
    ]


@given(st.sampled_from(Priority), st.booleans())
def test_a_priority_is_read_from_its_label_in_any_case(priority, upper):
    label = priority.label.upper() if upper else f" {priority.label} "
    assert Priority.parse(label) is priority


@pytest.mark.parametrize("word", ["", "high", "1", "urgentt"])
def test_an_unknown_priority_is_refused_with_the_known_words(word):
    with pytest.raises(ValueError, match="use urgent, normal or bulk"):
        Priority.parse(word)


@pytest.mark.parametrize(
    ("priority", "expires", "patience", "unclear_after", "when_unclear"),
    [
        (Priority.URGENT, timedelta(hours=1), timedelta(seconds=2), timedelta(minutes=1), WhenUnclear.SEND_AGAIN),
        (Priority.NORMAL, timedelta(days=2), timedelta(seconds=30), timedelta(minutes=10), WhenUnclear.SEND_AGAIN),
        (Priority.BULK, timedelta(days=5), None, timedelta(minutes=10), WhenUnclear.HOLD),
    ],
)
def test_the_defaults_are_those_of_the_delivery_rules(priority, expires, patience, unclear_after, when_unclear):
    policy = DEFAULTS[priority]
    assert (policy.expires, policy.patience) == (expires, patience)
    assert (policy.unclear_after, policy.when_unclear) == (unclear_after, when_unclear)


def test_only_urgent_mail_races():
    assert [DEFAULTS[priority].hedge_after for priority in Priority] == [timedelta(seconds=1), None, None]
