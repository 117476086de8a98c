"""Whom a negative reply blames: the corpus of real ones, and what holds for all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.outcome import Deferred, Fault, Rejected
from secondpost.wire.blame import Step, outcome_of
from secondpost.wire.reply import Reply
from tests.wire.replies import CORPUS, in_words, read

SENDER, RECIPIENT = "shop@shop.example", "bob@dest.example"


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
