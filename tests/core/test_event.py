from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.delivery import FINAL, OPEN, Move, State, step
from secondpost.core.event import Event, Kind, Sequel, foremost, move, sequel, settlement, standing, weightier

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


# What came of a delivery ----------------------------------------------------------------------------------------------


@given(st.lists(kinds).flatmap(lambda told: st.tuples(st.just(told), st.permutations(told))))
def test_f53_what_came_of_a_delivery_depends_on_what_was_told_and_not_on_the_order(orders):
    counted = []
    for told in orders:
        known = None
        for kind in told:
            came = sequel(kind)
            known = known if came is None else weightier(known, came)
        counted.append(known)
    assert counted[0] is counted[1]
    most = foremost(orders[0])
    assert counted[0] is (None if most is None else sequel(most))  # lists and timelines say the same


def test_only_what_reached_a_mailbox_is_delivered():
    assert {kind for kind in Kind if sequel(kind) is Sequel.DELIVERED} == {
        Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBED,
    }  # fmt: skip


@given(st.sampled_from(State), st.sampled_from([None, *Sequel]))
def test_what_is_not_over_stands_as_it_is_and_what_is_over_as_the_provider_told(state, came):
    assert standing(state, came) == (state if state in OPEN or came is None else came)


def test_no_word_is_both_a_state_and_what_came_of_it():
    assert not {*State} & {*Sequel}
