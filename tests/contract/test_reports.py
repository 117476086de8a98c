"""What every store promises of reports: counts by what became of the mail, and the last attempts."""

from datetime import timedelta
from typing import Any

import pytest

from secondpost.core.delivery import Move
from secondpost.core.event import Sequel
from secondpost.core.outcome import ON_PURPOSE, Deferred, Fault, Rejected, Unclear
from secondpost.core.tally import Heading, Tally, together
from tests.store.samples import DAY, HOUR, NOW, WORKER, accepted, ended, record, submission

SECOND = timedelta(seconds=1)


async def mail(store):
    """One message for each fate: sent by the first connection, by another, refused, unclear, waiting, cancelled."""
    crowd = [
        submission(
            n, accepted=NOW + (n // 3) * HOUR, worker="" if n == 4 else WORKER, client="crm" if n == 1 else "shop",
            subject="Your order" if n < 3 else "Reset",
            recipients=(f'"a@b{n}"@{"Example.net" if n == 2 else "example.org"}',),
        )
        for n in range(6)
    ]  # fmt: skip
    for it in crowd:
        await store.accept(it)
    took: dict[str, Any] = {"started": NOW, "ended": NOW + 1234 * SECOND / 1000}
    await store.record(record(crowd[0], accepted(), **took))
    later: dict[str, Any] = {"connection": "backup", "started": NOW + SECOND, "ended": NOW + 3 * SECOND}
    put_off = ended(0, Deferred(Fault.UNREACHABLE, "refused"), Move.PUT_OFF, Move.LEASE)
    await store.record(record(crowd[1], put_off))
    await store.record(record(crowd[1], accepted(), attempt=2, **later))
    await store.record(record(crowd[2], ended(0, Rejected(Fault.RECIPIENT, "550 nobody"), Move.REJECT), **took))
    await store.record(record(crowd[3], ended(0, Unclear(), Move.DOUBT)))
    await store.move(crowd[5].id, None, Move.CANCEL, now=NOW, due=None, reason="")
    return crowd


async def tally(store, heading, since=NOW, until=NOW + DAY, limit=10):
    return await store.tally(heading, since=since, until=until, step=HOUR, limit=limit)


async def test_every_delivery_is_counted_once_by_what_became_of_it(store):
    await mail(store)
    whole = together(await tally(store, Heading.TIME))
    assert whole == Tally(primary=1, backup=1, failed=1, unclear=1, waiting=1, cancelled=1, times={1200: 1, 3000: 1})


async def test_what_providers_told_later_is_part_of_what_was_sent_unless_they_failed(store):
    crowd = await mail(store)
    for number, came in ((0, Sequel.DELIVERED), (1, Sequel.FAILED), (2, Sequel.COMPLAINED), (3, Sequel.BOUNCED)):
        await store.event("told", at=NOW, message=crowd[number].id, text="#0", sequel=(0, came))
    whole = together(await tally(store, Heading.TIME))  # 2 was refused, and arrived all the same; 3 is still unclear
    assert whole == Tally(
        primary=2, failed=1, unclear=1, waiting=1, cancelled=1, delivered=1, complained=1, times={1200: 1}
    )  # fmt: skip
    assert (whole.all, whole.sent, whole.told) == (6, 2, 2)
    assert (await tally(store, Heading.CONNECTION, limit=1))[0].all == 3


@pytest.mark.parametrize(
    ("heading", "counts"),
    [
        (Heading.TIME, {"0": 3, "1": 3}),
        (Heading.SUBJECT, {"Reset": 3, "Your order": 3}),
        (Heading.CONNECTION, {"primary": 3, "": 2, "backup": 1}),
        (Heading.INITIATOR, {"shop": 5, "crm": 1}),
        (Heading.DOMAIN, {"example.org": 5, "example.net": 1}),
    ],
)
async def test_deliveries_are_counted_under_each_heading_the_largest_first(store, heading, counts):
    await mail(store)
    found = await tally(store, heading)
    assert {one.key: one.all for one in found} == counts
    assert [one.all for one in found] == sorted(counts.values(), reverse=True)
    assert await tally(store, heading, limit=1) == found[:1]


async def test_only_what_was_accepted_in_that_time_is_counted(store):
    await mail(store)
    assert together(await tally(store, Heading.TIME, until=NOW + HOUR)).all == 3
    assert together(await tally(store, Heading.TIME, since=NOW + HOUR)).all == 3
    assert await tally(store, Heading.TIME, since=NOW + DAY) == []


async def test_a_test_of_one_connection_is_not_counted_but_one_like_a_real_message_is(store):
    await store.accept(submission(1, tag="test", notes='{"why":"the message names the connection backup"}'))
    await store.accept(submission(2, tag="test"))
    assert together(await tally(store, Heading.TIME)).all == 1


async def test_the_last_attempts_of_each_connection_are_told(store):
    crowd = await mail(store)
    found = {(one.connection, one.accepted): one for one in await store.last_attempts(NOW)}
    assert set(found) == {("primary", True), ("primary", False), ("backup", True)}
    failed = found["primary", False]
    assert (failed.at, failed.message, failed.reply) == (NOW + 1234 * SECOND / 1000, crowd[2].id, "550 nobody")
    assert found["backup", True].reply == "250 2.0.0 queued"
    assert await store.last_attempts(NOW + DAY) == []


async def test_what_a_drill_refused_on_purpose_is_not_an_error_of_the_connection(store):
    it = submission(9, accepted=NOW, worker=WORKER)
    await store.accept(it)
    on_purpose = ended(0, Deferred(Fault.UNREACHABLE, ON_PURPOSE), Move.PUT_OFF, Move.LEASE)
    assert await store.record(record(it, on_purpose, ended=NOW + SECOND))
    assert await store.last_attempts(NOW) == []
