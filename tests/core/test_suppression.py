from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.event import Event, Kind
from secondpost.core.suppression import List, Reason, following, key

NOW = datetime(2026, 8, 3, 10, 0, tzinfo=UTC)
LIST = List({"gone@example.com": Reason.BOUNCED, "angry@example.com": Reason.SPAM})


def test_an_empty_list_withholds_nothing():
    assert not List()
    assert List().reason("a@example.com") == ""


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("Gone@Example.com", "bounced"),
        ("Gone@EXAMPLE.COM", "bounced"),
        ("gone@example.com", "bounced"),
        ("angry@example.com", "spam"),
        ("other@example.com", ""),
        ("root", ""),
    ],
)
def test_an_address_is_found_whatever_its_case(address, reason):
    assert LIST
    assert LIST.reason(address) == reason


addresses = st.from_regex(r"[a-zA-Z]{1,3}@[a-zA-Z]{1,3}", fullmatch=True)


@given(st.lists(addresses), addresses)
def test_an_address_is_suppressed_exactly_when_it_is_on_the_list(added, asked):
    suppressed = List({key(address): Reason.MANUAL for address in added})
    assert bool(suppressed.reason(asked)) == (key(asked) in {key(address) for address in added})


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Event(kind=Kind.BOUNCED, at=NOW, permanent=True), Reason.BOUNCED),
        (Event(kind=Kind.BOUNCED, at=NOW, permanent=True, reason="invalid"), Reason.INVALID),
        (Event(kind=Kind.BOUNCED, at=NOW), None),
        (Event(kind=Kind.COMPLAINED, at=NOW), Reason.SPAM),
        (Event(kind=Kind.UNSUBSCRIBED, at=NOW), Reason.UNSUBSCRIBED),
        (Event(kind=Kind.DELIVERED, at=NOW), None),
        (Event(kind=Kind.DEFERRED, at=NOW), None),
    ],
)
def test_which_events_suppress_their_recipient(event, reason):
    assert following(event) == reason
