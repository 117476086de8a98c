"""Ids of one process are ordered, and no two are alike."""

from secondpost.core import message
from secondpost.service import ids


def test_a_later_id_is_greater_even_in_the_same_millisecond():
    drawn = [ids.new_id() for _ in range(10_000)]
    assert drawn == sorted(set(drawn))


def test_an_id_tells_when_it_was_drawn_also_after_the_clock_stepped_back(monkeypatch):
    before = ids.new_id()
    monkeypatch.setattr("time.time_ns", lambda: 0)
    assert ids.new_id() == before + 1


def test_an_id_survives_being_written_for_people():
    number = ids.new_id()
    assert message.parse_id(message.id_text(number)) == number


def test_no_two_workers_have_one_name():
    assert len({ids.worker_name() for _ in range(1000)}) == 1000
