from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.retry import LONGEST_WAIT, SPREAD, STEPS, backoff, bounded, retry_after

NOW = datetime(2026, 8, 3, 10, 0, 0, tzinfo=UTC)
jitters = st.floats(-1, 1)


@pytest.mark.parametrize(
    ("tries", "seconds"),
    [
        (0, 15),
        (1, 60),
        (2, 300),
        (3, 900),
        (4, 1800),
        (5, 3600),
        (6, 7200),
        (7, 14400),
        (8, 14400),
        (10**9, 14400),
        (-1, 15),
    ],
)
def test_the_waits_are_those_of_the_delivery_rules(tries, seconds):
    assert backoff(tries, 0) == timedelta(seconds=seconds)


@given(st.integers(), jitters)
def test_jitter_spreads_a_wait_by_a_fifth(tries, jitter):
    wait, middle = backoff(tries, jitter), backoff(tries, 0)
    assert middle * (1 - SPREAD) <= wait <= middle * (1 + SPREAD)
    assert wait > timedelta(0)


@given(st.integers(-5, 20), st.floats(allow_nan=False))
def test_a_jitter_out_of_range_is_brought_into_it(tries, jitter):
    assert backoff(tries, -1) <= backoff(tries, jitter) <= backoff(tries, 1)


@given(st.integers(0, 20), jitters)
def test_waits_never_shrink(tries, jitter):
    assert backoff(tries, jitter) <= backoff(tries + 1, jitter)
    assert STEPS[-1] * 1.2 >= backoff(tries, jitter)


@given(st.timedeltas())
def test_a_wait_that_somebody_names_is_bounded(wait):
    assert timedelta(0) <= bounded(wait) <= LONGEST_WAIT
    if timedelta(0) <= wait <= LONGEST_WAIT:
        assert bounded(wait) == wait


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("+5", 5),
        ("-5", 0),
        ("1.7", 1),
        ("1.", 1),
        ("007", 7),
        ("315360000", 86400),  # ten years
        ("9" * 100_000, 86400),
        ("-" + "9" * 100_000, 0),
        ("Mon, 03 Aug 2026 10:01:00 GMT", 60),
        ("mon, 03 aug 2026 10:01:00 gmt", 60),
        ("Monday, 03-Aug-26 10:01:00 GMT", 60),
        ("Mon Aug  3 10:01:00 2026", 60),
        ("Mon, 03 Aug 2026 09:00:00 GMT", 0),
        ("Fri, 03 Aug 2046 09:00:00 GMT", 86400),
        ("Mon, 03 Aug 2026 10:00:60 GMT", 59),
    ],
)
def test_f31_retry_after_is_read_and_bounded(text, seconds):
    assert retry_after(text, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "1 hour",
        "1e9",
        "nan",
        "inf",
        "٣",
        "--1",
        "Mon, 33 Aug 2026 10:00:00 GMT",
        "Mon, 03 Xyz 2026 10:00:00 GMT",
        "Mon, 03 Aug 2026 25:00:00 GMT",
        "Mon, 03 ana 2026 10:00:00 GMT",
    ],
)
def test_a_retry_after_that_says_nothing_is_none(text):
    assert retry_after(text, NOW) is None


@given(st.text())
def test_no_retry_after_raises_or_waits_more_than_a_day(text):
    wait = retry_after(text, NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST_WAIT


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)),  # noqa: DTZ001
    st.integers(-12, 12).map(lambda hours: timezone(timedelta(hours=hours))),
)
def test_a_date_written_by_the_standard_library_is_read(time, zone):
    when = time.replace(tzinfo=UTC, microsecond=0)
    assert retry_after(format_datetime(when, usegmt=True), NOW.astimezone(zone)) == bounded(when - NOW)
