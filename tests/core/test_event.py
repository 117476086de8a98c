from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.delivery import FINAL, Move, State, step
from secondpost.core.event import Event, Kind, foremost, move, settlement

NOW = datetime(2026, 8, 3, 10, 0, tzinfo=UTC)
kinds = st.sampled_from(Kind)


@pytest.mark.parametrize(
    ("kind", "settled"),
    [(kind, Move.SETTLE_ARRIVED) for kind in Kind if kind not in {"rejected", "failed", "subscribed", "unknown"}]
    + [
        (Kind.REJECTED, Move.SETTLE_REFUSED),
        (Kind.FAILED, Move.SETTLE_REFUSED),
        (Kind.SUBSCRIBED, None),
        (Kind.UNKNOWN, None),
    ],
)
def test_how_an_event_settles_a_doubt(kind, settled):
    assert settlement(Event(kind=kind, at=NOW)) == settled


@given(st.lists(kinds), st.sampled_from(State))
def test_f53_events_late_twice_and_out_of_order_only_ever_settle_a_doubt_once(told, state):
    for kind in told:
        made = move(Event(kind=kind, at=NOW), state)
        assert made is None or state is State.UNCLEAR
        if made is not None:
            state = step(state, made)
            assert state in FINAL


# What is said of a delivery -------------------------------------------------------------------------------------------


@given(st.permutations([Kind.DELIVERED, Kind.OPENED, Kind.BOUNCED, Kind.SENT]))
def test_what_most_needs_to_be_known_does_not_depend_on_the_order(kinds):
    assert foremost(kinds) is Kind.BOUNCED


def test_a_complaint_outranks_everything_and_an_unknown_event_says_nothing():
    assert foremost(list(Kind)) is Kind.COMPLAINED
    assert foremost([Kind.UNKNOWN]) is None
    assert foremost([]) is None
