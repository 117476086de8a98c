"""SMTP replies: what is one, and what a negative one means."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.outcome import Deferred, Fault, Rejected
from secondpost.wire.blame import Step, outcome_of
from secondpost.wire.reply import MAX_LINE, MAX_LINES, Replies, Reply, provider_id
from tests.wire.replies import CORPUS

SENDER, RECIPIENT = "shop@shop.example", "bob@dest.example"


def read(text):
    """A reply written as text with LF."""
    replies = Replies()
    [reply] = replies.feed(text.replace("\n", "\r\n").encode() + b"\r\n")
    return reply


def in_words(outcome):
    words = [type(outcome).__name__.lower(), outcome.fault.value]
    words += ["sender"] if outcome.about_sender else []
    if wait := getattr(outcome, "retry_after", None):
        words.append(f"{wait.total_seconds():g}")
    words += ["unsupported"] if getattr(outcome, "unsupported", False) else []
    return " ".join(words)


# ── meaning ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("who", "step", "text", "expected"), CORPUS, ids=[f"{row[0]}-{row[1]}-{row[2][:40]}" for row in CORPUS]
)
def test_f30_the_corpus_of_real_replies(who, step, text, expected):
    outcome = outcome_of(read(text), step, sender=SENDER, recipient=RECIPIENT)
    assert in_words(outcome) == expected


def test_the_corpus_is_large_and_many_voiced():
    assert len(CORPUS) >= 100
    assert len({who for who, *_ in CORPUS}) >= 20


@given(st.integers(400, 599), st.text(max_size=200), st.sampled_from(Step))
def test_every_negative_reply_means_something(code, text, step):
    outcome = outcome_of(Reply(code, (text.encode(),)), step, sender=SENDER, recipient=RECIPIENT)
    assert isinstance(outcome, Deferred | Rejected)
    assert outcome.fault is not Fault.LOCAL
    assert outcome.reply.startswith(str(code))
    assert outcome.reply.isprintable()


@given(st.integers(400, 599), st.text(max_size=60), st.sampled_from([Step.RCPT, Step.DATA, Step.DOT]))
def test_f11_what_is_refused_for_good_has_a_code_that_says_so(code, text, step):
    outcome = outcome_of(Reply(code, (text.encode(),)), step, sender=SENDER, recipient=RECIPIENT)
    if isinstance(outcome, Rejected):
        assert code >= 500


def test_one_of_several_recipients_is_to_blame_at_the_dot_and_the_others_are_not():
    reply = read("550 5.1.1 <bob@dest.example> unknown")
    ours = outcome_of(reply, Step.DOT, sender=SENDER, recipient="bob@dest.example", alone=False)
    other = outcome_of(reply, Step.DOT, sender=SENDER, recipient="eve@dest.example", alone=False)
    assert in_words(ours) == "rejected recipient"
    assert in_words(other) == "deferred provider"


def test_a_server_that_takes_no_null_sender_is_not_broken():
    outcome = outcome_of(read("550 5.7.1 Empty sender refused"), Step.MAIL, sender="", recipient=RECIPIENT)
    assert in_words(outcome) == "rejected message unsupported"


def test_a_null_sender_does_not_hide_that_the_log_in_is_missing():
    outcome = outcome_of(read("530 5.7.0 Authentication required"), Step.MAIL, sender="", recipient=RECIPIENT)
    assert in_words(outcome) == "rejected account"


def test_an_absurd_wait_is_capped():
    outcome = outcome_of(
        read("450 4.7.1 rate limit, try again in 900000 hours"), Step.RCPT, sender=SENDER, recipient=RECIPIENT
    )
    assert in_words(outcome) == "deferred limit 86400"


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


# ── form ────────────────────────────────────────────────────────────────────────────────────────────────────────────

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
