"""A message is taken apart without losing anything, or not at all."""

from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core.message import split
from secondpost.core.words import encode_phrase
from secondpost.mailers.base import Abilities, Parcel
from secondpost.mailers.fits import misfit
from secondpost.mailers.parts import Letter, Mailbox, field_text, letters, seven_bit, take_apart, with_bcc
from tests.mailers.parcels import parcel

ANN, BOB, EVE = "ann@dest.example", "bob@dest.example", "eve@dest.example"


def build(**fields):
    message = EmailMessage()
    message["From"] = fields.pop("From", "Shop <shop@shop.example>")
    message["To"] = fields.pop("To", f"Ann <{ANN}>")
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


def apart(message, *recipients):
    content = message if isinstance(message, bytes) else message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
    return take_apart(content, recipients or (ANN,))


def test_names_and_subjects_of_all_alphabets_are_decoded():
    subject, name = encode_phrase("Grüße, 世界 🎉" * 20), encode_phrase("Müller, Jörg")
    head = f"From: {name} <j@shop.example>\r\nSubject: {subject}\r\nReply-To: x@a.example, Y <y@a.example>\r\n"
    parts = apart(f"{head}\r\nHallo".encode())
    assert parts.author == Mailbox("Müller, Jörg", "j@shop.example")
    assert parts.subject == "Grüße, 世界 🎉" * 20
    assert parts.reply_to == (Mailbox("", "x@a.example"), Mailbox("Y", "y@a.example"))


def test_text_html_images_invites_and_files_all_have_their_place():
    message = build()
    message.set_content("plain")
    message.add_alternative('<img src="cid:logo@x">', subtype="html")
    message.get_payload()[1].add_related(b"PNG", "image", "png", cid="<logo@x>", filename="logo.png")
    message.add_alternative("BEGIN:VCALENDAR", subtype="calendar", params={"method": "REQUEST"})
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Rechnung Nº 1 – ü.pdf")
    parts = apart(message)
    assert (parts.text.strip(), parts.html.strip()) == ("plain", '<img src="cid:logo@x">')
    ((invite),) = parts.forms
    assert invite.full_type == "text/calendar; method=REQUEST"
    assert invite.text.strip() == "BEGIN:VCALENDAR"
    (image,) = parts.inline
    assert (image.name, image.type, image.data, image.cid) == ("logo.png", "image/png", b"PNG", "logo@x")
    (file,) = parts.attachments
    assert (file.name, file.type, file.data) == ("Rechnung Nº 1 – ü.pdf", "application/pdf", b"%PDF")


def test_a_second_text_and_a_forwarded_message_become_attachments():
    message = build()
    message.set_content("body")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("forwarded")
    message.add_attachment(inner)
    message.add_attachment("a,b", subtype="csv", filename="../../etc/passwd")
    parts = apart(message)
    assert [file.type for file in parts.files] == ["message/rfc822", "text/csv"]
    assert b"forwarded" in parts.files[0].data
    assert parts.files[0].name == "part-1.eml"
    assert "/" not in parts.files[1].name


def test_old_ways_to_write_a_file_name_are_read():
    head = b"From: a@b.example\r\nTo: ann@dest.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    names = [
        b'filename="=?utf-8?q?=C3=BC.txt?="',
        b"filename*=utf-8''%C3%BC.txt",
        b"filename*0=a; filename*1=b.txt",
        "filename=ü.txt".encode(),
    ]
    body = b"".join(b"--b\r\nContent-Disposition: attachment; %b\r\n\r\nx\r\n" % name for name in names)
    parts = apart(head + body + b"--b--\r\n")
    assert [file.name for file in parts.files] == ["ü.txt", "ü.txt", "ab.txt", "ü.txt"]


def test_without_html_an_image_is_an_attachment():
    message = build()
    message.set_content("plain")
    message.add_related(b"PNG", "image", "png", cid="<a>")
    assert not apart(message).inline


def test_own_fields_are_kept_and_those_of_the_way_are_not():
    long = " ".join(f"<{n}@references.example>" for n in range(90))
    message = build(
        References=long, X_Own="ä", List_Unsubscribe="<https://x.example>", Received="from a by b", Message_ID="<1@x>"
    )
    message.set_content("x")
    parts = apart(message)
    assert dict(parts.headers) == {"References": long, "X-Own": "ä", "List-Unsubscribe": "<https://x.example>"}
    assert parts.message_id == "<1@x>"


@pytest.mark.parametrize("kind", ["multipart/signed", "multipart/encrypted", "multipart/report"])
def test_what_only_means_something_together_is_not_taken_apart(kind):
    parts = apart(f"Content-Type: {kind}; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n".encode())
    assert parts.whole


# ── recipients ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_those_of_the_attempt_are_in_to_and_cc_and_the_hidden_are_in_bcc():
    message = build(To=f"Ann <{ANN}>, x@else.example", Cc=f"{BOB}, {ANN.upper()}")
    message.set_content("x")
    parts = apart(message, ANN, BOB, EVE)
    assert parts.to == (Mailbox("Ann", ANN),)
    assert parts.cc == (Mailbox("", BOB),)
    assert parts.bcc == (Mailbox("", EVE),)
    assert parts.others == ("x@else.example",)


def test_someone_is_always_in_to():
    message = build(To="list@shop.example", Cc=BOB)
    message.set_content("x")
    assert apart(message, ANN).to == (Mailbox("", ANN),)
    assert apart(message, BOB).to == (Mailbox("", BOB),)


def made(parcel: Parcel, **can):
    content = parcel.message.head + parcel.message.body
    return [letter.recipients for letter in letters(parcel, content, Abilities(**can))]


def test_hidden_recipients_of_a_message_without_visible_ones_get_a_request_each():
    sent = parcel(ANN, BOB, head=b"To: list@shop.example\r\n")
    assert made(sent, raw=False) == [(ANN,), (BOB,)]
    assert made(sent) == [(ANN, BOB)]
    assert made(parcel(ANN, BOB, head=b"To: %b\r\n" % ANN.encode()), raw=False) == [(ANN, BOB)]


def test_many_recipients_are_shared_out_where_the_message_stays_the_same():
    assert made(parcel(*"abcde"), max_recipients=2) == [("a", "b"), ("c", "d"), ("e",)]


def test_each_request_has_its_own_stable_key():
    sent = parcel(*"abc")
    sent.key = "k"
    keys = [letter.key for letter in letters(sent, b"\r\n", Abilities(max_recipients=1))]
    assert keys == ["k", "k-1", "k-2"]


def test_a_bcc_field_names_the_hidden_only():
    message = build()
    message.set_content("x")
    letter = Letter(content=message.as_bytes(), sender="", recipients=(ANN, BOB))
    assert with_bcc(letter).startswith(f"Bcc: {BOB}\r\n".encode())


# ── what does not fit ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("can", "head", "words"),
    [
        ({"max_bytes": 10}, b"", "at most 10 bytes"),
        ({"no_subject": False}, b"", "without a subject"),
        ({"headers": False}, b"X-Own: x\r\n", "such as X-Own"),
        ({"reply_to": 0}, b"Reply-To: a@b.example\r\n", "takes no Reply-To"),
        ({"file_types": frozenset()}, b"Content-Type: application/pdf; name=a.pdf\r\n", "a.pdf"),
        ({"headers": False, "left_out": frozenset({"x-*"})}, b"X-Own: x\r\nIn-Reply-To: <1@x>\r\n", "In-Reply-To"),
        ({"reply_to": 1}, b"Reply-To: a@b.example, c@d.example\r\n", "at most 1 addresses in Reply-To"),
        ({"envelope": False, "raw": True}, b"To: other@else.example\r\n", "other@else.example"),
        ({"file_types": frozenset({"txt"})}, b"Content-Type: application/x-msdownload; name=a.exe\r\n", "a.exe"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(can, head, words):
    can = Abilities(**{"raw": False, **can})
    content = b"From: a@b.example\r\n" + head + b"\r\nbody\r\n"
    refused = misfit(Letter(content=content, sender="", recipients=(ANN,), can=can), "Acme")
    assert refused is not None
    assert refused.unsupported
    assert words in refused.reply
    assert refused.reply.startswith("Acme ")


@pytest.mark.parametrize(
    ("can", "words"),
    [
        ({"max_cc": 0}, "at most 0 recipients in Cc, and the message has 1"),
        ({"max_bcc": 0}, "at most 0 recipients in Bcc, and the message has 1"),
        ({"max_cc": 1, "max_bcc": 1}, ""),
    ],
)
def test_copies_may_be_fewer_than_recipients(can, words):
    content = f"To: {ANN}\r\nCc: {BOB}\r\n\r\nbody\r\n".encode()
    can = Abilities(raw=False, **can)
    refused = misfit(Letter(content=content, sender="", recipients=(ANN, BOB, EVE), can=can), "Acme")
    assert words in refused.reply if refused else not words


@pytest.mark.parametrize("name", ["x-own", "x-*"])
def test_what_is_declared_as_left_out_is_left_out(name):
    can = Abilities(raw=False, headers=False, left_out=frozenset({name}))
    assert misfit(Letter(content=b"X-Own: 1\r\n\r\nx", sender="", recipients=(ANN,), can=can), "Acme") is None


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.binary(max_size=400), st.lists(st.sampled_from([ANN, BOB, EVE]), unique=True, min_size=1))
def test_any_bytes_can_be_looked_at_and_each_recipient_occurs_once(content, recipients):
    parts = take_apart(content, tuple(recipients))
    assert sorted(box.email for box in (*parts.to, *parts.cc, *parts.bcc)) == sorted(recipients)


@given(st.text(max_size=200))
def test_a_text_comes_out_as_it_went_in(text):
    text = "".join(one for one in text if one.isprintable())
    message = build()
    message.set_content(text, cte="base64")
    assert apart(message).text.rstrip("\r\n") == text.rstrip("\r\n")


def test_content_becomes_ascii_only_where_it_is_not():
    plain = b"Subject: x\r\n\r\n" + b"a\r\n"
    assert seven_bit(plain) is plain
    eight = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n"
    assert seven_bit(eight).isascii()
    assert str(take_apart(seven_bit(eight), ()).text).strip() == "ü"
    assert split(seven_bit(eight))[0]


def test_a_name_that_needs_quotes_has_them():
    assert (
        field_text([Mailbox('A "B", C', "a@b.example"), Mailbox("", "c@d.example")])
        == '"A \\"B\\", C" <a@b.example>, c@d.example'
    )


def test_who_is_in_no_field_is_named_in_a_bcc_field_also_where_nobody_is_shown():
    def named(head, *recipients):
        content = head + b"Subject: x\r\n\r\nHello.\r\n"
        sent = with_bcc(Letter(content=content, sender="shop@shop.example", recipients=recipients, can=Abilities()))
        assert sent.endswith(content)
        return sent[: len(sent) - len(content)]

    assert named(b"", "bob@dest.example", "eve@dest.example") == b"Bcc: bob@dest.example, eve@dest.example\r\n"
    assert named(b"To: Bob <BOB@dest.example>\r\n", "bob@dest.example", "eve@x.example") == b"Bcc: eve@x.example\r\n"
    assert named(b"Cc: bob@dest.example\r\n", "bob@dest.example") == b""
