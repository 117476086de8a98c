"""What Flask apps do with Flask-Mail or Flask-Mailman they do with ours, and get fallback for it."""

import importlib
from email import charset
from typing import Any

import flask_mailman
import pytest
from flask import Flask

import secondpost
from secondpost import testing
from secondpost.contrib.flask import (
    Attachment,
    EmailMessage,
    EmailMultiAlternatives,
    Mail,
    Message,
    email_dispatched,
    settings,
)
from tests.provider import HOST, Provider

CONFIG: dict[str, Any] = {
    "MAIL_SERVER": "mail.example.com", "MAIL_PORT": 587, "MAIL_USE_TLS": True, "MAIL_USERNAME": "u",
    "MAIL_PASSWORD": "p",
    "MAIL_DEFAULT_SENDER": ("Shop", "shop@example.com"), "SECONDPOST_BACKUP": "smtp://mail.example.net",
}  # fmt: skip


def make(**config: Any) -> tuple[Flask, Any]:
    app = Flask("shop")
    app.config.update(CONFIG | config)
    return app, Mail(app)


@pytest.fixture
def mail():
    app, made = make()
    with app.app_context():
        yield made


@pytest.fixture
def flask_mail():
    """Loaded only here: it changes how the standard library writes UTF-8, for the whole process."""
    before = charset.CHARSETS["utf-8"]
    yield importlib.import_module("flask_mail")
    charset.CHARSETS["utf-8"] = before


@pytest.fixture
def outbox():
    with testing.outbox() as kept:
        yield kept


def test_as_flask_mail(mail, outbox):
    message = Message("Hi", recipients=[("Anna", "a@example.net")], body="Hello", html="<p>Hello", cc=["c@example.net"],
                      bcc=["b@example.net"], reply_to="answers@example.com", extra_headers={"X-Shop": "1"})  # fmt: skip
    message.add_recipient("d@example.net")
    message.attach("a.txt", "text/plain", "words")
    message.attach("logo.png", "image/png", b"\x89PNG", "inline", headers={"Content-ID": "<logo@shop>"})
    mail.send(message)
    sent = outbox[0]
    assert sent.to == ("a@example.net", "d@example.net", "c@example.net", "b@example.net")
    assert (sent.message["From"], sent.message["To"]) == (
        "Shop <shop@example.com>",
        "Anna <a@example.net>, d@example.net",
    )
    assert (sent.message["Reply-To"], sent.message["X-Shop"], sent.message["Bcc"]) == ("answers@example.com", "1", None)
    assert b"logo@shop" in sent.content
    mail.send_message("Two", recipients=["a@example.net"], body="Hello", sender=("Desk", "desk@example.com"))
    with mail.connect() as connection:
        connection.send(Message("Three", ["a@example.net"], body="Hello"))
        Message("Four", ["a@example.net"], body="Hello").send(connection)
    assert [it.subject for it in outbox] == ["Hi", "Two", "Three", "Four"]
    assert outbox[1].sender == "desk@example.com"


def test_attachments_and_the_signal_of_flask_mail(mail, outbox):
    seen: list[Any] = []

    def note(message, app):
        seen.append((message.subject, app.name))

    with email_dispatched.connected_to(note):
        files = [Attachment("a.txt", "text/plain", "words"), ("b.bin", b"x")]
        mail.send(Message("Hi", ["a@example.net"], body="Hello", attachments=files))
    assert seen == [("Hi", "shop")]
    assert [part.get_filename() for part in outbox[0].message.iter_attachments()] == ["a.txt", "b.bin"]


def test_a_connection_of_flask_mailman_is_opened_and_closed_by_hand(mail, outbox):
    connection = mail.get_connection()
    connection.open()
    EmailMessage("One", "Hello", to=["a@example.net"], connection=connection).send()
    connection.send_messages([EmailMessage("Two", "Hello", to=["a@example.net"])])
    connection.close()
    assert [it.subject for it in outbox] == ["One", "Two"]


def test_as_flask_mailman(mail, outbox, tmp_path):
    made = EmailMultiAlternatives("Hi", "Hello", to=["a@example.net"], bcc=["b@example.net"], headers={"X-Shop": "1"})
    made.attach_alternative("<p>Hello", "text/html")
    (tmp_path / "a.txt").write_text("words")
    made.attach_file(tmp_path / "a.txt")
    assert made.send() == 1
    assert outbox[0].to == ("a@example.net", "b@example.net")
    assert "<p>Hello" in outbox[0].html
    assert mail.send_mail("Two", "Hello", "desk@example.com", ["a@example.net"], html_message="<p>") == 1
    assert mail.send_mass_mail([("Three", "Hello", None, ["a@example.net"])] * 2) == 2
    html = EmailMessage("Four", "<p>Only", to=["a@example.net"])
    html.content_subtype = "html"
    assert mail.get_connection().send_messages([html]) == 1
    assert [it.subject for it in outbox] == ["Hi", "Two", "Three", "Three", "Four"]
    assert (outbox[4].text, outbox[4].html) == ("", "<p>Only\n")
    with pytest.raises(TypeError, match="to must be a list"):
        EmailMessage(to="a@example.net")


def test_messages_of_the_other_extensions_themselves_are_sent(mail, outbox, flask_mail):
    theirs = flask_mail.Message(
        "One", recipients=["a@example.net"], body="Grüße", bcc=["b@example.net"], html="<p>Füße"
    )
    theirs.attach("a.txt", "text/plain", "wörter")
    mail.send(theirs)
    theirs.send(mail.connect())
    assert set(outbox[0].to) == {"a@example.net", "b@example.net"}
    assert (outbox[0].text, outbox[0].html) == ("Grüße\n", "<p>Füße\n")
    assert [part.get_content() for part in outbox[0].message.iter_attachments()] == ["wörter"]
    assert outbox[0].message["From"] == "Shop <shop@example.com>"
    assert flask_mailman.EmailMessage("Two", "Hello", "shop@example.com", ["a@example.net"]).send() == 1
    assert [it.subject for it in outbox] == ["One", "One", "Two"]


@pytest.mark.parametrize("sent", [
    lambda: Message("a\nBcc: eve@example.net", ["a@example.net"], body="x"),
    lambda: Message("a", ["a@example.net\r\nBcc: eve@example.net"], body="x"),
    lambda: EmailMessage("a", "x", to=["a@example.net"], headers={"X-A": "a\nBcc: eve@example.net"}),
])  # fmt: skip
def test_a_line_break_in_a_header_is_refused(mail, outbox, sent):
    with pytest.raises(secondpost.Refusal, match=r"line break|not an address"):
        mail.send(sent())
    outbox.assert_nothing_sent()


def test_so_it_is_in_a_message_of_flask_mail(mail, outbox, flask_mail):
    for wrong in ({"extra_headers": {"X-A": "a\r\nBcc: eve@example.net"}}, {"subject": "a\nBcc: eve@example.net"}):
        with pytest.raises(secondpost.Refusal, match="line break"):
            mail.send(flask_mail.Message(**{"recipients": ["a@example.net"], "body": "x"} | wrong))
    outbox.assert_nothing_sent()


def test_the_backup_takes_over_and_the_result_says_so(mail, outbox):
    outbox.fail("primary")
    message = Message("Hi", ["a@example.net"], body="Hello")
    message.key, message.priority, message.tags = "order-42", "urgent", ["order"]
    assert mail.send(message).connection == "backup"
    assert mail.send(message).duplicate


def test_what_nobody_has_raises_unless_it_is_to_be_silent(mail, outbox, caplog):
    outbox.fail()
    with pytest.raises(secondpost.NotAccepted):
        mail.send_message("Hi", ["a@example.net"], body="x")
    assert EmailMessage("Hi", "x", to=["a@example.net"]).send(fail_silently=True) == 0
    assert "fail_silently" in caplog.text


def test_in_tests_nothing_is_sent_and_what_would_be_is_there(outbox):
    app = Flask("shop")
    app.testing = True
    mail = Mail()
    with pytest.raises(secondpost.ConfigError, match="no app here"):
        mail.send_message("Hi", ["a@example.net"])
    mail.init_app(app)
    with app.app_context(), mail.record_messages() as recorded:
        assert mail.send_message("Hi", ["a@example.net"], sender="shop@example.com", body="x") is None
    assert [it.subject for it in recorded] == ["Hi"]
    with app.app_context():
        assert [it.subject for it in mail.outbox] == ["Hi"]
    outbox.assert_nothing_sent()


def test_the_names_of_both_lead_to_a_real_server():
    with Provider(users={"u": "p"}) as provider:
        app, mail = make(MAIL_SERVER=HOST, MAIL_PORT=provider.port, MAIL_USE_TLS=False, MAIL_TIMEOUT=5)
        with app.app_context():
            assert mail.send_message("Hi", ["a@example.net"], body="Hello").accepted
            mail.state.post.close()
        assert provider.mail[0].recipients == ("a@example.net",)


def test_secondpost_wins_over_the_mail_names(outbox):
    app, mail = make(SECONDPOST={"url": "http://127.0.0.1:9", "key": "sp_x"})
    with app.app_context():
        assert mail.send_message("Hi", ["a@example.net"], body="Hello").queued


@pytest.mark.parametrize(
    ("config", "words"),
    [({"MAIL_USE_SSL": True}, "exclude each other"), ({"MAIL_BACKEND": "console"}, "not offered"),
     ({"MAIL_SSL_KEYFILE": "x"}, "MAIL_SSL_KEYFILE: not offered"), ({"SECONDPOST": {"backup": "x"}}, "connection")],
)  # fmt: skip
def test_what_cannot_be_kept_is_told_when_the_app_is_made(config, words):
    with pytest.raises(secondpost.ConfigError, match=words):
        make(**config)


def test_what_cannot_be_done_is_refused_and_not_dropped(mail):
    for given in ({"date": 1.0}, {"charset": "latin-1"}, {"mail_options": ["X"]}, {"alts": {"calendar": "x"}}):
        with pytest.raises(secondpost.Refusal, match="cannot do"):
            Message("Hi", ["a@example.net"], **given)
    with pytest.raises(secondpost.Refusal, match="cannot do username"):
        mail.get_connection(username="u")


def test_silence_has_two_names():
    assert settings.read({"MAIL_BACKEND": "locmem"}, testing=False).suppress
    assert settings.read({}, testing=True).suppress
    assert not settings.read({"MAIL_SUPPRESS_SEND": False}, testing=True).suppress
