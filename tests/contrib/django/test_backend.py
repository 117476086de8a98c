"""Django's messages go by Secondpost, and say what became of them."""

import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, EmailMultiAlternatives, mail_admins, send_mail, send_mass_mail
from django.core.management import CommandError, call_command
from django.test import override_settings

import secondpost
from secondpost import testing
from secondpost.contrib.django import EmailBackend, backend
from secondpost.contrib.django.letter import UNKNOWN, Letter
from secondpost.errors import Refusal
from tests.contrib.django.conftest import BACKEND

DIRECT: dict[str, Any] = {"mode": "direct", "primary": "smtp://mail.example.com", "backup": "smtp://mail.example.net"}


def project(options: dict[str, Any], backend_path: str = BACKEND) -> Any:
    """The settings that make these the options of the default mailer."""
    if backend.KNOWS_MAILERS:
        return override_settings(MAILERS={"default": {"BACKEND": backend_path, "OPTIONS": options}})
    return override_settings(EMAIL_BACKEND=backend_path, SECONDPOST=options)


@pytest.fixture
def outbox():
    with testing.outbox() as kept, project(DIRECT):
        yield kept


def message(**given: Any) -> EmailMessage:
    return EmailMessage(
        **{"subject": "Hi", "body": "Hello!", "from_email": "shop@example.com", "to": ["a@example.net"]} | given
    )


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_the_usual_ways_of_sending_are_one_message_each(outbox):
    assert send_mail("One", "Hello", "shop@example.com", ["a@example.net"], html_message="<p>Hello") == 1
    two = ("Two", "Hello", "shop@example.com", ["a@example.net"])
    assert send_mass_mail([two, two]) == 2
    with override_settings(ADMINS=["ops@example.com" if backend.KNOWS_MAILERS else ("Ops", "ops@example.com")]):
        mail_admins("Three", "Hello")
    html = EmailMultiAlternatives(
        "Four", "Hello", "Shop <shop@example.com>", ["Anna <a@example.net>"], bcc=["b@example.net"]
    )
    html.attach_alternative("<p>Füße", "text/html")
    html.attach("a.bin", b"\0\1", "application/octet-stream")
    assert html.send() == 1
    assert [it.subject for it in outbox] == ["One", "Two", "Two", "[Django] Three", "Four"]
    assert outbox[4].to == ("a@example.net", "b@example.net")
    assert "Füße" in outbox[4].html
    assert outbox[4].message["From"] == "Shop <shop@example.com>"
    assert message(to=[]).send() == 0


def test_the_backup_takes_over_and_the_message_says_so(outbox):
    outbox.fail("primary")
    sent: Any = message()
    assert sent.send() == 1
    assert sent.secondpost_result.connection == "backup"
    assert sent.anymail_status.status == {"sent"}
    assert sent.anymail_status.recipients["a@example.net"].status == "sent"
    assert sent.anymail_status.message_id == sent.secondpost_result.id


def test_what_nobody_has_raises_unless_it_is_to_be_silent(outbox, caplog):
    outbox.fail()
    wrong: Any = message()
    with pytest.raises(secondpost.NotAccepted, match="was not sent to a"):
        wrong.send()
    assert wrong.anymail_status.status == {"failed"}
    silent = (
        EmailBackend(fail_silently=True)
        if not backend.KNOWS_MAILERS
        else EmailBackend(alias="x", fail_silently=True, **DIRECT)
    )
    assert silent.send_messages([message(), message()]) == 0
    assert "fail_silently" in caplog.text


def test_a_doubt_counts_as_sent_so_that_nobody_sends_it_again(outbox):
    outbox.fail("primary", "unclear")
    doubtful: Any = message()
    assert doubtful.send() == 1
    assert doubtful.anymail_status.status == {"unknown"}


def test_one_refused_recipient_is_logged_when_others_have_it(caplog, outbox):
    from secondpost.library.result import Recipient, told

    ends = [
        Recipient(address="a@example.net", state="accepted"),
        Recipient(address="b@example.net", state="rejected", reply="no"),
    ]
    made = EmailBackend(alias="x", **DIRECT)
    assert made._is_with_somebody(told("1", ends))
    assert "b@example.net will not get message 1: no" in caplog.text


def test_tags_metadata_priority_and_key_are_handed_on():
    it: Any = message(headers={"Secondpost-Idempotency-Key": "order-42", "Secondpost-Priority": "bulk"})
    it.tags, it.metadata, it.envelope_sender = ["order", 5], {"order": 42}, "bounces@example.com"
    letter = Letter.of(it)
    assert (letter.tags, letter.metadata) == (("order", "5"), {"order": "42"})
    assert (letter.priority, letter.key, letter.sender) == ("bulk", "order-42", "bounces@example.com")
    it.priority, it.idempotency_key = "urgent", "k"
    assert (Letter.of(it).priority, Letter.of(it).key) == ("urgent", "k")


def test_a_key_sends_once(outbox):
    one: Any = message()
    two: Any = message()
    for it in (one, two):
        it.idempotency_key = "order-42"
        assert it.send() == 1
    assert len(outbox) == 1
    assert (one.secondpost_result.duplicate, two.secondpost_result.duplicate) == (False, True)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_done_is_refused_and_not_dropped(outbox, name):
    it = message()
    setattr(it, name, {"a": 1})
    with pytest.raises(Refusal, match=f"cannot do {name}"):
        it.send()
    outbox.assert_nothing_sent()


@pytest.mark.parametrize("field", ["subject", "from_email"])
def test_a_line_break_in_a_header_is_refused(outbox, field):
    with pytest.raises((Refusal, ValueError)):
        message(**{field: "a\nBcc: eve@example.net"}).send()
    with pytest.raises((Refusal, ValueError)):
        message(headers={"X-A": "a\r\nBcc: eve@example.net"}).send()
    outbox.assert_nothing_sent()


def test_an_address_without_a_domain_is_told(outbox):
    with pytest.raises(Refusal, match="not an address"):
        message(to=["django"]).send()


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_cheap_to_make_and_opens_nothing():
    script = f"""
import time
from django.conf import settings
settings.configure(SECRET_KEY="x")
from secondpost.contrib.django import EmailBackend
from secondpost import blocking
first = EmailBackend(alias="default", **{DIRECT!r})
begun = time.perf_counter()
assert all(EmailBackend(alias="default", **{DIRECT!r}).options is first.options for _ in range(1000))
assert time.perf_counter() - begun < 1, "a thousand in a second, on any machine"
assert blocking._loop is None
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_app_loads_nothing_that_sends_before_the_first_message():
    script = """
import sys
from django.conf import settings
settings.configure(SECRET_KEY="x", INSTALLED_APPS=["secondpost.contrib.django"], MIGRATION_MODULES={})
import django
django.setup()
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert {"aiohttp", "pydantic", "apsw", "secondpost.blocking"} & set(loaded) == set()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"mode": "queue"}, 'use "direct", "submit" or "outbox"'),
    ({"primery": "smtp://a"}, "Unknown options 'primery'. The mode direct knows primary, backup"),
    ({"mode": "submit"}, 'needs "url"'),
    ({"mode": "submit", "url": "http://127.0.0.1:1"}, "wants a key"),
    ({"mode": "outbox", "database": "default"}, "Nothing says how to send"),
    ({}, "Nothing says how to send"),
    ({"primary": "smtp//a"}, "connection"),
]


@pytest.mark.parametrize(("given", "words"), WRONG)
def test_wrong_options_are_told_when_it_is_made_and_by_check(given, words):
    with pytest.raises(ImproperlyConfigured, match=words):
        EmailBackend(alias="default", **given)
    with project(given), pytest.raises(Exception, match=r"(?s)secondpost\.E001.*" + words):
        call_command("check")


def test_check_knows_a_missing_database_and_a_missing_backup(capsys):
    outbox = {"mode": "outbox", "url": "smtp://127.0.0.1", "database": "other"}
    with project(outbox), pytest.raises(Exception, match=r"secondpost\.E002.*'other'"):
        call_command("check")
    with project({"primary": "capture://default"}):
        call_command("check")
    assert "secondpost.W001" in capsys.readouterr().err
    with project(DIRECT):
        call_command("check")
    with project({}, "django.core.mail.backends.locmem.EmailBackend"):
        call_command("check")
    assert "secondpost" not in capsys.readouterr().err


def test_a_log_in_of_django_is_refused():
    with pytest.raises(ImproperlyConfigured, match="log-ins of their own"):
        EmailBackend(alias="default", username="u", password="p", **DIRECT)


def test_the_mailer_of_the_worker_must_be_clear():
    with project(DIRECT), pytest.raises(CommandError, match="With the mode outbox there are: none"):
        call_command("secondpost_worker", once=True)
