"""The SMTP mailer at the point of no return: it crosses only with the right to."""

import asyncio

import pytest

from tests.mailers.parcels import Crossing, Tail, parcel, told
from tests.mailers.reaching import WAYS, reaching, send
from tests.provider import before, hang_up, normally


@pytest.mark.parametrize("way", WAYS)
async def test_without_the_right_nothing_is_sent(provider, way):
    options = dict(WAYS[way])
    provider.extensions = options.pop("extensions", provider.extensions)
    async with reaching(provider, **options) as mailer:
        report = await send(mailer, crossing=Crossing(granted=False))
        assert report.abandoned
        assert told(report) == ["deferred local"]
        assert told(await send(mailer)) == ["accepted"]
    assert len(provider.mail) == 1


async def test_a_large_message_without_the_right_is_not_ended(provider):
    async with reaching(provider) as mailer:
        report = await mailer.send(parcel(tail=Tail(b"x" * 200_000)), Crossing(granted=False))
    assert report.abandoned
    assert provider.mail == []


async def test_the_right_is_asked_for_only_when_somebody_will_take_it(provider):
    """Not before 354, and written down while the envelope is on its way."""
    provider.on("data", before(normally, seconds=0.3))
    async with reaching(provider) as mailer:
        crossing = Crossing()
        task = asyncio.create_task(send(mailer, crossing=crossing))
        await asyncio.sleep(0.15)
        assert (crossing.prepared, crossing.taken) == (1, 0)
        await task
        assert crossing.taken == 1


async def test_the_line_is_lost_while_the_right_is_being_written_down(provider):
    provider.on("body", before(hang_up, seconds=0.1))
    async with reaching(provider) as mailer:
        report = await send(mailer, crossing=Crossing(delay=0.4))
    assert told(report) == ["deferred unreachable"]
    assert provider.mail == []


async def test_a_store_that_fails_at_the_point_sends_nothing(provider):
    async with reaching(provider) as mailer:
        with pytest.raises(RuntimeError, match="disk"):
            await send(mailer, crossing=Crossing(error=RuntimeError("disk")))
        assert told(await send(mailer)) == ["accepted"]
    assert len(provider.mail) == 1


async def test_cancelled_before_the_point_nothing_is_sent(provider):
    provider.on("data", before(normally, seconds=0.3))
    async with reaching(provider) as mailer:
        task = asyncio.create_task(send(mailer))
        await asyncio.sleep(0.15)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.4)
    assert provider.mail == []
