import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.numbers import whole


@given(st.integers(0, 10**18 - 1))
def test_a_number_is_read_as_it_is_written(number):
    assert whole(str(number)) == number


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "-1", "+1", "1.0", "1_000", "1e3", "²", "１", "٣", "a", "9" * 19, "1" * 5000]
)
def test_all_else_is_no_number(text):
    assert whole(text) is None
