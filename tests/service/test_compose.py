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
from secondpost.errors import Malformed, Refusal
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


def test_a_file_of_text_says_which_alphabet_it_has():
    for content, charset in ((b"words", None), ("wörter".encode(), "utf-8"), ("wörter".encode("latin-1"), None)):
        file = {"filename": "a.txt", "content": base64.b64encode(content).decode()}
        (part,) = parsed(draft(attachments=[file])).iter_attachments()
        assert (part.get_param("charset"), part.get_payload(decode=True)) == (charset, content)


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
    assert refusal.field == {"to": "to[0]"}.get(field, field)
    assert (refusal.code, refusal.status) == (550, "5.6.0")


@pytest.mark.parametrize("name", ["a\nb.txt", "a\u2028b"])
def test_a_line_break_in_the_name_of_an_attachment_is_refused(name):
    assert refused(attachments=[{"filename": name, "content": ""}]).field == "attachments[0].filename"


@pytest.mark.parametrize(
    "kind",
    ["text/plain\r\nBcc: x@example.org", "text", "multipart/mixed", "message/rfc822", "a/b; charset", "/", "a b/c"],
)
def test_a_content_type_that_is_none_is_refused(kind):
    assert (
        refused(attachments=[{"filename": "a", "content": "", "content_type": kind}]).field
        == "attachments[0].content_type"
    )


def test_an_attachment_that_is_not_base64_is_refused():
    assert "not valid base64" in refused(attachments=[{"filename": "a.txt", "content": "!"}]).text


@pytest.mark.parametrize("address", ["", "anna", "anna@", "@example.net", "a b@example.net", "a@b@c", "<a@example.net"])
def test_what_is_no_address_is_refused(address):
    refusal = refused(to=[address]) if address != "<a@example.net" else refused(to=["a@example.net>"])
    assert (refusal.code, refusal.status, refusal.field) == (553, "5.1.3", "to[0]")


def test_without_a_recipient_there_is_nothing_to_send():
    assert refused(to=[]).field == "to"


def test_a_subject_that_fits_no_line_is_refused():
    assert refused(subject="x" * 901).field == "subject"


def test_a_priority_that_does_not_exist_is_refused():
    assert refused(priority="asap").field == "priority"


def test_everything_that_is_wrong_is_told_at_once():
    with pytest.raises(Malformed) as caught:
        draft(
            sender="x", to=["a@example.net", "y"], cc=["z\n"], subject="a\nb", headers=[("Bcc", "e@example.org")],
            priority="asap", attachments=[{"filename": "a\n", "content": "!"}], metadata={"order\n": "1"},
        )  # fmt: skip
    assert [fault.field for fault in caught.value.faults] == [
        "sender", "to[1]", "cc[0]", "subject", "headers.Bcc", "attachments[0].filename", "attachments[0].content",
        "priority", "metadata.order\n",
    ]  # fmt: skip
    assert caught.value.text.count("Nothing was stored") == 1


def test_copies_are_in_the_envelope_and_blind_ones_are_nowhere_else():
    it = draft(cc=["Carl <c@example.net>"], bcc=["b@example.net", "anna@example.net"], reply_to=["r@example.com"])
    assert it.recipients == ("anna@example.net", "c@example.net", "b@example.net")
    message = parsed(it)
    assert (message["Cc"], message["Reply-To"], message["Bcc"]) == ("Carl <c@example.net>", "r@example.com", None)
    assert b"b@example.net" not in it.content


def test_a_message_may_have_blind_recipients_only():
    it = draft(to=[], bcc=["b@example.net"])
    assert it.recipients == ("b@example.net",)
    assert parsed(it)["To"] is None


def test_own_header_fields_are_written_and_long_ones_folded():
    references = " ".join(f"<{number}@example.com>" for number in range(200))
    it = draft(headers=[("X-Order", "17"), ("References", references), ("X-Name", "Füße")])
    message = parsed(it)
    assert (message["X-Order"], message["References"], message["X-Name"]) == ("17", references, "Füße")
    assert max(map(len, rfc5322.split(it.content)[0].split(b"\r\n"))) < 998


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Bcc", "e@example.org"), ("from", "e@example.org"), ("Content-Type", "text/html"), ("X Y", "1"), ("X:", "1"),
        ("X-A\r\nBcc", "e@example.org"), ("Secondpost-Connection", "backup"), ("X-A", "1\r\nBcc: e@example.org"),
        ("X-Long", "x" * 1000), ("", "x"), ("Resent-Bcc", "e@example.org"), ("X-Ä", "1"), ("X-A", "\ud800"),
    ],
)  # fmt: skip
def test_a_header_field_that_would_say_something_else_is_refused(name, value):
    assert refused(headers=[(name, value)]).field.startswith("headers.")


def test_an_image_stands_beside_the_html_that_shows_it():
    picture = {"filename": "logo.png", "content": base64.b64encode(b"png").decode(), "content_id": "<logo@x.org>"}
    message = parsed(
        draft(html='<img src="cid:logo@x.org">', attachments=[picture, picture | {"content_id": "b@x.org"}])
    )
    related = next(part for part in message.walk() if part.get_content_type() == "multipart/related")
    html, *images = related.iter_parts()
    assert (html.get_content_type(), [image["Content-ID"] for image in images]) == (
        "text/html", ["<logo@x.org>", "<b@x.org>"],
    )  # fmt: skip
    assert images[0].get_content_disposition() == "inline"
    assert list(message.iter_attachments()) == []


def test_without_html_an_image_is_an_attachment():
    (image,) = parsed(draft(attachments=[{"content": "", "content_id": "logo@x.org"}])).iter_attachments()
    assert image["Content-ID"] == "<logo@x.org>"


@pytest.mark.parametrize("cid", ["a b", "a>\r\nX: 1", "ä", "x" * 201])
def test_a_content_id_that_is_none_is_refused(cid):
    assert refused(attachments=[{"content": "", "content_id": cid}]).field == "attachments[0].content_id"


@pytest.mark.parametrize("part", ["text", "html", "subject"])
def test_half_of_a_character_is_refused(part):
    assert refused(**{part: "\ud800"}).field == part


def test_metadata_is_bounded():
    assert draft(metadata={"order": "17"}).metadata == {"order": "17"}
    assert refused(metadata={str(number): "" for number in range(51)}).field == "metadata"
    assert refused(metadata={"order": "x" * 501}).field == "metadata.order"


def test_tags_are_one_line_of_the_log():
    assert draft(tags=["a", "b"]).tag == "a, b"
    assert refused(tags=["x" * 100] * 3).field == "tag"


def test_with_a_key_the_same_parts_have_the_same_digest_and_others_have_not():
    file = {"filename": "a.txt", "content": base64.b64encode(b"1").decode()}
    one = draft(key="k", html="<p>", attachments=[file])
    assert one.digest == draft(key="k", html="<p>", attachments=[file]).digest != ""
    other = {"filename": "a.txt", "content": base64.b64encode(b"2").decode()}
    for change in ({"attachments": [other]}, {"text": "Ho!"}, {"to": ["bob@example.net"]}, {"metadata": {"a": "b"}}):
        assert draft(**({"key": "k", "html": "<p>", "attachments": [file]} | change)).digest != one.digest
    assert draft().digest == ""


TEXT = st.text(max_size=60)


@given(subject=TEXT, name=TEXT, text=TEXT, html=TEXT, filename=TEXT, header=st.tuples(TEXT, TEXT), cid=TEXT)
def test_nothing_in_any_value_adds_a_field_or_a_recipient(subject, name, text, html, filename, header, cid):
    try:
        it = draft(
            subject=subject, sender=f"{name} <shop@example.com>", text=text, html=html,
            attachments=[{"filename": filename, "content": "", "content_id": cid}], headers=[header], reply_to=[name],
        )  # fmt: skip
    except Refusal:
        return
    head, _ = rfc5322.split(it.content)
    rfc5322.check_head(head)
    assert sorted(set(rfc5322.names(head)) - {"Content-Transfer-Encoding", "Reply-To", header[0]}) == [
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
