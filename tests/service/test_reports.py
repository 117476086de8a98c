"""Reports of whole days."""

from datetime import UTC, datetime, timedelta

import pytest

from secondpost.core.outcome import Fault, Rejected
from secondpost.core.tally import Heading
from secondpost.errors import SecondpostError
from secondpost.service.reports import DAY, LONGEST, Reports
from tests.service.conftest import DOWN, Office


@pytest.fixture
def today(office: Office) -> datetime:
    return office.clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


async def test_every_day_has_its_place_also_the_empty_ones(office, today):
    await office.send("a@example.net", "b@example.org")
    office.primary.refuse = DOWN
    await office.send()
    report = await Reports(office.store).report(today - 6 * DAY, today + DAY, Heading.DOMAIN)
    assert [step.all for step in report.steps] == [0] * 6 + [3]
    assert (report.whole.primary, report.whole.backup) == (2, 1)
    assert [(row.key, row.all) for row in report.rows] == [("example.net", 2), ("example.org", 1)]


async def test_up_to_two_days_are_told_by_the_hour(office, today):
    await office.send()
    report = await Reports(office.store).report(today, today + DAY, Heading.SUBJECT)
    assert (report.step, len(report.steps), report.whole.all) == (timedelta(hours=1), 24, 1)
    assert report.steps[office.clock().hour].all == 1


async def test_what_failed_is_counted_under_its_connection(office, today):
    office.primary.answer = lambda parcel: (Rejected(Fault.RECIPIENT, "550"),)
    await office.send()
    (row,) = (await Reports(office.store).report(today, today + DAY, Heading.CONNECTION)).rows
    assert (row.key, row.failed, row.within(0.5)) == ("primary", 1, None)


@pytest.mark.parametrize("days", [0, -3, LONGEST + 1])
async def test_a_range_that_is_none_or_too_long_is_refused(office, today, days):
    with pytest.raises(SecondpostError, match="first day and a last day"):
        await Reports(office.store).report(today, today + days * DAY, Heading.SUBJECT)
