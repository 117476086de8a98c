"""SMTP replies: what is one, wherever its bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.wire.reply import MAX_LINE, MAX_LINES, Replies, Reply, provider_id
from tests.wire.replies import read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.0.0 Ok: queued as 4D2F1A0C", "4D2F1A0C"),
        ("OK id=1tXyZa-0004Ab-2Q", "1tXyZa-0004Ab-2Q"),
        ("Ok 0100018f2c6a-1b2c-000000", "0100018f2c6a-1b2c-000000"),
        ("Ok: queued as h4yQr7bDRiK2bA", "h4yQr7bDRiK2bA"),
        ("2.0.0 OK  1700000000 a1-20020a05.31 - gsmtp", "1700000000"),
        ("2.6.0 <20260823.1@shop.example> [InternalId=1] Queued mail for delivery", ""),
        ("Great success", ""),
        ("ok", ""),
    ],
)
def test_the_providers_own_id_is_found(text, expected):
    assert provider_id(f"250 {text}") == expected


GOOD = b"220 mx\r\n250-mx here\r\n250-SIZE 1000\r\n250 PIPELINING\r\n354\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n"


def test_replies_are_the_same_however_the_bytes_come():
    whole = Replies().feed(GOOD)
    assert [reply.code for reply in whole] == [220, 250, 354, 550]
    for cut in range(len(GOOD)):
        replies = Replies()
        assert replies.feed(GOOD[:cut]) + replies.feed(GOOD[cut:]) == whole
        assert replies.empty
    replies = Replies()
    assert [reply for index in range(len(GOOD)) for reply in replies.feed(GOOD[index : index + 1])] == whole


def test_the_text_says_a_status_once():
    assert str(read("550-5.1.1 no\n550 5.1.1 such user")) == "550 5.1.1 no such user"
    assert read("550-5.1.1 no\n550 5.1.1 such user").status == "5.1.1"
    assert read("250 2.1.0").status == "2.1.0"
    assert read("250 ok").status == ""


def test_control_characters_are_shown_not_obeyed():
    assert str(Reply(550, (b"\x1b[31m red \x9b\xff",))) == "550 \\x1b[31m red \\x9b\\xff"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "not an SMTP reply"),
        (b"250 o\0k\r\n", "not an SMTP reply"),
        (b"25 ok\r\n", "not an SMTP reply"),
        (b"999 ok\r\n", "not an SMTP reply"),
        (b"250+ok\r\n", "not an SMTP reply"),
        (b"\r\n", "not an SMTP reply"),
        (b"250 a\rb\r\n", "not an SMTP reply"),
        (b"250-a\r\n550 b\r\n", "the code changes"),
        (b"250 " + b"x" * MAX_LINE + b"\r\n", "too long"),
        (b"250 " + b"x" * 2**20, "not an SMTP reply"),
        (b"250-x\r\n" * (MAX_LINES + 1), "more than"),
        (b"250-x\r\n" * 9999, "more than"),
    ],
)
def test_f13_a_malformed_reply_is_an_error_and_what_came_before_it_counts(data, why):
    replies = Replies()
    assert [reply.code for reply in replies.feed(b"250 first\r\n" + data)] == [250]
    assert why in replies.error
    assert replies.feed(b"250 later\r\n") == []


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_f13_whatever_bytes_come_they_are_read_alike_in_any_portions(data, cuts):
    once, pieces = Replies(), Replies()
    expected = once.feed(data)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found = [reply for start, end in pairwise(edges) for reply in pieces.feed(data[start:end])]
    assert found == expected
    assert bool(pieces.error) == bool(once.error)
