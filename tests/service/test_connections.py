"""Connections of a running gateway: what is locked, what is in use, and that no mail is lost."""

import pytest

from secondpost.core import breaker
from secondpost.core.outcome import Deferred, Fault
from secondpost.errors import ConfigError, SecondpostError
from secondpost.service.connections import KIND
from tests.service.conftest import DOWN, held
from tests.service.connected import connections_of, three_connections


@pytest.fixture
async def connections(office):
    return await three_connections(office)


def roles(connections):
    return {row["name"]: row["role"] for row in connections.show()}


# Adding, and the roles ------------------------------------------------------------------------------------------------


async def test_the_first_connection_is_primary_and_stays_so_whatever_is_added(office):
    connections = connections_of(office)
    await connections.load()
    await connections.add("main", mailer="scripted")
    await connections.add("a-second", mailer="scripted")
    assert roles(connections) == {"main": "primary", "a-second": "additional"}
    again = connections_of(office)
    await again.load()
    assert roles(again) == {"main": "primary", "a-second": "additional"}


async def test_who_was_primary_before_that_was_written_down_stays_primary(office):
    await office.store.put(KIND, "main", {"mailer": "scripted"})
    connections = connections_of(office)
    await connections.load()
    await connections.add("a-second", mailer="scripted")
    assert roles(connections)["main"] == "primary"


async def test_the_first_real_connection_takes_over_from_the_inbox(office):
    connections = connections_of(office, "inbox")
    await connections.load()
    assert roles(connections) == {"inbox": "primary"}
    await connections.add("main", mailer="scripted")
    assert roles(connections) == {"main": "primary", "inbox": "additional"}


async def test_what_is_added_carries_mail_at_once_and_after_a_restart(office):
    connections = connections_of(office)
    await connections.add("main", mailer="scripted", nickname="Main")
    assert await office.states(await office.send()) == ["accepted"]
    again = connections_of(office)
    await again.load()
    assert [row["title"] for row in again.show()] == ["Main (Scripted)"]
    await office.send()
    assert len(office.mailers["main"].takes) == 1


async def test_a_name_is_given_once(connections):
    with pytest.raises(SecondpostError, match="already a connection 'main'"):
        await connections.add("main", mailer="scripted")


async def test_settings_that_are_wrong_are_refused_and_not_kept(connections):
    with pytest.raises(ConfigError):
        await connections.add("fourth", mailer="unknown")
    assert "fourth" not in await connections.store.all(KIND)


async def test_the_list_tells_roles_states_and_origins_but_no_secret(office, connections):
    row = connections.show()[0]
    assert (row["name"], row["role"], row["state"], row["locked"], row["enabled"]) == (
        "main", "primary", "closed", False, True,
    )  # fmt: skip
    assert row["settings"] == {"token": "••••••"}
    assert roles(connections) == {"main": "primary", "second": "backup", "third": "additional"}


# What the configuration sets ------------------------------------------------------------------------------------------


async def test_what_the_configuration_sets_is_locked(office):
    connections = connections_of(office, "main", "second", primary="main", backup="second")
    await connections.load()
    assert all(row["locked"] for row in connections.show())
    assert connections.backup() == {"backup": "second", "locked": True, "origin": "the file (backup)"}
    with pytest.raises(SecondpostError, match="change it there"):
        await connections.set_backup(None)
    with pytest.raises(SecondpostError, match="change it there"):
        await connections.remove("main", None)


async def test_the_configuration_wins_over_what_is_kept(office):
    connections = connections_of(office)
    for name in ("main", "second", "third"):
        await connections.add(name, mailer="scripted")
    await connections.set_backup("third")
    configured = connections_of(office, primary="second", backup="main")
    await configured.load()
    assert roles(configured) == {"second": "primary", "main": "backup", "third": "additional"}


async def test_a_configuration_that_names_what_is_not_there_is_an_error(office):
    with pytest.raises(ConfigError):
        await connections_of(office, named=("nowhere",)).load()


# The backup -----------------------------------------------------------------------------------------------------------


async def test_the_backup_can_be_changed_and_left_out(office, connections):
    assert (await connections.set_backup("third"))["backup"] == "third"
    assert office.desk.ordinary.connections == ("main", "third")
    assert (await connections.set_backup(None))["backup"] is None
    assert office.desk.ordinary.connections == ("main",)


async def test_the_primary_cannot_be_its_own_backup(connections):
    with pytest.raises(SecondpostError, match="must be another one"):
        await connections.set_backup("main")


async def test_a_backup_that_is_not_there_is_refused_with_those_that_are(connections):
    with pytest.raises(SecondpostError, match="main, second, third"):
        await connections.set_backup("nowhere")


# Removing -------------------------------------------------------------------------------------------------------------


async def test_what_nobody_uses_is_removed(office, connections):
    mailer = office.mailers["third"]
    await connections.remove("third", None)
    assert "third" not in roles(connections)
    assert "third" not in office.worker.ways.lines
    assert mailer.closed


@pytest.mark.parametrize(("name", "use"), [("main", "primary"), ("second", "backup")])
async def test_what_is_in_use_is_not_removed_without_a_replacement(connections, name, use):
    with pytest.raises(SecondpostError, match=f"in use \\({use}\\)"):
        await connections.remove(name, None)
    assert name in roles(connections)


async def test_the_replacement_of_the_backup_becomes_the_backup(connections):
    await connections.remove("second", "third")
    assert roles(connections) == {"main": "primary", "third": "backup"}


async def test_the_replacement_of_the_primary_becomes_primary(connections):
    await connections.remove("main", "third")
    assert roles(connections) == {"third": "primary", "second": "backup"}


async def test_a_backup_that_becomes_primary_leaves_no_backup(connections):
    await connections.remove("main", "second")
    assert roles(connections) == {"second": "primary", "third": "additional"}
    assert connections.backup()["backup"] is None


async def test_the_place_of_a_backup_can_stay_empty_but_not_that_of_who_carries_mail_first(connections):
    await connections.routes.put("", {"name": "Invoices", "connection": "main", "backups": ["second", "third"]})
    await connections.remove("second", "none")
    assert connections.backup()["backup"] is None
    assert [rule.backups for rule in connections.routes.kept.values()] == [("third",)]
    with pytest.raises(SecondpostError, match="cannot stay empty"):
        await connections.remove("main", "none")
    assert roles(connections) == {"main": "primary", "third": "additional"}


async def test_what_is_in_use_is_switched_off_with_a_replacement(connections):
    with pytest.raises(SecondpostError, match=r"in use \(backup\)"):
        await connections.disable("second", None)
    await connections.disable("second", "third")
    assert not connections.known("second").enabled
    assert connections.backup()["backup"] == "third"


@pytest.mark.parametrize("backup", ["main", "nowhere"])
async def test_a_backup_chain_names_other_connections_that_are_there(connections, backup):
    with pytest.raises(SecondpostError):
        await connections.change("main", {"mailer": "scripted", "backups": [backup]})
    assert connections.known("main").backups == ()


@pytest.mark.parametrize("replacement", ["main", "nowhere"])
async def test_a_replacement_must_be_there_and_another_one(connections, replacement):
    with pytest.raises(SecondpostError):
        await connections.remove("main", replacement)
    assert roles(connections)["main"] == "primary"


async def test_what_the_configuration_names_is_not_removed_and_nothing_has_changed(office, connections):
    connections.require = connections_of(office, named=("third",)).require
    await connections.load()
    with pytest.raises(ConfigError):
        await connections.remove("third", "second")
    assert "third" in roles(connections)
    assert "third" in await connections.store.all(KIND)


async def test_mail_that_waits_for_a_connection_that_is_removed_takes_another_way(office, connections):
    gate = held()
    main = office.mailers["main"]
    main.before = lambda: gate
    await connections.set_backup(None)
    messages = [await office.send() for _ in range(8)]
    await connections.remove("main", "third")
    await office.rest()
    assert len(office.mailers["third"].takes) == 4
    gate.set_result(None)
    await office.rest()
    assert [await office.states(message) for message in messages] == [["accepted"]] * 8
    assert office.worker.room.count == 0
    assert len(main.takes) == 4  # what was under way ended by itself


async def test_mail_that_waits_in_the_store_for_one_that_is_removed_takes_the_ordinary_route(office, connections):
    await connections.set_backup(None)
    office.mailers["main"].refuse = DOWN
    message = await office.send()
    await connections.remove("main", "second")
    await office.later(seconds=20)
    assert await office.states(message) == ["accepted"]
    assert len(office.mailers["second"].takes) == 1


async def test_what_has_not_changed_keeps_its_line_and_its_breaker(office, connections):
    line = office.line("main")
    line.breaker = breaker.record(line.breaker, DOWN, started=office.clock(), now=office.clock())
    await connections.add("fourth", mailer="scripted")
    assert office.line("main") is line


async def test_a_connection_that_comes_back_with_other_settings_is_not_blamed_for_the_old_ones(office, connections):
    office.worker.on_change = office.trials.changed
    office.mailers["third"].refuse = Deferred(Fault.ACCOUNT, "535 no")
    await office.send(connection="third")
    await office.rest()
    await connections.remove("third", None)
    row = await connections.add("third", mailer="scripted", token="mended")
    assert row["state"] == "closed"
    assert office.line("third").usable(office.clock())


# Routes ---------------------------------------------------------------------------------------------------------------


async def test_a_connection_that_a_route_uses_is_replaced_there_before_it_goes(office, connections):
    await connections.routes.put("", {"name": "Invoices", "connection": "third", "backups": ["second", "main"]})
    with pytest.raises(SecondpostError, match=r"in use \(route Invoices\)"):
        await connections.remove("third", None)
    await connections.remove("third", "second")
    (rule,) = connections.routes.kept.values()
    assert (rule.connection, rule.backups) == ("second", ("main",))


async def test_a_connection_that_is_another_ones_own_backup_is_replaced_there_before_it_goes(office, connections):
    await connections.change("main", {"mailer": "scripted", "backups": ["third", "second"]})
    with pytest.raises(SecondpostError, match=r"in use \(backup of main\)"):
        await connections.remove("third", None)
    await connections.remove("third", "second")
    assert connections.known("main").backups == ("second",)
    assert connections.known("second").backups == ()
