"""Room bounds what is held in memory, by count and by bytes."""

from hypothesis import given
from hypothesis import strategies as st

from secondpost.service.room import Room


def test_it_is_bounded_by_count():
    room = Room(max_count=2)
    room.hold(1)
    assert room.fits(1)
    room.hold(1)
    assert not room.fits(1)


def test_it_is_bounded_by_bytes():
    room = Room(max_bytes=100)
    room.hold(60)
    assert room.fits(40)
    assert not room.fits(41)


async def test_when_there_is_room_again_for_what_waits_on_disk_it_says_so():
    room = Room(max_count=16, behind=True)
    for _ in range(3):
        room.hold(1)
    room.give(1)
    assert not room.hungry.is_set()  # the rest is kept for what arrives meanwhile
    room.give(1)
    assert room.hungry.is_set()


async def test_when_nothing_waits_on_disk_nobody_is_woken():
    room = Room(max_count=16)
    room.hold(1)
    room.give(1)
    assert not room.hungry.is_set()


@given(st.lists(st.integers(0, 200), max_size=50))
def test_what_was_asked_for_first_never_exceeds_the_bounds_and_all_of_it_comes_back(sizes):
    room, kept = Room(max_count=8, max_bytes=500), []
    for size in sizes:
        if room.fits(size):
            room.hold(size)
            kept.append(size)
        assert room.count <= 8
        assert room.bytes <= 500
    for size in kept:
        room.give(size)
    assert (room.count, room.bytes) == (0, 0)
