from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core import retry
from secondpost.core.connection import Connection
from secondpost.core.delivery import FINAL, Move, State, step
from secondpost.core.fallback import (
    LOCAL_WAIT,
    SENDER_WAIT,
    Decision,
    Done,
    Doubt,
    Gate,
    NextConnection,
    Standing,
    Wait,
    decide,
    rest,
    route,
)
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected, Unclear
from secondpost.core.priority import DEFAULTS, Priority

NOW = datetime(2026, 8, 3, 10, 0, tzinfo=UTC)
URGENT, NORMAL, BULK = (DEFAULTS[priority] for priority in Priority)

# One connection is left, and it is the only other one of the route.
LEFT = Standing(
    now=NOW,
    accepted=NOW,
    expires=NOW + timedelta(days=2),
    policy=NORMAL,
    jitter=0,
    tries=0,
    connections_left=1,
    unspent=1,
)
ALONE = replace(LEFT, connections_left=0, unspent=0)  # a route of one connection
OTHERS_DOWN = replace(LEFT, connections_left=0)  # the other one cannot be used now

AT_ONCE = NextConnection()
PAID = NextConnection(costs_try=True)
REFUSED = Done(moves=(Move.REJECT,), failed=True)


def after(seconds, **rest):
    return Wait(due=NOW + timedelta(seconds=seconds), **rest)


# The table of delivery rules, section 4, row by row: outcome; with a connection left; with none left.
TABLE: dict[str, tuple[Outcome, Decision, Decision]] = {
    "accepted": (Accepted(), Done(moves=(Move.ACCEPT,)), Done(moves=(Move.ACCEPT,))),
    "deferred unreachable": (Deferred(Fault.UNREACHABLE), AT_ONCE, after(1)),
    "deferred account": (Deferred(Fault.ACCOUNT), AT_ONCE, after(1)),
    "rejected account": (Rejected(Fault.ACCOUNT), AT_ONCE, after(1)),
    "sender not verified": (Rejected(Fault.ACCOUNT, about_sender=True), AT_ONCE, after(300)),
    "deferred limit, unnamed": (Deferred(Fault.LIMIT), AT_ONCE, after(1)),
    "deferred limit, long": (Deferred(Fault.LIMIT, retry_after=timedelta(hours=1)), AT_ONCE, after(1)),
    "deferred limit, short": (
        Deferred(Fault.LIMIT, retry_after=timedelta(seconds=20)),
        Gate(due=NOW + timedelta(seconds=20)),
        Gate(due=NOW + timedelta(seconds=20)),
    ),
    "rejected limit": (Rejected(Fault.LIMIT), AT_ONCE, after(1)),
    "deferred provider": (Deferred(Fault.PROVIDER), PAID, after(15, costs_try=True)),
    "rejected provider": (Rejected(Fault.PROVIDER), NextConnection(spend=True, costs_try=True), REFUSED),
    "deferred recipient": (Deferred(Fault.RECIPIENT), after(15, costs_try=True), after(15, costs_try=True)),
    "rejected recipient": (Rejected(Fault.RECIPIENT), REFUSED, REFUSED),
    "deferred message": (Deferred(Fault.MESSAGE), after(15, costs_try=True), after(15, costs_try=True)),
    "rejected message": (Rejected(Fault.MESSAGE), REFUSED, REFUSED),
    "message too large": (Rejected(Fault.MESSAGE, unsupported=True), NextConnection(spend=True), REFUSED),
    "unclear": (Unclear(), Doubt(due=NOW + timedelta(minutes=10)), Doubt(due=NOW + timedelta(minutes=10))),
    "deferred local": (Deferred(Fault.LOCAL), after(60), after(60)),
    "deferred local, at once": (Deferred(Fault.LOCAL, "", timedelta()), after(0), after(0)),
    "rejected local": (Rejected(Fault.LOCAL), after(60), after(60)),
    "rejected unreachable": (Rejected(Fault.UNREACHABLE), AT_ONCE, after(1)),
}


@pytest.mark.parametrize("row", TABLE)
def test_the_table_with_a_connection_left(row):
    outcome, decision, _ = TABLE[row]
    assert decide(outcome, LEFT) == decision


@pytest.mark.parametrize("row", TABLE)
def test_the_table_on_the_last_connection(row):
    outcome, _, decision = TABLE[row]
    assert decide(outcome, ALONE) == decision


@pytest.mark.parametrize(
    ("outcome", "decision"),
    [
        (Rejected(Fault.PROVIDER), after(1, spend=True, costs_try=True)),
        (Rejected(Fault.MESSAGE, unsupported=True), after(1, spend=True)),
    ],
)
def test_a_refusal_waits_for_a_connection_that_is_down_but_has_not_refused(outcome, decision):
    assert decide(outcome, OTHERS_DOWN) == decision


def test_a_message_goes_elsewhere_for_its_size_only_once():
    assert decide(Rejected(Fault.MESSAGE, unsupported=True), replace(LEFT, spent=1)) == REFUSED


# Limits


@pytest.mark.parametrize(
    ("policy", "wait", "waits"),
    [
        (URGENT, 2, True),
        (URGENT, 3, False),
        (NORMAL, 30, True),
        (NORMAL, 31, False),
        (BULK, 1, True),
        (BULK, 86400, True),
    ],
)
def test_a_limit_is_waited_for_as_long_as_the_priority_is_patient(policy, wait, waits):
    decision = decide(Deferred(Fault.LIMIT, retry_after=timedelta(seconds=wait)), replace(LEFT, policy=policy))
    assert decision == (Gate(due=NOW + timedelta(seconds=wait)) if waits else AT_ONCE)


@pytest.mark.parametrize(("named", "waited"), [(timedelta(-1), timedelta(0)), (timedelta(3650), timedelta(days=1))])
def test_f31_an_absurd_retry_after_is_bounded(named, waited):
    decision = decide(Deferred(Fault.LIMIT, retry_after=named), replace(LEFT, policy=BULK))
    assert decision == Gate(due=NOW + waited)


@pytest.mark.parametrize(("age", "waited"), [(0, 0), (2, 0.2), (10, 1), (9000, 1)])
def test_f31_a_delivery_that_may_come_back_at_once_takes_a_breath_first(age, waited):
    old = replace(LEFT, accepted=NOW - timedelta(seconds=age))
    decision = decide(Deferred(Fault.LIMIT, retry_after=timedelta(0)), old)
    assert decision == Gate(due=NOW + timedelta(seconds=waited))


def test_a_limit_is_not_waited_for_beyond_the_end_of_the_message():
    outcome = Deferred(Fault.LIMIT, retry_after=timedelta(hours=20))
    nearly_over = replace(LEFT, policy=BULK, expires=NOW + timedelta(hours=3))
    assert decide(outcome, nearly_over) == AT_ONCE


# Waiting


@pytest.mark.parametrize("fault", [Fault.PROVIDER, Fault.RECIPIENT, Fault.MESSAGE])
@given(tries=st.integers(0, 12), jitter=st.floats(-1, 1))
def test_backoff_grows_with_the_tries(fault, tries, jitter):
    standing = replace(ALONE, tries=tries, jitter=jitter)
    assert decide(Deferred(fault), standing).due == NOW + retry.backoff(tries, jitter)


@pytest.mark.parametrize("outcome", [Deferred(Fault.UNREACHABLE), Deferred(Fault.ACCOUNT), Deferred(Fault.LIMIT)])
def test_a_round_that_cost_a_try_already_waits_for_the_backoff(outcome):
    decision = decide(outcome, replace(ALONE, tries=3, paid=True))
    assert decision == after(900)


def test_a_refusal_after_a_deferral_in_one_round_waits_for_the_backoff():
    decision = decide(Rejected(Fault.PROVIDER), replace(OTHERS_DOWN, tries=3, paid=True))
    assert decision == after(900, spend=True, costs_try=True)


@given(st.timedeltas(timedelta(-1), timedelta(5)))
def test_rest_grows_with_the_age_and_stays_short(age):
    assert timedelta(seconds=1) <= rest(age) <= timedelta(seconds=15)
    assert rest(age) <= rest(age + timedelta(seconds=1))


def test_what_nobody_can_carry_is_asked_for_less_and_less():
    old = replace(ALONE, accepted=NOW - timedelta(seconds=60))
    assert decide(Deferred(Fault.UNREACHABLE), old) == after(6)


# Properties of every decision

faults = st.sampled_from(Fault)
spans = st.none() | st.timedeltas(timedelta(-400), timedelta(4000))
outcomes = st.one_of(
    st.builds(Accepted),
    st.builds(Unclear),
    st.builds(Deferred, fault=faults, retry_after=spans, about_sender=st.booleans()),
    st.builds(Rejected, fault=faults, unsupported=st.booleans(), about_sender=st.booleans()),
)
counts = st.integers(0, 4)
standings = st.builds(
    lambda left, more, **fields: Standing(now=NOW, connections_left=left, unspent=left + more, **fields),
    left=counts,
    more=counts,
    accepted=st.datetimes(datetime(2026, 7, 25), datetime(2026, 8, 4), timezones=st.just(UTC)),  # noqa: DTZ001
    expires=st.datetimes(datetime(2026, 8, 2), datetime(2026, 8, 9), timezones=st.just(UTC)),  # noqa: DTZ001
    policy=st.sampled_from([URGENT, NORMAL, BULK]),
    jitter=st.floats(-1, 1),
    tries=st.integers(0, 20),
    spent=counts,
    paid=st.booleans(),
)


@given(outcomes, standings)
def test_every_decision_is_legal_and_ends_or_has_a_due_time_or_goes_on_at_once(outcome, standing):
    decision = decide(outcome, standing)
    state = step(State.SENDING, *decision.moves)
    assert (state in FINAL) == isinstance(decision, Done)
    assert (state is State.UNCLEAR) == isinstance(decision, Doubt)
    assert (decision.due is None) == isinstance(decision, Done | NextConnection)


@given(outcomes, standings)
def test_only_what_surely_was_not_taken_goes_on(outcome, standing):
    decision = decide(outcome, standing)
    if isinstance(outcome, Accepted):
        assert decision.moves == (Move.ACCEPT,)
    if isinstance(outcome, Unclear):
        assert decision.moves == (Move.DOUBT,)
    if isinstance(decision, NextConnection):
        assert isinstance(outcome, Deferred | Rejected)
        assert outcome.fault is not Fault.RECIPIENT
        assert standing.connections_left


@given(outcomes, standings)
def test_no_wait_is_later_than_the_end_of_the_message(outcome, standing):
    decision = decide(outcome, standing)
    if isinstance(decision, Wait | Gate):
        assert decision.due <= standing.expires


@given(outcomes, standings)
def test_waiting_for_others_burns_no_try(outcome, standing):
    if decide(outcome, standing).costs_try:
        assert isinstance(outcome, Deferred | Rejected)
        assert outcome.fault in {Fault.PROVIDER, Fault.RECIPIENT, Fault.MESSAGE}


@given(outcomes, standings)
def test_a_delivery_fails_only_when_it_was_refused_and_nobody_else_may_take_it(outcome, standing):
    decision = decide(outcome, standing)
    assert decision.failed == (decision.moves == (Move.REJECT,))
    if decision.failed:
        assert isinstance(outcome, Rejected)
        assert outcome.fault in {Fault.RECIPIENT, Fault.MESSAGE} or not standing.unspent


def test_the_waits_of_a_kind_are_named():
    assert (timedelta(minutes=5), timedelta(minutes=1)) == (SENDER_WAIT, LOCAL_WAIT)


# Routes

CONNECTIONS = {
    "main": Connection(name="main", mailer="smtp"),
    "second": Connection(name="second", mailer="smtp"),
    "chained": Connection(name="chained", mailer="smtp", backups=("third", "main")),
    "third": Connection(name="third", mailer="smtp", backups=("second",)),
    "off": Connection(name="off", mailer="smtp", enabled=False),
}


@pytest.mark.parametrize(
    ("chosen", "backup", "backups", "names"),
    [
        ("main", "second", (), ("main", "second")),
        ("main", "", (), ("main",)),
        ("main", "main", (), ("main",)),
        ("main", "gone", (), ("main",)),
        ("main", "off", (), ("main",)),
        ("gone", "second", (), ("second",)),
        ("off", "second", (), ("second",)),
        ("gone", "gone", (), ()),
        ("chained", "second", (), ("chained", "third", "main")),
        ("chained", "second", ("second",), ("chained", "second")),
        ("main", "second", ("third", "main", "off", "third"), ("main", "third")),
    ],
)
def test_a_route_is_the_chosen_connection_then_its_backups(chosen, backup, backups, names):
    assert route(chosen, backup, CONNECTIONS, backups=backups) == names


any_name = st.sampled_from([*CONNECTIONS, "gone", ""])


@given(any_name, any_name, st.lists(any_name, max_size=4).map(tuple))
def test_a_route_names_each_enabled_connection_once(chosen, backup, backups):
    names = route(chosen, backup, CONNECTIONS, backups=backups)
    assert len(set(names)) == len(names)
    assert all(CONNECTIONS[name].enabled for name in names)
    if chosen in CONNECTIONS and CONNECTIONS[chosen].enabled:
        assert names[0] == chosen
