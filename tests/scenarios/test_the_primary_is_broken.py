"""The primary fails before it can have the message: the backup has it at once, and traffic returns to the primary by
itself.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.fleet import fates, many_primaries
from tests.gateway import message, new_mark
from tests.provider import (
    Provider,
    after_bytes,
    before,
    drip,
    hang_up,
    normally,
    raw,
    read_slowly,
    refuse_early,
    reset,
    say,
    silence,
    total,
    wait_until,
)
from tests.provider_session import Action

TO = "anna@example.com"
TIMEOUT = 1.0  # as in `Provider.connection`
SLACK = 1.0  # two busy cores

NONSENSE = {
    "endless_lines": b"250-x\r\n" * 100_000,
    "nul": b"250 a\0b\r\n",
    "line_of_a_megabyte": b"250 " + b"x" * 1_000_000 + b"\r\n",
    "code_changes": b"250-a\r\n550 b\r\n",
    "no_code": b"hello\r\n",
}


def at(step: str, act: Action) -> Callable[[Provider], None]:
    return lambda provider: provider.on(step, act)


def drips(provider: Provider) -> None:
    """One byte a second, whatever it says."""
    for step in EARLY:
        provider.on(step, drip(1))


EARLY = ("greeting", "ehlo", "mail", "rcpt", "data")
FAULTS: dict[str, Callable[[Provider], None]] = {
    "f01_black_hole": Provider.black_hole,
    "f01_silent_after_connect": at("greeting", silence),
    **{f"f02_silent_at_{step}": at(step, silence) for step in EARLY[1:]},
    "f05_refused": Provider.refuse,
    **{f"f05_eof_at_{step}": at(step, hang_up) for step in EARLY},
    **{f"f05_rst_at_{step}": at(step, reset) for step in EARLY},
    **{f"f06_drip_at_{step}": at(step, drip(0.3)) for step in EARLY},
    "f06_one_byte_a_second": drips,
    **{f"f10_421_at_{step}": at(step, say("421 4.3.2 Closing")) for step in (*EARLY, "dot")},
    **{f"f11_451_at_{step}": at(step, say("451 4.3.0 Trouble here")) for step in ("mail", "rcpt", "data", "dot")},
    **{f"f11_554_at_{step}": at(step, say("554 5.3.0 Broken here")) for step in ("greeting", "mail", "data", "dot")},
    "f12_early_451": at("data", refuse_early("451 4.3.0 Trouble here")),
    **{f"f13_{name}_at_ehlo": at("ehlo", raw(data)) for name, data in NONSENSE.items()},
    **{f"f13_{name}_at_mail": at("mail", raw(data)) for name, data in NONSENSE.items()},
    "f13_no_code_at_greeting": at("greeting", raw(b"SSH-2.0-x\r\n")),
}


@pytest.fixture(scope="module")
def first_messages(tmp_path_factory):
    return fates(tmp_path_factory.mktemp("gateway"), FAULTS, until="accepted", seconds=8)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_backup_has_the_first_message_within_one_time_out(first_messages, fault):
    first = first_messages[fault]
    assert (first.by_primary, first.by_backup) == (0, 1), first
    assert first.waited < TIMEOUT + SLACK, first
    assert first.state == "accepted"
    assert first.violations == ()


RECOVER = [
    "f01_black_hole",
    "f01_silent_after_connect",
    "f05_refused",
    "f10_421_at_greeting",
    "f11_451_at_rcpt",
    "f11_451_at_dot",
    "f06_drip_at_mail",
]


@pytest.fixture(scope="module")
def recoveries(tmp_path_factory):
    """All stories at once, each in a thread: what takes long is to wait until a connection is tried again."""
    with many_primaries(tmp_path_factory.mktemp("recoveries"), RECOVER) as (gateway, primaries, backup):
        with ThreadPoolExecutor(len(RECOVER)) as pool:
            stories = {fault: pool.submit(recovers, gateway, primaries[fault], backup, fault) for fault in RECOVER}
        yield stories


@pytest.mark.parametrize("fault", RECOVER)
def test_later_mail_does_not_wait_and_traffic_returns_unaided(recoveries, fault):
    recoveries[fault].result()


def recovers(gateway, primary, backup, fault):
    FAULTS[fault](primary)
    send = partial(gateway.send, Subject=fault)
    marks = []
    for _ in range(8):  # enough to open any breaker: half-weight failures need six
        marks.append(send())
        wait_until(lambda: backup.copies[marks[-1], TO], TIMEOUT + SLACK, gateway.report)
    waits = []
    for _ in range(5):
        marks.append(send())
        waits.append(wait_until(lambda: backup.copies[marks[-1], TO], TIMEOUT + SLACK, gateway.report))
    assert sorted(waits)[2] < 0.15, f"with the breaker open mail still waits: {waits}"

    primary.heal()
    returned = time.monotonic()
    while not primary.mail:
        assert time.monotonic() < returned + 30, f"nothing returned to the primary:\n{gateway.output()}"
        marks.append(send())
        time.sleep(0.5)
    marks.extend(send() for _ in range(10))
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in marks), 15, gateway.report)
    assert all(primary.copies[mark, TO] for mark in marks[-10:]), "after it came back, the primary carries everything"
    assert {total(primary, backup)[mark, TO] for mark in marks} == {1}
    assert primary.violations == []


def test_f02_the_line_dies_in_the_middle_of_the_content(launch, primary, backup):
    """The last byte has not left: that is no doubt, and the backup may have it."""
    gateway = launch(backup=backup.connection(timeouts={"data_reply": 60}))
    primary.on("body", after_bytes(100_000, reset))
    mark = gateway.send(body="x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 300_000)
    wait_until(lambda: backup.copies[mark, TO], 15, gateway.report)
    assert primary.mail == []
    wait_until(lambda: gateway.state(mark) == "accepted", 10, gateway.report)


def test_f12_an_early_refusal_of_the_content_is_heard_before_all_of_it_is_sent(launch, primary, backup):
    gateway = launch()
    primary.on("data", refuse_early("451 4.3.0 Trouble here"))
    mark = gateway.send(body=("y" * 70 + "\r\n") * 300_000)
    wait_until(lambda: backup.copies[mark, TO], 10, gateway.report)
    assert primary.mail == []


def arrived(mark, *providers):
    return total(*providers)[mark, TO]


def test_f07_a_slow_upload_has_a_deadline_and_holds_nobody_up(launch, backup):
    with Provider(name="slow", tiny_window=True) as primary:
        gateway = launch(primary=primary)
        primary.on("body", read_slowly(20_000), times=1)
        big = gateway.send(body=("y" * 70 + "\r\n") * 170_000)
        waits = []
        for _ in range(10):
            mark = gateway.send()
            waits.append(wait_until(partial(arrived, mark, primary, backup), 10, gateway.report))
        assert max(waits) < 1, waits
        wait_until(lambda: backup.copies[big, TO], 40, gateway.report)
        assert total(primary, backup)[big, TO] == 1


def test_f13_an_extra_reply_before_the_point_is_never_taken_for_the_answer_to_the_dot(launch, primary, backup):
    """`250` twice at RCPT: the second must not count as the 354, nor the 354 as the answer to the message."""
    gateway = launch()
    primary.on("rcpt", raw(b"250 2.1.5 Ok\r\n250 2.0.0 Ok: queued\r\n"))
    primary.on("dot", say("451 4.3.0 Not taken"))
    mark = gateway.send()
    wait_until(lambda: backup.copies[mark, TO], 10, gateway.report)
    assert primary.mail == []


def test_f10_a_421_on_a_kept_session_is_no_failure_of_the_message(launch, primary, backup):
    """Providers close idle sessions with 421; a session that was kept may be dead when it is used again."""
    gateway = launch()
    first = gateway.send()
    wait_until(lambda: primary.copies[first, TO], 5)
    primary.hang_up_all()
    second = gateway.send()
    wait_until(lambda: total(primary, backup)[second, TO], 5, gateway.report)
    gateway.becomes(second, "accepted")


def test_one_message_after_a_slow_but_good_primary_stays_with_the_primary(launch, primary, backup):
    gateway = launch()
    primary.on("greeting", before(normally, seconds=0.6))
    primary.on("data", before(normally, seconds=0.6))
    mark = gateway.send()
    wait_until(lambda: primary.copies[mark, TO], 10, gateway.report)
    time.sleep(0.5)
    assert backup.mail == []


def test_the_message_is_the_same_whichever_connection_carries_it(launch, primary, backup):
    gateway = launch()
    primary.on("dot", say("451 4.3.0 Trouble here"))
    mark = new_mark()
    with gateway.client() as client:
        client.sendmail("shop@example.com", [TO], message(mark, ".dots\r\n..\r\nlast\r\n"))
    wait_until(lambda: backup.copies[mark, TO], 10, gateway.report)
    body = backup.mail[0].data.partition(b"\r\n\r\n")[2]
    assert body == b".dots\r\n..\r\nlast\r\n"
    assert backup.mail[0].data.count(b"Message-ID:") == 1
    assert backup.mail[0].data.count(b"Date:") == 1
