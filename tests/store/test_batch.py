"""Cutting a batch into runs: as few as can be, and never a message's operations out of order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.message import Message
from secondpost.store.sqlite.batch import ACCEPT, LARGE, OTHER, RECORD, START, runs
from tests.store.samples import record, start, submission

SUBMISSIONS = [submission(number) for number in range(4)]
VALUES: dict[int, list[Any]] = {
    ACCEPT: SUBMISSIONS,
    START: [start(it) for it in SUBMISSIONS],
    RECORD: [record(it) for it in SUBMISSIONS],
    OTHER: [print] * 4,
}
ASKS = st.lists(st.tuples(st.sampled_from([ACCEPT, START, RECORD, OTHER]), st.integers(0, 3)), max_size=30)


def written(asks: list[Any]) -> list[list[Any]]:
    """The asks in the order in which they take effect: within a run accepts come first, then starts, then records."""
    return [sorted(run, key=lambda ask: ask[0]) for run in runs(asks)]


@given(ASKS)
def test_every_message_sees_its_operations_in_the_order_asked_for(plan):
    asks: list[Any] = [(kind, VALUES[kind][which], (place, which)) for place, (kind, which) in enumerate(plan)]
    order = [ask for run in written(asks) for ask in run]
    assert sorted(order, key=lambda ask: ask[2]) == asks
    for which in range(4):
        of_this = [ask[2][0] for ask in order if ask[2][1] == which or ask[0] == OTHER]
        assert of_this == sorted(of_this)


def test_the_lives_of_different_messages_share_a_run():
    asks: list[Any] = [(kind, VALUES[kind][kind], None) for kind in (RECORD, START, ACCEPT)]
    assert len(runs(asks)) == 1


def test_one_ask_of_another_kind_is_a_transaction_of_its_own():
    asks: list[Any] = [(kind, VALUES[kind][0], None) for kind in (ACCEPT, OTHER, START)]
    assert [len(run) for run in runs(asks)] == [1, 1, 1]


def test_large_contents_are_cut_apart():
    large = submission(message=Message(b"", bytes(LARGE // 2 + 1)))
    assert [len(run) for run in runs([(ACCEPT, large, None)] * 4)] == [1, 2, 1]  # type: ignore[list-item]
