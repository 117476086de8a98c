"""Outcomes are per recipient: one refusal neither stops the others nor sends anybody a second copy."""

import time

import pytest

from tests.provider import hang_up, say, total, wait_until

GOOD, BAD, OTHER = "good@example.com", "bad@example.com", "other@example.com"


def test_f11_of_three_recipients_the_refused_one_fails_and_nobody_goes_to_the_backup(launch, primary, backup):
    gateway = launch()
    primary.on("rcpt", say("550 5.1.1 No such user"), only=f"<{BAD}>")
    mark = gateway.send(GOOD, BAD, OTHER)
    wait_until(lambda: primary.copies[mark, OTHER], 5, gateway.report)
    wait_until(
        lambda: gateway.states(mark) == {GOOD: "accepted", BAD: "rejected", OTHER: "accepted"},
        10,
        lambda: gateway.states(mark),
    )
    assert primary.copies[mark, GOOD] == primary.copies[mark, OTHER] == 1
    assert all(seen != mark for seen in backup.marks)
    assert "5.1.1" in gateway.story(mark)


def test_f11_a_refused_recipient_of_a_message_with_a_sender_is_reported_to_the_sender(launch, primary, backup):
    gateway = launch()
    primary.on("rcpt", say("550 5.1.1 No such user"), only=f"<{BAD}>")
    mark = gateway.send(GOOD, BAD)
    wait_until(lambda: any(copy.recipients == ("shop@example.com",) for copy in primary.mail), 10, gateway.report)
    (report,) = (copy for copy in primary.mail if copy.recipients == ("shop@example.com",))
    assert report.sender == ""
    assert b"multipart/report" in report.data
    assert BAD.encode() in report.data
    assert GOOD.encode() not in report.data.partition(b"message/rfc822")[0]
    assert report.mark != mark


@pytest.mark.parametrize(
    "reply", ["550 5.1.1 No such user", "551 5.1.6 Moved", "553 5.1.3 Bad syntax", "550 5.1.2 Bad domain"]
)
def test_f11_a_bad_address_alone_is_rejected_at_once(launch, primary, backup, reply):
    gateway = launch()
    primary.on("rcpt", say(reply), only=f"<{BAD}>")
    mark = gateway.send(BAD)
    gateway.becomes(mark, "rejected")
    assert mark not in primary.marks + backup.marks
    assert gateway.attempts(mark) == ["primary"]


@pytest.mark.parametrize(
    "reply", ["450 4.2.0 Greylisted, come back", "452 4.2.2 Mailbox full", "451 4.7.1 Greylisting in action"]
)
def test_f11_a_recipient_that_says_later_waits_and_does_not_go_to_the_backup(launch, primary, backup, reply):
    gateway = launch()
    primary.on("rcpt", say(reply), only=f"<{BAD}>")
    mark = gateway.send(GOOD, BAD)
    wait_until(lambda: gateway.states(mark) == {GOOD: "accepted", BAD: "waiting"}, 10, lambda: gateway.states(mark))
    time.sleep(1)
    assert backup.mail == []
    assert total(primary, backup)[mark, GOOD] == 1


def test_f11_only_those_surely_not_served_move_to_the_backup(launch, primary, backup):
    gateway = launch()
    primary.on("rcpt", say("451 4.3.0 Lookup failed"), only=f"<{BAD}>")
    mark = gateway.send(GOOD, BAD, OTHER)
    wait_until(lambda: backup.copies[mark, BAD], 10, gateway.report)
    wait_until(lambda: set(gateway.states(mark).values()) == {"accepted"}, 10, lambda: gateway.states(mark))
    assert total(primary, backup) == {(mark, GOOD): 1, (mark, BAD): 1, (mark, OTHER): 1}
    assert backup.copies == {(mark, BAD): 1}


def test_f11_a_refused_recipient_stays_refused_when_the_answer_for_the_others_is_lost(launch, primary, backup):
    gateway = launch()
    primary.on("rcpt", say("550 5.1.1 No such user"), only=f"<{BAD}>")
    primary.on("taken", hang_up)
    mark = gateway.send(GOOD, BAD)
    wait_until(lambda: gateway.states(mark) == {GOOD: "unclear", BAD: "rejected"}, 10, lambda: gateway.states(mark))
    assert backup.copies[mark, GOOD] == backup.copies[mark, BAD] == 0


def test_one_bad_address_never_benches_a_connection(launch, primary, backup):
    """Symfony benches every transport for a minute after one."""
    gateway = launch()
    primary.on("rcpt", say("550 5.1.1 No such user"), only=f"<{BAD}>")
    for _ in range(12):
        gateway.send(BAD)
    good = gateway.send_many(10)
    wait_until(lambda: all(primary.copies[mark, "anna@example.com"] for mark in good), 10, gateway.report)
    assert not set(backup.marks) & set(good)


@pytest.mark.parametrize(
    ("reply", "carried"),
    [
        ("552 5.3.4 Message too big for us", True),
        ("554 5.6.0 Content not allowed", False),
        ("554 5.7.1 Looks like spam", False),
        ("550 5.7.1 Blocked by policy: spam content", False),
    ],
)
def test_f11_a_refused_message_goes_elsewhere_for_its_size_only(launch, primary, backup, reply, carried):
    gateway = launch()
    primary.on("dot", say(reply), only="")
    mark = gateway.send()
    gateway.becomes(mark, "accepted" if carried else "rejected")
    assert backup.copies[mark, "anna@example.com"] == int(carried)


def test_f41_a_message_too_large_for_the_primary_is_carried_by_the_backup(launch, primary, backup):
    primary.max_size = 100_000
    gateway = launch()
    mark = gateway.send(body=("y" * 70 + "\r\n") * 3000)
    wait_until(lambda: backup.copies[mark, "anna@example.com"], 10, gateway.report)
    assert primary.mail == []
    small = gateway.send()
    wait_until(lambda: primary.copies[small, "anna@example.com"], 10, gateway.report)


def test_all_recipients_refused_sends_nothing(launch, primary, backup):
    gateway = launch()
    primary.on("rcpt", say("550 5.1.1 No such user"), only="<b")
    mark = gateway.send("b1@example.com", "b2@example.com", "b3@example.com")
    wait_until(lambda: set(gateway.states(mark).values()) == {"rejected"}, 10, lambda: gateway.states(mark))
    assert mark not in primary.marks + backup.marks
