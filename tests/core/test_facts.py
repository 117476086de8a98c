from dataclasses import replace

import pytest

from secondpost.core.facts import NUMBERS, Property, facts, number, values
from secondpost.core.message import Message, Summary, summarize

HEAD = (
    b"From: Shop <shop@example.com>\r\nTo: a@one.example, b@two.example\r\nCc: c@one.example\r\n"
    b"Reply-To: help@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"X-PHP-Originating-Script: 33:contact.php\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nSecondpost-Priority: Urgent\r\n"
    b"Secondpost-Initiator: plugin:forms\r\n\r\n"
)
FACTS = facts(
    summarize(HEAD),
    Message(HEAD, b"The body\r\n"),
    sender="bounce@example.com",
    recipients=("a@one.example", "b@two.example", "C@one.example", "hidden@three.example"),
    client="website",
)
NOTHING = facts(Summary(), Message(b"\r\n", b""), sender="", recipients=(), client="")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Property.SUBJECT, ("Grüße",)),
        (Property.MESSAGE, ("The body\r\n",)),
        (Property.FROM_EMAIL, ("shop@example.com",)),
        (Property.FROM_NAME, ("Shop",)),
        (Property.TO, ("a@one.example", "b@two.example")),
        (Property.CC, ("c@one.example",)),
        (Property.BCC, ("hidden@three.example",)),
        (Property.REPLY_TO, ("help@example.com",)),
        (Property.INITIATOR, ("website", "plugin:forms", "33:contact.php")),
        (Property.RECIPIENT_DOMAIN, ("one.example", "two.example", "three.example")),
        (Property.RECIPIENT_COUNT, ("4",)),
        (Property.HAS_ATTACHMENTS, ("no",)),
        (Property.CONTENT_TYPE, ("text/plain; charset=utf-8",)),
        (Property.PRIORITY, ("urgent",)),
    ],
)
def test_what_a_message_answers(asked, found):
    assert values(FACTS, asked) == found


def test_all_headers_are_asked_by_name_and_by_value():
    assert "X-PHP-Originating-Script" in values(FACTS, Property.HEADER_NAME)
    assert "33:contact.php" in values(FACTS, Property.HEADER_VALUE)
    assert "Grüße" in values(FACTS, Property.HEADER_VALUE)


def test_numbers():
    assert number(FACTS, Property.RECIPIENT_COUNT) == 4
    assert number(FACTS, Property.MESSAGE_SIZE) == FACTS.message.size / 1024


@pytest.mark.parametrize("asked", sorted(set(Property) - NUMBERS))
def test_what_is_missing_is_empty_or_has_its_default(asked):
    defaults = {
        Property.HAS_ATTACHMENTS: "no",
        Property.CONTENT_TYPE: "text/plain",
        Property.PRIORITY: "normal",
    }
    assert values(NOTHING, asked) == (defaults.get(asked, ""),)


def test_without_a_from_field_the_envelope_sender_counts():
    assert values(replace(NOTHING, sender="env@example.com"), Property.FROM_EMAIL) == ("env@example.com",)


def test_a_given_priority_wins_over_the_header():
    given = facts(FACTS.summary, FACTS.message, sender="", recipients=(), client="", priority="bulk")
    assert values(given, Property.PRIORITY) == ("bulk",)


def test_an_attachment_answers_yes():
    head = b"Content-Disposition: attachment\r\n\r\n"
    assert values(replace(NOTHING, message=Message(head, b"x")), Property.HAS_ATTACHMENTS) == ("yes",)


@pytest.mark.parametrize(
    ("asked", "label"),
    [
        (Property.FROM_EMAIL, "From Email"),
        (Property.CC, "CC"),
        (Property.BCC, "BCC"),
        (Property.REPLY_TO, "Reply-To"),
        (Property.MESSAGE_SIZE, "Message Size (KB)"),
        (Property.HAS_ATTACHMENTS, "Has Attachments"),
    ],
)
def test_labels_are_those_of_the_screen(asked, label):
    assert asked.label == label
