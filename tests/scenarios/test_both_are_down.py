"""Nobody takes the mail, or takes it slowly, or now and then: it waits, nobody is hammered, and it goes out once."""

import random
import threading
import time

import pytest

from tests.gateway import Gateway
from tests.provider import Provider, before, duplicates, normally, say, total, wait_until

TO = "anna@example.com"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", ["refuse", "black_hole", "421"])
def test_f43_with_both_down_mail_waits_and_drains_when_one_heals(launch, primary, backup, fault):
    gateway = launch()
    for provider in (primary, backup):
        if fault == "421":
            provider.on("greeting", say("421 4.3.2 Closing"))
        else:
            getattr(provider, fault)()
    marks = gateway.send_many(20)
    time.sleep(4)
    assert primary.sessions + backup.sessions < 30, "no ping-pong"
    assert set(gateway.states(marks[0]).values()) <= {"waiting", "leased"}
    backup.heal()
    wait_until(lambda: all(backup.copies[mark, TO] for mark in marks), 45, gateway.report)
    assert set(total(primary, backup).values()) == {1}


def test_f43_after_both_were_down_traffic_returns_to_the_primary(launch, primary, backup):
    gateway = launch()
    primary.refuse()
    backup.refuse()
    marks = gateway.send_many(10)
    time.sleep(3)
    primary.heal()
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 45, gateway.report)
    assert backup.mail == []


def test_f43_waiting_survives_restarts(launch, primary, backup):
    gateway = launch()
    primary.refuse()
    backup.refuse()
    marks = gateway.send_many(10)
    gateway.restart()
    marks += gateway.send_many(10)
    gateway.stop()
    primary.heal()
    gateway.start()
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 30, gateway.report)
    assert set(total(primary, backup).values()) == {1}


def test_f44_a_slow_backup_does_not_keep_mail_from_a_primary_that_is_back(launch, primary, backup):
    gateway = launch(backup=backup.connection(limits={"sessions": 4}, timeouts={"data_reply": 30}))
    primary.refuse()
    backup.on("dot", before(normally, seconds=2))
    marks = gateway.send_many(24, sessions=4)  # 12 seconds' work for the backup
    wait_until(lambda: len(backup.mail) >= 4, 20, gateway.report)
    primary.heal()
    wait_until(lambda: primary.commands["EHLO"], 20, gateway.report)  # a probe; it may send nothing
    time.sleep(0.2)
    fresh = gateway.send()
    assert wait_until(lambda: primary.copies[fresh, TO], 10, gateway.report) < 3
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in marks), 40, gateway.report)
    assert set(total(primary, backup).values()) == {1}


@pytest.mark.timeout(180)
def test_f45_a_flapping_primary_makes_no_duplicates(launch, primary, backup):
    gateway = launch(settings={"priority": {"normal": {"unclear_after": "1h"}}})
    stop = threading.Event()
    primary.on("mail", before(normally, seconds=lambda: random.uniform(0, 0.02)))

    def flap():
        while not stop.wait(random.uniform(0.3, 1.0)):
            primary.refuse()
            stop.wait(random.uniform(0.3, 1.0))
            primary.heal()
        primary.heal()

    flapper = threading.Thread(target=flap)
    flapper.start()
    marks = []
    for _ in range(15):
        marks += gateway.send_many(10, sessions=2)
        time.sleep(0.5)
    stop.set()
    flapper.join()
    wait_until(
        lambda: sum(map(bool, total(primary, backup).values())) >= len(marks) - doubts(gateway), 60, gateway.output
    )
    assert duplicates(total(primary, backup)) == {}
    missing = [mark for mark in marks if not total(primary, backup)[mark, TO]]
    assert all(gateway.state(mark) == "unclear" for mark in missing)


def doubts(gateway: Gateway) -> int:
    return len(gateway.log(status="unclear"))


def test_f46_a_primary_that_returns_while_the_backup_holds_the_message_does_not_get_it(launch, primary, backup):
    gateway = launch(backup=backup.connection(timeouts={"data_reply": 30}))
    primary.refuse()
    backup.on("dot", before(normally, seconds=8))
    marks = gateway.send_many(3)
    wait_until(lambda: backup.commands["DATA"] == 3, 10, gateway.report)
    primary.heal()
    wait_until(lambda: all(backup.copies[mark, TO] for mark in marks), 20, gateway.report)
    time.sleep(1)
    assert set(total(primary, backup).values()) == {1}


def test_f46_one_message_probes_a_primary_that_may_be_back_and_not_all_of_them(launch, primary, backup):
    gateway = launch(settings={"backup": ""})
    primary.on("mail", say("451 4.3.0 Trouble here"))
    marks = gateway.send_many(50, sessions=4)
    time.sleep(2)
    before_probe = primary.commands["MAIL"]
    time.sleep(12)
    assert primary.commands["MAIL"] - before_probe <= 12, "a half-open breaker lets one through, not the herd"
    primary.heal()
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 60, gateway.report)
    assert set(total(primary, backup).values()) == {1}


def test_a_limit_per_second_is_kept_and_the_rest_goes_to_the_backup_or_waits(launch, backup):
    with Provider(name="limited") as primary:
        gateway = launch(primary=primary.connection(limits={"per_second": 5}))
        marks = gateway.send_many(30, sessions=2)
        wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in marks), 30, gateway.report)
        times = sorted(copy.at for copy in primary.mail)
        worst = max(sum(1 for at in times if start <= at < start + 1) for start in times)
        assert worst <= 10, f"{worst} messages in one second"
        assert set(total(primary, backup).values()) == {1}
