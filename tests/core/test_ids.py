import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.ids import EPOCH, LENGTH, following_id, id_text, milliseconds, new_id, parse_id

ids = st.integers(0, 2**63 - 1)
times = st.integers(EPOCH, EPOCH + 2**41 - 1)


@given(times, st.integers())
def test_an_id_has_63_bits_and_holds_its_time(time, chance):
    number = new_id(time, chance)
    assert 0 <= number < 2**63
    assert milliseconds(number) == time


@given(times, times, st.integers(), st.integers())
def test_ids_sort_by_time(one, other, chance, other_chance):
    if one < other:
        assert new_id(one, chance) < new_id(other, other_chance)


@pytest.mark.parametrize("milliseconds", [-(10**15), 0, EPOCH - 1, EPOCH + 2**41, 10**30])
def test_a_clock_that_is_years_off_still_gives_an_id_that_fits(milliseconds):
    assert 0 <= new_id(milliseconds, 7) < 2**63


@given(ids.filter(lambda number: number < 2**63 - 1), times, st.integers())
def test_a_following_id_is_greater_even_when_the_clock_steps_back(last, milliseconds, chance):
    assert following_id(last, milliseconds, chance) > last


@given(ids)
def test_the_text_of_an_id_reads_back(number):
    text = id_text(number)
    assert len(text) == LENGTH
    assert text == text.lower()
    assert parse_id(text) == number


@given(ids, ids)
def test_texts_sort_as_their_ids_do(one, other):
    assert (id_text(one) < id_text(other)) == (one < other)


@given(ids)
def test_an_id_may_be_typed_in_capitals(number):
    assert parse_id(id_text(number).upper()) == number


def test_letters_that_look_like_digits_are_read_as_digits():
    assert parse_id("OoIiLl0000000") == parse_id("0011110000000")


@pytest.mark.parametrize(
    "text", ["", "0" * 12, "0" * 14, "z" * 13, "8000000000000", "000000000000u", "000000000000é", "x" * 9999]
)
def test_what_is_no_id_is_refused_with_advice(text):
    with pytest.raises(ValueError, match=r"is not a message id.*Copy it from the log") as caught:
        parse_id(text)
    assert len(str(caught.value)) < 300
