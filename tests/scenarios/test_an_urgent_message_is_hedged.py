"""A one-time code cannot wait for a time-out: it starts on the backup too, and one of the two crosses the point."""

import os
import random
import time

import pytest

from tests.provider import Provider, before, drip, hang_up, normally, reset, say, silence, total, wait_until

TO = "anna@example.com"
PATIENT = {"connect": 30, "command": 30, "data_block": 30, "data_reply": 30}
TRIES = int(os.environ.get("SECONDPOST_HEDGES", "200"))
STUCK = {
    "black_hole": Provider.black_hole,
    "silent_after_connect": lambda p: p.on("greeting", silence),
    "silent_at_ehlo": lambda p: p.on("ehlo", silence),
    "silent_at_mail": lambda p: p.on("mail", silence),
    "silent_at_data": lambda p: p.on("data", silence),
    "dripping": lambda p: p.on("ehlo", drip(0.5)),
}


@pytest.mark.parametrize("fault", STUCK)
def test_f01_an_urgent_message_is_on_the_backup_within_a_second_and_a_half(launch, primary, backup, fault):
    gateway = launch(primary=primary.connection(timeouts=PATIENT))
    STUCK[fault](primary)
    mark = gateway.send(Secondpost_Priority="urgent")
    waited = wait_until(lambda: backup.copies[mark, TO], 10, gateway.report)
    assert waited < 1.5, f"{waited:.2f} s"
    gateway.becomes(mark, "accepted")
    assert primary.mail == []
    assert b"secondpost-priority" not in backup.mail[0].data.lower(), "our own headers do not leave"


def test_the_story_of_a_hedged_message_tells_of_the_connection_that_failed(launch, primary, backup):
    gateway = launch(primary=primary.connection(timeouts=PATIENT), backup=backup.connection(timeouts=PATIENT))
    primary.on("mail", before(say("421 4.3.2 Good bye"), seconds=1.6))
    backup.on("data", before(normally, seconds=1.5))
    mark = gateway.send(Secondpost_Priority="urgent")
    gateway.becomes(mark, "accepted")
    wait_until(lambda: gateway.entry(mark)["events"], 5, gateway.report)
    (event,) = gateway.entry(mark)["events"]
    assert (event["kind"], event["connection"]) == ("race", "primary")
    assert "race primary: failed while another connection was under way" in gateway.story(mark)


def test_a_normal_message_is_not_hedged(launch, primary, backup):
    gateway = launch(primary=primary.connection(timeouts=PATIENT))
    primary.on("data", before(normally, seconds=2))
    mark = gateway.send()
    wait_until(lambda: total(primary, backup)[mark, TO], 10, gateway.report)
    assert backup.mail == []
    assert backup.sessions == 0


def test_an_urgent_message_past_the_point_is_not_hedged(launch, primary, backup):
    """Its dot is out: a race now would be a second copy."""
    gateway = launch(primary=primary.connection(timeouts=PATIENT))
    primary.on("taken", before(normally, seconds=3))
    mark = gateway.send(Secondpost_Priority="urgent")
    gateway.becomes(mark, "accepted")
    assert (primary.copies[mark, TO], backup.copies[mark, TO]) == (1, 0)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("step", ["data", "mail"])
def test_races_at_the_point_of_no_return_never_make_two_copies(launch, primary, backup, step):
    """The primary is ready for the dot just when the hedge starts, or just before, or just after."""
    gateway = launch(primary=primary.connection(timeouts=PATIENT), backup=backup.connection(timeouts=PATIENT))
    primary.on(step, before(normally, seconds=lambda: random.uniform(0.9, 1.15)))
    backup.on("data", before(normally, seconds=lambda: random.uniform(0, 0.1)))
    marks = gateway.send_many(TRIES // 2, sessions=8, Secondpost_Priority="urgent")
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in marks), 60 + TRIES / 4, gateway.report)
    time.sleep(2)
    assert {mark: count for mark, count in total(primary, backup).items() if count != 1} == {}
    carried = {name: len(provider.mail) for name, provider in (("primary", primary), ("backup", backup))}
    assert min(carried.values()) > 0, f"the race was no race: {carried}"


def test_races_in_which_the_winner_fails_at_the_dot_never_make_two_copies(launch, primary, backup):
    """Whoever took the right to cross and was cut off has made a doubt; the other one must not jump in."""
    gateway = launch(
        primary=primary.connection(timeouts=PATIENT),
        backup=backup.connection(timeouts=PATIENT),
        settings={"priority": {"urgent": {"unclear_after": "10m"}}},
    )
    primary.on("data", before(normally, seconds=lambda: random.uniform(0.9, 1.1)))
    primary.on("taken", hang_up, odds=0.5)
    backup.on("taken", reset, odds=0.3)
    marks = gateway.send_many(60, sessions=8, Secondpost_Priority="urgent")
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in marks), 60, gateway.report)
    time.sleep(3)
    assert {mark: count for mark, count in total(primary, backup).items() if count != 1} == {}


def test_the_loser_of_a_race_is_not_blamed(launch, primary, backup):
    """A primary that is slow for a while keeps its traffic: losing to a hedge is no failure."""
    gateway = launch(primary=primary.connection(timeouts=PATIENT))
    primary.on("data", before(normally, seconds=1.6), times=8)
    for _ in range(8):
        gateway.send(Secondpost_Priority="urgent")
    wait_until(lambda: len(total(primary, backup)) == 8, 15, gateway.report)
    time.sleep(1.5)
    later = gateway.send_many(5)
    wait_until(lambda: all(primary.copies[mark, TO] for mark in later), 10, gateway.report)
