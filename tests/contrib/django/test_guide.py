"""Every block of the Django guide does what the guide says."""

from django.core.mail import EmailMessage

from secondpost import testing
from secondpost.contrib.django import options
from tests.contrib.django.conftest import BACKEND
from tests.contrib.django.test_backend import project
from tests.guides.blocks import python, run

NEW, OLD, DIRECT, OUTBOX, MESSAGE = python("django")


def test_the_settings_that_are_shown_are_right(monkeypatch):
    monkeypatch.setenv("SECONDPOST_KEY", "sp_x")
    new, old = run(NEW)["MAILERS"]["default"], run(OLD)
    assert new["BACKEND"] == old["EMAIL_BACKEND"] == BACKEND
    assert new["OPTIONS"] == old["SECONDPOST"]
    assert options.read(old["SECONDPOST"]).mode == "submit"
    assert options.read(run(DIRECT)["SECONDPOST"]).has_backup
    assert options.read(run(OUTBOX)["SECONDPOST"]).database == "default"


def test_the_message_that_is_shown_is_sent(capsys):
    with testing.outbox() as outbox, project(run(DIRECT)["SECONDPOST"]):
        assert isinstance(run(MESSAGE)["message"], EmailMessage)
    outbox.assert_sent(to="anna@example.net", subject="Your code")
    assert capsys.readouterr().out == "frozenset({'sent'}) accepted\n"
