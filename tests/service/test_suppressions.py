"""Addresses that must not be written to: kept over a restart, applied to every message, changed as a whole or not."""

import pytest

from secondpost.core.suppression import Reason
from secondpost.errors import SecondpostError, StoreUnavailable
from secondpost.service.suppressions import Suppressions, reason
from tests.service.conftest import Office

GONE, ANGRY, WELL = "Gone@Example.NET", "angry@example.net", "well@example.net"


@pytest.fixture
def suppressions(office: Office) -> Suppressions:
    return Suppressions(office.store, office.desk, office.clock)


async def test_a_suppressed_recipient_is_withheld_and_the_others_get_theirs(office, suppressions):
    await suppressions.add([GONE], Reason.BOUNCED)
    message = await office.send("gone@example.net", WELL)
    assert await office.states(message) == ["cancelled", "accepted"]
    assert (await office.entry(message)).deliveries[0]["reason"] == "suppressed: bounced"
    assert [parcel.recipients for parcel in office.primary.takes] == [(WELL,)]


async def test_the_list_survives_a_restart(office, suppressions):
    await suppressions.add([GONE, ANGRY])
    await suppressions.add([WELL], Reason.SPAM)
    office.desk.suppressed = type(office.desk.suppressed)()
    again = Suppressions(office.store, office.desk, office.clock)
    await again.load()
    assert again.show() == suppressions.show()
    assert [(row["address"], row["reason"]) for row in again.show()] == [
        ("angry@example.net", "manual"), ("gone@example.net", "manual"), ("well@example.net", "spam"),
    ]  # fmt: skip
    assert await office.states(await office.send(WELL)) == ["cancelled"]


async def test_who_is_on_it_keeps_the_first_reason(suppressions):
    assert await suppressions.add([GONE, GONE], Reason.BOUNCED) == ["gone@example.net"]
    assert await suppressions.add(["gone@example.net", ANGRY]) == [ANGRY]
    assert [row["reason"] for row in suppressions.show()] == ["manual", "bounced"]


async def test_an_address_that_is_allowed_again_gets_mail(office, suppressions):
    await suppressions.add([GONE, ANGRY])
    assert await suppressions.remove(["GONE@example.net"]) == ["gone@example.net"]
    assert await office.states(await office.send(GONE)) == ["accepted"]
    assert await office.states(await office.send(ANGRY)) == ["cancelled"]


async def test_nothing_is_half_done(suppressions):
    with pytest.raises(SecondpostError, match=r"'no address' is not an address.*Nothing was changed"):
        await suppressions.add([ANGRY, "no address"])
    await suppressions.add([GONE])
    with pytest.raises(SecondpostError, match=r"angry@example\.net is not suppressed"):
        await suppressions.remove([GONE, ANGRY])
    assert [row["address"] for row in suppressions.show()] == ["gone@example.net"]
    with pytest.raises(SecondpostError, match="'tired': use invalid, bounced, spam, unsubscribed, manual"):
        reason("tired")


async def test_what_could_not_be_written_down_is_not_said_to_be_done(office, suppressions):
    office.store.failing = {"put"}
    with pytest.raises(StoreUnavailable):
        await suppressions.add([GONE])
    assert suppressions.show() == []


async def test_every_change_is_told(office, suppressions):
    await suppressions.add([GONE], Reason.SPAM)
    await suppressions.remove([GONE])
    texts = [event["text"] for event in await office.store.events(limit=5) if event["kind"] == "suppression"]
    assert texts == ["allowed again: gone@example.net", "suppressed: gone@example.net (spam)"]
