"""Whom a submission does not write to: the suppressed, what a rule blocks, and everybody while Do Not Send is on."""

from secondpost.core import routing, suppression


async def test_a_suppressed_recipient_is_cancelled_with_the_reason_and_the_others_are_served(office):
    office.desk.suppressed = suppression.List({"gone@example.net": "bounced"})
    number = await office.send("a@example.net", "gone@EXAMPLE.net")
    entry = await office.entry(number)
    assert [(d["state"], d["reason"]) for d in entry.deliveries] == [
        ("accepted", ""),
        ("cancelled", "suppressed: bounced"),
    ]
    assert office.primary.takes[0].recipients == ("a@example.net",)


async def test_when_nobody_may_be_written_to_no_room_is_taken(office):
    office.desk.suppressed = suppression.List({"gone@example.net": "bounced"})
    number = await office.send("gone@example.net", "gone@example.net")
    assert await office.states(number) == ["cancelled", "cancelled"]
    assert office.worker.room.count == 0


async def test_do_not_send_keeps_everything_in_the_log_and_sends_nothing(office):
    office.desk.do_not_send = True
    number = await office.send("a@example.net", "a@example.net")
    assert await office.states(number) == ["cancelled", "cancelled"]
    assert (await office.entry(number)).deliveries[0]["reason"] == "Do Not Send is switched on"
    assert await office.store.content(number) is not None
    assert (office.copies(), office.worker.room.count) == (0, 0)


async def test_do_not_send_does_not_keep_a_test_from_being_sent(office):
    office.desk.do_not_send = True
    assert await office.states(await office.send(connection="primary")) == ["accepted"]


async def test_what_a_route_blocks_is_kept_in_the_log_with_the_name_of_the_route(office):
    greetings = {"property": "subject", "operator": "contains", "value": "hello"}
    office.desk.rules = [routing.parse({"name": "Greetings", "any": [{"all": [greetings]}], "block": True})]
    number = await office.send()
    entry = await office.entry(number)
    assert (entry.deliveries[0]["state"], entry.deliveries[0]["reason"]) == (
        "cancelled",
        "blocked by the route Greetings",
    )
    assert office.copies() == 0
