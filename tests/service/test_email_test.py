"""The Email Test: what it sends and by whom, that it is tried once, and how it is told."""

import pytest

from secondpost.core import breaker
from secondpost.core.outcome import Deferred, Fault, Rejected, Unclear
from secondpost.core.suppression import List
from secondpost.errors import Refusal, SecondpostError
from secondpost.service import email_test
from tests.service.conftest import DOWN
from tests.service.connected import three_connections


@pytest.fixture
async def connections(office):
    return await three_connections(office)


async def run_test(office, connections, to="a@example.net", **given):
    return await email_test.send(connections, office.submit, to, **({"plain": False, "like_real": False} | given))


async def test_a_test_goes_by_the_primary_and_tells_how_it_went(office, connections):
    told = await run_test(office, connections)
    assert (told["ok"], told["outcome"], told["phase"], told["reply"]) == (True, "accepted", "point", "250 ok")
    assert (told["transcript"], told["diagnosis"]) == ("S: 250 ok", None)
    assert [stage["name"] for stage in told["stages"]] == ["on disk", "carried"]
    (copy,) = office.mailers["main"].takes
    assert b"Subject: Secondpost: HTML Test email to a@example.net" in copy.message.head
    assert copy.sender == "secondpost@gateway.example"
    assert office.worker.room.count == 0


async def test_a_test_uses_the_address_of_the_connection_it_tests(office, connections):
    await connections.add("fourth", mailer="scripted", sender="shop@example.org")
    await run_test(office, connections, connection="fourth", plain=True)
    (copy,) = office.mailers["fourth"].takes
    assert copy.sender == "shop@example.org"
    assert b"Subject: Secondpost: Test email" in copy.message.head


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        (DOWN, "cannot be reached"),
        (Deferred(Fault.LIMIT, "429"), "limits"),
        (Deferred(Fault.PROVIDER, "451"), "trouble"),
        (Rejected(Fault.RECIPIENT, "550 5.1.1"), "recipient"),
        (Unclear("lost"), "not known"),
    ],
)
async def test_a_test_that_fails_is_tried_once_does_not_fall_back_and_is_diagnosed(office, connections, outcome, title):
    office.mailers["main"].answer = lambda parcel: (outcome,)
    told = await run_test(office, connections)
    assert (told["ok"], title in told["diagnosis"]["title"]) == (False, True)
    await office.later(minutes=30)
    await office.housekeeping.doubts()
    await office.later(minutes=30)
    assert office.copies() == 1
    (message,) = office.store._entries
    assert (await office.states(message))[0] in {"cancelled", "rejected"}
    assert office.worker.room.count == 0


async def test_a_test_is_sent_whatever_the_breaker_says_and_its_success_closes_it(office, connections):
    line, now = office.line("main"), office.clock()
    line.breaker = breaker.record(line.breaker, Deferred(Fault.ACCOUNT, "535"), started=now, now=now)
    office.clock.forward(seconds=1)
    assert (await run_test(office, connections))["ok"]
    assert line.breaker.state is breaker.State.CLOSED


async def test_a_test_like_a_real_message_takes_the_route_and_falls_back(office, connections):
    office.mailers["main"].refuse = DOWN
    told = await run_test(office, connections, like_real=True)
    assert (told["ok"], told["queued"]) == (True, True)
    await office.rest()
    assert len(office.mailers["second"].takes) == 1


async def test_a_test_is_sent_when_do_not_send_is_on(office, connections):
    office.desk.do_not_send = True
    assert (await run_test(office, connections))["ok"]


@pytest.mark.parametrize("to", ["", "nobody", "a@b@c"])
async def test_a_test_to_what_is_no_address_is_refused(office, connections, to):
    with pytest.raises(Refusal):
        await run_test(office, connections, to=to)


async def test_a_test_to_somebody_who_must_not_be_written_to_is_refused(office, connections):
    office.desk.suppressed = List({"gone@example.net": "bounced"})
    with pytest.raises(SecondpostError, match="suppressed: bounced"):
        await run_test(office, connections, to="gone@example.net")
    assert office.store._entries == {}


async def test_a_test_of_a_connection_that_is_not_there_is_refused(office, connections):
    with pytest.raises(SecondpostError, match="no connection 'nowhere'"):
        await run_test(office, connections, connection="nowhere")


def test_a_test_message_has_the_words_of_the_tutorial():
    html = email_test.words("a@example.net", plain=False, connection="<Main> & co")
    assert html["subject"] == "Secondpost: HTML Test email to a@example.net"
    assert "&lt;Main&gt; &amp; co" in html["html"]
    plain = email_test.words("a@example.net", plain=True, connection="Main")
    assert (plain["subject"], "html" in plain) == ("Secondpost: Test email to a@example.net", False)
