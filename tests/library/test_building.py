"""Whatever is given to `send`, it is one message with the fields that were meant, or a refusal and nothing at all."""

import asyncio
from email.header import Header
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

import secondpost
from secondpost import testing
from secondpost.core.fields import names

REFUSED = (
    "\nBcc: e@example.net",
    "\r\nBcc: e@example.net\r\n\r\n",
    "\rX: y",
    "\0",
    "\x85X: y",
    "\u2028X: y",
    "\ud800",
    "a" * 2000,
)
WRITTEN = (
    "=?utf-8?q?=0ABcc=3A_e=40example.net?=",
    "=?utf-8?b?CkJjYzogZXZlQGV4YW1wbGUubmV0?=",
    '", e@example.net, "',
    "\\",
    '"',
)
PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)
FINE = st.lists(st.one_of(PLAIN, st.sampled_from(WRITTEN)), max_size=3).map("".join)
WRONG = st.tuples(FINE, st.sampled_from(REFUSED), FINE).map("".join)
TEXT = st.tuples(st.sampled_from("fffffffffffw"), FINE, WRONG).map(lambda it: it[1] if it[0] == "f" else it[2])
KIND = st.sampled_from(
    ("", "image/png", "text/plain", "application/x-a", "text/x", "text/plain\nX: y", "multipart/mixed")
)
MEANT = {"from", "to", "subject", "reply-to", "x-shop", "mime-version", "content-type", "content-transfer-encoding",
         "content-disposition", "content-id", "message-id", "date", "x-mailer"}  # fmt: skip


@pytest.fixture(scope="module")
def post():
    """Sends into an outbox, in one loop for all examples."""
    with testing.outbox() as outbox, asyncio.Runner() as runner:
        opened = secondpost.open(primary="capture://default", from_email="shop@example.com")

        def send(*message: Any, **parts: Any) -> testing.Sent | None:
            outbox.clear()
            try:
                assert runner.run(opened.send(*message, **parts)).accepted
            except secondpost.Refusal:
                outbox.assert_nothing_sent()
            assert len(outbox) <= 1
            return outbox[0] if outbox else None

        yield send
        runner.run(opened.close())


def is_as_meant(sent):
    """One recipient, and each field that was meant once."""
    assert sent.to == ("anna@example.net",)
    found = [field.lower() for field in names(sent.content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")]
    assert set(found) <= MEANT
    assert len(found) == len(set(found))


@settings(max_examples=300, deadline=None)
@given(subject=TEXT, name=TEXT, text=TEXT, html=TEXT, header=TEXT, filename=TEXT, kind=KIND, tag=TEXT, key=TEXT)
@example("a", "b", "c", "", "=?utf-8?q?=0AX=3A?=", "a\nb", "text/plain\nX: y", "t\0", "k\r\n")
def test_parts(post, subject, name, text, html, header, filename, kind, tag, key):
    sent = post(
        to=f"{name} <anna@example.net>" if name.strip() else "anna@example.net", reply_to="answers@example.com",
        subject=subject, text=text, html=html, headers={"X-Shop": header}, tags=[tag], key=key,
        attachments=[(filename, b"x", kind)],
    )  # fmt: skip
    event("refused" if sent is None else "sent")
    if sent is None:
        return
    is_as_meant(sent)
    assert [it.addr_spec for it in sent.message["To"].addresses] == ["anna@example.net"]
    assert sent.message["Bcc"] is None
    files = [part.get_content() for part in sent.message.iter_attachments()]
    assert files == [b"x"] or kind.startswith("text/")


WRONG_TYPES: tuple[dict[str, Any], ...] = (
    {"to": [None]}, {"to": [("Anna", "anna@example.net")]}, {"subject": None}, {"text": b"x"}, {"html": None},
    {"headers": {"X-A": 5}}, {"key": 5}, {"metadata": {"a": 1}}, {"text": "a\0b"}, {"html": "a\0b"},
    {"attachments": ["/etc/hostname"]}, {"attachments": [("a.txt", "text")]}, {"attachments": [EmailMessage()]},
    {"attachments": [{"filename": "a", "content": b"", "mimetype": "a/b"}]},
)  # fmt: skip


@pytest.mark.parametrize("parts", WRONG_TYPES)
def test_a_part_of_another_type_is_refused_like_any_other_fault(post, parts):
    assert post(**{"to": "anna@example.net", "text": "Hello"} | parts) is None


def test_a_message_of_another_type_is_refused(post):
    for message in ("From: a@example.com\nTo: b@example.net\n\nx", b"From: a@example.com\nTo: b@example.net\n\n\0"):
        assert post(message) is None


@pytest.mark.parametrize(
    ("name", "kind", "written"),
    [
        ("mail.eml", "", "application/octet-stream"),
        ("a.csv", "text/csv; charset=iso-8859-1", 'text/csv; charset="iso-8859-1"'),
        ("a.ics", 'text/calendar;method=REQUEST; charset="utf-8"', 'text/calendar; method="REQUEST"; charset="utf-8"'),
        ("a.ics", "text/calendar; method=A\r\nBcc: e@example.net", None),
        ("a.ics", "text/calendar; method", None),
        ("mail.eml", "message/rfc822", None),
    ],
)
def test_a_file_has_the_type_that_was_given_with_its_parameters(post, name, kind, written):
    sent = post(to="anna@example.net", text="x", attachments=[(name, b"x", kind)])
    assert (sent and next(sent.message.iter_attachments())["Content-Type"]) == written


def test_fields_that_were_set_as_plain_text_get_an_encoding(post):
    message = MIMEText("Grüße", "plain", "utf-8")
    message["From"], message["To"], message["Subject"] = "Jörg <j@example.com>", "Jürgen <anna@example.net>", "Grüße"
    sent = post(message)
    assert sent.content.isascii()
    assert (str(sent.message["From"]), sent.subject, sent.to) == (
        "Jörg <j@example.com>", "Grüße", ("anna@example.net",),
    )  # fmt: skip


def test_a_message_to_an_international_address_is_written_in_utf8(post):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.com", "Jörg <jörg@bücher.example>", "Grüße"
    message.set_content("Hello")
    sent = post(message)
    assert sent.to == ("jörg@bücher.example",)
    assert "To: Jörg <jörg@bücher.example>\r\nSubject: Grüße\r\n".encode() in sent.content


@settings(max_examples=300, deadline=None)
@given(subject=TEXT, value=TEXT, filename=TEXT, elder=st.booleans(), encoded=st.booleans())
def test_ready_messages(post, subject, value, filename, elder, encoded):
    message: Any = EmailMessage()
    try:
        if elder:
            message = MIMEMultipart()
            message.attach(MIMEText("Hello"))
            message["Subject"] = Header(subject, "utf-8") if encoded else subject
            message["X-Shop"] = value
            part = MIMEText("file")
            part.add_header("Content-Disposition", "attachment", filename=filename)
            message.attach(part)
        else:
            message["Subject"], message["X-Shop"] = subject, value
            message.set_content("Hello")
            message.add_attachment(b"file", "application", "x-file", filename=filename)
        message["From"], message["To"] = "shop@example.com", "anna@example.net"
    except (ValueError, UnicodeError):
        return  # the standard library has refused it
    sent = post(message)
    event("refused" if sent is None else "sent")
    if sent is None:
        return
    is_as_meant(sent)
