"""Taking a message in: what is checked, what is added, what is stored, and what the client is told when."""

import asyncio
import json
from datetime import timedelta

import pytest

from secondpost.core import message as rfc5322
from secondpost.core import routing
from secondpost.core.outcome import Accepted
from secondpost.core.priority import Priority
from secondpost.errors import IdempotencyConflict, Refusal, StoreUnavailable
from secondpost.service.room import Room
from tests.service.conftest import DOWN, HELLO


def headed(*fields: str) -> bytes:
    return "".join(f"{field}\r\n" for field in ("From: shop@example.com", *fields)).encode() + b"\r\nbody\r\n"


async def stored(office, draft):
    receipt = await office.submit(draft)
    return await office.store.content(receipt.id)


async def refused(office, draft) -> Refusal:
    """The refusal of a draft, of which nothing is left behind."""
    with pytest.raises(Refusal) as caught:
        office.submit(draft)
    assert await office.store.entry(draft.id) is None
    assert office.worker.room.count == 0
    return caught.value


# When the client hears OK ---------------------------------------------------------------------------------------------


async def test_the_receipt_comes_after_the_commit_and_sending_begins_after_it(office):
    office.store.slow = {"accept"}
    receipt = office.submit(office.draft())
    await office.rest()
    assert not receipt.done()
    assert office.primary.tries == 0
    office.store.flow()
    await office.rest()
    assert (await receipt).duplicate is False
    assert office.copies() == 1


async def test_what_cannot_be_stored_is_told_and_leaves_no_room_taken(office):
    office.store.failing = {"accept"}
    with pytest.raises(StoreUnavailable):
        await office.submit(office.draft())
    await office.rest()
    assert office.worker.room.count == 0
    assert office.copies() == 0


async def test_whoever_leaves_before_the_answer_gets_the_message_delivered_all_the_same(office):
    office.store.slow = {"accept", "record"}
    receipt = office.submit(office.draft())
    (number,) = office.submit._pending
    receipt.cancel()
    await office.rest()
    office.store.flow()
    await office.rest()
    assert await office.states(number) == ["waiting"]
    assert office.worker.room.count == 0
    await office.later(seconds=1)
    assert await office.states(number) == ["accepted"]
    assert office.copies() == 1


# What is added and taken away -----------------------------------------------------------------------------------------


async def test_a_missing_message_id_and_date_are_added_once_and_stay_the_same_on_every_attempt(office):
    office.primary.answer = lambda parcel: (DOWN,)
    draft = office.draft()
    await office.submit(draft)
    await office.rest()
    heads = [mailer.takes[0].message.head for mailer in (office.primary, office.backup)]
    added = f"Message-ID: <{rfc5322.id_text(draft.id)}@gateway.example>\r\n".encode()
    assert all(added in head and b"\r\nDate: " in head for head in heads)
    assert heads[0].partition(b"\r\n")[2] == heads[1].partition(b"\r\n")[2]  # all but X-Mailer


async def test_a_message_id_and_a_date_of_the_client_are_kept(office):
    fields = ("Message-ID: <1@shop.example>", "Date: Thu, 1 Jan 2026 00:00:00 +0000")
    message = await stored(office, office.draft(content=headed(*fields)))
    assert message.head == headed(*fields).removesuffix(b"body\r\n")


async def test_each_connection_signs_its_copy_and_the_stored_message_never_changes(office):
    number = await office.send()
    (copy,) = office.primary.takes
    assert copy.message.head.startswith(b"X-Mailer: Secondpost/")
    assert copy.message.head.split(b"\r\n")[0].endswith(b" scripted")
    message = await office.store.content(number)
    assert b"X-Mailer" not in message.head
    assert copy.message.body == message.body == b"body\r\n"


@pytest.mark.parametrize(
    ("fields", "protocol"),
    [
        ({}, "ESMTP"),
        ({"tls": True}, "ESMTPS"),
        ({"client": "shop"}, "ESMTPA"),
        ({"tls": True, "client": "shop"}, "ESMTPSA"),
        ({"smtputf8": True}, "UTF8SMTP"),
        ({"smtputf8": True, "tls": True, "client": "shop"}, "UTF8SMTPSA"),
    ],
)
async def test_what_came_by_smtp_gets_a_received_field_that_names_the_protocol(office, fields, protocol):
    draft = office.draft(entrypoint="smtp", helo="app.example", peer="192.0.2.7", **fields)
    message = await stored(office, draft)
    first, _, rest = message.head.partition(b";")
    number = rfc5322.id_text(draft.id)
    assert first.decode() == (
        "Received: from app.example ([192.0.2.7])\r\n"
        f" by gateway.example with {protocol} id {number} for <a@example.net>"
    )
    assert rest.startswith(b"\r\n ")


async def test_a_received_field_does_not_tell_one_recipient_of_the_others(office):
    message = await stored(office, office.draft("a@example.net", "secret@example.net", entrypoint="smtp"))
    assert b"Received:" in message.head
    assert b"secret@example.net" not in message.head


async def test_what_did_not_come_by_smtp_has_no_received_field(office):
    assert b"Received" not in (await stored(office, office.draft(entrypoint="cli"))).head


async def test_our_own_fields_and_bcc_are_taken_out(office):
    fields = ("Secondpost-Priority: bulk", "Secondpost-Tag: news", "secondpost-anything: x", "Bcc: b@example.net")
    message = await stored(office, office.draft(content=headed(*fields)))
    assert b"secondpost" not in message.head.lower().replace(b"gateway", b"")
    assert b"Bcc" not in message.head


# Our header fields ----------------------------------------------------------------------------------------------------


async def test_the_header_can_ask_for_a_priority_which_sets_when_the_message_expires(office):
    number = await office.send(content=headed("Secondpost-Priority: Urgent"))
    entry = await office.entry(number)
    assert entry.row.priority is Priority.URGENT
    assert entry.expires - entry.row.accepted == office.worker.policies[Priority.URGENT].expires


async def test_a_priority_that_does_not_exist_is_refused_with_those_that_do(office):
    refusal = await refused(office, office.draft(content=headed("Secondpost-Priority: asap")))
    assert (refusal.code, refusal.status, refusal.field) == (550, "5.6.0", "priority")
    assert "urgent, normal or bulk" in refusal.text


def invoices(**more):
    condition = {"property": "subject", "operator": "contains", "value": "invoice"}
    return routing.parse({"name": "Invoices", "any": [{"all": [condition]}], **more})


async def test_the_entrypoint_has_more_say_in_the_priority_than_a_route_and_a_route_more_than_the_header(office):
    office.desk.rules = [invoices(connection="backup", priority="bulk")]
    content = headed("Subject: invoice 1", "Secondpost-Priority: urgent")
    by_route = await office.entry(await office.send(content=content))
    by_entrypoint = await office.entry(await office.send(content=content, priority=Priority.NORMAL))
    assert (by_route.row.priority, by_entrypoint.row.priority) == (Priority.BULK, Priority.NORMAL)


async def test_the_header_can_give_a_tag_which_is_bounded(office):
    entry = await office.entry(await office.send(content=headed("Secondpost-Tag: " + "x" * 300)))
    assert entry.tag == "x" * 200


async def test_a_trusted_client_may_name_the_connection_which_still_has_its_backup(office):
    office.backup.refuse = DOWN
    office.arrange(primary="backup", backup="primary")
    number = await office.send(content=headed("Secondpost-Connection: backup"))
    assert await office.attempts(number) == ["backup", "primary"]
    assert json.loads((await office.entry(number)).row.notes)["why"] == "the message names the connection backup"


async def test_a_log_in_may_not_name_the_connection(office):
    await office.credentials.add("shop")
    draft = office.draft(content=headed("Secondpost-Connection: backup"), trusted=False, client="shop")
    refusal = await refused(office, draft)
    assert (refusal.code, refusal.status) == (550, "5.7.1")
    assert "backup" not in refusal.text.replace("Secondpost-Connection", "")


async def test_a_connection_that_does_not_exist_is_refused_with_those_that_do(office):
    refusal = await refused(office, office.draft(content=headed("Secondpost-Connection: bakcup")))
    assert "primary, backup" in refusal.text


# Who may send as whom -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "author", "denied"),
    [
        ("shop@example.com", "shop@example.com", ""),
        ("", "shop@example.com", ""),
        ("news@mail.example.com", "Shop <shop@example.com>", ""),
        ("boss@example.org", "shop@example.com", "boss@example.org"),
        ("shop@example.com", "Boss <boss@example.org>", "boss@example.org"),
        ("shop@example.com", "shop@example.com, boss@example.org", "boss@example.org"),
        ("shop@example.com", "Team: shop@example.com, boss@example.org;", "boss@example.org"),
    ],
)
async def test_a_credential_sends_only_as_its_senders_in_the_envelope_and_in_every_author(
    office, sender, author, denied
):
    await office.credentials.add("shop")
    draft = office.draft(
        sender=sender, content=f"From: {author}\r\n\r\nhi\r\n".encode(), client="shop", trusted=False,
        senders=("shop@example.com", "@mail.example.com"),
    )  # fmt: skip
    if not denied:
        assert (await office.submit(draft)).id == draft.id
        return
    refusal = await refused(office, draft)
    assert (refusal.code, refusal.status) == (553, "5.7.1")
    assert denied in refusal.text


async def test_a_credential_without_senders_may_use_any(office):
    await office.credentials.add("shop")
    assert await office.submit(office.draft(sender="anyone@example.org", client="shop", trusted=False))


async def test_a_session_whose_log_in_was_revoked_meanwhile_submits_no_more(office):
    await office.credentials.add("shop")
    assert await office.submit(office.draft(client="shop", trusted=False))
    await office.rest()
    await office.credentials.revoke("shop")
    refusal = await refused(office, office.draft(client="shop", trusted=False))
    assert (refusal.code, refusal.status) == (550, "5.7.1")


# How much a log-in may submit -----------------------------------------------------------------------------------------


async def test_a_log_in_that_has_submitted_as_much_as_it_may_is_told_when_to_come_back(office):
    office.clock.early()
    await office.credentials.add("shop", per_minute=2)
    await office.credentials.add("other")
    for _ in range(2):
        await office.send(client="shop", trusted=False)
    refusal = await refused(office, office.draft(client="shop", trusted=False))
    assert (refusal.code, refusal.status) == (451, "4.7.1")
    assert "2 a minute" in refusal.text
    assert await office.submit(office.draft(client="other", trusted=False))
    office.clock.forward(minutes=1)
    assert await office.submit(office.draft(client="shop", trusted=False))


async def test_a_person_who_resends_does_not_use_up_what_the_log_in_may_submit(office):
    await office.credentials.add("shop", per_hour=1)
    for _ in range(3):
        await office.submit(office.draft(client="shop", entrypoint="resend"))


# Idempotency ----------------------------------------------------------------------------------------------------------

KEYED = headed("Secondpost-Idempotency-Key: order-1")


async def test_a_message_submitted_twice_with_one_key_is_delivered_once(office):
    first = await office.submit(office.draft(content=KEYED))
    second = await office.submit(office.draft(content=KEYED))
    await office.rest()
    assert (second.id, second.duplicate) == (first.id, True)
    assert office.copies() == 1
    assert office.worker.room.count == 0


async def test_a_key_with_other_content_is_a_conflict_and_nothing_is_sent(office):
    await office.submit(office.draft(content=KEYED))
    with pytest.raises(IdempotencyConflict):
        await office.submit(office.draft(content=KEYED + b"more\r\n"))
    await office.rest()
    assert (office.copies(), office.worker.room.count) == (1, 0)


async def test_two_clients_may_use_the_same_key(office):
    for client in ("shop", "blog"):
        assert not (await office.submit(office.draft(client=client, key="1"))).duplicate


# Room -----------------------------------------------------------------------------------------------------------------


async def test_what_does_not_fit_into_memory_is_stored_to_wait(office):
    office.worker.room = Room(max_bytes=len(HELLO) * 3)
    gate = asyncio.get_running_loop().create_future()
    office.primary.before = lambda: gate
    numbers = [await office.send() for _ in range(4)]
    assert [(await office.states(number))[0] for number in numbers].count("waiting") > 0
    gate.set_result(None)
    await office.rest()
    await office.later(seconds=1)
    assert office.copies() == 4


# Reports that nobody wants --------------------------------------------------------------------------------------------


async def test_the_log_notes_whose_failures_the_client_does_not_want_to_hear_of(office):
    dsn = {"NOTIFY a@example.net": "NEVER", "NOTIFY b@example.net": "DELAY,FAILURE", "NOTIFY c@example.net": "success"}
    number = await office.send("a@example.net", "b@example.net", "c@example.net", "d@example.net", dsn=dsn)
    assert json.loads((await office.entry(number)).row.notes) == {"no report": ["a@example.net", "c@example.net"]}


async def test_an_ordinary_message_has_no_notes(office):
    assert (await office.entry(await office.send(dsn={"RET": "HDRS"}))).row.notes == ""


async def test_what_is_prepared_only_takes_no_room_and_stores_nothing(office):
    submission = office.submit.prepare(office.draft())
    assert submission.worker == ""
    assert office.worker.room.count == 0
    assert await office.store.entry(submission.id) is None


async def test_accepted_is_what_the_provider_said(office):
    office.primary.answer = lambda parcel: (Accepted("250 2.0.0 queued as 42", provider_id="42"),)
    entry = await office.entry(await office.send())
    assert entry.attempts[0]["outcomes"][0]["provider_id"] == "42"


async def test_mail_for_later_waits_for_its_time_and_its_life_begins_then(office):
    due = office.clock() + timedelta(hours=3)
    id = await office.send(due=due)
    assert office.copies() == 0
    entry = await office.entry(id)
    assert entry.expires == due + office.worker.policies[Priority.NORMAL].expires
    await office.later(hours=3, seconds=1)
    assert await office.states(id) == ["accepted"]


async def test_a_time_that_is_past_means_now_and_one_too_far_is_refused(office):
    id = await office.send(due=office.clock() - timedelta(hours=1))
    assert await office.states(id) == ["accepted"]
    with pytest.raises(Refusal, match="farther ahead than 30 days") as caught:
        office.submit(office.draft(due=office.clock() + timedelta(days=31)))
    assert caught.value.field == "send_at"


async def test_metadata_is_kept_with_the_notes(office):
    id = await office.send(metadata={"order": "17"})
    assert json.loads((await office.entry(id)).row.notes) == {"metadata": {"order": "17"}}


async def test_what_is_refused_for_its_metadata_leaves_no_room_taken(office):
    content = b"From: shop@example.com\r\nSecondpost-Metadata: no JSON\r\n\r\n"
    with pytest.raises(Refusal):
        await office.send(content=content)
    assert (office.worker.room.count, office.worker.room.bytes) == (0, 0)


async def test_which_part_of_the_client_sends_is_noted_and_not_sent_on(office):
    id = await office.send(content=headed("Secondpost-Initiator: plugin:orders"))
    assert json.loads((await office.entry(id)).row.notes) == {"initiator": "plugin:orders"}


async def test_a_preferred_connection_comes_first_and_the_backup_still_helps(office):
    id = await office.send(prefer="backup", trusted=False)
    assert await office.attempts(id) == ["backup"]
    with pytest.raises(Refusal, match="no connection 'other'"):
        office.submit(office.draft(prefer="other"))
