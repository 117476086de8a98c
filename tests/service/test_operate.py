"""What a person can do: plain values in and out, by one name for command line and web."""

import base64
import json

import pytest

from secondpost.core import breaker
from secondpost.core import message as rfc5322
from secondpost.core.outcome import Deferred, Fault, Unclear
from secondpost.core.priority import Priority
from secondpost.errors import Refusal, SecondpostError, StoreUnavailable
from secondpost.service.ids import new_id
from secondpost.service.keys import Keys
from secondpost.service.operate import OPERATIONS, Operations
from secondpost.service.retention import CONTENT, ENTRIES, MEGABYTES, UNLIMITED, Retention
from secondpost.service.suppressions import Suppressions
from tests.service.conftest import DOWN, HELLO, Office, held
from tests.service.connected import connections_of


@pytest.fixture
async def operations(office: Office) -> Operations:
    """The operations of an office with a primary and a backup."""
    connections = connections_of(office)
    for name in ("primary", "backup"):
        await connections.add(name, mailer="scripted")
    await connections.set_backup("backup")
    keys = Keys(office.store)
    return Operations(
        office.store, office.worker, office.submit, connections, office.credentials, keys,
        Suppressions(office.store, office.desk, office.clock), office.clock, new_id,
        Retention(office.store, office.clock, {CONTENT: 7, ENTRIES: 30, MEGABYTES: UNLIMITED}),
    )  # fmt: skip


def text(message: int) -> str:
    return rfc5322.id_text(message)


# The door -------------------------------------------------------------------------------------------------------------


def test_only_operations_can_be_asked_for(operations):
    assert operations.named("queue") == operations.queue
    for name in ("named", "_move", "store", "__class__", "nothing"):
        with pytest.raises(SecondpostError, match="no operation"):
            operations.named(name)


def test_every_operation_is_public_and_says_so_by_its_name():
    assert {"send", "queue", "health", "messages_resend", "connections_remove", "credentials_add"} <= OPERATIONS
    assert not {name for name in OPERATIONS if name.startswith("_")}


async def test_all_answers_are_plain_data(office, operations):
    sent = await operations.send(sender="shop@example.com", to=["a@example.net"], subject="hi", text="hi")
    await office.rest()
    await operations.credentials_add("shop", ["@example.com"], per_minute=5, per_hour=50)
    for name, fields in {
        "connections_list": {}, "connections_verify": {}, "backup_show": {}, "routes_list": {}, "queue": {},
        "log_list": {}, "log_show": {"id": sent["id"]}, "log_content": {"id": sent["id"]}, "credentials_list": {},
        "suppressions_list": {}, "connections_history": {},
        "db_status": {}, "db_migrate": {}, "health": {}, "email_test": {"to": "a@example.net"},
        "routes_explain": {"content": base64.b64encode(HELLO).decode()},
    }.items():  # fmt: skip
        answer = await operations.named(name)(**fields)
        assert json.dumps(answer), name


# The log --------------------------------------------------------------------------------------------------------------


async def test_the_log_is_read_page_by_page(office, operations):
    sent = [await office.send() for _ in range(5)]
    first = await operations.log_list(limit=3)
    second = await operations.log_list(limit=3, before=first["next"])
    assert [row["id"] for row in (*first["rows"], *second["rows"])] == [text(number) for number in reversed(sent)]
    assert second["next"] is None


async def test_everything_that_fits_is_exported(office, operations):
    for subject in ("one", "two"):
        await office.send(content=f"Subject: {subject}\r\n\r\n".encode())
    assert [row["subject"] async for row in operations.log_export()] == ["two", "one"]
    assert [row["subject"] async for row in operations.log_export(subject="one")] == ["one"]


async def test_the_content_is_what_was_accepted(office, operations):
    number = await office.send()
    content = base64.b64decode(await operations.log_content(text(number)))
    assert content.startswith(HELLO.partition(b"\r\n\r\n")[0])
    assert content.endswith(b"\r\n\r\nbody\r\n")


@pytest.mark.parametrize("operation", ["log_show", "log_content", "messages_resend", "messages_cancel"])
async def test_a_message_that_is_not_there_is_told_and_so_is_what_is_no_id(operations, operation):
    with pytest.raises(SecondpostError):
        await operations.named(operation)(id=text(12345))
    with pytest.raises(SecondpostError, match="is not a message id"):
        await operations.named(operation)(id="x")


# Resend ---------------------------------------------------------------------------------------------------------------


async def test_a_resend_is_a_new_message_that_links_to_the_first(office, operations):
    first = await office.send("a@example.net", priority=Priority.BULK, tag="news", client="shop")
    again = rfc5322.parse_id((await operations.messages_resend(text(first)))["id"])
    await office.rest()
    entry = await office.entry(again)
    assert (entry.parent, entry.tag, entry.row.client, entry.row.priority) == (first, "news", "shop", Priority.BULK)
    copies = office.mailers["primary"].takes
    assert [copy.message.body for copy in copies] == [b"body\r\n"] * 2
    assert copies[0].message.head == copies[1].message.head  # the Message-ID, too: receivers can tell
    assert await office.states(first) == ["accepted"]


async def test_a_resend_may_go_to_other_recipients_which_are_checked(office, operations):
    first = await office.send("a@example.net")
    again = await operations.messages_resend(text(first), ["b@example.net", "c@example.net"])
    assert (await office.entry(rfc5322.parse_id(again["id"]))).row.recipients == ("b@example.net", "c@example.net")
    with pytest.raises(Refusal):
        await operations.messages_resend(text(first), ["nobody"])
    assert len(office.store._entries) == 2


async def test_what_is_no_longer_kept_cannot_be_sent_again(office, operations):
    first = await office.send()
    office.store._entries[first].content = None
    with pytest.raises(SecondpostError, match="not kept"):
        await operations.messages_resend(text(first))
    with pytest.raises(SecondpostError, match="not kept"):
        await operations.log_content(text(first))


# Cancel and settle ----------------------------------------------------------------------------------------------------


async def test_what_waits_can_be_cancelled_and_is_never_sent(office, operations):
    for mailer in office.mailers.values():
        mailer.refuse = DOWN
    number = await office.send("a@example.net", "b@example.net")
    assert await operations.messages_cancel(text(number)) == {"cancelled": 2}
    for mailer in office.mailers.values():
        mailer.heal()
    await office.later(days=1)
    assert await office.states(number) == ["cancelled", "cancelled"]
    assert office.copies() == 0
    entry = await operations.log_show(text(number))
    assert [event["text"] for event in entry["events"]] == ["cancelled by a person"]


async def test_what_is_past_the_point_or_done_cannot_be_cancelled(office, operations):
    gate = held()
    office.mailers["primary"].after = lambda: gate
    number = await office.send()
    with pytest.raises(SecondpostError, match="Nothing was changed"):
        await operations.messages_cancel(text(number))
    gate.set_result(None)
    await office.rest()
    with pytest.raises(SecondpostError, match="Nothing was changed"):
        await operations.messages_cancel(text(number))
    assert await office.states(number) == ["accepted"]


async def doubtful(office):
    office.mailers["primary"].answer = lambda parcel: (Unclear("lost"),) * len(parcel.recipients)
    number = await office.send("a@example.net", "b@example.net")
    office.mailers["primary"].heal()
    return number


@pytest.mark.parametrize(("verdict", "state"), [("arrived", "accepted"), ("refused", "rejected")])
async def test_a_person_settles_a_doubt(office, operations, verdict, state):
    number = await doubtful(office)
    assert await operations.messages_settle(text(number), verdict, 0) == {"settled": 1}
    assert await office.states(number) == [state, "unclear"]
    assert await operations.messages_settle(text(number), verdict) == {"settled": 1}
    assert await office.states(number) == [state, state]
    with pytest.raises(SecondpostError, match="that is unclear"):
        await operations.messages_settle(text(number), verdict)


async def test_a_person_has_a_doubt_sent_again(office, operations):
    number = await doubtful(office)
    await operations.messages_settle(text(number), "send_again", 1)
    await office.later(seconds=1)
    entry = await office.entry(number)
    assert [(d["state"], d["possible_duplicate"]) for d in entry.deliveries] == [("unclear", False), ("accepted", True)]


async def test_a_verdict_that_does_not_exist_is_refused_with_those_that_do(office, operations):
    with pytest.raises(SecondpostError, match="arrived, refused, send_again"):
        await operations.messages_settle(text(await doubtful(office)), "maybe")


# Sending and testing --------------------------------------------------------------------------------------------------


async def test_a_message_is_built_and_sent(office, operations):
    sent = await operations.send(sender="shop@example.com", to=["a@example.net"], subject="hi", text="hi", key="1")
    assert sent["duplicate"] is False
    await office.rest()
    assert b"Subject: hi\r\n" in office.mailers["primary"].takes[0].message.head
    again = await operations.send(sender="shop@example.com", to=["a@example.net"], subject="hi", text="hi", key="1")
    assert again == {"id": sent["id"], "duplicate": True}


async def test_a_test_does_not_fall_back(office, operations):
    office.mailers["primary"].refuse = DOWN
    told = await operations.email_test("a@example.net")
    assert not told["ok"]
    assert office.copies() == 0


# Connections and credentials ------------------------------------------------------------------------------------------


async def test_connections_are_added_given_roles_and_removed(operations):
    await operations.connections_add("third", mailer="scripted")
    assert (await operations.backup_set("third"))["backup"] == "third"
    await operations.connections_remove("third", "backup")
    assert (await operations.backup_show())["backup"] == "backup"
    assert [row["name"] for row in await operations.connections_list()] == ["backup", "primary"]
    assert (await operations.backup_set(None))["backup"] is None


async def test_the_history_of_a_connection_is_what_its_breaker_did_newest_first(office, operations):
    at = office.clock()
    for kind, name, said in (
        ("breaker", "primary", "open: unreachable refused"), ("audit", "primary", "changed"),
        ("breaker", "backup", "open, as the primary is"), ("breaker", "primary", "closed"),
    ):  # fmt: skip
        await office.store.event(kind, at=at, connection=name, text=said)
    told = await operations.connections_history("primary")
    assert [row["text"] for row in told] == ["closed", "open: unreachable refused"]
    assert {row["connection"] for row in told} == {"primary"}
    assert len(await operations.connections_history()) == 3
    assert [row["text"] for row in await operations.connections_history(limit=1)] == ["closed"]
    with pytest.raises(SecondpostError, match="nobody"):
        await operations.connections_history("nobody")


async def test_credentials_are_made_listed_and_revoked(operations):
    made = await operations.credentials_add("shop", ["@example.com"], per_minute=10)
    assert made["secret"].startswith("sp_")
    assert await operations.credentials_list() == [
        {"name": "shop", "senders": ["@example.com"], "per_minute": 10, "per_hour": None, "per_day": None}
    ]
    await operations.credentials_revoke("shop")
    assert await operations.credentials_list() == []


# Health ---------------------------------------------------------------------------------------------------------------


def broken(office, *names):
    for name in names:
        line, now = office.line(name), office.clock()
        line.breaker = breaker.record(line.breaker, Deferred(Fault.ACCOUNT, "535"), started=now, now=now)


async def health(operations):
    told = await operations.health()
    return told["ok"], {check["name"]: check["ok"] for check in told["checks"]}


async def test_all_is_well(operations):
    checks = {"store": True, "sending": True, "connection primary": True, "connection backup": True}
    assert await health(operations) == (True, checks)


async def test_one_broken_connection_is_what_the_backup_is_for(office, operations):
    broken(office, "primary")
    ok, checks = await health(operations)
    assert (ok, checks["connection primary"]) == (True, False)


async def test_without_any_connection_that_can_take_mail_it_is_not_well(office, operations):
    broken(office, "primary", "backup")
    assert (await health(operations))[0] is False


async def test_a_connection_on_trial_can_take_mail(office, operations):
    broken(office, "primary", "backup")
    line = office.line("primary")
    line.breaker = breaker.signed_in(line.breaker, office.clock())
    assert (await health(operations))[0] is True


async def test_a_store_that_cannot_write_is_not_well(office, operations):
    office.store.failing = {"ready"}
    ok, checks = await health(operations)
    assert (ok, checks["store"]) == (False, False)
    assert "disk is full" in (await operations.health())["checks"][0]["text"]


async def test_sending_that_pauses_is_not_well(office, operations):
    office.store.failing = {"record"}
    await office.send()
    ok, checks = await health(operations)
    assert (ok, checks["sending"]) == (False, False)


async def test_the_database_can_be_backed_up_where_the_store_can(operations):
    with pytest.raises(SecondpostError, match="no backup"):
        await operations.db_backup("/nowhere")


async def test_trouble_of_the_store_is_told_as_it_is(office, operations):
    office.store.failing = {"accept"}
    with pytest.raises(StoreUnavailable):
        await operations.send(sender="shop@example.com", to=["a@example.net"])
