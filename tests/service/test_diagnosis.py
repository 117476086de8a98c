"""Every outcome that is not a success is told in words, with what to do about it."""

import pytest

from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Deferred, Fault, Phase, Rejected, Unclear
from secondpost.service.diagnosis import diagnose

CONNECTION = Connection(name="main", mailer="smtp", settings={"host": "smtp.example.com", "port": 25})


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("kind", [Deferred, Rejected])
@pytest.mark.parametrize("phase", Phase)
def test_every_fault_in_every_phase_has_a_title_a_text_and_steps(fault, kind, phase):
    told = diagnose(kind(fault, "no"), phase, CONNECTION)
    assert told["title"]
    assert told["text"].endswith(".")
    assert told["steps"]


@pytest.mark.parametrize(
    ("outcome", "phase", "words"),
    [
        (Deferred(Fault.ACCOUNT, "535"), Phase.LOGIN, "log-in"),
        (Deferred(Fault.ACCOUNT, "550", about_sender=True), Phase.ENVELOPE, "sender"),
        (Rejected(Fault.ACCOUNT, "550", about_sender=True), Phase.ENVELOPE, "sender"),
        (Deferred(Fault.UNREACHABLE), Phase.TLS, "No safe line"),
        (Deferred(Fault.UNREACHABLE), Phase.CONNECT, "cannot be reached"),
        (Deferred(Fault.LIMIT), Phase.ENVELOPE, "limits"),
        (Rejected(Fault.RECIPIENT), Phase.ENVELOPE, "recipient"),
        (Rejected(Fault.MESSAGE), Phase.BODY, "message was refused"),
        (Deferred(Fault.LOCAL), Phase.CONNECT, "Secondpost itself"),
        (Unclear(), Phase.POINT, "not known"),
        (Accepted(), Phase.POINT, "Sent"),
    ],
)
def test_the_title_says_whose_trouble_it_is(outcome, phase, words):
    assert words in diagnose(outcome, phase, CONNECTION)["title"]


def test_who_cannot_be_reached_is_named():
    assert "smtp.example.com:25" in diagnose(Deferred(Fault.UNREACHABLE), Phase.CONNECT, CONNECTION)["text"]


def test_a_provider_s_api_is_not_spoken_of_as_a_mail_server():
    by_api = Connection(name="api", mailer="postmark", settings={"token": "x", "host": ""})
    told = diagnose(Deferred(Fault.UNREACHABLE, "no"), Phase.CONNECT, by_api)
    assert "its API" in told["text"]
    assert not any("587" in step for step in told["steps"])
