from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.tally import Tally, rough, together

counts = st.integers(0, 1000)
tallies = st.builds(
    Tally, primary=counts, backup=counts, failed=counts, unclear=counts, waiting=counts, cancelled=counts,
    delivered=counts, bounced=counts, complained=counts,
    times=st.dictionaries(st.integers(0, 10**7), st.integers(1, 50), max_size=8),
)  # fmt: skip


@given(st.lists(tallies, max_size=5))
def test_together_nothing_is_lost_and_nothing_counted_twice(many):
    whole = together(many)
    assert whole.all == sum(tally.all for tally in many)
    assert whole.sent == sum(tally.sent for tally in many)
    assert whole.told == sum(tally.told for tally in many)
    assert sum(whole.times.values()) == sum(sum(tally.times.values()) for tally in many)


@given(tallies.filter(lambda tally: tally.times), st.floats(0.01, 1))
def test_at_least_the_share_asked_for_took_no_longer(tally, share):
    time = tally.within(share)
    total = sum(tally.times.values())
    assert sum(number for took, number in tally.times.items() if took <= time) >= share * total - 1e-6
    assert sum(number for took, number in tally.times.items() if took < time) < share * total + 1e-6


def test_of_nothing_there_is_no_middle():
    assert Tally().within(0.5) is None


@given(st.integers(-(10**6), 10**9))
def test_a_rough_time_is_a_little_shorter(milliseconds):
    assert (
        0 <= max(milliseconds, 0) - rough(milliseconds) < max(milliseconds / 10, 10_000 if milliseconds > 10**5 else 1)
    )
    assert rough(rough(milliseconds)) == rough(milliseconds)
