"""The life of a delivery: its table, and whole lives of it through `decide` against providers that may do anything."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondpost.core.delivery import FINAL, OPEN, TABLE, IllegalMove, Move, State, step
from secondpost.core.fallback import Done, Doubt, NextConnection, Standing, decide
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected, Unclear
from secondpost.core.priority import DEFAULTS, Policy, Priority, WhenUnclear

NOW = datetime(2026, 8, 3, 10, 0, tzinfo=UTC)

# The table


def test_the_table_is_that_of_the_delivery_rules():
    edges = {(start.value, end.value) for start, moves in TABLE.items() for end in moves.values()}
    assert edges == {
        ("waiting", "leased"),
        ("waiting", "expired"),
        ("waiting", "cancelled"),
        ("leased", "sending"),
        ("leased", "waiting"),
        ("leased", "cancelled"),
        ("sending", "accepted"),
        ("sending", "rejected"),
        ("sending", "waiting"),
        ("sending", "unclear"),
        ("unclear", "accepted"),
        ("unclear", "rejected"),
        ("unclear", "waiting"),
        ("unclear", "cancelled"),
    }


def test_every_state_is_in_the_table_and_is_open_or_final():
    assert set(TABLE) == set(State) == OPEN | FINAL
    assert frozenset({State.ACCEPTED, State.REJECTED, State.EXPIRED, State.CANCELLED}) == FINAL


def test_every_move_is_used():
    assert {move for moves in TABLE.values() for move in moves} == set(Move)


@given(st.sampled_from(sorted(FINAL)), st.sampled_from(Move))
def test_a_final_state_never_changes(state, move):
    with pytest.raises(IllegalMove, match=f"{state.value} cannot {move.value}") as caught:
        step(state, move)
    assert (caught.value.state, caught.value.move) == (state, move)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_every_open_state_has_a_way_to_a_final_one(state):
    reached = {state}
    last: set[State] = set()
    while reached != last:
        last = set(reached)
        reached |= {end for start in last for end in TABLE[start].values()}
    assert reached & FINAL
    assert len(reached & FINAL) == len(FINAL)


def test_what_may_have_left_waits_again_only_by_a_decision():
    to_waiting = {
        move for state in (State.SENDING, State.UNCLEAR) for move, end in TABLE[state].items() if end is State.WAITING
    }
    assert to_waiting == {Move.DEFER, Move.SETTLE_NOT_TAKEN, Move.SEND_AGAIN}


def test_a_worker_that_died_while_sending_leaves_a_doubt_and_before_it_gives_the_delivery_back():
    assert step(State.SENDING, Move.LAPSE) is State.UNCLEAR
    assert step(State.LEASED, Move.LAPSE) is State.WAITING


def test_nobody_takes_what_another_worker_holds():
    assert {state for state, moves in TABLE.items() if Move.LEASE in moves} == {State.WAITING}
    assert {state for state, moves in TABLE.items() if Move.START in moves} == {State.LEASED}


def test_no_move_leaves_the_state_as_it_is():
    assert step(State.WAITING) is State.WAITING


@given(st.lists(st.sampled_from(Move), max_size=12))
def test_moves_taken_together_are_the_moves_taken_one_by_one(moves):
    def walk():
        state = State.WAITING
        for move in moves:
            state = step(state, move)
        return state

    try:
        expected = walk()
    except IllegalMove as illegal:
        with pytest.raises(IllegalMove, match=f"^{illegal}$"):
            step(State.WAITING, *moves)
    else:
        assert step(State.WAITING, *moves) is expected


@given(st.lists(st.sampled_from(Move), max_size=30))
def test_accepted_is_reached_only_through_sending(moves):
    path = [State.WAITING]
    for move in moves:
        if move in TABLE[path[-1]]:
            path.append(TABLE[path[-1]][move])
    for before, after in pairwise(path):
        assert after is not State.ACCEPTED or before in {State.SENDING, State.UNCLEAR}
        assert before is not State.SENDING or after is not State.LEASED


# Whole lives

faults = st.sampled_from(Fault)
answers = st.one_of(
    st.just(Accepted()),
    st.builds(Unclear),
    st.builds(
        Deferred,
        fault=faults,
        retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=2)),
        about_sender=st.booleans(),
    ),
    st.builds(Rejected, fault=faults, unsupported=st.booleans()),
)


@dataclass
class Life:
    """One delivery, worked as the worker works it: lease, try the route, follow each decision."""

    route: tuple[str, ...]
    policy: Policy
    answers: list[Outcome]  # what the providers say, in turn; then the last one says yes
    taken_in_doubt: list[bool]  # whether the provider of each doubt has it
    usable: list[bool]  # whether each other connection asked about can be used
    state: State = State.WAITING
    now: datetime = NOW
    due: datetime = NOW
    tries: int = 0
    spent: tuple[str, ...] = ()
    copies: int = 0
    doubts: int = 0
    sent_again: int = 0
    attempts: int = 0
    history: list[tuple[str, Outcome]] = field(default_factory=list)

    @property
    def expires(self) -> datetime:
        return NOW + self.policy.expires

    def live(self) -> None:
        while self.state in {State.WAITING, State.UNCLEAR}:
            assert self.attempts < 500, "it never ends"
            self.now = max(self.now, self.due) + timedelta(seconds=1)
            if self.state is State.UNCLEAR:
                if self.policy.when_unclear is WhenUnclear.HOLD or self.now >= self.expires:
                    return  # held for a person
                self.sent_again += 1
                self.state = step(self.state, Move.SEND_AGAIN)
            elif self.now >= self.expires:
                self.state = step(self.state, Move.EXPIRE)
            else:
                self.round()

    def round(self) -> None:
        """One lease: the usable connections of the route in their order, until a decision ends it."""
        self.state = step(self.state, Move.LEASE)
        tried: set[str] = set()
        paid = False
        while True:
            name = next((name for name in self.route if name not in tried and name not in self.spent), None)
            if name is None:
                self.state, self.due = step(self.state, Move.PUT_OFF), self.now + timedelta(seconds=15)
                return
            tried.add(name)
            decision = self.attempt(name, tried, paid=paid)
            self.tries += decision.costs_try
            paid = paid or decision.costs_try
            if decision.spend:
                self.spent += (name,)
            if not isinstance(decision, NextConnection):
                self.due = decision.due or self.now
                return
            self.state = step(self.state, Move.LEASE)

    def attempt(self, name: str, tried: set[str], *, paid: bool):
        self.attempts += 1
        self.state = step(self.state, Move.START)
        outcome = self.answers.pop(0) if self.answers else Accepted()
        if isinstance(outcome, Accepted):
            self.copies += 1
        if isinstance(outcome, Unclear):
            self.doubts += 1
            self.copies += self.taken_in_doubt.pop(0) if self.taken_in_doubt else False
        others = [other for other in self.route if other != name and other not in self.spent]
        left = [other for other in others if other not in tried and (self.usable.pop(0) if self.usable else True)]
        decision = decide(
            outcome,
            Standing(
                now=self.now,
                accepted=NOW,
                expires=self.expires,
                policy=self.policy,
                jitter=0,
                tries=self.tries,
                connections_left=len(left),
                unspent=len(others),
                spent=len(self.spent),
                paid=paid,
            ),
        )
        self.history.append((name, outcome))
        self.state = step(self.state, *decision.moves)
        assert isinstance(decision, Done) == (self.state in FINAL)
        assert isinstance(decision, Doubt) == (self.state is State.UNCLEAR)
        return decision


lives = st.builds(
    Life,
    route=st.integers(1, 4).map(lambda count: tuple("abcd"[:count])),
    policy=st.sampled_from(list(DEFAULTS.values())),
    answers=st.lists(answers, max_size=30),
    taken_in_doubt=st.lists(st.booleans(), max_size=5),
    usable=st.lists(st.booleans(), max_size=30),
)


@settings(max_examples=500)
@given(lives)
def test_every_copy_that_is_one_too_many_is_explained_by_a_doubt(life):
    life.live()
    assert life.copies <= 1 + life.sent_again
    assert life.sent_again <= life.doubts
    if not life.doubts:
        assert life.copies == (life.state is State.ACCEPTED)


@settings(max_examples=500)
@given(lives)
def test_every_life_ends_or_is_held_for_a_person(life):
    life.live()
    assert life.state in FINAL or life.state is State.UNCLEAR
    if life.state is State.UNCLEAR:
        assert life.doubts
    if life.state is State.EXPIRED:
        assert life.now >= life.expires


@settings(max_examples=500)
@given(lives)
def test_a_doubt_is_never_followed_by_another_connection_in_the_same_round(life):
    life.live()
    doubts = [index for index, (_, outcome) in enumerate(life.history) if isinstance(outcome, Unclear)]
    resumed = sum(index + 1 < len(life.history) for index in doubts)
    assert resumed <= life.sent_again


@settings(max_examples=500)
@given(lives)
def test_a_connection_that_will_never_take_it_is_not_asked_again(life):
    life.live()
    refused = set()
    for name, outcome in life.history:
        assert name not in refused
        if isinstance(outcome, Rejected) and outcome.fault in {Fault.PROVIDER, Fault.MESSAGE}:
            refused.add(name)


@settings(max_examples=300)
@given(lives)
def test_what_was_never_refused_is_not_rejected(life):
    life.live()
    if life.state is State.REJECTED:
        assert isinstance(life.history[-1][1], Rejected)


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.ACCOUNT, Fault.PROVIDER, Fault.LIMIT])
def test_the_backup_carries_what_the_primary_cannot_at_once(fault):
    life = Life(("primary", "backup"), DEFAULTS[Priority.URGENT], [Deferred(fault)], [], [])
    life.live()
    assert [name for name, _ in life.history] == ["primary", "backup"]
    assert life.state is State.ACCEPTED
    assert life.now - NOW <= timedelta(seconds=1)


def test_nobody_can_be_reached_until_the_message_expires_and_no_try_is_burnt():
    life = Life(("primary", "backup"), DEFAULTS[Priority.URGENT], [Deferred(Fault.UNREACHABLE)] * 1000, [], [])
    life.live()
    assert life.state is State.EXPIRED
    assert life.tries == 0
    assert life.copies == 0
