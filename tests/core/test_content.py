from email.message import EmailMessage
from email.policy import SMTP
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.content import TEXT_LIMIT, has_attachments, text_of
from secondpost.core.fields import split


def built(text="Plain wörds", html="", attachment=b"", **rest):
    message = EmailMessage(policy=SMTP)
    message["From"] = "a@example.com"
    message.set_content(text, **rest)
    if html:
        message.add_alternative(html, subtype="html")
    if attachment:
        message.add_attachment(attachment, maintype="application", subtype="pdf", filename="secret-plan.pdf")
    return split(message.as_bytes())


@pytest.mark.parametrize("cte", ["8bit", "quoted-printable", "base64"])
def test_the_text_of_one_part_is_decoded(cte):
    assert "Plain wörds" in text_of(*built(cte=cte))


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
def test_the_charset_of_a_part_is_honoured(charset):
    assert "Plain wörds" in text_of(*built(charset=charset))


def test_plain_and_html_parts_are_both_read_and_an_attachment_is_not():
    parts = built(html="<p>Hello märkup</p>", attachment=b"needle in a file")
    text = text_of(*parts)
    assert "Plain wörds" in text
    assert "<p>Hello märkup</p>" in text
    assert "needle" not in text
    assert "--" not in text


@pytest.mark.parametrize(
    ("parts", "has"),
    [
        (built(), False),
        (built(html="<p>x</p>"), False),
        (built(attachment=b"x"), True),
        (split(b'Content-Type: application/pdf; name="x.pdf"\r\n\r\nx'), True),
        (split(b"Content-Disposition: attachment\r\n\r\nx"), True),
        (
            split(b'Content-Disposition: inline; filename="x.png"\r\nContent-Type: image/png; name="x.png"\r\n\r\nx'),
            False,
        ),
        (split(b"Subject: x\r\n\r\n--dashes\r\nContent-Disposition: attachment\r\n\r\nx"), False),
        (split(b"\r\n"), False),
    ],
)
def test_attachments_are_noticed(parts, has):
    assert has_attachments(*parts) is has


def test_a_nested_part_is_found_without_descending():
    inner = (
        b"--in\r\nContent-Type: text/plain\r\n\r\ndeep text\r\n"
        b"--in\r\nContent-Disposition: attachment\r\n\r\nfile\r\n--in--\r\n"
    )
    body = b'--out\r\nContent-Type: multipart/mixed; boundary="in"\r\n\r\n' + inner + b"--out--\r\n"
    head = b'Content-Type: multipart/mixed; boundary="out"\r\n\r\n'
    assert "deep text" in text_of(head, body)
    assert has_attachments(head, body)


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Type: text/plain\r\nContent-Disposition: attachment",
        b'Content-Type: text/csv; name="list.csv"',
        b"Content-Type: image/png\r\nContent-Disposition: inline",
    ],
)
def test_only_text_that_is_shown_as_text_is_read(fields):
    assert text_of(fields + b"\r\n\r\n", b"needle") == ""


def test_dashes_in_a_text_are_text():
    head = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
    body = b"--b\r\nContent-Type: text/plain\r\n\r\nbefore\r\n-- \r\nsignature\r\n--b--\r\n"
    assert "signature" in text_of(head, body)


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [(b"base64", b"A", "A"), (b"quoted-printable", b"=", ""), (b"x-unknown", b"as it is", "as it is")],
)
def test_a_broken_encoding_is_read_as_far_as_it_goes(encoding, body, text):
    assert text_of(b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n", body) == text


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_reading_never_raises(head, body):
    text_of(head, body)
    has_attachments(b"Content-Type: multipart/x\r\n\r\n", b"--" + body)


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 25_000,
        b"--b\r\n" * 200_000,
        b"\n--" * 300_000,
        b"--b\r\n" + b"A: b\r\n" * 160_000,
        b"--b\r\n" + b"A: b\r\n " * 130_000,
        b"x" * 1_000_000,
        b"\r\n" * 500_000,
        b"--" + b"\r\n " * 300_000,
    ],
)
def test_a_poisoned_body_takes_a_moment(body):
    began = process_time()
    assert len(text_of(b"Content-Type: multipart/mixed\r\n\r\n", body)) <= TEXT_LIMIT + 30_000
    assert process_time() - began < 1


def test_the_text_is_bounded():
    assert len(text_of(b"\r\n", b"x" * 2 * TEXT_LIMIT)) == TEXT_LIMIT
    part = b"--b\r\nContent-Type: text/plain\r\n\r\n" + b"x" * (TEXT_LIMIT // 2 + 1) + b"\r\n"
    assert len(text_of(b"Content-Type: multipart/mixed\r\n\r\n", part * 3)) <= TEXT_LIMIT + 2
