"""Smart Routing as people keep it: order, force, precedence over nothing of the file's, and what a change would do."""

import asyncio
from datetime import timedelta

import pytest

from secondpost.core import routing
from secondpost.errors import ConfigError, SecondpostError, StoreUnavailable
from secondpost.service.routes import Controls, Routes, pasted
from tests.service.connected import matcher

CONTENT = b"From: shop@example.com\r\nTo: a@example.net\r\nSubject: your invoice\r\n\r\nhi\r\n"


def asks(value, asked="subject", operator="contains"):
    return {"property": asked, "operator": operator, "value": value}


def entry(name="Invoices", *conditions, connection="backup", **rest):
    rest = rest if "block" in rest else {"connection": connection, **rest}
    return {"name": name, "any": [{"all": list(conditions or [asks("invoice")])}], **rest}


@pytest.fixture
def routes(office):
    return Routes(office.store, office.desk, matcher)


def names(routes):
    return [row["name"] for row in routes.show()]


async def test_a_route_is_in_force_from_the_next_message_on_and_only_while_smart_routing_is_enabled(office, routes):
    await routes.put("", entry())
    before = await office.send(content=CONTENT)
    await routes.enable(True)
    enabled = await office.send(content=CONTENT)
    await routes.enable(False)
    after = await office.send(content=CONTENT)
    assert [await office.attempts(one) for one in (before, enabled, after)] == [["primary"], ["backup"], ["primary"]]


async def test_routes_are_kept_over_a_restart_in_their_order(office, routes):
    for name in ("One", "Two", "Three"):
        await routes.put("", entry(name, priority="urgent", backups=["primary"]))
    await routes.enable(True)
    await routes.move(list(routes.kept)[2], -1)
    again = Routes(office.store, office.desk, matcher)
    await again.load()
    assert names(again) == ["One", "Three", "Two"]
    assert (again.kept, again.enabled) == (routes.kept, True)


async def test_a_route_at_the_end_of_the_list_stays_there(routes):
    first, last = await routes.put("", entry("One")), await routes.put("", entry("Two"))
    await routes.move(first, -1)
    await routes.move(last, 1)
    assert names(routes) == ["One", "Two"]


async def test_a_route_is_changed_switched_off_and_removed(office, routes):
    id = await routes.put("", entry())
    await routes.enable(True)
    await routes.put(id, entry("Bills"))
    await routes.switch(id)
    assert [(row["name"], row["skipped"]) for row in routes.show()] == [("Bills", "it is switched off")]
    await routes.switch(id)
    assert routes.show()[0]["skipped"] == ""
    await routes.remove(id)
    assert routes.show() == []
    assert not office.desk.rules


async def test_changes_at_the_same_time_do_not_undo_each_other(routes):
    await asyncio.gather(*(routes.put("", entry(str(number))) for number in range(5)), routes.enable(True))
    assert sorted(names(routes)) == ["0", "1", "2", "3", "4"]
    assert routes.enabled


async def test_what_cannot_be_written_down_is_not_in_force(office, routes):
    office.store.failing.add("put")
    with pytest.raises(StoreUnavailable):
        await routes.enable(True)
    assert not routes.enabled


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entry(""), "needs a name"),
        (entry("two\nlines"), "needs a name"),
        (entry("x" * 201), "needs a name"),
        (entry(connection="gone"), "no connection 'gone'"),
        (entry(backups=["gone"]), "no connection 'gone'"),
        (entry("Blocked", block=True) | {"connection": "backup"}, "either connection, or block"),
        (entry("Odd", asks("many", "recipient_count", "is")), "is a number"),
    ],
    ids=str,
)
async def test_a_route_that_makes_no_sense_is_refused_and_not_kept(routes, wrong, words):
    with pytest.raises(SecondpostError, match=words):
        await routes.put("", wrong)
    assert routes.show() == []


async def test_a_pattern_that_cannot_be_used_is_refused_before_it_is_kept(office):
    def picky(pattern, text):
        raise ConfigError(f"{pattern} cannot be used")

    routes = Routes(office.store, office.desk, picky)
    with pytest.raises(ConfigError, match="cannot be used"):
        await routes.put("", entry("Odd", asks("(", operator="matches_regex")))
    with pytest.raises(ConfigError, match="cannot be used"):
        Routes(office.store, office.desk, picky, (routing.parse(entry("Odd", asks("(", operator="matches_regex"))),))


async def test_a_route_that_is_gone_is_told(routes):
    for change in (routes.remove("x"), routes.switch("x"), routes.move("x", 1), routes.put("x", entry())):
        with pytest.raises(SecondpostError, match="no such route"):
            await change


async def test_the_routes_of_the_file_come_first_are_locked_and_always_in_force(office):
    fixed = (routing.parse(entry("From the file", connection="primary")),)
    routes = Routes(office.store, office.desk, matcher, fixed, origin="secondpost.toml")
    await routes.put("", entry("Kept"))
    told = [(row["name"], row["locked"], row["origin"], row["skipped"]) for row in routes.show()]
    assert told == [
        ("From the file", True, "secondpost.toml", ""),
        ("Kept", False, "database", "Smart Routing is not enabled"),
    ]
    assert office.desk.rules == fixed
    await routes.enable(True)
    assert await office.attempts(await office.send(content=CONTENT)) == ["primary"]


async def test_a_route_whose_connection_is_gone_or_that_asks_nothing_is_marked_and_skipped(office, routes):
    await routes.put("", entry("Asks nothing") | {"any": []})
    await routes.put("", entry("Gone"))
    await routes.enable(True)
    del office.desk.connections["backup"]
    assert [row["skipped"] for row in routes.show()] == [
        "it has no conditions",
        "its connection 'backup' does not exist",
    ]
    assert await office.attempts(await office.send(content=CONTENT)) == ["primary"]


async def test_why_a_message_takes_its_route_is_explained(office, routes):
    await routes.put("", entry(backups=["primary"]))
    told = routes.explain(pasted(CONTENT), routes.all())
    assert (told["route"], told["connections"], told["blocked"]) == ("Invoices", ["backup", "primary"], "")
    assert told["rules"][0]["chosen"]
    other = routes.explain(pasted(CONTENT.replace(b"invoice", b"order")), routes.all())
    assert (other["route"], other["connections"]) == (None, ["primary", "backup"])


async def test_a_header_alone_is_enough_to_be_explained(routes):
    await routes.put("", entry("Two", asks("2", "recipient_count", "is")))
    told = routes.explain(pasted(b"To: a@example.net\r\nCc: b@example.net"), routes.all())
    assert told["route"] == "Two"


async def test_a_replay_tells_how_many_of_the_last_messages_would_go_another_way(office, routes):
    for subject in (b"invoice", b"order", b"invoice again"):
        await office.send(content=b"From: shop@example.com\r\nSubject: " + subject + b"\r\n\r\nhi\r\n", client="shop")
    await routes.put("", entry(connection="backup"))
    told = await routes.replay(routes.all(), ())
    assert (told["messages"], told["missing"], told["moved"], told["by_route"]) == (3, 0, 2, {"Invoices": 2})
    assert told["examples"][0]["from"] == ("primary", "backup")
    assert told["examples"][0]["to"] == ("backup",)
    draft = routing.parse(entry("By the shop", asks("shop", "initiator", "is"), block=True))
    assert (await routes.replay(routes.with_draft("", draft), routes.all()))["moved"] == 1
    assert (await routes.replay(routes.all(), routes.all()))["moved"] == 0


async def test_a_message_whose_content_is_not_kept_is_not_guessed_at(office, routes):
    await office.send(content=CONTENT)
    before = office.clock() - timedelta(days=1)
    office.clock.forward(days=1)
    await office.store.purge(content_before=office.clock(), log_before=before, now=office.clock(), limit=10)
    told = await routes.replay(routes.all(), ())
    assert (told["messages"], told["missing"]) == (0, 1)


# Email Controls -------------------------------------------------------------------------------------------------------


@pytest.fixture
def controls(office, routes):
    return Controls(office.store, office.desk, matcher, enabled=True)


async def test_a_rule_of_email_controls_blocks_whatever_else_is_asked_for_but_a_test(office, routes, controls):
    await routes.put("", entry(connection="primary"))
    await routes.enable(True)
    await controls.put("", entry("No invoices", block=True))
    blocked = await office.send(content=CONTENT)
    preferred = await office.send(content=CONTENT, prefer="backup")
    test = await office.send(content=CONTENT, connection="backup")
    assert [await office.states(one) for one in (blocked, preferred, test)] == [
        ["cancelled"], ["cancelled"], ["accepted"],
    ]  # fmt: skip
    shown = await office.entry(blocked)
    assert shown.deliveries[0]["reason"] == "blocked by the rule No invoices"
    assert "Email Controls: No invoices" in shown.row.notes
    assert await office.states(await office.send()) == ["accepted"]


async def test_email_controls_are_kept_apart_from_the_routes_and_asked_first(office, routes, controls):
    await controls.put("", entry("No invoices", block=True))
    again = Controls(office.store, office.desk, matcher, enabled=True)
    await again.load()
    assert [(row["name"], row["skipped"]) for row in again.show()] == [("No invoices", "")]
    await routes.load()
    assert routes.show() == []
    told = routes.explain(pasted(CONTENT), routes.all())
    assert (told["route"], told["blocked"]) == ("No invoices", "blocked by the rule No invoices")
