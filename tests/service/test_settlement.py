"""A doubt that ends as refused tells the sender, whoever says that it was."""

import pytest

from secondpost.core.outcome import Accepted, Unclear
from secondpost.errors import StoreUnavailable
from secondpost.service import settlement

PERSON = "settled by a person: refused"


@pytest.fixture
def office(office):
    """An office that reports failures as the gateway does."""
    office.worker.tell_sender = office.nondelivery.rejected
    return office


async def doubtful(office, **fields):
    """A message of two whose answer was lost; the reports themselves are taken."""
    lost = Unclear("lost"), Unclear("lost")
    office.primary.answer = lambda parcel: lost if parcel.sender else (Accepted("250 ok"),)
    return await office.send("a@example.net", "b@example.net", **({"entrypoint": "smtp"} | fields))


async def refuse(office, message, numbers=None):
    entry = await office.entry(message)
    moved = await settlement.refuse(office.worker, entry, numbers, now=office.clock(), reason=PERSON)
    await office.later(seconds=1)
    return moved


def reports(office):
    return [parcel for parcel in office.primary.takes if not parcel.sender]


async def test_the_sender_is_told_of_those_that_were_refused_in_one_report(office):
    message = await doubtful(office)
    assert await refuse(office, message) == (0, 1)
    assert await office.states(message) == ["rejected", "rejected"]
    (report,) = reports(office)
    assert report.recipients == ("shop@example.com",)
    for part in (b"a@example.net", b"b@example.net", PERSON.encode(), b"Subject: hello"):
        assert part in report.message.body


async def test_of_what_is_still_in_doubt_nothing_is_told(office):
    message = await doubtful(office)
    assert await refuse(office, message, [1]) == (1,)
    assert await office.states(message) == ["unclear", "rejected"]
    (report,) = reports(office)
    assert b"a@example.net" not in report.message.body


async def test_it_is_told_once(office):
    message = await doubtful(office)
    await refuse(office, message)
    assert await refuse(office, message) == ()
    assert len(reports(office)) == 1


async def test_whoever_settles_it_at_the_same_moment_changes_nothing_and_tells_nothing(office):
    message = await doubtful(office)
    before = await office.entry(message)
    await refuse(office, message, [0])
    assert await settlement.refuse(office.worker, before, None, now=office.clock(), reason=PERSON) == ()
    assert await office.states(message) == ["rejected", "unclear"]
    assert len(reports(office)) == 1


async def test_where_nobody_is_to_be_told_it_is_settled_all_the_same(office):
    message = await doubtful(office, entrypoint="http")
    assert await refuse(office, message) == (0, 1)
    assert reports(office) == []


async def test_what_cannot_be_written_down_stays_a_doubt_and_is_not_told(office):
    message = await doubtful(office)
    office.store.failing = {"move"}
    with pytest.raises(StoreUnavailable):
        await refuse(office, message)
    assert await office.states(message) == ["unclear", "unclear"]
    assert reports(office) == []
