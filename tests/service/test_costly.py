import asyncio

import pytest

from secondpost.service.costly import MOST, Costly


class Time:
    now = 0.0
    count = 0  # of the work done

    def __call__(self):
        return self.now


@pytest.fixture
def costly():
    return Costly(clock=Time())


async def asked(costly, key="a", price=0.0):
    """The answer: how often the work was done until it."""

    async def work():
        costly.clock.now += price
        costly.clock.count += 1
        return costly.clock.count

    return await costly.get(key, work)


async def test_an_answer_is_kept_for_twenty_times_its_price(costly):
    assert await asked(costly, price=3.0) == 1
    costly.clock.now = 62.9
    assert await asked(costly, price=3.0) == 1
    costly.clock.now = 63.0
    assert await asked(costly, price=3.0) == 2


async def test_what_costs_nothing_is_asked_once_a_second(costly):
    assert [await asked(costly), await asked(costly)] == [1, 1]
    costly.clock.now = 1.0
    assert await asked(costly) == 2


async def test_who_comes_together_waits_for_one_answer(costly):
    assert await asyncio.gather(*(asked(costly, price=1.0) for _ in range(5))) == [1] * 5


async def test_an_error_is_not_kept(costly):
    async def fails():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await costly.get("a", fails)
    assert await asked(costly) == 1


async def test_the_oldest_answers_are_forgotten(costly):
    for number in range(MOST + 1):
        await asked(costly, key=number)
    assert await asked(costly, key=1) == 2
    assert await asked(costly, key=0) == MOST + 2
