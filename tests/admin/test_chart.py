"""Where the bars of a chart stand."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from secondpost.admin.chart import HEIGHT, KINDS, LEAST, WIDTH, draw, nice
from secondpost.core.tally import Tally

NOW, HOUR = datetime(2026, 8, 3, tzinfo=UTC), timedelta(hours=1)
counts = st.integers(0, 10**6)
tallies = st.lists(
    st.builds(Tally, primary=counts, backup=counts, failed=counts, unclear=counts, waiting=counts),
    min_size=1,
    max_size=60,
)


@given(tallies)
def test_bars_stand_on_each_other_in_their_column_and_what_is_not_nothing_is_seen(many):
    chart = draw(many, since=NOW, step=HOUR)
    width = WIDTH / len(many)
    for place, (tally, column) in enumerate(zip(many, chart.columns, strict=True)):
        assert [bar.kind for bar in column.bars] == [kind for kind in KINDS if getattr(tally, kind)]
        floor = HEIGHT
        for bar in column.bars:
            assert bar.height >= LEAST
            assert abs(bar.y + bar.height - floor) < 0.02
            assert place * width - 0.01 <= bar.x
            assert bar.x + bar.width <= (place + 1) * width + 0.01
            floor = bar.y
        assert floor >= -LEAST * len(KINDS)
    assert chart.totals == {kind: sum(getattr(tally, kind) for tally in many) for kind in KINDS}


@given(st.integers(0, 10**12))
def test_the_upper_edge_is_a_round_number_that_is_not_less(number):
    assert nice(number) >= max(number, 1)
    assert nice(number) <= max(2.5 * number, 1)
    assert str(nice(number)).rstrip("0") in ("1", "2", "5")


@given(st.floats(-5, 5), st.floats(0.01, 10))
def test_a_period_is_marked_where_it_lies_within_the_picture(begin, length):
    chart = draw([Tally()] * 4, since=NOW, step=HOUR, marked=[(NOW + begin * HOUR, NOW + (begin + length) * HOUR)])
    inside = begin + length > 0 and begin < 4
    assert bool(chart.bands) == inside
    for x, width in chart.bands:
        assert x == round(max(begin, 0) / 4 * WIDTH, 2)
        assert LEAST <= width <= WIDTH


def test_the_labels_go_from_the_start_to_the_end():
    labels = draw([Tally()] * 48, since=NOW, step=HOUR / 2).labels
    assert labels == [NOW + hours * HOUR for hours in (0, 6, 12, 18, 24)]
