"""A sender is told what nobody took: once, in words, and only who wants to be told."""

from typing import Any

import pytest

from secondpost.core.outcome import Accepted, Fault, Rejected
from secondpost.core.priority import Priority
from secondpost.errors import StoreUnavailable
from tests.service.conftest import DOWN

GONE = Rejected(Fault.RECIPIENT, "550 5.1.1 no such user")


@pytest.fixture
def office(office):
    """An office that reports failures as the gateway does."""
    office.worker.tell_sender = office.nondelivery.rejected
    return office


async def fail(office, *recipients, **fields: Any):
    """A message whose recipients are refused; the reports themselves are taken."""
    office.primary.answer = lambda parcel: (GONE,) * len(parcel.recipients) if parcel.sender else taken(parcel)
    return await office.send(*recipients, **({"entrypoint": "smtp"} | fields))


def taken(parcel):
    return (Accepted("250 ok"),) * len(parcel.recipients)


def reports(office):
    return [parcel for mailer in office.mailers.values() for parcel in mailer.takes if not parcel.sender]


async def test_who_submitted_by_smtp_is_told_of_a_refused_recipient(office):
    message = await fail(office, "a@example.net")
    await office.later(seconds=1)
    (report,) = reports(office)
    assert report.recipients == ("shop@example.com",)
    content = report.message.head + report.message.body
    for part in (
        b"Subject: Not delivered to a@example.net",
        b"550 5.1.1 no such user",
        b"Auto-Submitted",
        b"Subject: hello",
    ):
        assert part in content
    entry = await office.entry(report.id)
    assert (entry.parent, entry.row.entrypoint, entry.row.sender) == (message, "report", "")


async def test_one_report_tells_of_all_recipients_that_failed_together_and_of_no_other(office):
    office.primary.answer = lambda parcel: (GONE, *taken(parcel)[1:-1], GONE) if parcel.sender else taken(parcel)
    await office.send("a@example.net", "b@example.net", "c@example.net", entrypoint="smtp")
    await office.later(seconds=1)
    (report,) = reports(office)
    content = report.message.body
    assert b"a@example.net" in content
    assert b"c@example.net" in content
    assert b"b@example.net" not in content


async def test_the_null_reverse_path_is_never_told(office):
    office.primary.refuse = GONE
    await office.send(sender="", entrypoint="smtp")
    await office.later(seconds=1)
    assert len(office.store._entries) == 1


async def test_a_report_that_fails_makes_no_report(office):
    office.primary.refuse = GONE
    message = await office.send(entrypoint="smtp")
    await office.later(seconds=1)
    (report,) = set(office.store._entries) - {message}
    assert await office.states(report) == ["rejected"]


@pytest.mark.parametrize("entrypoint", ["cli", "resend", "http", ""])
async def test_what_did_not_come_by_smtp_is_not_answered_by_mail(office, entrypoint):
    await fail(office, entrypoint=entrypoint)
    await office.later(seconds=1)
    assert len(office.store._entries) == 1


async def test_reports_can_be_switched_off(office):
    office.nondelivery.enabled = False
    await fail(office)
    await office.nondelivery.expired(next(iter(office.store._entries)), [0])
    assert len(office.store._entries) == 1


async def test_who_asked_not_to_be_told_of_a_recipient_is_not(office):
    await fail(office, "a@example.net", "b@example.net", dsn={"NOTIFY a@example.net": "NEVER"})
    await office.later(seconds=1)
    (report,) = reports(office)
    assert b"b@example.net" in report.message.body
    assert b"a@example.net" not in report.message.body
    await fail(office, "a@example.net", dsn={"NOTIFY a@example.net": "NEVER"})
    await office.later(seconds=1)
    assert len(reports(office)) == 1


async def expire(office, **fields: Any):
    """A message that nobody took in time."""
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send(entrypoint="smtp", priority=Priority.URGENT, **fields)
    office.clock.forward(hours=2)
    office.primary.refuse = office.backup.refuse = None
    await office.housekeeping.expire()
    await office.later(seconds=1)
    return message


async def test_the_sender_is_told_that_nobody_took_it_in_time_and_why(office):
    message = await expire(office)
    assert await office.states(message) == ["expired"]
    (report,) = reports(office)
    assert b"Status: 4.4.7" in report.message.body
    assert b"refused" in report.message.body


async def test_an_expired_message_is_told_of_once(office):
    await expire(office)
    await office.housekeeping.expire()
    await office.later(seconds=1)
    assert len(reports(office)) == 1


async def test_an_expiry_that_was_never_tried_says_so(office):
    office.connect(primary="", backup="")
    message = await office.send(entrypoint="smtp")
    report = await office.nondelivery.expired(message, [0])
    assert b"before its time was over" in report.message.body


async def test_a_message_that_is_gone_from_the_log_is_not_told_of(office):
    assert await office.nondelivery.expired(12345, [0]) is None


async def test_what_is_dropped_from_the_content_is_told_without_its_header(office):
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send(entrypoint="smtp")
    office.store._entries[message].content = None
    report = await office.nondelivery.expired(message, [0])
    assert b"Subject: hello" not in report.message.body


async def test_an_end_is_written_down_with_its_report_or_not_at_all(office):
    office.primary.refuse = GONE
    office.store.failing = {"record"}
    message = await office.send(entrypoint="smtp")
    assert len(office.store._entries) == 1
    office.store.failing = set()
    await office.worker.save_unsaved()
    assert await office.states(message) == ["rejected"]
    (report,) = set(office.store._entries) - {message}
    assert (await office.entry(report)).parent == message


async def test_what_cannot_be_read_for_its_report_stays_until_it_can(office):
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send(entrypoint="smtp", priority=Priority.URGENT)
    office.clock.forward(hours=2)
    office.store.failing = {"entry"}
    with pytest.raises(StoreUnavailable):
        await office.housekeeping.expire()
    assert await office.states(message) == ["waiting"]
    office.store.failing = set()
    await office.housekeeping.expire()
    assert await office.states(message) == ["expired"]
    assert len(office.store._entries) == 2


async def test_a_report_that_cannot_be_made_keeps_no_end_from_being_written_down(office, caplog):
    office.primary.refuse = GONE
    office.nondelivery.submit = None
    message = await office.send(entrypoint="smtp")
    assert await office.states(message) == ["rejected"]
    assert "could not be made" in caplog.text
    assert len(office.store._entries) == 1
