"""What is not settled, told message by message."""

from datetime import timedelta

from secondpost.core import breaker
from secondpost.core import message as rfc5322
from secondpost.core.outcome import Unclear
from secondpost.core.priority import Priority
from secondpost.service import outstanding
from tests.service.conftest import DOWN, Office


async def waiting(office: Office, before=None):
    return await outstanding.waiting(office.store, office.worker, before)


async def unclear(office: Office, before=None):
    return await outstanding.unclear(office.store, office.worker, before)


async def test_what_waits_says_why_when_and_by_whom_it_is_tried_next(office):
    office.primary.refuse = office.backup.refuse = DOWN
    message = await office.send("a@example.net", "b@example.net")
    (row,) = (await waiting(office))["rows"]
    assert (row["id"], row["more"]) == (rfc5322.id_text(message), 0)
    first, second = row["deliveries"]
    assert (first["recipient"], second["recipient"]) == ("a@example.net", "b@example.net")
    assert first["why"] == "it is tried again when its time comes"
    assert (first["connection"], first["reply"], first["tries"]) == ("primary", "refused", 2)
    assert first["due"] > office.clock().isoformat()


async def test_while_no_connection_can_take_it_none_is_named(office):
    office.primary.refuse = office.backup.refuse = DOWN
    for _ in range(4):
        await office.send()
    assert office.line().breaker.state is not breaker.State.CLOSED
    told = (await waiting(office))["rows"][0]["deliveries"][0]
    assert told["connection"] is None
    assert told["why"].startswith("no connection of its route can take mail now")


async def test_what_is_unclear_says_on_what_evidence_and_when_the_policy_acts(office):
    office.primary.answer = lambda parcel: (Unclear("no answer within 600 s"),)
    message = await office.send()
    (row,) = (await unclear(office))["rows"]
    (told,) = row["deliveries"]
    assert row["id"] == rfc5322.id_text(message)
    assert (told["connection"], told["phase"], told["reply"]) == ("primary", "point", "no answer within 600 s")
    assert told["again"] > (office.clock() + timedelta(minutes=9)).isoformat()
    assert told["asked"] is True  # the provider knows idempotency keys


async def test_what_the_policy_holds_waits_for_a_person(office):
    office.primary.answer = lambda parcel: (Unclear("lost"),)
    await office.send(priority=Priority.BULK)
    assert (await unclear(office))["rows"][0]["deliveries"][0]["again"] is None


async def test_of_a_message_to_many_some_are_told_and_the_others_counted(office):
    office.primary.refuse = office.backup.refuse = DOWN
    await office.send(*[f"{number}@example.net" for number in range(7)])
    (row,) = (await waiting(office))["rows"]
    assert (len(row["deliveries"]), row["more"]) == (5, 2)


async def test_pages_go_on_by_key(office, monkeypatch):
    monkeypatch.setattr(outstanding, "ROWS", 2)
    office.primary.refuse = office.backup.refuse = DOWN
    sent = [rfc5322.id_text(await office.send()) for _ in range(3)]
    first = await waiting(office)
    second = await waiting(office, first["next"])
    assert [row["id"] for row in first["rows"] + second["rows"]] == sent[::-1]
    assert second["next"] is None
