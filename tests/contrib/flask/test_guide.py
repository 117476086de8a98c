"""Every block of the Flask guide does what the guide says."""

import pytest

from secondpost import testing
from tests.guides.blocks import python, run

MOVED, GATEWAY, NEW = python("flask")


@pytest.fixture
def outbox():
    with testing.outbox() as kept:
        yield kept


def test_the_app_that_is_shown_sends_and_its_backup_takes_over(outbox):
    app = run(MOVED)["app"]
    outbox.fail("primary")
    assert app.test_client().post("/orders").text == "Thank you."
    sent = outbox.assert_sent(to="anna@example.net", subject="Your order", connection="backup")
    assert sent.message["From"] == "Shop <shop@example.com>"


def test_the_factory_and_the_message_with_a_key(outbox, monkeypatch, capsys):
    monkeypatch.setenv("SECONDPOST_KEY", "sp_x")
    names = run(GATEWAY)
    with names["create_app"]().app_context():
        run(NEW)["send_code"](names["mail"], "anna@example.net", "4711")
    outbox.assert_sent(to="anna@example.net", subject="Your code", contains="4711")
    assert capsys.readouterr().out == "queued\n"
