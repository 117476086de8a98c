"""What the dashboard tells of a gateway at work."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.core import limits
from secondpost.core.connection import Limits
from secondpost.core.outcome import Fault, Rejected
from secondpost.core.truth import Health, Tone
from secondpost.service.dashboard import STEP, STEPS, periods, start
from tests.service.conftest import DOWN, LIMITED, Office
from tests.service.test_operate import operations  # noqa: F401  # the fixture

NOW = datetime(2026, 8, 3, 14, 2, tzinfo=UTC)


@pytest.fixture
def look(operations):  # noqa: F811
    async def now():
        operations.dashboard.costly._kept.clear()  # as after a second
        return await operations.dashboard.overview()

    return now


def said(overview) -> str:
    return "".join(part if isinstance(part, str) else "…" for part in overview.sentence.parts)


async def test_while_all_is_well_the_mail_leaves_by_the_primary(office: Office, operations, look):  # noqa: F811
    await operations.connections_verify()
    await office.send("a@example.net", "b@example.net")
    overview = await look()
    assert said(overview) == "All mail leaves by primary (Scripted). Backup backup (Scripted) checked …."
    assert (overview.day.primary, overview.day.backup, overview.sentence.tone) == (2, 0, Tone.GOOD)
    primary, backup = overview.cards
    assert (primary.role, primary.health, backup.role) == ("primary", Health.WELL, "backup")
    assert primary.last_success is not None
    assert primary.tally.within(0.95) is not None
    assert (backup.last_success, primary.last_error, overview.down) == (None, None, [])


async def test_the_first_message_that_the_backup_rescues_is_told_before_the_breaker_opens(office, look):
    await office.send()
    office.primary.refuse = DOWN
    await office.send()
    overview = await look()
    assert said(overview) == "primary (Scripted) failed …; 1 message went out by backup (Scripted)."
    assert (overview.day.primary, overview.day.backup) == (1, 1)
    assert overview.cards[0].last_error.reply == "refused"


async def test_a_primary_that_is_down_is_told_with_what_the_backup_carried_since_and_drawn(office, look):
    office.worker.on_change = office.trials.changed
    await office.send()
    office.primary.refuse = DOWN
    for _ in range(4):
        await office.send()
    overview = await look()
    assert said(overview) == "primary (Scripted) is down since …; 4 messages went out by backup (Scripted)."
    assert overview.cards[0].broken
    assert [end for _, end in overview.down] == [overview.now]


async def test_when_nothing_leaves_it_says_what_waits(office, look):
    office.primary.refuse = office.backup.refuse = DOWN
    for _ in range(6):
        await office.send()
    overview = await look()
    assert overview.sentence.tone is Tone.BAD
    assert "6 messages wait" in said(overview)
    assert overview.day.waiting == 6


async def test_a_refused_recipient_is_no_fault_of_the_connection(office, look):
    office.primary.answer = lambda parcel: (Rejected(Fault.RECIPIENT, "550 nobody"),)
    await office.send()
    overview = await look()
    assert "leaves by primary" in said(overview)
    assert (overview.day.failed, overview.cards[0].last_error.reply) == (1, "550 nobody")


async def test_a_pause_that_the_provider_asked_for_is_told(office, look):
    office.primary.answer = lambda parcel: (LIMITED,)
    await office.send()
    assert "was asked by its provider to pause until" in said(await look())


async def test_a_drill_is_told_for_what_it_is_and_so_is_what_it_proved(office, operations, look):  # noqa: F811
    await operations.drills.load()
    await operations.drills.begin(5)
    await office.send()
    told = "primary (Scripted) refuses mail on purpose until … (Fallback Drill); mail goes out by backup (Scripted)."
    overview = await look()
    assert (said(overview), overview.day.backup) == (told, 1)
    await operations.drills.end()
    assert (await look()).cards[1].proved is None
    await operations.drill("a@example.net")
    overview = await look()
    assert overview.cards[1].proved is not None
    assert overview.day.all == 1  # the drill's own message is not counted


async def test_what_a_limit_leaves_is_told(office, look):
    office.line().limiter = limits.take(limits.Limiter(limits=Limits(per_day=10)), office.clock())
    assert (await look()).cards[0].left == {"day": 9}


async def test_do_not_send_and_a_disk_that_takes_nothing_are_told(office, look):
    office.desk.do_not_send = True
    assert said(await look()).startswith("Do Not Send")
    office.worker.ledger.suspended = True
    assert said(await look()).startswith("Sending is paused")


async def test_a_success_of_long_ago_is_found_too(office, look):
    await office.send()
    office.clock.forward(days=3)
    overview = await look()
    assert overview.day.all == 0
    assert overview.now - overview.cards[0].last_success > timedelta(days=2)


@given(st.timedeltas(timedelta(), timedelta(days=2000)))
def test_the_day_ends_with_the_step_we_are_in(after):
    now = NOW + after
    since = start(now)
    assert since + (STEPS - 1) * STEP <= now < since + STEPS * STEP
    assert since.minute % 30 == since.second == since.microsecond == 0


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "began", "found"),
    [
        ([], None, []),
        ([(5, "open"), (4, "closed")], None, [(5, 4)]),
        ([(5, "open"), (4, "half-open"), (3, "open"), (2, "closed")], None, [(5, 2)]),
        ([(4, "closed")], None, [(24, 4)]),  # it began before the day
        ([], 30, [(24, 0)]),
        ([(5, "open")], 5, [(5, 0)]),
        ([(5, "open"), (4, "closed"), (2, "open")], 2, [(5, 4), (2, 0)]),
        ([(5, "open for one sender's domain")], None, []),
    ],
)
def test_periods_follow_from_the_changes_of_the_breaker(changes, began, found):
    told = periods(
        [(NOW - hours * HOUR, state) for hours, state in changes],
        since=NOW - 24 * HOUR, now=NOW, began=None if began is None else NOW - began * HOUR,
    )  # fmt: skip
    assert told == [(NOW - begin * HOUR, NOW - end * HOUR) for begin, end in found]
