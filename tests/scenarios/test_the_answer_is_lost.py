"""The primary has the whole message and the answer never comes: a doubt, with a name, and no second copy behind
anybody's back.
"""

import re
import time
from functools import partial

import pytest

from tests.fleet import fates
from tests.provider import Provider, drip, hang_up, raw, reset, say, silence, total, wait_until

TO = "anna@example.com"
HEADERS = re.compile(rb"(?m)^(?:Message-ID|Date):.*$")

LOST = {
    "f03_silence": silence,
    "f03_eof": hang_up,
    "f04_rst": reset,
    "f06_drip": drip(1),
    "f13_nul": raw(b"250 \0\r\n"),
    "f13_no_code": raw(b"what?\r\n"),
    "f13_code_changes": raw(b"250-a\r\n550 b\r\n"),
    "f13_endless_line": raw(b"250 " + b"x" * 1_000_000),
    "f13_354_again": raw(b"354 go on\r\n"),
}


@pytest.fixture(scope="module")
def doubtful_messages(tmp_path_factory):
    faults = {name: partial(Provider.on, step="taken", act=act) for name, act in LOST.items()}
    return fates(tmp_path_factory.mktemp("gateway"), faults, until="unclear", seconds=8, linger=1.5)


@pytest.mark.parametrize("fault", LOST)
def test_a_reply_lost_after_the_dot_is_unclear_and_does_not_go_to_the_backup(doubtful_messages, fault):
    doubtful = doubtful_messages[fault]
    assert doubtful.state == "unclear"
    assert (doubtful.by_primary, doubtful.by_backup) == (1, 0)
    assert doubtful.attempts == (fault,)


def test_f03_the_log_says_unclear_and_why_and_when_the_policy_acts(launch, primary, backup):
    gateway = launch()
    primary.on("taken", hang_up)
    mark = gateway.send()
    gateway.becomes(mark, "unclear")
    story = gateway.story(mark).lower()
    assert "unclear" in story
    assert "may or may not" in story or "lost" in story or "no answer" in story
    assert "send" in story
    assert "again" in story
    (delivery,) = gateway.entry(mark)["deliveries"]
    assert delivery["due"], "the log must say when the policy acts"


def test_f03_at_the_deadline_it_is_sent_again_unchanged_by_the_same_connection_and_marked(launch, primary, backup):
    gateway = launch(settings={"priority": {"normal": {"unclear_after": "2s", "when_unclear": "send_again"}}})
    primary.on("taken", hang_up, times=1)
    mark = gateway.send()
    wait_until(lambda: primary.copies[mark, TO] == 2, 15, gateway.report)
    gateway.becomes(mark, "accepted")
    assert backup.copies[mark, TO] == 0
    first, second = (copy for copy in primary.mail if copy.mark == mark)
    assert HEADERS.findall(first.data) == HEADERS.findall(second.data)
    assert len(HEADERS.findall(first.data)) == 2
    assert second.at - first.at > 1.9
    assert "possible duplicate" in gateway.story(mark).lower()


def test_f03_what_is_held_stays_held_until_a_person_settles_it(launch, primary, backup):
    gateway = launch(settings={"priority": {"normal": {"unclear_after": "1s", "when_unclear": "hold"}}})
    primary.on("taken", hang_up, times=2)
    arrived, resent = gateway.send(), gateway.send()
    for mark in (arrived, resent):
        gateway.becomes(mark, "unclear")
    time.sleep(3)
    assert total(primary, backup) == {(arrived, TO): 1, (resent, TO): 1}
    gateway.cli("messages", "settle", gateway.entry(arrived)["id"], "--arrived")
    gateway.cli("messages", "settle", gateway.entry(resent)["id"], "--send-again")
    gateway.becomes(arrived, "accepted")
    gateway.becomes(resent, "accepted")
    assert total(primary, backup) == {(arrived, TO): 1, (resent, TO): 2}


def test_f03_bulk_mail_is_held_by_default(launch, primary, backup):
    gateway = launch(settings={"priority": {"bulk": {"unclear_after": "1s"}}})
    primary.on("taken", hang_up, times=1)
    mark = gateway.send(Secondpost_Priority="bulk")
    gateway.becomes(mark, "unclear")
    time.sleep(3)
    assert gateway.state(mark) == "unclear"
    assert primary.copies[mark, TO] == 1


def test_f03_a_primary_that_swallows_answers_gets_no_more_new_mail(launch, primary, backup):
    """A doubt counts against the connection: new mail goes elsewhere."""
    gateway = launch()
    primary.on("taken", hang_up)
    doubtful = [gateway.send() for _ in range(3)]
    wait_until(lambda: len(primary.mail) == 3, 5)
    for mark in doubtful:
        gateway.becomes(mark, "unclear")
    later = gateway.send_many(10)
    wait_until(lambda: sum(backup.copies[mark, TO] for mark in later) >= 9, 10, gateway.report)  # one may be the probe
    assert set(total(primary, backup).values()) == {1}


def test_f03_a_session_that_hangs_after_the_dot_does_not_hold_other_mail_up(launch, primary, backup):
    """The answer to the dot has ten minutes; new mail must not wait behind it."""
    gateway = launch(primary=primary.connection(timeouts={"data_reply": 600}))
    primary.on("taken", silence, times=5)
    hanging = gateway.send_many(5)
    wait_until(lambda: len(primary.mail) == 5, 5)
    later = gateway.send_many(20)
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in later), 5, gateway.report)
    assert set(total(primary, backup).values()) == {1}
    assert all(backup.copies[mark, TO] == 0 for mark in hanging)


def test_f14_killed_between_the_dot_and_the_answer_is_unclear_after_the_restart(launch, primary, backup):
    gateway = launch(primary=primary.connection(timeouts={"data_reply": 600}))
    primary.on("taken", silence)
    mark = gateway.send()
    wait_until(lambda: primary.copies[mark, TO], 5)
    gateway.restart()
    gateway.becomes(mark, "unclear")
    time.sleep(1.5)
    assert total(primary, backup)[mark, TO] == 1


def test_f14_killed_before_the_point_is_simply_sent(launch, primary, backup):
    gateway = launch(primary=primary.connection(timeouts={"command": 600}))
    primary.on("ehlo", silence)
    mark = gateway.send()
    wait_until(lambda: primary.commands["EHLO"], 5)
    primary.heal()
    gateway.restart()
    wait_until(lambda: total(primary, backup)[mark, TO], 10, gateway.report)
    gateway.becomes(mark, "accepted")
    time.sleep(0.5)
    assert total(primary, backup)[mark, TO] == 1


@pytest.mark.parametrize("act", [hang_up, reset, silence, say("451 4.3.0 No"), raw(b"\0\0\0")])
def test_nothing_after_a_positive_answer_turns_success_into_failure(launch, primary, backup, act):
    gateway = launch()
    primary.on("quit", act)
    primary.on("rset", act)
    primary.on("noop", act)
    mark = gateway.send()
    gateway.becomes(mark, "accepted")
    gateway.stop()
    gateway.start()
    assert gateway.state(mark) == "accepted"
    assert total(primary, backup)[mark, TO] == 1


def test_f04_an_answer_and_then_a_reset_is_success(launch, primary, backup):
    def answer_and_reset(session, reply):
        session.send(reply)
        session.wait(0.05)
        return reset(session, reply)

    gateway = launch()
    primary.on("taken", answer_and_reset)
    marks = gateway.send_many(5)
    wait_until(lambda: len(total(primary, backup)) == 5, 5, gateway.report)
    for mark in marks:
        gateway.becomes(mark, "accepted")
    assert set(total(primary, backup).values()) == {1}
