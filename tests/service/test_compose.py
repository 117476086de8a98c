"""What is built from parts is exactly what was meant, whatever the parts contain."""

import base64
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core import message as rfc5322
from secondpost.core.priority import Priority
from secondpost.errors import Refusal
from secondpost.service import compose
from secondpost.service.submit import Draft

FORM = {"sender": "Shop <shop@example.com>", "to": ["Anna <anna@example.net>"], "subject": "hello", "text": "Hi!"}


def draft(**fields) -> Draft:
    return compose.draft(1, **(FORM | fields))


def parsed(it: Draft) -> EmailMessage:
    return message_from_bytes(it.content, policy=SMTP)


def refused(**fields) -> Refusal:
    with pytest.raises(Refusal) as caught:
        draft(**fields)
    assert "Nothing was stored" in caught.value.text
    return caught.value


def test_the_envelope_and_the_fields_come_from_the_form():
    it = draft(to=["Anna <anna@example.net>", "bob@example.net"], priority="urgent", key="k", tag="t", connection="c")
    assert (it.sender, it.recipients) == ("shop@example.com", ("anna@example.net", "bob@example.net"))
    assert (it.priority, it.key, it.tag, it.connection, it.trusted) == (Priority.URGENT, "k", "t", "c", True)
    message = parsed(it)
    assert message["From"] == "Shop <shop@example.com>"
    assert message["To"] == "Anna <anna@example.net>, bob@example.net"
    assert message["Subject"] == "hello"
    assert message.get_content() == "Hi!\r\n"


def test_text_and_html_are_alternatives():
    body = parsed(draft(html="<p>Hi!</p>"))
    assert body.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in body.iter_parts()] == ["text/plain", "text/html"]
    assert parsed(draft(text="", html="<p>Hi!</p>")).get_content_type() == "text/html"
    assert parsed(draft(text="")).get_content_type() == "text/plain"


def test_an_attachment_arrives_as_it_was_whatever_it_is():
    content = bytes(range(256)) * 10
    files = [
        {"filename": "a.png", "content": base64.b64encode(content).decode()},
        {"filename": "Füße.txt", "content": "", "content_type": "text/plain"},
        {"content": base64.b64encode(b"x").decode()},
    ]
    png, text, unnamed = parsed(draft(attachments=files)).iter_attachments()
    assert (png.get_filename(), png.get_content_type(), png.get_content()) == ("a.png", "image/png", content)
    assert (text.get_filename(), text.get_content_type()) == ("Füße.txt", "text/plain")
    assert (unnamed.get_filename(), unnamed.get_content_type()) == ("attachment", "application/octet-stream")


def test_names_and_subjects_in_any_alphabet_are_written_in_short_ascii_words():
    it = draft(sender="日本" * 30 + " <shop@example.com>", subject="Grüße " * 40)
    head, _ = rfc5322.split(it.content)
    assert head.isascii()
    assert max(len(line) for line in head.split(b"\r\n")) < 80
    assert parsed(it)["Subject"] == ("Grüße " * 40).strip()
    assert rfc5322.summarize(head).from_name == "日本" * 30


def test_a_name_with_a_comma_is_one_mailbox():
    assert [box.addr_spec for box in parsed(draft(sender='"Shop, Inc." <shop@example.com>'))["From"].addresses] == [
        "shop@example.com"
    ]


def test_an_address_beyond_ascii_stands_as_it_is():
    it = draft(to=["Müller <müller@bücher.example>"])
    assert it.recipients == ("müller@bücher.example",)
    assert "<müller@bücher.example>".encode() in it.content


def test_what_looks_like_an_encoded_word_is_shown_as_it_was_given():
    assert parsed(draft(subject="=?utf-8?q?x?="))["Subject"] == "=?utf-8?q?x?="


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\0", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("field", ["sender", "to", "subject", "key", "tag"])
def test_a_line_break_in_a_value_is_refused_and_the_field_is_named(field, end):
    value = f"a{end}Bcc: evil@example.org"
    refusal = refused(**{field: [f"{value} <a@example.net>"] if field == "to" else value})
    assert refusal.field == field
    assert (refusal.code, refusal.status) == (550, "5.6.0")


@pytest.mark.parametrize("name", ["a\nb.txt", "a\u2028b"])
def test_a_line_break_in_the_name_of_an_attachment_is_refused(name):
    assert refused(attachments=[{"filename": name, "content": ""}]).field == "attachment name"


@pytest.mark.parametrize(
    "kind",
    ["text/plain\r\nBcc: x@example.org", "text", "multipart/mixed", "message/rfc822", "a/b; charset=x", "/", "a b/c"],
)
def test_a_content_type_that_is_none_is_refused(kind):
    assert refused(attachments=[{"filename": "a", "content": "", "content_type": kind}]).field == "attachments"


def test_an_attachment_that_is_not_base64_is_refused():
    assert "not valid base64" in refused(attachments=[{"filename": "a.txt", "content": "!"}]).text


@pytest.mark.parametrize("address", ["", "anna", "anna@", "@example.net", "a b@example.net", "a@b@c", "<a@example.net"])
def test_what_is_no_address_is_refused(address):
    refusal = refused(to=[address]) if address != "<a@example.net" else refused(to=["a@example.net>"])
    assert (refusal.code, refusal.status, refusal.field) == (553, "5.1.3", "to")


def test_without_a_recipient_there_is_nothing_to_send():
    assert refused(to=[]).field == "to"


def test_a_subject_that_fits_no_line_is_refused():
    assert refused(subject="x" * 901).field == "subject"


def test_a_priority_that_does_not_exist_is_refused():
    assert refused(priority="asap").field == "priority"


TEXT = st.text(max_size=60)


@given(subject=TEXT, name=TEXT, text=TEXT, html=TEXT, filename=TEXT)
def test_nothing_in_any_value_adds_a_field_or_a_recipient(subject, name, text, html, filename):
    try:
        it = draft(
            subject=subject, sender=f"{name} <shop@example.com>", text=text, html=html,
            attachments=[{"filename": filename, "content": ""}],
        )  # fmt: skip
    except Refusal:
        return
    head, _ = rfc5322.split(it.content)
    rfc5322.check_head(head)
    assert sorted(set(rfc5322.names(head)) - {"Content-Transfer-Encoding"}) == [
        "Content-Type",
        "From",
        "MIME-Version",
        "Subject",
        "To",
    ]
    assert rfc5322.authors(head) == ("shop@example.com",)
    assert it.recipients == ("anna@example.net",)


# Whole messages, and tests --------------------------------------------------------------------------------------------


def test_a_draft_with_addresses_that_are_addresses_passes():
    it = Draft(id=1, sender="", recipients=("a@example.net",), content=b"")
    assert compose.checked(it) is it


@pytest.mark.parametrize(("sender", "recipients"), [("", ()), ("x", ("a@example.net",)), ("", ("a@example.net", "x"))])
def test_a_draft_with_others_does_not(sender, recipients):
    with pytest.raises(Refusal):
        compose.checked(Draft(id=1, sender=sender, recipients=recipients, content=b""))


def test_the_whole_of_a_message_includes_its_tail():
    class Tail:
        size = 4

        def blocks(self):
            yield b"ab"
            yield b"cd"

    assert compose.whole(rfc5322.Message(b"A: b\r\n\r\n", b"body", Tail())) == b"A: b\r\n\r\nbodyabcd"
    assert compose.whole(rfc5322.Message(b"A: b\r\n\r\n", b"body")) == b"A: b\r\n\r\nbody"


def test_a_test_message_has_the_words_of_the_tutorial():
    html = compose.test_parts("a@example.net", plain=False, connection="<Main> & co")
    assert html["subject"] == "Secondpost: HTML Test email to a@example.net"
    assert "&lt;Main&gt; &amp; co" in html["html"]
    plain = compose.test_parts("a@example.net", plain=True, connection="Main")
    assert (plain["subject"], "html" in plain) == ("Secondpost: Test email to a@example.net", False)
