from datetime import timedelta

import pytest

from secondpost.core.connection import Connection, FromRules, Limits, Timeouts


@pytest.mark.parametrize(
    ("connection", "title"),
    [
        (Connection(name="main", mailer="smtp"), "main (smtp)"),
        (Connection(name="inbox", mailer="Inbox", nickname="Inbox"), "Inbox"),
        (Connection(name="c1", mailer="postmark", nickname="Backup"), "Backup (postmark)"),
    ],
)
def test_the_title_is_the_nickname_and_the_mailer(connection, title):
    assert connection.title == title


def test_two_connections_may_be_alike_but_for_their_names():
    one, other = (Connection(name=name, mailer="smtp", settings={"host": "mail.example.com"}) for name in "ab")
    assert one != other


def test_the_defaults_are_those_of_the_rules():
    connection = Connection(name="main", mailer="smtp")
    assert connection.enabled
    assert connection.limits == Limits()
    assert connection.sender == FromRules(force_email=True, force_name=False, return_path=True)
    assert connection.timeouts.data_reply == timedelta(minutes=10)  # RFC 5321 section 4.5.3.2.6
    assert connection.timeouts == Timeouts()


def test_settings_cannot_be_changed_by_accident():
    assert not hasattr(Connection(name="main", mailer="smtp").settings, "__setitem__")
