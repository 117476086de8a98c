"""The provider does not want *us*: the backup carries the mail, the message is not blamed, and nobody hammers at a
closed door.
"""

import time
from functools import partial

import pytest

from tests.fleet import fates
from tests.provider import Provider, say, total, wait_until

TO = "anna@example.com"

# What providers really say, at the step at which they say it.
IDENTITY = {
    "ses_not_verified": (
        "dot",
        (
            "554 Message rejected: Email address is not verified. The following identities failed the check "
            "in region EU-WEST-1: shop@example.com"
        ),
    ),
    "sender_not_verified": ("mail", "550 5.7.1 The from address does not match a verified Sender Identity"),
    "domain_not_verified": ("dot", "550 5.7.1 The sender domain is not verified"),
}
SUSPENDED = {
    "suspended_at_mail": ("mail", "550 5.7.1 Account suspended"),
    "suspended_at_dot": ("dot", "554 5.7.1 Your account has been suspended, contact support"),
    "not_allowed_at_mail": ("mail", "530 5.7.0 Authentication required"),
    "credits": ("dot", "451 Authentication failed: Maximum credits exceeded"),
    "daily_quota": ("mail", "550 5.4.5 Daily sending quota exceeded"),
    "ses_paused": (
        "dot",
        (
            "554 Sending paused for this account. For more information, please check the inbox of the email address "
            "associated with your AWS account."
        ),
    ),
}


@pytest.fixture
def guarded():
    with Provider(name="guarded", users={"shop": "right"}) as provider:
        yield provider


def test_f29_revoked_credentials_are_not_tried_again_and_again(launch, guarded, backup):
    gateway = launch(primary=guarded.connection(username="shop", password="right"))
    first = gateway.send()
    wait_until(lambda: guarded.copies[first, TO], 5, gateway.report)
    guarded.users["shop"] = "changed"
    guarded.hang_up_all()
    marks = [gateway.send() for _ in range(10)]
    marks += gateway.send_many(40, sessions=4)
    wait_until(lambda: all(backup.copies[mark, TO] for mark in marks), 15, gateway.report)
    time.sleep(6)
    marks += gateway.send_many(10)
    wait_until(lambda: all(backup.copies[mark, TO] for mark in marks), 15, gateway.report)
    assert guarded.refused["shop"] <= 3, "a lock-out is near"
    assert set(total(guarded, backup).values()) == {1}


def test_f29_the_state_of_a_refused_log_in_survives_a_restart(launch, guarded, backup):
    gateway = launch(primary=guarded.connection(username="shop", password="wrong"))
    gateway.send()
    wait_until(lambda: len(backup.mail) == 1, 5, gateway.report)
    for _ in range(3):
        gateway.stop()
        gateway.start()
        gateway.send()
    wait_until(lambda: len(backup.mail) == 4, 10, gateway.report)
    assert guarded.refused["shop"] <= 3


def test_f29_a_new_password_in_the_configuration_is_used_at_once(launch, guarded, backup):
    gateway = launch(primary=guarded.connection(username="shop", password="wrong"))
    gateway.send()
    wait_until(lambda: len(backup.mail) == 1, 5, gateway.report)
    gateway.stop()
    gateway.settings["connections"]["primary"]["password"] = "right"
    gateway.write_config()
    gateway.start()
    mark = gateway.send()
    wait_until(lambda: guarded.copies[mark, TO], 10, gateway.report)


@pytest.fixture(scope="module")
def refused_messages(tmp_path_factory):
    faults = {
        case: partial(Provider.on, step=step, act=say(text)) for case, (step, text) in (IDENTITY | SUSPENDED).items()
    }
    return fates(tmp_path_factory.mktemp("gateway"), faults, until="accepted", seconds=8)


@pytest.mark.parametrize("case", [*IDENTITY, *SUSPENDED])
def test_f30_a_refusal_that_is_about_the_account_goes_to_the_backup(refused_messages, case):
    refused = refused_messages[case]
    assert refused.state == "accepted"
    assert (refused.by_primary, refused.by_backup) == (0, 1)


@pytest.mark.parametrize("case", ["suspended_at_mail", "suspended_at_dot"])
def test_f30_a_suspended_account_is_left_alone(launch, primary, backup, case):
    step, text = SUSPENDED[case]
    gateway = launch()
    primary.on(step, say(text))
    first = gateway.send()
    wait_until(lambda: backup.copies[first, TO], 15, gateway.report)
    marks = [gateway.send() for _ in range(10)]
    wait_until(lambda: all(backup.copies[mark, TO] for mark in marks), 15, gateway.report)
    assert primary.commands["MAIL"] == 1


def test_f30_one_sender_that_is_not_verified_leaves_the_others_alone(launch, primary, backup):
    gateway = launch()
    primary.on("mail", say("550 5.7.1 The sender domain is not verified"), only="@other.example")
    for _ in range(4):
        with gateway.client() as client:
            client.sendmail("x@other.example", [TO], b"Subject: other\r\nX-Test-Id: other\r\n\r\nx\r\n")
    wait_until(lambda: backup.copies["other", TO] == 4, 10, gateway.report)
    marks = gateway.send_many(5)
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 10, gateway.report)


@pytest.mark.parametrize("step", ["greeting", "mail", "rcpt", "dot"])
def test_f31_a_throttle_is_waited_out_and_is_no_failure_of_the_connection(launch, primary, backup, step):
    """The wait is within a normal message's patience: it stays with the primary, and nothing is benched."""
    gateway = launch()
    started = gateway.send()
    wait_until(lambda: primary.copies[started, TO], 5, gateway.report)
    primary.hang_up_all()
    primary.on(step, say("421 4.7.0 Rate limited, try again in 2 seconds"), times=1)
    marks = gateway.send_many(5)
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in marks), 20, gateway.report)
    later = gateway.send_many(5)
    wait_until(lambda: all(primary.copies[mark, TO] for mark in later), 10, gateway.report)
    assert set(total(primary, backup).values()) == {1}


def test_f31_a_throttle_longer_than_the_patience_overflows_to_the_backup(launch, primary, backup):
    gateway = launch()
    primary.on("mail", say("452 4.7.0 Rate limit exceeded, try again in 3600 seconds"))
    first = gateway.send()
    wait_until(lambda: backup.copies[first, TO], 10, gateway.report)
    marks = gateway.send_many(10)
    wait_until(lambda: all(backup.copies[mark, TO] for mark in marks), 10, gateway.report)
    assert primary.commands["MAIL"] == 1, "a gate until the time named"


def test_f31_an_urgent_message_does_not_wait_for_a_throttle(launch, primary, backup):
    gateway = launch()
    primary.on("mail", say("421 4.7.0 Rate limited, try again in 20 seconds"))
    mark = gateway.send(Secondpost_Priority="urgent")
    assert wait_until(lambda: backup.copies[mark, TO], 10, gateway.report) < 3


@pytest.mark.parametrize(
    "text",
    ["try again in 999999999999 seconds", "try again in -5 seconds", "retry after tomorrow", "try again in 1e400 s"],
)
def test_f31_an_absurd_wait_harms_nobody(launch, primary, backup, text):
    gateway = launch()
    primary.on("mail", say(f"421 4.7.0 Rate limited, {text}"), times=1)
    mark = gateway.send(Secondpost_Priority="urgent")
    wait_until(lambda: total(primary, backup)[mark, TO], 20, gateway.report)
    assert total(primary, backup)[mark, TO] == 1


def test_too_many_recipients_for_the_provider_are_split(launch, primary, backup):
    """452 4.5.3 after some recipients: the rest follow, and nobody gets two."""
    gateway = launch()
    state = {"count": 0}

    def at_most_ten(session, reply):
        if len(session.recipients) >= 10:
            state["count"] += 1
            return b"452 4.5.3 Too many recipients\r\n"
        return reply

    primary.on("rcpt", at_most_ten)
    to = [f"r{number}@example.com" for number in range(25)]
    mark = gateway.send(*to)
    wait_until(lambda: all(total(primary, backup)[mark, address] for address in to), 40, gateway.report)
    assert set(total(primary, backup).values()) == {1}
    assert state["count"]
