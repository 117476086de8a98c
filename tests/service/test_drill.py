"""The Fallback Drill: who refuses on purpose, that no mail is lost by it, and that it ends by itself."""

import asyncio
from datetime import timedelta

import pytest

from secondpost.core import message as rfc5322
from secondpost.core.outcome import Deferred, Fault
from secondpost.core.priority import Priority
from secondpost.errors import SecondpostError, WrongInput
from secondpost.service.drill import Drills
from tests.service.conftest import DOWN
from tests.service.connected import connections_of


@pytest.fixture
async def drills(office):
    connections = connections_of(office)
    for name in ("main", "second", "third"):
        await connections.add(name, mailer="scripted", sender="shop@example.com")
    await connections.set_backup("second")
    drills = Drills(office.store, connections, office.submit)
    await drills.load()
    return drills


async def test_the_backup_carries_the_test_message_and_the_way_is_kept(office, drills):
    result = await drills.test("a@example.net")
    assert result["ok"]
    assert result["carried"] == "second"
    assert [(step["connection"], step["on_purpose"]) for step in result["steps"]] == [("main", True), ("second", False)]
    assert result["text"].startswith("main (Scripted) refused (drill) → second (Scripted) accepted in ")
    assert (office.mailers["main"].tries, len(office.mailers["second"].takes)) == (0, 1)
    assert await drills.results() == [result]
    assert await drills.proved() == result
    assert (await office.store.events(limit=1, kinds=["drill"]))[0]["text"] == result["text"]


async def test_what_the_provider_tells_later_is_told_with_the_drill(office, drills):
    result = await drills.test("a@example.net")
    assert await drills.told(result) == []
    message, at = rfc5322.parse_id(result["id"]), (await office.entry(rfc5322.parse_id(result["id"]))).row.accepted
    await office.store.event("delivered", at=at + timedelta(seconds=3), connection="second", message=message)
    await office.store.event("person", at=at, message=message)
    assert await drills.told(result) == [{"kind": "delivered", "seconds": 3}]


async def test_a_drill_tells_nothing_of_the_connection(office, drills):
    for _ in range(8):
        await drills.test("a@example.net")
    assert office.line("main").breaker.state == "closed"
    assert office.changes == []
    await office.send()
    assert len(office.mailers["main"].takes) == 1


async def test_other_mail_of_that_moment_is_not_concerned(office, drills):
    _, other = await asyncio.gather(drills.test("a@example.net"), office.send("b@example.net"))
    assert await office.attempts(other) == ["main"]


async def test_another_connection_than_the_primary_is_drilled(office, drills):
    result = await drills.test("a@example.net", "third")
    assert [step["connection"] for step in result["steps"]] == ["third", "second"]


async def test_where_the_backup_is_down_too_the_message_goes_by_the_connection_itself_and_it_is_told(office, drills):
    office.mailers["second"].refuse = Deferred(Fault.ACCOUNT, "535 no")
    await office.send(prefer="second")  # opens its breaker
    result = await drills.test("a@example.net")
    assert not result["ok"]
    assert result["carried"] == "main"
    assert "no other connection could take it" in result["text"]
    assert await drills.proved() is None


async def test_without_a_backup_there_is_no_drill(office, drills):
    await drills.connections.set_backup(None)
    with pytest.raises(SecondpostError, match="choose a Backup Connection first"):
        await drills.test("a@example.net")
    with pytest.raises(SecondpostError, match="choose a Backup Connection first"):
        await drills.begin(5)
    assert office.copies() == 0


async def test_mail_that_must_not_be_sent_is_not_sent_by_a_drill(office, drills):
    office.desk.do_not_send = True
    with pytest.raises(SecondpostError, match="Do Not Send"):
        await drills.test("a@example.net")


# Real mail ---------------------------------------------------------------------------------------------------------


async def test_real_mail_takes_the_other_way_until_its_time_is_over(office, drills):
    await drills.begin(5)
    for priority in (Priority.URGENT, Priority.NORMAL, Priority.BULK):
        assert await office.attempts(await office.send(priority=priority)) == ["main", "second"]
    office.clock.forward(minutes=5)
    assert await office.attempts(await office.send()) == ["main"]  # even before anybody has tidied up
    await drills.tend()
    (result,) = await drills.results()
    assert (result["refused"], drills.real) == (3, None)
    assert "3 messages" in result["text"]
    assert await drills.proved() is None  # it saw no backup take a message


async def test_real_mail_is_not_refused_where_there_is_no_other_way(office, drills):
    await drills.begin(5)
    office.mailers["second"].refuse = DOWN
    messages = [await office.send() for _ in range(5)]
    assert [await office.states(message) for message in messages[-2:]] == [["accepted"]] * 2
    assert len(office.mailers["main"].takes) >= 2


async def test_it_goes_on_after_a_restart_and_ends_in_time(office, drills):
    await drills.begin(5)
    await office.send()
    await drills.tend()
    again = Drills(office.store, drills.connections, office.submit)
    await again.load()
    assert await office.attempts(await office.send()) == ["main", "second"]
    assert again.real is not None
    assert again.real.refused == 2
    office.clock.forward(minutes=6)
    late = Drills(office.store, drills.connections, office.submit)
    await late.load()
    assert await office.attempts(await office.send()) == ["main"]
    await late.tend()
    assert late.real is None
    assert await office.store.get("drill plan", "now") is None


async def test_it_is_ended_by_a_person(office, drills):
    await drills.begin(60, "main")
    with pytest.raises(SecondpostError, match="under way"):
        await drills.begin(5)
    await drills.end()
    assert await drills.end() is None
    assert await office.attempts(await office.send()) == ["main"]


@pytest.mark.parametrize("minutes", [0, -1, 61, 2.5, "5", True])
async def test_a_wrong_time_begins_nothing(drills, minutes):
    with pytest.raises(WrongInput):
        await drills.begin(minutes)
    assert drills.real is None


# By itself ---------------------------------------------------------------------------------------------------------


async def test_it_drills_by_its_schedule(office, drills):
    await drills.plan(7, "a@example.net")
    await drills.tend()
    assert await drills.results() == []
    office.clock.forward(days=7)
    await drills.tend()
    await drills.tend()
    (result,) = await drills.results()
    assert (result["ok"], result["to"]) == (True, "a@example.net")
    await drills.plan(0, "")
    assert await drills.schedule() is None


async def test_a_scheduled_drill_that_cannot_be_is_told_and_not_tried_at_once_again(office, drills):
    await drills.plan(7, "a@example.net")
    await drills.connections.set_backup(None)
    office.clock.forward(days=7)
    await drills.tend()
    await drills.tend()
    (event,) = await office.store.events(limit=2)
    assert "did not take place" in event["text"]


@pytest.mark.parametrize(("days", "to"), [(-1, "a@example.net"), (366, "a@example.net"), (7, "nobody")])
async def test_a_wrong_schedule_is_refused(drills, days, to):
    with pytest.raises(SecondpostError):
        await drills.plan(days, to)
    assert await drills.schedule() is None


async def test_a_bounded_number_of_results_is_kept(drills, monkeypatch):
    monkeypatch.setattr("secondpost.service.drill.KEPT", 2)
    results = [await drills.test("a@example.net") for _ in range(4)]
    assert [one["id"] for one in await drills.results()] == [one["id"] for one in reversed(results[-2:])]
