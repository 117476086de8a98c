"""No value, in whichever part it stands, adds a header field or begins the body."""

from email import message_from_bytes
from email.header import Header
from email.message import EmailMessage
from email.mime.text import MIMEText
from email.policy import SMTP, compat32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core import message as rfc5322
from secondpost.errors import Refusal
from secondpost.service import mime

BREAKS = ["\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "\x00"]


def given_message(**fields) -> EmailMessage:
    message = EmailMessage()
    for name, value in ({"From": "a@example.com", "To": "b@example.net", "Subject": "hello"} | fields).items():
        message[name] = value
    message.set_content("Hi!")
    return message


def test_a_message_of_the_standard_library_is_written_as_it_stands():
    content = mime.content_of(given_message(Subject="Füße", To="Büro <b@example.net>, c@example.net"))
    read = message_from_bytes(content, policy=SMTP)
    assert (read["Subject"], read["To"]) == ("Füße", "Büro <b@example.net>, c@example.net")
    assert read.get_content() == "Hi!\r\n"
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")


def test_so_is_one_of_its_elder_kind():
    message = MIMEText("Hü!", _charset="utf-8")
    message["Subject"] = Header("Füße", "utf-8")  # type: ignore[assignment]
    message["To"] = "b@example.net"
    read = message_from_bytes(mime.content_of(message), policy=SMTP)
    assert (read["Subject"], read.get_content()) == ("Füße", "Hü!")


def test_what_was_parsed_is_not_encoded_anew():
    signed = (
        b"From: a@example.com\r\nTo: b@example.net\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nH\xc3\xbc!\r\n"
    )
    assert mime.content_of(message_from_bytes(signed, policy=SMTP)) == signed


@pytest.mark.parametrize("end", BREAKS)
@pytest.mark.parametrize("name", ["Subject", "To", "X-Other"])
def test_a_line_break_in_an_elder_message_is_refused(name, end):
    message = MIMEText("Hi!")
    message[name] = f"x{end}Bcc: evil@example.org"
    with pytest.raises(Refusal, match="Nothing was stored"):
        mime.content_of(message)


# What Python 3.11.7 writes unasked: it decodes the words, and folds what comes out without a look at it.
TRICKS = [
    "=?utf-8?q?x=0ABcc:_evil@example.org?=",
    "=?utf-8?q?x=0D=0A=0D=0Aevil?=",
    '"=?utf-8?q?x=0D=0ABcc:_evil@example.org?=" <b@example.net>',
    "=?utf-8?b?eA0KQmNjOiBldmlsQGV4YW1wbGUub3Jn?= " * 3,
    "=?us-ascii?q?x=0A?= <b@example.net>",
]


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("name", ["Subject", "To", "From", "Reply-To", "Content-Disposition", "X-Other"])
@pytest.mark.parametrize("policy", [SMTP, compat32], ids=["modern", "elder"])
def test_an_encoded_word_never_becomes_a_field(name, trick, policy):
    message = message_from_bytes(f"{name}: {trick}\r\nX-Last: 1\r\n\r\nHi!\r\n".encode(), policy=policy)
    changed = message_from_bytes(b"X-Last: 1\r\n\r\nHi!\r\n", policy=policy)
    try:
        changed[name] = trick
        written = [mime.content_of(message), mime.content_of(changed)]
    except (Refusal, ValueError):
        return
    for content in written:
        head, body = rfc5322.split(content)
        assert sorted(rfc5322.names(head)) == sorted([name, "X-Last"])
        assert body == b"Hi!\r\n"


@pytest.mark.parametrize("trick", [*TRICKS, "a\nb", "a\r\nX: y"])
def test_nor_does_the_name_of_a_file(trick):
    message = given_message()
    try:
        message.add_attachment(b"x", maintype="text", subtype="plain", filename=trick)
        content = mime.content_of(message)
    except (Refusal, ValueError):
        return
    for part in message_from_bytes(content, policy=SMTP).walk():
        assert not {"bcc", "x"} & {key.lower() for key in part}


@given(st.lists(st.tuples(st.sampled_from(["Subject", "To", "X-A", "Message-ID"]), st.text(max_size=200)), max_size=4))
def test_whatever_is_put_into_an_elder_message_its_fields_stay_what_they_were(fields):
    message = MIMEText("Hi!")
    for name, value in fields:
        message[name] = value
    try:
        content = mime.content_of(message)
    except Refusal:
        return
    head, body = rfc5322.split(content)
    assert rfc5322.names(head) == message.keys()
    assert body == b"Hi!"
