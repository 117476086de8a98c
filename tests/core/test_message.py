import email.policy
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.connection import FromRules
from secondpost.core.message import Message, Summary, authors, date_text, rewrite, split, summarize

TYPICAL = (
    b"Received: from app.example.com (app.example.com [192.0.2.7])\r\n\tby mail.example.com with ESMTPSA id 0abc;\r\n"
    b"\tMon, 3 Aug 2026 10:00:00 +0000\r\n"
    b"From: =?utf-8?q?Caf=C3=A9_M=C3=BCller?= <shop@example.com>\r\n"
    b'To: "Doe, Jane" <jane@example.org>, bob@example.org\r\nCC: c@example.org\r\nBcc: hidden@example.org\r\n'
    b"Reply-To: support@example.com\r\nSubject: Your order\r\n 12345 has been shipped\r\n"
    b"Date: Mon, 03 Aug 2026 10:00:00 +0000\r\nMessage-ID: <1234@app.example.com>\r\n"
    b'Content-Type: multipart/alternative;\r\n boundary="=_abc"\r\n'
    b"Secondpost-Priority: urgent\r\nsecondpost-TAG: welcome\r\n"
    b"X-Mailer: PHPMailer 6.9.1\r\n\r\n"
)


def test_a_typical_header_block_is_summarized():
    assert summarize(TYPICAL) == Summary(
        subject="Your order 12345 has been shipped",
        from_email="shop@example.com",
        from_name="Café Müller",
        to=("jane@example.org", "bob@example.org"),
        cc=("c@example.org",),
        bcc=("hidden@example.org",),
        reply_to=("support@example.com",),
        message_id="<1234@app.example.com>",
        date="Mon, 03 Aug 2026 10:00:00 +0000",
        content_type='multipart/alternative; boundary="=_abc"',
        private={"secondpost-priority": "urgent", "secondpost-tag": "welcome"},
    )


def test_nothing_is_summarized_as_nothing():
    assert summarize(b"\r\n") == summarize(b"") == Summary()


def test_names_of_fields_ignore_case_and_space():
    summary = summarize(b"SUBJECT : a\r\nfrom:b@c\r\n\r\n")
    assert (summary.subject, summary.from_email) == ("a", "b@c")


def test_several_to_fields_are_joined_and_of_others_the_first_counts():
    summary = summarize(b"To: a@x\r\nSubject: one\r\nTo:\r\nto: B <b@x>\r\nSubject: two\r\nTo: c@x\r\n\r\n")
    assert summary.to == ("a@x", "b@x", "c@x")
    assert summary.subject == "one"


@given(st.binary(max_size=400))
def test_summarizing_never_raises(content):
    head, _ = split(content)
    summarize(head)
    summarize(content)


fields = st.tuples(
    st.sampled_from(
        ["Subject", "From", "To", "Cc", "Reply-To", "Date", "Message-ID", "Content-Type", "Secondpost-Tag"]
    ),
    st.text(max_size=120),
)


@given(st.lists(fields, max_size=8))
def test_everything_in_a_summary_is_bounded_and_in_one_line(pairs):
    head = "".join(f"{name}: {value}\r\n" for name, value in pairs).encode(errors="replace") + b"\r\n"
    summary = summarize(head)
    for text in (
        summary.subject,
        summary.from_email,
        summary.from_name,
        *summary.to,
        *summary.cc,
        *summary.reply_to,
        summary.message_id,
        summary.date,
        summary.content_type,
        *summary.private.values(),
    ):
        assert len(text) <= 998
        assert len(text.splitlines()) <= 1


POISON = {
    "nested comments": b"To: " + b"(" * 20_000 + b"\r\n\r\n",
    "encoded words": b"Subject: " + b"=?utf-8?b?" * 48_000 + b"\r\n\r\n",
    "good encoded words": b"Subject: " + (b"=?utf-8?b?" + b64encode(b"x" * 30) + b"?= ") * 9_000 + b"\r\n\r\n",
    "many lines": b"X-Line: y\r\n" * 100_000 + b"\r\n",
    "many recipients fields": b"To: a@x\r\n" * 100_000 + b"\r\n",
    "many received fields": b"Received:\r\n" * 100_000 + b"\r\n",
    "one field of folds": b"To:" + b"\r\n a" * 100_000 + b"\r\n\r\n",
    "folds of spaces": b"Subject: a" + b"\r\n   " * 100_000 + b"\r\n\r\n",
    "no colon": b"x" * 1_000_000,
    "colons": b":" * 1_000_000,
    "spaces": b" " * 1_000_000,
    "long name": b"x" * 500_000 + b": y\r\n\r\n",
    "name and spaces": b"x" + b" " * 500_000 + b": y\r\n\r\n",
    "line ends": b"\r\n" * 500_000,
    "line feeds": b"\n" * 500_000,
    "returns": b"\r" * 500_000,
}
NESTED = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(300))


@pytest.mark.parametrize("name", POISON)
def test_a_poisoned_header_block_takes_a_moment(name):
    began = process_time()
    head, _ = split(POISON[name])
    summarize(head)
    summarize(POISON[name])
    assert process_time() - began < 1


def test_300_nested_parts_are_only_bytes():
    head, body = split(NESTED)
    assert head + body == NESTED
    assert summarize(head).content_type == 'multipart/mixed; boundary="b0"'


@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=80))
def test_a_subject_written_by_the_standard_library_reads_back(text):
    written = email.message.EmailMessage(policy=email.policy.SMTP)
    written["Subject"] = text
    standard = message_from_bytes(bytes(written), policy=email.policy.default)["Subject"]
    assert summarize(bytes(written)).subject == str(standard).strip()


# The copy for one attempt


class FileTail:
    size = 1000

    def blocks(self):
        yield b"x" * 1000


MESSAGE = Message(b"From: a@example.com\r\n\r\n", b"body")


def test_the_size_of_a_message_counts_its_tail():
    assert MESSAGE.size == len(MESSAGE.head) + 4
    assert Message(b"\r\n", b"b", FileTail()).size == 1003


def test_rules_that_change_nothing_return_the_same_message():
    message, reverse_path, changed = rewrite(MESSAGE, "a@example.com", FromRules())
    assert message is MESSAGE
    assert reverse_path == "a@example.com"
    assert not changed


def test_extra_lines_come_first():
    message, _, changed = rewrite(MESSAGE, "a@example.com", FromRules(), extra=b"X-Mailer: Secondpost\r\n")
    assert message == Message(b"X-Mailer: Secondpost\r\nFrom: a@example.com\r\n\r\n", b"body")
    assert not changed


def test_the_stored_message_never_changes_and_its_tail_is_carried_over():
    tail = FileTail()
    stored = Message(MESSAGE.head, MESSAGE.body, tail)
    message, reverse_path, changed = rewrite(
        stored, "a@example.com", FromRules(email="b@example.com"), extra=b"X: y\r\n"
    )
    assert stored.head == MESSAGE.head
    assert message.head == b"X: y\r\nFrom: b@example.com\r\nReply-To: a@example.com\r\n\r\n"
    assert message.tail is tail
    assert reverse_path == "b@example.com"
    assert changed


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_date_is_written_as_everybody_reads_it(time, zone):
    time = time.replace(tzinfo=zone, microsecond=0)
    assert parsedate_to_datetime(date_text(time)) == time


def test_a_date_has_english_names():
    assert date_text(datetime(2026, 8, 3, 9, 5, 7, tzinfo=UTC)) == "Mon, 3 Aug 2026 09:05:07 +0000"


def test_every_author_is_named_whoever_of_them_is_shown():
    head = b"From: Ok <ok@good.example>, x@bank.example\r\nSender: y@bank.example\r\nTo: z@example.com\r\n\r\n"
    assert authors(head) == ("ok@good.example", "x@bank.example", "y@bank.example")
